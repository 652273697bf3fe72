//! Tags: each is a record that says at which manifest it points.
//!
//! A tag must never lead to a manifest that is gone, and no call writes two
//! objects at once. So whoever points a tag at a manifest
//!
//! 1. writes down, at the manifest, that this tag is about to point at it,
//! 2. looks at the tag as it is, and reserves its name if there is none,
//! 3. makes sure that the manifest is live,
//! 4. replaces the tag, if it still is what was seen in step 2.
//!
//! And whoever removes a manifest (see `removal`) marks it first, and then
//! changes every tag that was written down: one that points at it goes, any
//! other is written anew as it was. So either step 3 sees the mark, or step 4 fails, or
//! the tag pointed at the manifest before it went, and goes with it.
//!
//! A reservation is a record without a target. It is no tag, and lists tell it
//! by its size, without reading it.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::bucket::{Bucket, BucketError, ETag};
use super::keys;
use super::manifests::{Revision, State};
use super::records::{self, ATTEMPTS, contended};
use crate::oci::{Digest, RepoName, Tag};
use crate::store::{Missing, NewManifest, StoreError};

/// A pull that follows another one so soon is not noted again.
const PULLS_NOTED_EVERY: Duration = Duration::from_secs(60);

/// What a tag says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TagRecord {
    /// `None` while the name is reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) target: Option<Target>,
}

/// Where a tag points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Target {
    /// The SHA-256 digest of the manifest.
    pub(super) content: Digest,
    /// Which revision by this digest.
    pub(super) life: Uuid,
    /// The digest that it was put by.
    pub(super) put_by: Digest,
    /// When it was put. The record itself may be written anew later.
    pub(super) pushed: SystemTime,
}

/// That a tag may point at a manifest.
#[derive(Debug, Serialize, Deserialize)]
struct Candidate {}

/// The digest by which the manifest was put that a tag points at.
pub(super) async fn target(
    bucket: &Bucket,
    repo: &RepoName,
    tag: &Tag,
) -> Result<Digest, StoreError> {
    let seen = records::read::<TagRecord>(bucket, &keys::tag(repo, tag)).await?;
    let target = seen.and_then(|seen| seen.value.target);
    Ok(target.ok_or_else(|| missing(repo, tag))?.put_by)
}

