//! A bucket, replicas over it, and what has to hold at every moment.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::TryStreamExt;
use serde_json::Value;

use super::super::session::LEASE;
use super::super::{Bucket, BucketOptions, Memory, keys};
use crate::oci::{Algorithm, Digest, RepoName, Tag};
use crate::store::{Maintain, NewManifest, Store, StoreError, Upload};

pub(super) struct World {
    pub(super) bucket: Bucket,
    pub(super) store: Memory,
    pub(super) repo: RepoName,
}

impl World {
    pub(super) fn new(yields: u64, seed: u64) -> Self {
        let bucket = Bucket::new(BucketOptions {
            min_part: 50_000,
            page: 3,
            yields,
            seed,
            ..BucketOptions::default()
        });
        Self {
            store: Memory::new(bucket.clone()),
            bucket,
            repo: "team/app".parse().unwrap(),
        }
    }

    /// Another process.
    pub(super) fn replica(&self) -> Memory {
        Memory::new(self.bucket.another_client())
    }

    /// Later than any lease, claim or grace.
    pub(super) fn tomorrow(&self) -> SystemTime {
        self.bucket.now() + Duration::from_secs(24 * 3600)
    }

    /// Makes everything old, so that nobody keeps anything from anybody.
    pub(super) fn wait_long(&self) {
        self.bucket.advance(2 * LEASE);
    }

    pub(super) async fn push(&self, content: &[u8]) -> Digest {
        let digest = Algorithm::Sha256.digest(content);
        let mut upload = self.store.begin_upload(&self.repo).await.unwrap();
        upload.write(Bytes::copy_from_slice(content)).await.unwrap();
        upload.commit(&digest).await.unwrap();
        digest
    }

    pub(super) async fn put(&self, about: &str, tags: &[&str]) -> Digest {
        let manifest = manifest(about, tags);
        let digest = manifest.digest;
        self.store.put_manifest(&self.repo, manifest).await.unwrap();
        digest
    }

    pub(super) async fn read(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let blob = self.store.blob(&self.repo, digest).await?;
        let pieces: Vec<Bytes> = blob.read(0..blob.size()).try_collect().await.unwrap();
        Ok(pieces.concat())
    }

    /// Removes all there is, as a collector would that grants nothing.
    pub(super) async fn collect_all(&self) {
        let (store, after) = (&self.store, self.tomorrow());
        for repo in store.places(None, usize::MAX).await.unwrap().items {
            let found = store.inventory(&repo).await.unwrap();
            assert_eq!(found.damaged, []);
            for tag in found.tags {
                let expired = store.expire_tag(&repo, &tag.tag, &tag.target, after);
                assert!(expired.await.unwrap(), "{tag:?}");
            }
            for manifest in found.manifests {
                let expired = store.expire_manifest(&repo, &manifest.digest, after);
                assert!(expired.await.unwrap(), "{manifest:?}");
            }
            for layer in found.layers {
                let expired = store.expire_layer(&repo, &layer.digest, after);
                assert!(expired.await.unwrap(), "{layer:?}");
            }
            for upload in found.uploads {
                let expired = store.expire_upload(&repo, upload.id, after);
                assert!(expired.await.unwrap(), "{upload:?}");
            }
            store.tidy(Some(&repo), after).await.unwrap();
        }
        for content in store.contents(None, usize::MAX).await.unwrap().items {
            let freed = store.expire_content(&content.digest, after).await.unwrap();
            assert_eq!(freed, Some(content.size), "{content:?}");
        }
        store.tidy(None, after).await.unwrap();
    }

    /// Asserts that nothing is left, and nothing leaks.
    pub(super) fn assert_empty(&self) {
        assert_eq!(self.bucket.keys(), [""; 0]);
        assert_eq!(self.bucket.open_multiparts(), 0);
    }

    /// Asserts what has to hold between any two calls.
    pub(super) fn assert_whole(&self) {
        let objects = self.bucket.snapshot();
        let records = |prefix: &'static str| {
            let below = objects.range(prefix.to_owned()..);
            below
                .take_while(move |(key, _)| key.starts_with(prefix))
                .map(|(key, object)| (key.as_str(), line(object)))
        };
        for (key, tag) in records(keys::CATALOG).filter(|(key, _)| key.contains("!tag/")) {
            let Some(target) = tag.get("target") else {
                continue;
            };
            let (repo, _) = key.split_once("!tag/").unwrap();
            let content = target["content"].as_str().unwrap();
            let revision = objects.get(&format!("{repo}!revision/{content}"));
            let revision = revision.unwrap_or_else(|| panic!("{key} leads to no manifest"));
            assert_eq!(line(revision)["life"], target["life"], "{key}");
        }
        let mut owners = BTreeMap::new();
        for (key, content) in records(keys::CONTENTS).chain(records("quarantine/")) {
            if let Some(id) = content.get("data") {
                let data = format!("{}{}", keys::DATA, id.as_str().unwrap());
                let bytes = objects.get(&data);
                if content.get("dying").is_none() {
                    let bytes = bytes.unwrap_or_else(|| panic!("{key} has no bytes"));
                    assert_eq!(bytes.len() as u64, content["size"].as_u64().unwrap());
                }
                owners.insert(data, key.to_owned());
            }
        }
        for (key, _) in records(keys::UPLOADS) {
            let (_, id) = key.rsplit_once(keys::END).unwrap();
            owners.insert(format!("{}{id}", keys::DATA), key.to_owned());
        }
        for data in objects.keys().filter(|key| key.starts_with(keys::DATA)) {
            assert!(owners.contains_key(data), "{data} is nobody's");
        }
    }

    /// Does something, and asserts meanwhile that everything is whole.
    pub(super) async fn watch<T>(&self, work: impl Future<Output = T>) -> T {
        let watching = async {
            loop {
                self.assert_whole();
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            done = work => done,
            () = watching => unreachable!("it watches for ever"),
        }
    }
}

pub(super) fn manifest(about: &str, tags: &[&str]) -> NewManifest {
    let text = serde_json::json!({
        "schemaVersion": 2,
        "manifests": [],
        "annotations": {"about": about},
    });
    let bytes = Bytes::from(text.to_string());
    NewManifest {
        digest: Algorithm::Sha256.digest(&bytes),
        bytes,
        subject: None,
        tags: tags.iter().map(|name| tag(name)).collect(),
    }
}

pub(super) fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

pub(super) async fn write(upload: &mut dyn Upload, content: &[u8]) -> Result<(), StoreError> {
    for piece in content.chunks(20_000) {
        upload.write(Bytes::copy_from_slice(piece)).await?;
    }
    Ok(())
}

/// Changes the last byte of content, wherever that is.
pub(super) fn corrupt(bucket: &Bucket, digest: &Digest) {
    let objects = bucket.snapshot();
    let mut key = keys::content(digest);
    if let Some(id) = line(&objects[&key]).get("data") {
        key = format!("{}{}", keys::DATA, id.as_str().unwrap());
    }
    let mut bytes = objects[&key].to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    bucket.overwrite(&key, bytes.into());
}

fn line(record: &Bytes) -> Value {
    let end = record.iter().position(|byte| *byte == b'\n').unwrap();
    serde_json::from_slice(&record[..end]).unwrap()
}
