//! Removing manifests, without a moment in which a tag leads to one that is
//! gone: the other half of what `tags` describes.
//!
//! The revision is marked, then its tags are dealt with, then the revision
//! goes, if nobody has revived it, and at last its other names. All of it names
//! the life of the revision: what belongs to one that was put since is left
//! alone, however late somebody finishes a removal that another one began.

use std::time::SystemTime;

use super::bucket::{Bucket, List};
use super::keys;
use super::manifests::{Name, Revision, State, content_of, missing, revive};
use super::records::{self, ATTEMPTS, Seen, contended};
use super::tags::{self, TagRecord};
use super::{contents, lists};
use crate::oci::{Algorithm, Digest, Manifest, RepoName, Tag};
use crate::store::StoreError;

/// Removes the tags that point at a manifest, and then the manifest.
pub(super) async fn delete(
    bucket: &Bucket,
    repo: &RepoName,
    digest: &Digest,
) -> Result<(), StoreError> {
    let content = content_of(bucket, repo, digest)
        .await?
        .ok_or_else(|| missing(repo, digest))?;
    let key = keys::revision(repo, &content);
    for _ in 0..ATTEMPTS {
        let seen = records::read::<Revision>(bucket, &key).await?;
        let seen = seen.ok_or_else(|| missing(repo, digest))?;
        if let Some(marked) = mark(bucket, &key, seen, State::Deleting).await? {
            finish(bucket, repo, &content, marked).await?;
            return Ok(());
        }
    }
    Err(contended(&key))
}

/// Removes a manifest that was last used before `unused_since` and that no tag
/// points at. Returns whether it did.
pub(super) async fn expire(
    bucket: &Bucket,
    repo: &RepoName,
    digest: &Digest,
    unused_since: SystemTime,
) -> Result<bool, StoreError> {
    let key = keys::revision(repo, digest);
    let Some(seen) = records::read::<Revision>(bucket, &key).await? else {
        return Ok(false);
    };
    if seen.value.state == State::Deleting {
        return finish(bucket, repo, digest, seen).await;
    }
    if seen.written >= unused_since || is_tagged(bucket, repo, digest, &seen.value).await? {
        return Ok(false);
    }
    match mark(bucket, &key, seen, State::Expiring).await? {
        Some(marked) => finish(bucket, repo, digest, marked).await,
        // Somebody has claimed it.
        None => Ok(false),
    }
}

/// Does what is left to do after the revision was marked. False if it stays,
/// or somebody else was faster.
pub(super) async fn finish(
    bucket: &Bucket,
    repo: &RepoName,
    content: &Digest,
    marked: Seen<Revision>,
) -> Result<bool, StoreError> {
    let key = keys::revision(repo, content);
    let (revision, names) = (&marked.value, names(bucket, repo, content).await?);
    let candidates = candidates(bucket, repo, content, revision).await?;
    for tag in &candidates {
        if !settle(bucket, repo, content, tag, revision).await? {
            // Somebody pointed a tag at it before it was marked.
            revive(bucket, &key, &marked).await?;
            return Ok(false);
        }
    }
    if !records::remove(bucket, &key, &marked.etag).await? {
        return Ok(false);
    }
    // What is left of it now leads nowhere, and goes last: until here the
    // manifest could have stayed.
    for name in names {
        if let Some(seen) = records::read::<Name>(bucket, &name).await?
            && seen.value.life == revision.life
        {
            records::remove(bucket, &name, &seen.etag).await?;
        }
    }
    for tag in &candidates {
        let candidate = keys::tagged(repo, content, revision.life, tag);
        bucket.delete(&candidate, None).await?;
    }
    Ok(true)
}

/// Deals with a tag that may point at a manifest to be removed, or is about
/// to. False if it does point there, and the manifest is not to be deleted.
async fn settle(
    bucket: &Bucket,
    repo: &RepoName,
    content: &Digest,
    tag: &Tag,
    revision: &Revision,
) -> Result<bool, StoreError> {
    let key = keys::tag(repo, tag);
    for _ in 0..ATTEMPTS {
        let Some(seen) = records::read::<TagRecord>(bucket, &key).await? else {
            return Ok(true);
        };
        let done = match &seen.value.target {
            // The reservation of somebody who has to see that it is marked.
            None => records::remove(bucket, &key, &seen.etag).await?,
            Some(target) if target.content != *content || target.life != revision.life => {
                records::replace(bucket, &key, &seen.etag, &seen.value, b"")
                    .await?
                    .is_some()
            }
            Some(_) if revision.state == State::Deleting => {
                tags::remove(bucket, repo, tag, &seen.etag).await?
            }
            Some(_) => return Ok(false),
        };
        if done {
            return Ok(true);
        }
    }
    Err(contended(&key))
}

async fn mark(
    bucket: &Bucket,
    key: &str,
    mut seen: Seen<Revision>,
    state: State,
) -> Result<Option<Seen<Revision>>, StoreError> {
    seen.value.state = state;
    let written = records::replace(bucket, key, &seen.etag, &seen.value, b"").await?;
    Ok(written.map(|etag| Seen { etag, ..seen }))
}

/// Whether any tag points at a manifest.
async fn is_tagged(
    bucket: &Bucket,
    repo: &RepoName,
    content: &Digest,
    revision: &Revision,
) -> Result<bool, StoreError> {
    for tag in candidates(bucket, repo, content, revision).await? {
        let seen = records::read::<TagRecord>(bucket, &keys::tag(repo, &tag)).await?;
        if let Some(target) = seen.and_then(|seen| seen.value.target)
            && target.content == *content
            && target.life == revision.life
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The tags that may point at a manifest.
async fn candidates(
    bucket: &Bucket,
    repo: &RepoName,
    content: &Digest,
    revision: &Revision,
) -> Result<Vec<Tag>, StoreError> {
    let prefix = keys::tagged_all(repo, content, revision.life);
    let list = List {
        prefix: &prefix,
        ..List::default()
    };
    let found = lists::all(bucket, list).await?;
    let names = found.iter().map(|object| &object.key[prefix.len()..]);
    Ok(names.filter_map(|name| name.parse().ok()).collect())
}

/// The keys by which else a manifest may be found than by its revision. One
/// that cannot be read leaves them behind.
async fn names(
    bucket: &Bucket,
    repo: &RepoName,
    content: &Digest,
) -> Result<Vec<String>, StoreError> {
    let Some(bytes) = contents::read(bucket, content).await? else {
        return Ok(Vec::new());
    };
    let long = Algorithm::Sha512.digest(&bytes);
    let mut names = vec![keys::alias(repo, &long)];
    let manifest = Manifest::parse(&bytes, None).ok();
    if let Some(subject) = manifest.as_ref().and_then(Manifest::subject) {
        for digest in [content, &long] {
            names.push(keys::referrer(repo, &subject.digest, digest));
        }
    }
    Ok(names)
}