/// Points all tags of a manifest at it, in order. False if the manifest was
/// removed meanwhile or somebody else moved a tag: then nothing is sure.
pub(super) async fn point(
    bucket: &Bucket,
    repo: &RepoName,
    content: &Digest,
    life: Uuid,
    manifest: &NewManifest,
) -> Result<bool, StoreError> {
    let mut seen = Vec::with_capacity(manifest.tags.len());
    for tag in &manifest.tags {
        let candidate = keys::tagged(repo, content, life, tag);
        records::write(bucket, &candidate, &Candidate {}).await?;
        seen.push(look(bucket, &keys::tag(repo, tag)).await?);
    }
    if !manifest.tags.is_empty() && !is_live(bucket, repo, content, life).await? {
        return Ok(false);
    }
    let record = TagRecord {
        target: Some(Target {
            content: *content,
            life,
            put_by: manifest.digest,
            pushed: bucket.now(),
        }),
    };
    for (tag, seen) in manifest.tags.iter().zip(&seen) {
        let key = keys::tag(repo, tag);
        if records::replace(bucket, &key, seen, &record, b"")
            .await?
            .is_none()
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes a tag, wherever it points.
pub(super) async fn delete(bucket: &Bucket, repo: &RepoName, tag: &Tag) -> Result<(), StoreError> {
    let key = keys::tag(repo, tag);
    for _ in 0..ATTEMPTS {
        let seen = records::read::<TagRecord>(bucket, &key).await?;
        let seen = seen.filter(|seen| seen.value.target.is_some());
        let seen = seen.ok_or_else(|| missing(repo, tag))?;
        if remove(bucket, repo, tag, &seen.etag).await? {
            return Ok(());
        }
    }
    Err(contended(&key))
}

/// Removes a tag if it points at `target` and was last pushed and pulled
/// before `unused_since`.
pub(super) async fn expire(
    bucket: &Bucket,
    repo: &RepoName,
    tag: &Tag,
    target: &Digest,
    unused_since: SystemTime,
) -> Result<bool, StoreError> {
    let seen = records::read::<TagRecord>(bucket, &keys::tag(repo, tag)).await?;
    let Some(seen) = seen else { return Ok(false) };
    let is_old = seen
        .value
        .target
        .is_some_and(|current| current.content == *target && current.pushed < unused_since);
    let was_pulled = pulled(bucket, repo, tag).await?;
    if !is_old || was_pulled.is_some_and(|pulled| pulled >= unused_since) {
        return Ok(false);
    }
    remove(bucket, repo, tag, &seen.etag).await
}

/// Remembers that a tag was pulled.
pub(super) async fn note_pull(
    bucket: &Bucket,
    repo: &RepoName,
    tag: &Tag,
) -> Result<(), StoreError> {
    let noted = pulled(bucket, repo, tag).await?;
    let age = noted.and_then(|noted| bucket.now().duration_since(noted).ok());
    if age.is_none_or(|age| age >= PULLS_NOTED_EVERY) {
        bucket
            .put(&keys::pull(repo, tag), Bytes::new(), None)
            .await?;
    }
    Ok(())
}

async fn pulled(
    bucket: &Bucket,
    repo: &RepoName,
    tag: &Tag,
) -> Result<Option<SystemTime>, StoreError> {
    match bucket.head(&keys::pull(repo, tag)).await {
        Err(BucketError::NoSuchKey { .. }) => Ok(None),
        result => Ok(Some(result?.last_modified + bucket.resolution())),
    }
}

/// Removes a tag that was seen, with what is known about it. False if it is
/// another one by now.
pub(super) async fn remove(
    bucket: &Bucket,
    repo: &RepoName,
    tag: &Tag,
    seen: &ETag,
) -> Result<bool, StoreError> {
    if !records::remove(bucket, &keys::tag(repo, tag), seen).await? {
        return Ok(false);
    }
    bucket.delete(&keys::pull(repo, tag), None).await?;
    Ok(true)
}

pub(super) fn missing(repo: &RepoName, tag: &Tag) -> StoreError {
    StoreError::NotFound(Missing::Tag(repo.clone(), tag.clone()))
}

/// The length of a reservation. Every tag is longer.
pub(super) fn reservation_length() -> Result<u64, StoreError> {
    records::length(&TagRecord { target: None })
}

/// A tag as it is. Its name is reserved if there is none.
async fn look(bucket: &Bucket, key: &str) -> Result<ETag, StoreError> {
    for _ in 0..ATTEMPTS {
        if let Some(seen) = records::read::<TagRecord>(bucket, key).await? {
            return Ok(seen.etag);
        }
        let reservation = TagRecord { target: None };
        if let Some(etag) = records::create(bucket, key, &reservation, b"").await? {
            return Ok(etag);
        }
    }
    Err(contended(key))
}

async fn is_live(
    bucket: &Bucket,
    repo: &RepoName,
    content: &Digest,
    life: Uuid,
) -> Result<bool, StoreError> {
    let revision = records::read::<Revision>(bucket, &keys::revision(repo, content)).await?;
    Ok(revision.is_some_and(|seen| {
        seen.value
            == Revision {
                life,
                state: State::Live,
            }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Algorithm;

    #[test]
    fn a_reservation_is_shorter_than_any_tag() {
        let content = Algorithm::Sha256.digest(b"");
        let shortest = TagRecord {
            target: Some(Target {
                content,
                life: Uuid::nil(),
                put_by: content,
                pushed: SystemTime::UNIX_EPOCH,
            }),
        };
        assert!(reservation_length().unwrap() < records::length(&shortest).unwrap());
    }
}
