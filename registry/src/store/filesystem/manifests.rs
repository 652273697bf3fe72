//! Manifests and tags. What does not say `async` blocks.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use fs_err as fs;
use moka::future::Cache;

use super::Shared;
use super::durable::{self, is_absent};
use super::pool::blocking;
use super::{links, walk};
use crate::oci::{Digest, Manifest, RepoName, Tag};
use crate::store::{Missing, NewManifest, StoreError, StoredManifest};

/// Bytes of manifests kept in memory. Most are of one or two kilobytes.
const CACHED_BYTES: u64 = 8 * 1024 * 1024;

/// What entry costs beside the bytes, so that a million tiny manifests do not
/// fill the memory either.
const ENTRY_BYTES: usize = 200;

/// Manifests by the digest of their content, which never changes: nothing has
/// to be invalidated. Whether a repository has the manifest is not cached.
pub(super) fn new_cache() -> Cache<Digest, StoredManifest> {
    Cache::builder()
        .max_capacity(CACHED_BYTES)
        .weigher(|_, manifest: &StoredManifest| {
            u32::try_from(manifest.bytes().len() + ENTRY_BYTES).unwrap_or(u32::MAX)
        })
        .build()
}

/// Reads a manifest that the repository has.
pub(super) async fn read(
    shared: &Shared,
    repo: &RepoName,
    digest: &Digest,
) -> Result<StoredManifest, StoreError> {
    let missing = || not_found(repo, digest);
    let link = shared.layout.revision_link(repo, digest);
    let content = links::read(&link).await?.ok_or_else(missing)?;
    if let Some(manifest) = shared.manifests.get(&content).await {
        return Ok(manifest);
    }
    let path = shared.layout.blob_data(&content);
    let read = blocking(move || match fs::read(&path) {
        Err(error) if is_absent(&error) => Ok(None),
        // As for a blob: an empty file is what a crash leaves.
        Ok(bytes) if bytes.is_empty() => Ok(None),
        result => {
            let bytes = Bytes::from(result?);
            let checked = StoredManifest::check(&content, bytes);
            checked
                .map(Some)
                .map_err(|problem| StoreError::damaged(&path, problem))
        }
    });
    let manifest = read.await?.ok_or_else(missing)?;
    shared.manifests.insert(content, manifest.clone()).await;
    Ok(manifest)
}

/// What a tag points at.
pub(super) async fn tagged(
    shared: &Shared,
    repo: &RepoName,
    tag: &Tag,
) -> Result<Digest, StoreError> {
    links::read(&shared.layout.tag_current_link(repo, tag))
        .await?
        .ok_or_else(|| no_tag(repo, tag))
}

/// Writes the content, the revision, the referrer and the tag, in this order.
pub(super) fn put(
    shared: &Shared,
    repo: &RepoName,
    manifest: &NewManifest,
) -> Result<(), StoreError> {
    let (layout, directories, digest) = (&shared.layout, &shared.directories, &manifest.digest);
    write_content(shared, manifest)?;

    let _writing = shared.locks.of(repo);
    links::put(directories, &layout.revision_link(repo, digest), digest)?;
    if let Some(subject) = &manifest.subject {
        links::put(
            directories,
            &layout.referrer_link(repo, subject, digest),
            digest,
        )?;
    }
    if let Some(tag) = &manifest.tag {
        links::put(
            directories,
            &layout.tag_index_link(repo, tag, digest),
            digest,
        )?;
        links::put(directories, &layout.tag_current_link(repo, tag), digest)?;
    }
    Ok(())
}

/// Removes the tags that point at a manifest, and then the manifest.
pub(super) fn delete(shared: &Shared, repo: &RepoName, digest: &Digest) -> Result<(), StoreError> {
    let layout = &shared.layout;
    let _writing = shared.locks.of(repo);
    let revision = layout.revision_link(repo, digest);
    if !fs::exists(&revision)? {
        return Err(not_found(repo, digest));
    }
    for tag in walk::tag_names(layout, repo)? {
        // A broken tag cannot be said to point at this manifest.
        let current = links::read_blocking(&layout.tag_current_link(repo, &tag));
        if matches!(current, Ok(Some(target)) if target == *digest) {
            remove_tag(shared, repo, &tag)?;
        }
    }
    if let Some(subject) = subject_of(shared, digest) {
        durable::remove(&layout.referrer_link(repo, &subject, digest))?;
    }
    durable::remove(&revision)?;
    Ok(())
}

/// Removes a tag.
pub(super) fn delete_tag(shared: &Shared, repo: &RepoName, tag: &Tag) -> Result<(), StoreError> {
    let _writing = shared.locks.of(repo);
    if remove_tag(shared, repo, tag)? {
        Ok(())
    } else {
        Err(no_tag(repo, tag))
    }
}

fn remove_tag(shared: &Shared, repo: &RepoName, tag: &Tag) -> Result<bool, StoreError> {
    // The current link is the tag: without it, the rest is not seen.
    if !durable::remove(&shared.layout.tag_current_link(repo, tag))? {
        return Ok(false);
    }
    let directory = shared.layout.tag(repo, tag);
    fs::remove_dir_all(&directory)?;
    durable::sync_parent(&directory)?;
    Ok(true)
}

fn write_content(shared: &Shared, manifest: &NewManifest) -> Result<(), StoreError> {
    let path = shared.layout.blob_data(&manifest.digest);
    // Compared byte by byte, which costs nothing at this size, so that pushing
    // a manifest again mends a damaged one.
    if fs::read(&path).is_ok_and(|existing| existing == manifest.bytes) {
        return Ok(durable::sync_existing(&path)?);
    }
    if let Some(directory) = path.parent() {
        shared.directories.ensure(directory)?;
    }
    Ok(durable::write(&path, &manifest.bytes)?)
}

/// What a stored manifest says something about. One that cannot be read leaves
/// its referrer link behind, which lists of referrers pass over.
fn subject_of(shared: &Shared, digest: &Digest) -> Option<Digest> {
    let bytes = fs::read(shared.layout.blob_data(digest)).ok()?;
    Some(Manifest::parse(&bytes, None).ok()?.subject()?.digest)
}

fn not_found(repo: &RepoName, digest: &Digest) -> StoreError {
    StoreError::NotFound(Missing::Manifest(repo.clone(), *digest))
}

fn no_tag(repo: &RepoName, tag: &Tag) -> StoreError {
    StoreError::NotFound(Missing::Tag(repo.clone(), tag.clone()))
}

/// Keeps two changes of one repository's tags apart: while a manifest is
/// deleted, no tag may be pointed at it, and no tag that was just pointed
/// elsewhere may be removed. Repositories share locks by their hash.
#[derive(Debug)]
pub(super) struct RepoLocks {
    hasher: std::hash::RandomState,
    locks: [Mutex<()>; 64],
}

impl RepoLocks {
    pub(super) fn new() -> Self {
        Self {
            hasher: std::hash::RandomState::new(),
            locks: [const { Mutex::new(()) }; 64],
        }
    }

    fn of(&self, repo: &RepoName) -> MutexGuard<'_, ()> {
        use std::hash::BuildHasher;

        let index = self.hasher.hash_one(repo) as usize % self.locks.len();
        // There is nothing behind the lock that a panic could leave half done
        // and that a crash could not as well.
        self.locks[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
