//! [`Maintain`] on a file system. What does not say `async` blocks.

use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use async_trait::async_trait;
use fs_err as fs;

use super::disk;
use super::durable::{self, is_absent};
use super::pointers::Pointers;
use super::{
    Filesystem, Shared, blobs, claims, inventory, links, manifests, staged, tidy, uploads, walk,
};
use crate::oci::{Algorithm, Digest, RepoName, Tag};
use crate::store::{Blob, Content, Inventory, Maintain, Missing, Page, StoreError, UploadId};

#[async_trait]
impl Maintain for Filesystem {
    async fn places(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<RepoName>, StoreError> {
        let after = after.map(str::to_owned);
        self.blocking(move |shared| walk::places(shared, after.as_deref(), limit))
            .await
    }

    async fn inventory(&self, repo: &RepoName) -> Result<Inventory, StoreError> {
        let repo = repo.clone();
        self.blocking(move |shared| inventory::of(&shared.layout, &repo))
            .await
    }

    async fn expire_layer(
        &self,
        repo: &RepoName,
        digest: &Digest,
        unused_since: SystemTime,
    ) -> Result<bool, StoreError> {
        let gone = self.expire_layers(repo, &[*digest], unused_since).await?;
        Ok(gone == [true])
    }

    async fn expire_layers(
        &self,
        repo: &RepoName,
        digests: &[Digest],
        unused_since: SystemTime,
    ) -> Result<Vec<bool>, StoreError> {
        let layout = &self.shared.layout;
        let links: Vec<_> = digests
            .iter()
            .map(|digest| layout.layer_link(repo, digest))
            .collect();
        self.blocking(move |shared| {
            let lengths = claims::remove_unused(&links, unused_since, &shared.changed)?;
            Ok(lengths.iter().map(Option::is_some).collect())
        })
        .await
    }

    async fn expire_manifest(
        &self,
        repo: &RepoName,
        digest: &Digest,
        unused_since: SystemTime,
    ) -> Result<bool, StoreError> {
        let (repo, digest) = (repo.clone(), *digest);
        self.blocking(move |shared| expire_manifest(shared, &repo, &digest, unused_since))
            .await
    }

    async fn expire_tag(
        &self,
        repo: &RepoName,
        tag: &Tag,
        target: &Digest,
        unused_since: SystemTime,
    ) -> Result<bool, StoreError> {
        let (repo, tag, target) = (repo.clone(), tag.clone(), *target);
        self.blocking(move |shared| expire_tag(shared, &repo, &tag, &target, unused_since))
            .await
    }

    async fn expire_upload(
        &self,
        repo: &RepoName,
        id: UploadId,
        idle_since: SystemTime,
    ) -> Result<bool, StoreError> {
        uploads::expire(&self.shared, repo, id, idle_since).await
    }

    async fn tidy(
        &self,
        repo: Option<&RepoName>,
        unused_since: SystemTime,
    ) -> Result<(), StoreError> {
        let repo = repo.cloned();
        self.blocking(move |shared| {
            match repo {
                Some(repo) => tidy::repository(shared, &repo, unused_since)?,
                None => tidy::common(&shared.layout, unused_since)?,
            }
            Ok(shared.changed.settle()?)
        })
        .await
    }

    async fn contents(
        &self,
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Page<Content>, StoreError> {
        let after = after.copied();
        self.blocking(move |shared| contents(shared, after.as_ref(), limit))
            .await
    }

    async fn content(&self, digest: &Digest) -> Result<Box<dyn Blob>, StoreError> {
        match blobs::open_content(&self.shared, digest).await? {
            Some(blob) => Ok(Box::new(blob)),
            None => Err(StoreError::NotFound(Missing::Content(*digest))),
        }
    }

    async fn expire_content(
        &self,
        digest: &Digest,
        unused_since: SystemTime,
    ) -> Result<Option<u64>, StoreError> {
        let freed = self.expire_contents(&[*digest], unused_since).await?;
        Ok(freed.into_iter().next().flatten())
    }

    async fn expire_contents(
        &self,
        digests: &[Digest],
        unused_since: SystemTime,
    ) -> Result<Vec<Option<u64>>, StoreError> {
        let layout = &self.shared.layout;
        let data: Vec<_> = digests
            .iter()
            .map(|digest| layout.blob_data(digest))
            .collect();
        self.blocking(move |shared| {
            Ok(claims::remove_unused(&data, unused_since, &shared.changed)?)
        })
        .await
    }

    async fn quarantine(&self, digest: &Digest) -> Result<Option<String>, StoreError> {
        let digest = *digest;
        self.blocking(move |shared| quarantine(shared, &digest))
            .await
    }
}

fn expire_manifest(
    shared: &Shared,
    repo: &RepoName,
    digest: &Digest,
    unused_since: SystemTime,
) -> Result<bool, StoreError> {
    let Some(writing) = shared.locks.hold_existing(shared, repo)? else {
        return Ok(false);
    };
    let revision = shared.layout.revision_link(repo, digest);
    let Some(file) = claims::lock_exclusively(&revision)? else {
        return Ok(false);
    };
    if file.metadata()?.modified()? >= unused_since {
        return Ok(false);
    }
    let pointers = Pointers::of_untagged(shared, repo, digest, unused_since, &writing)?;
    let Some(pointers) = pointers else {
        return Ok(false);
    };
    for tag in pointers.history(digest) {
        durable::remove(&shared.layout.tag_index_link(repo, tag, digest))?;
    }
    manifests::remove_revision(shared, repo, digest, pointers.aliases(digest))?;
    Ok(true)
}

fn expire_tag(
    shared: &Shared,
    repo: &RepoName,
    tag: &Tag,
    target: &Digest,
    unused_since: SystemTime,
) -> Result<bool, StoreError> {
    let Some(_writing) = shared.locks.hold_existing(shared, repo)? else {
        return Ok(false);
    };
    let link = shared.layout.tag_current_link(repo, tag);
    if links::read_blocking(&link)? != Some(*target) {
        return Ok(false);
    }
    for used in [link, shared.layout.pull(repo, tag)] {
        match fs::metadata(&used) {
            Err(error) if is_absent(&error) => {}
            result
                if result
                    .as_ref()
                    .is_ok_and(|used| is_before(used, unused_since)) => {}
            result => {
                result?;
                return Ok(false);
            }
        }
    }
    manifests::remove_tag(shared, repo, tag)
}

fn is_before(used: &std::fs::Metadata, unused_since: SystemTime) -> bool {
    used.modified().is_ok_and(|used| used < unused_since)
}

/// Walks `blobs/sha256/<hh>/<hex>/data`, a directory of two letters at a time.
fn contents(
    shared: &Shared,
    after: Option<&Digest>,
    limit: usize,
) -> Result<Page<Content>, StoreError> {
    let algorithm = Algorithm::Sha256;
    let top = shared.layout.blobs().join(algorithm.as_str());
    let after = after.map(Digest::hex).unwrap_or_default();
    let mut items = Vec::new();
    let mut letters = walk::directory_names(&top)?;
    letters.retain(|letters| after.get(..2).is_none_or(|after| letters.as_str() >= after));
    letters.sort_unstable();
    for letters in letters {
        let mut names = walk::directory_names(&top.join(letters))?;
        names.retain(|hex| *hex > after);
        names.sort_unstable();
        for hex in names {
            let Ok(digest) = format!("{}:{hex}", algorithm.as_str()).parse() else {
                continue;
            };
            let metadata = match fs::metadata(shared.layout.blob_data(&digest)) {
                Err(error) if is_absent(&error) => continue,
                result => result?,
            };
            if items.len() == limit {
                return Ok(Page { items, more: true });
            }
            items.push(Content {
                digest,
                size: metadata.len(),
                used: metadata.modified()?,
            });
        }
    }
    Ok(Page { items, more: false })
}

fn quarantine(shared: &Shared, digest: &Digest) -> Result<Option<String>, StoreError> {
    let missing = || StoreError::NotFound(Missing::Content(*digest));
    let data = shared.layout.blob_data(digest);
    // Until the lock is given back nothing takes the place of this file, and no
    // push is told that it is there.
    let file = claims::lock_exclusively(&data)?.ok_or_else(missing)?;
    if staged::digest_of(&file, digest.algorithm())? == *digest {
        return Ok(None);
    }
    let aside = unused_name(shared.layout.quarantined(digest))?;
    durable::in_directory(&shared.directories, &aside, || disk::rename(&data, &aside))?;
    durable::sync_parent(&aside)?;
    durable::sync_parent(&data)?;
    Ok(Some(aside.display().to_string()))
}

/// The path, or with a number behind it if something is there: what was moved
/// aside is never replaced. The caller has the lock that everybody takes who
/// makes such a name.
fn unused_name(path: PathBuf) -> io::Result<PathBuf> {
    let mut name = path.clone();
    for number in 2_u64.. {
        match fs::symlink_metadata(&name) {
            Err(error) if is_absent(&error) => break,
            result => result?,
        };
        name = path.with_extension(number.to_string());
    }
    Ok(name)
}
