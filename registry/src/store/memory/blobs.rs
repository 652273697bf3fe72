//! Blobs: a record in the repository for each digest by which it has one,
//! which says under which SHA-256 digest the content is kept.
//!
//! To expire a blob is to delete the record that was seen: whoever claimed it
//! since has written another one.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use super::contents::{self, BucketBlob, is_recent};
use super::keys;
use super::records::{self, ATTEMPTS, contended};
use crate::oci::{Algorithm, Digest, RepoName};
use crate::store::{Blob, Missing, StoreError};

/// Where a blob's content is kept.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Layer {
    pub(super) content: Digest,
}

/// Opens a blob that the repository has.
pub(super) async fn open(
    bucket: &Bucket,
    repo: &RepoName,
    digest: &Digest,
) -> Result<BucketBlob, StoreError> {
    let layer = records::read::<Layer>(bucket, &keys::layer(repo, digest)).await?;
    let blob = match layer {
        Some(layer) => contents::open(bucket, &layer.value.content).await?,
        None => None,
    };
    blob.ok_or_else(|| missing(repo, digest))
}

/// Marks a blob as used now, and returns its size.
pub(super) async fn claim(
    bucket: &Bucket,
    repo: &RepoName,
    digest: &Digest,
) -> Result<u64, StoreError> {
    let size = open(bucket, repo, digest).await?.size();
    let key = keys::layer(repo, digest);
    for _ in 0..ATTEMPTS {
        let seen = records::read::<Layer>(bucket, &key).await?;
        let seen = seen.ok_or_else(|| missing(repo, digest))?;
        let written = is_recent(bucket, &seen)
            || records::replace(bucket, &key, &seen.etag, &seen.value, b"")
                .await?
                .is_some();
        if written {
            return Ok(size);
        }
    }
    Err(contended(&key))
}

/// Makes content that is there a blob of the repository, by its SHA-256 digest
/// and by the one that was asked for. The content is the caller's claim.
pub(super) async fn link(
    bucket: &Bucket,
    repo: &RepoName,
    content: &Digest,
    digest: &Digest,
) -> Result<(), StoreError> {
    let layer = Layer { content: *content };
    records::write(bucket, &keys::layer(repo, content), &layer).await?;
    if content != digest {
        records::write(bucket, &keys::layer(repo, digest), &layer).await?;
    }
    Ok(())
}

/// Adds a record in `to` for a blob that `from`, or anybody, has.
pub(super) async fn mount(
    bucket: &Bucket,
    from: Option<&RepoName>,
    to: &RepoName,
    digest: &Digest,
) -> Result<(), StoreError> {
    let missing = || missing(from.unwrap_or(to), digest);
    let content = match from {
        Some(from) => {
            let layer = records::read::<Layer>(bucket, &keys::layer(from, digest)).await?;
            layer.ok_or_else(missing)?.value.content
        }
        // Content is kept under this digest alone.
        None if digest.algorithm() == Algorithm::Sha256 => *digest,
        None => return Err(missing()),
    };
    // The content first: it is then there until the record is.
    if !contents::claim(bucket, &content).await? {
        return Err(missing());
    }
    let layer = Layer { content };
    records::write(bucket, &keys::layer(to, digest), &layer).await
}

/// Removes the repository's record, whoever claims it.
pub(super) async fn delete(
    bucket: &Bucket,
    repo: &RepoName,
    digest: &Digest,
) -> Result<(), StoreError> {
    let key = keys::layer(repo, digest);
    for _ in 0..ATTEMPTS {
        let seen = records::read::<Layer>(bucket, &key).await?;
        let seen = seen.ok_or_else(|| missing(repo, digest))?;
        if records::remove(bucket, &key, &seen.etag).await? {
            return Ok(());
        }
    }
    Err(contended(&key))
}

/// Removes the repository's record if it was last used before `unused_since`.
pub(super) async fn expire(
    bucket: &Bucket,
    repo: &RepoName,
    digest: &Digest,
    unused_since: SystemTime,
) -> Result<bool, StoreError> {
    let key = keys::layer(repo, digest);
    match records::read::<Layer>(bucket, &key).await? {
        Some(seen) if seen.written < unused_since => {
            records::remove(bucket, &key, &seen.etag).await
        }
        _ => Ok(false),
    }
}

fn missing(repo: &RepoName, digest: &Digest) -> StoreError {
    StoreError::NotFound(Missing::Blob(repo.clone(), *digest))
}
