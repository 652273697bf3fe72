//! Manifests and tags. What does not say `async` blocks.

use std::time::Duration;

use bytes::Bytes;
use fs_err as fs;
use moka::future::Cache;
use prometheus_client::metrics::counter::Counter;

use super::Shared;
use super::disk;
use super::durable::{self, is_absent};
use super::pool::blocking;
use super::{aliases, claims};
use super::{links, walk};
use crate::oci::{Algorithm, Digest, Manifest, RepoName, Tag};
use crate::store::{Missing, NewManifest, StoreError, StoredManifest};

/// Bytes of manifests kept in memory. Most are of one or two kilobytes.
const CACHED_BYTES: u64 = 8 * 1024 * 1024;

/// What entry costs beside the bytes, so that a million tiny manifests do not
/// fill the memory either.
const ENTRY_BYTES: usize = 200;

/// A pull that follows another one so soon is not noted again.
const PULLS_NOTED_EVERY: Duration = Duration::from_secs(60);

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

/// How often a cache had what it was asked for. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct CacheUse {
    /// It had it.
    pub hits: Counter,
    /// It had to be read.
    pub misses: Counter,
}

/// Reads a manifest that the repository has.
pub(super) async fn read(
    shared: &Shared,
    repo: &RepoName,
    digest: &Digest,
) -> Result<StoredManifest, StoreError> {
    let missing = || not_found(repo, digest);
    let content = aliases::content_of(shared, repo, digest).await?;
    let link = shared
        .layout
        .revision_link(repo, &content.ok_or_else(missing)?);
    let content = links::read_sound(&shared.base, &link)
        .await?
        .ok_or_else(missing)?;
    if let Some(manifest) = shared.manifests.get(&content).await {
        shared.cache_use.hits.inc();
        return Ok(manifest);
    }
    shared.cache_use.misses.inc();
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
    let target = links::read(&shared.base, &shared.layout.tag_current_link(repo, tag))
        .await?
        .ok_or_else(|| no_tag(repo, tag))?;
    aliases::of_tag(shared, repo, tag, target).await
}

/// Marks a manifest that the repository has as used.
pub(super) async fn claim(
    shared: &Shared,
    repo: &RepoName,
    digest: &Digest,
) -> Result<(), StoreError> {
    let missing = || not_found(repo, digest);
    let content = aliases::content_of(shared, repo, digest)
        .await?
        .ok_or_else(missing)?;
    if claims::renew_soon(&shared.base, shared.layout.revision_link(repo, &content)).await? {
        Ok(())
    } else {
        Err(missing())
    }
}

/// Remembers that a tag was pulled. Blocks.
pub(super) fn note_pull(shared: &Shared, repo: &RepoName, tag: &Tag) -> Result<(), StoreError> {
    let path = shared.layout.pull(repo, tag);
    let is_recent = fs::metadata(&path)
        .and_then(|metadata| metadata.modified())
        .is_ok_and(|noted| noted.elapsed().is_ok_and(|age| age < PULLS_NOTED_EVERY));
    if is_recent {
        return Ok(());
    }
    Ok(durable::in_directory(&shared.directories, &path, || {
        disk::touch(&disk::open_or_create(&path)?)
    })?)
}

/// Writes the content, the revision, the referrer and the tags, in this order.
pub(super) fn put(
    shared: &Shared,
    repo: &RepoName,
    manifest: &NewManifest,
) -> Result<(), StoreError> {
    let (layout, directories, digest) = (&shared.layout, &shared.directories, &manifest.digest);
    let content = &match digest.algorithm() {
        Algorithm::Sha256 => *digest,
        Algorithm::Sha512 => Algorithm::Sha256.digest(&manifest.bytes),
    };
    write_content(shared, content, &manifest.bytes)?;

    let _writing = shared.locks.hold(shared, repo)?;
    links::put(directories, &layout.revision_link(repo, content), content)?;
    if content != digest {
        links::put(directories, &layout.alias_link(repo, digest), content)?;
    }
    if let Some(subject) = &manifest.subject {
        links::put(
            directories,
            &layout.referrer_link(repo, subject, digest),
            content,
        )?;
    }
    for tag in &manifest.tags {
        links::put(
            directories,
            &layout.tag_index_link(repo, tag, content),
            content,
        )?;
        // Before the tag moves: until then the alias means nothing, as it is
        // none of what the tag points at.
        aliases::put_tag(shared, repo, tag, digest)?;
        links::put(directories, &layout.tag_current_link(repo, tag), content)?;
    }
    Ok(())
}

