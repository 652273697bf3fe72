//! All that is recorded about a repository, for whoever keeps it in order.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;
use std::time::SystemTime;

use futures_util::{StreamExt, stream};
use serde::de::DeserializeOwned;

use super::blobs::Layer;
use super::bucket::{Bucket, List, Listed};
use super::manifests::{Name, Revision};
use super::records::{self, Seen};
use super::session::State;
use super::tags::TagRecord;
use super::{keys, lists};
use crate::oci::{Digest, RepoName, Tag};
use crate::store::{
    Damage, Inventory, LayerEntry, ManifestEntry, Part, ReferrerEntry, StoreError, TagEntry,
    UploadEntry, UploadId,
};

/// How many records are read at once.
const AT_ONCE: usize = 16;

/// Reads it all. What vanishes meanwhile was not there.
pub(super) async fn of(bucket: &Bucket, repo: &RepoName) -> Result<Inventory, StoreError> {
    let mut reader = Reader {
        bucket,
        repo,
        found: Inventory::default(),
    };
    reader.layers().await?;
    reader.manifests().await?;
    reader.aliases().await?;
    reader.tags().await?;
    reader.referrers().await?;
    reader.uploads().await?;
    Ok(reader.found)
}

struct Reader<'a> {
    bucket: &'a Bucket,
    repo: &'a RepoName,
    found: Inventory,
}

impl Reader<'_> {
    async fn layers(&mut self) -> Result<(), StoreError> {
        let prefix = keys::of_repository(keys::LAYERS, self.repo);
        for (digest, seen) in self.records::<_, Layer>(&prefix, Part::Layer).await? {
            self.found.layers.push(LayerEntry {
                digest,
                content: seen.value.content,
                used: seen.written,
            });
        }
        Ok(())
    }

    async fn manifests(&mut self) -> Result<(), StoreError> {
        let prefix = keys::revisions(self.repo);
        for (digest, seen) in self.records::<_, Revision>(&prefix, Part::Manifest).await? {
            self.found.manifests.push(ManifestEntry {
                digest,
                aliases: Vec::new(),
                used: seen.written,
            });
        }
        Ok(())
    }

    async fn aliases(&mut self) -> Result<(), StoreError> {
        let prefix = keys::of_repository(keys::ALIASES, self.repo);
        for (digest, seen) in self.records::<_, Name>(&prefix, Part::Manifest).await? {
            let manifests = self.found.manifests.iter_mut();
            for manifest in manifests.filter(|manifest| manifest.digest == seen.value.content) {
                manifest.aliases.push(digest);
            }
        }
        Ok(())
    }

    async fn tags(&mut self) -> Result<(), StoreError> {
        let pulls = self.pulls().await?;
        let prefix = keys::tags(self.repo);
        for (tag, seen) in self.records::<Tag, TagRecord>(&prefix, Part::Tag).await? {
            if let Some(target) = seen.value.target {
                self.found.tags.push(TagEntry {
                    pulled: pulls.get(&tag).copied(),
                    tag,
                    target: target.content,
                    pushed: target.pushed,
                });
            }
        }
        Ok(())
    }

    async fn pulls(&self) -> Result<HashMap<Tag, SystemTime>, StoreError> {
        let prefix = keys::of_repository(keys::PULLS, self.repo);
        let found = self.list(&prefix).await?.into_iter();
        let tagged = found.filter_map(|object| {
            let tag = object.key[prefix.len()..].parse().ok()?;
            Some((tag, object.last_modified + self.bucket.resolution()))
        });
        Ok(tagged.collect())
    }

    async fn referrers(&mut self) -> Result<(), StoreError> {
        let prefix = keys::of_repository(keys::REFERRERS, self.repo);
        let part = |Pair { subject, referrer }| Part::Referrer { subject, referrer };
        for (Pair { subject, referrer }, seen) in self.records::<_, Name>(&prefix, part).await? {
            self.found.referrers.push(ReferrerEntry {
                subject,
                referrer,
                used: seen.written,
            });
        }
        Ok(())
    }

    async fn uploads(&mut self) -> Result<(), StoreError> {
        let prefix = keys::of_repository(keys::UPLOADS, self.repo);
        let part = |_: UploadId| Part::Unknown;
        for (id, seen) in self.records::<UploadId, State>(&prefix, part).await? {
            self.found.uploads.push(UploadEntry {
                id,
                bytes: seen.offset(),
                active: seen.written,
            });
        }
        Ok(())
    }

    /// The records below a prefix, by what stands after it in their keys. What
    /// cannot be read is reported.
    async fn records<K, T>(
        &mut self,
        prefix: &str,
        part: impl Fn(K) -> Part,
    ) -> Result<Vec<(K, Seen<T>)>, StoreError>
    where
        K: FromStr<Err: Display> + Clone,
        T: DeserializeOwned,
    {
        let mut listed: Vec<(K, String)> = Vec::new();
        for object in self.list(prefix).await? {
            match object.key[prefix.len()..].parse::<K>() {
                Ok(name) => listed.push((name, object.key)),
                Err(error) => self.damage(Part::Unknown, object.key, error.to_string()),
            }
        }
        let bucket = self.bucket;
        let mut read = stream::iter(listed)
            .map(async |(name, key)| {
                let seen = records::read::<T>(bucket, &key).await;
                (name, key, seen)
            })
            .buffered(AT_ONCE);
        let (mut found, mut damaged) = (Vec::new(), Vec::new());
        while let Some((name, key, seen)) = read.next().await {
            match seen {
                Ok(None) => {}
                Ok(Some(seen)) => found.push((name, seen)),
                Err(StoreError::Damaged { problem, .. }) => damaged.push((name, key, problem)),
                Err(error) => return Err(error),
            }
        }
        drop(read);
        for (name, key, problem) in damaged {
            self.damage(part(name), key, problem);
        }
        Ok(found)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let list = List {
            prefix,
            ..List::default()
        };
        lists::all(self.bucket, list).await
    }

    fn damage(&mut self, part: Part, location: String, problem: String) {
        self.found.damaged.push(Damage {
            part,
            location,
            problem,
        });
    }
}

/// A subject and who refers to it, as they stand in a key.
#[derive(Debug, Clone, Copy)]
struct Pair {
    subject: Digest,
    referrer: Digest,
}

impl FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (subject, referrer) = text
            .split_once(keys::END)
            .ok_or("expected a subject and a referrer")?;
        let parse = |digest: &str| digest.parse::<Digest>().map_err(|error| error.to_string());
        Ok(Self {
            subject: parse(subject)?,
            referrer: parse(referrer)?,
        })
    }
}
