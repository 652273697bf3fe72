//! Manifests: found by a revision in the repository, read from the content
//! that all repositories share. `tags` points tags at them, `removal` removes
//! them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::bucket::{Bucket, ETag, List};
use super::contents::{self, is_recent};
use super::records::{self, ATTEMPTS, Seen, contended};
use super::removal;
use super::{keys, lists, tags};
use crate::oci::{Algorithm, Digest, RepoName};
use crate::store::{Missing, NewManifest, StoreError, StoredManifest};

/// A manifest that the repository has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Revision {
    /// Tells a manifest from the one that was removed before it: what points
    /// at it says at which of them.
    pub(super) life: Uuid,
    pub(super) state: State,
}

/// Whether a manifest stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Live,
    /// Somebody deletes it: it goes, with the tags that point at it.
    Deleting,
    /// Nobody seems to use it: it goes unless somebody does.
    Expiring,
}

/// Another digest of a manifest, or its being a referrer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Name {
    /// The SHA-256 digest of the manifest.
    pub(super) content: Digest,
    pub(super) life: Uuid,
}

/// Reads a manifest that the repository has.
pub(super) async fn read(
    bucket: &Bucket,
    repo: &RepoName,
    digest: &Digest,
) -> Result<StoredManifest, StoreError> {
    let missing = || missing(repo, digest);
    let content = content_of(bucket, repo, digest)
        .await?
        .ok_or_else(missing)?;
    // What is being removed is there until it is not: tags lead to it.
    let revision = records::read::<Revision>(bucket, &keys::revision(repo, &content)).await?;
    revision.ok_or_else(missing)?;
    let bytes = contents::read(bucket, &content)
        .await?
        .ok_or_else(missing)?;
    StoredManifest::check(&content, bytes).map_err(|problem| StoreError::Damaged {
        location: keys::content(&content),
        problem,
    })
}

/// Marks a manifest that the repository has as used.
pub(super) async fn claim(
    bucket: &Bucket,
    repo: &RepoName,
    digest: &Digest,
) -> Result<(), StoreError> {
    let missing = || missing(repo, digest);
    let content = content_of(bucket, repo, digest)
        .await?
        .ok_or_else(missing)?;
    let key = keys::revision(repo, &content);
    for _ in 0..ATTEMPTS {
        let seen = records::read::<Revision>(bucket, &key).await?;
        let seen = seen.ok_or_else(missing)?;
        match seen.value.state {
            State::Deleting => return Err(missing()),
            State::Live if is_recent(bucket, &seen) => return Ok(()),
            State::Live | State::Expiring => {
                if revive(bucket, &key, &seen).await?.is_some() {
                    return Ok(());
                }
            }
        }
    }
    Err(contended(&key))
}

/// Writes the content, the revision, the referrer and the tags, in this order.
pub(super) async fn put(
    bucket: &Bucket,
    repo: &RepoName,
    manifest: &NewManifest,
) -> Result<(), StoreError> {
    let content = match manifest.digest.algorithm() {
        Algorithm::Sha256 => manifest.digest,
        Algorithm::Sha512 => Algorithm::Sha256.digest(&manifest.bytes),
    };
    contents::put(bucket, &content, &manifest.bytes).await?;
    for _ in 0..ATTEMPTS {
        let life = establish(bucket, repo, &content).await?;
        write_names(bucket, repo, manifest, Name { content, life }).await?;
        if tags::point(bucket, repo, &content, life, manifest).await? {
            return Ok(());
        }
        // It was removed meanwhile, or a tag was moved: all over again.
    }
    Err(contended(&keys::revision(repo, &content)))
}

/// The digest of the content of a manifest that is asked for by `digest`.
pub(super) async fn content_of(
    bucket: &Bucket,
    repo: &RepoName,
    digest: &Digest,
) -> Result<Option<Digest>, StoreError> {
    match digest.algorithm() {
        Algorithm::Sha256 => Ok(Some(*digest)),
        Algorithm::Sha512 => {
            let alias = records::read::<Name>(bucket, &keys::alias(repo, digest)).await?;
            Ok(alias.map(|alias| alias.value.content))
        }
    }
}

/// The manifests that say something about a subject, in order.
pub(super) async fn referrers(
    bucket: &Bucket,
    repo: &RepoName,
    subject: &Digest,
) -> Result<Vec<Digest>, StoreError> {
    let prefix = keys::referrers(repo, subject);
    let list = List {
        prefix: &prefix,
        ..List::default()
    };
    let found = lists::all(bucket, list).await?;
    let digests = found.iter().map(|object| &object.key[prefix.len()..]);
    Ok(digests.filter_map(|digest| digest.parse().ok()).collect())
}

/// Marks a manifest as live and used. `None` if it was changed since.
pub(super) async fn revive(
    bucket: &Bucket,
    key: &str,
    seen: &Seen<Revision>,
) -> Result<Option<ETag>, StoreError> {
    let live = Revision {
        state: State::Live,
        ..seen.value
    };
    records::replace(bucket, key, &seen.etag, &live, b"").await
}

pub(super) fn missing(repo: &RepoName, digest: &Digest) -> StoreError {
    StoreError::NotFound(Missing::Manifest(repo.clone(), *digest))
}

/// Makes sure that the repository has a revision, used now, and returns which.
async fn establish(bucket: &Bucket, repo: &RepoName, content: &Digest) -> Result<Uuid, StoreError> {
    let key = keys::revision(repo, content);
    for _ in 0..ATTEMPTS {
        match records::read::<Revision>(bucket, &key).await? {
            None => {
                let revision = Revision {
                    life: Uuid::new_v4(),
                    state: State::Live,
                };
                if records::create(bucket, &key, &revision, b"")
                    .await?
                    .is_some()
                {
                    return Ok(revision.life);
                }
            }
            // What is to be deleted has been, before what is put now.
            Some(seen) if seen.value.state == State::Deleting => {
                removal::finish(bucket, repo, content, seen).await?;
            }
            Some(seen) => {
                if revive(bucket, &key, &seen).await?.is_some() {
                    return Ok(seen.value.life);
                }
            }
        }
    }
    Err(contended(&key))
}

async fn write_names(
    bucket: &Bucket,
    repo: &RepoName,
    manifest: &NewManifest,
    name: Name,
) -> Result<(), StoreError> {
    if manifest.digest != name.content {
        records::write(bucket, &keys::alias(repo, &manifest.digest), &name).await?;
    }
    if let Some(subject) = &manifest.subject {
        let key = keys::referrer(repo, subject, &manifest.digest);
        records::write(bucket, &key, &name).await?;
    }
    Ok(())
}