/// Removes the tags that point at a manifest, and then the manifest.
pub(super) fn delete(shared: &Shared, repo: &RepoName, digest: &Digest) -> Result<(), StoreError> {
    let layout = &shared.layout;
    let Some(_writing) = shared.locks.hold_existing(shared, repo)? else {
        return Err(not_found(repo, digest));
    };
    let content = aliases::content_of_blocking(shared, repo, digest)?
        .ok_or_else(|| not_found(repo, digest))?;
    let revision = layout.revision_link(repo, &content);
    if !fs::exists(&revision)? {
        return Err(not_found(repo, digest));
    }
    for tag in tags_of(shared, repo, &content)? {
        remove_tag(shared, repo, &tag)?;
    }
    let names = aliases::of_content(shared, repo, &content)?;
    remove_revision(shared, repo, &content, &names)
}

/// The tags that point at a manifest. A broken one cannot be said to.
fn tags_of(shared: &Shared, repo: &RepoName, content: &Digest) -> Result<Vec<Tag>, StoreError> {
    let mut tags = walk::tag_names(&shared.layout, repo)?;
    tags.retain(|tag| {
        let current = links::read_blocking(&shared.layout.tag_current_link(repo, tag));
        matches!(current, Ok(Some(target)) if target == *content)
    });
    Ok(tags)
}

/// Removes a manifest to which no tag points, with its other digests.
pub(super) fn remove_revision(
    shared: &Shared,
    repo: &RepoName,
    content: &Digest,
    names: &[Digest],
) -> Result<(), StoreError> {
    if let Some(subject) = subject_of(shared, content) {
        for name in names.iter().chain([content]) {
            durable::remove(&shared.layout.referrer_link(repo, &subject, name))?;
        }
    }
    durable::remove(&shared.layout.revision_link(repo, content))?;
    // Last: if this is interrupted, it can be begun again by any name, and an
    // alias that leads nowhere is none.
    for name in names {
        aliases::remove(shared, repo, name)?;
    }
    Ok(())
}

/// Removes a tag.
pub(super) fn delete_tag(shared: &Shared, repo: &RepoName, tag: &Tag) -> Result<(), StoreError> {
    match shared.locks.hold_existing(shared, repo)? {
        Some(_writing) if remove_tag(shared, repo, tag)? => Ok(()),
        _ => Err(no_tag(repo, tag)),
    }
}

/// Removes a tag, with what is known about it. False if it is not there.
pub(super) fn remove_tag(shared: &Shared, repo: &RepoName, tag: &Tag) -> Result<bool, StoreError> {
    // The current link is the tag: without it, the rest is not seen.
    let removed = durable::remove(&shared.layout.tag_current_link(repo, tag));
    // Also if this goes no further, or went no further in another process: the
    // directory of tags may not have changed then.
    shared.listings.forget(&shared.layout.tags(repo));
    if !removed? {
        return Ok(false);
    }
    let directory = shared.layout.tag(repo, tag);
    match disk::remove_tree(&directory) {
        Err(error) if is_absent(&error) => {}
        result => result?,
    }
    durable::sync_removal(&directory)?;
    aliases::remove_tag(shared, repo, tag)?;
    durable::remove(&shared.layout.pull(repo, tag))?;
    Ok(true)
}

fn write_content(shared: &Shared, content: &Digest, bytes: &Bytes) -> Result<(), StoreError> {
    let path = shared.layout.blob_data(content);
    // Compared byte by byte, which costs nothing at this size, so that pushing
    // a manifest again mends a damaged one.
    if fs::read(&path).is_ok_and(|existing| existing == *bytes) && claims::renew(&path)? {
        return Ok(durable::sync_existing(&path)?);
    }
    Ok(durable::in_directory(&shared.directories, &path, || {
        let _replaced = claims::lock_exclusively(&path)?;
        durable::write(&path, bytes)
    })?)
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
