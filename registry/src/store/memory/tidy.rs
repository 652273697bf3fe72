//! Removing what means nothing: what is left of changes that were interrupted.

use std::collections::HashSet;
use std::time::SystemTime;

use uuid::Uuid;

use super::bucket::{Bucket, BucketError, List, Listed};
use super::manifests::{Name, Revision};
use super::{keys, lists, records, tags};
use crate::oci::{Digest, RepoName, Tag};
use crate::store::StoreError;

/// Tidies one repository.
pub(super) async fn repository(
    bucket: &Bucket,
    repo: &RepoName,
    unused_since: SystemTime,
) -> Result<(), StoreError> {
    let tidy = Tidy {
        bucket,
        repo,
        unused_since,
    };
    tidy.reservations().await?;
    tidy.pulls().await?;
    tidy.candidates().await?;
    tidy.names(keys::ALIASES).await?;
    tidy.names(keys::REFERRERS).await
}

/// Tidies what all repositories share: parts of objects that nobody completes,
/// as a writer leaves them that was slower than whoever removed its upload.
pub(super) async fn shared(bucket: &Bucket, unused_since: SystemTime) -> Result<(), StoreError> {
    let mut open = bucket.list_multiparts(keys::DATA).await?;
    open.retain(|multipart| multipart.initiated < unused_since);
    if open.is_empty() {
        return Ok(());
    }
    let list = List {
        prefix: keys::UPLOADS,
        ..List::default()
    };
    let uploads = lists::all(bucket, list).await?;
    let ids = uploads.iter().filter_map(|upload| {
        let (_, id) = upload.key.rsplit_once(keys::END)?;
        Some(format!("{}{id}", keys::DATA))
    });
    let used: HashSet<String> = ids.collect();
    for multipart in open.iter().filter(|open| !used.contains(&open.key)) {
        match bucket.abort_multipart(&multipart.key, multipart.id).await {
            Err(BucketError::NoSuchUpload { .. }) => {}
            result => result?,
        }
    }
    Ok(())
}

struct Tidy<'a> {
    bucket: &'a Bucket,
    repo: &'a RepoName,
    unused_since: SystemTime,
}

impl Tidy<'_> {
    /// Names of tags that were reserved and never used.
    async fn reservations(&self) -> Result<(), StoreError> {
        let length = tags::reservation_length()?;
        let old = self.old(&keys::tags(self.repo)).await?;
        for reserved in old.iter().filter(|tag| tag.size <= length) {
            records::remove(self.bucket, &reserved.key, &reserved.etag).await?;
        }
        Ok(())
    }

    /// Pulls of tags that are gone.
    async fn pulls(&self) -> Result<(), StoreError> {
        let prefix = keys::of_repository(keys::PULLS, self.repo);
        for pull in self.old(&prefix).await? {
            let Ok(tag) = pull.key[prefix.len()..].parse::<Tag>() else {
                continue;
            };
            match self.bucket.head(&keys::tag(self.repo, &tag)).await {
                Err(BucketError::NoSuchKey { .. }) => {
                    self.bucket.delete(&pull.key, Some(&pull.etag)).await?;
                }
                result => drop(result?),
            }
        }
        Ok(())
    }

    /// What was written down at manifests that are gone.
    async fn candidates(&self) -> Result<(), StoreError> {
        let prefix = keys::of_repository(keys::TAGGED, self.repo);
        for candidate in self.old(&prefix).await? {
            let mut parts = candidate.key[prefix.len()..].split(keys::END);
            let (Some(Ok(content)), Some(Ok(life))) = (
                parts.next().map(str::parse::<Digest>),
                parts.next().map(str::parse::<Uuid>),
            ) else {
                continue;
            };
            if !self.lives(&content, life).await? {
                records::remove(self.bucket, &candidate.key, &candidate.etag).await?;
            }
        }
        Ok(())
    }

    /// Other names of manifests that are gone.
    async fn names(&self, tree: &str) -> Result<(), StoreError> {
        for name in self.old(&keys::of_repository(tree, self.repo)).await? {
            let seen = match records::read::<Name>(self.bucket, &name.key).await {
                // The inventory tells of it.
                Err(StoreError::Damaged { .. }) => continue,
                result => result?,
            };
            if let Some(seen) = seen
                && !self.lives(&seen.value.content, seen.value.life).await?
            {
                records::remove(self.bucket, &name.key, &seen.etag).await?;
            }
        }
        Ok(())
    }

    async fn lives(&self, content: &Digest, life: Uuid) -> Result<bool, StoreError> {
        let key = keys::revision(self.repo, content);
        let revision = records::read::<Revision>(self.bucket, &key).await?;
        Ok(revision.is_some_and(|seen| seen.value.life == life))
    }

    async fn old(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let list = List {
            prefix,
            ..List::default()
        };
        let mut found = lists::all(self.bucket, list).await?;
        found.retain(|object| object.last_modified + self.bucket.resolution() < self.unused_since);
        Ok(found)
    }
}
