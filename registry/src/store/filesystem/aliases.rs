//! Other digests than SHA-256 by which manifests were pushed.
//!
//! A manifest is a revision under its SHA-256 digest, as distribution knows
//! it, and an alias leads there from every other digest. So whoever deletes
//! the revision deletes the manifest, also if that is docker-registry.

use std::path::PathBuf;

use super::Shared;
use super::disk;
use super::durable::{self, is_absent};
use super::{links, walk};
use crate::oci::{Algorithm, Digest, RepoName, Tag};
use crate::store::StoreError;

/// The digest of the content of a manifest that is asked for by `digest`.
pub(super) async fn content_of(
    shared: &Shared,
    repo: &RepoName,
    digest: &Digest,
) -> Result<Option<Digest>, StoreError> {
    match digest.algorithm() {
        Algorithm::Sha256 => Ok(Some(*digest)),
        Algorithm::Sha512 => {
            links::read_sound(&shared.base, &shared.layout.alias_link(repo, digest)).await
        }
    }
}

/// As [`content_of`], for callers that may block.
pub(super) fn content_of_blocking(
    shared: &Shared,
    repo: &RepoName,
    digest: &Digest,
) -> Result<Option<Digest>, StoreError> {
    match digest.algorithm() {
        Algorithm::Sha256 => Ok(Some(*digest)),
        Algorithm::Sha512 => links::read_blocking(&shared.layout.alias_link(repo, digest)),
    }
}

/// The digest that a tag answers with: the one that it was put by, as long as
/// that is another name of the manifest that it points at.
pub(super) async fn of_tag(
    shared: &Shared,
    repo: &RepoName,
    tag: &Tag,
    target: Digest,
) -> Result<Digest, StoreError> {
    if !shared.base.is_marked().await {
        return Ok(target);
    }
    // Somebody else may have moved the tag, and a broken alias is none.
    let put_by = links::read(&shared.base, &shared.layout.tag_alias(repo, tag)).await;
    if let Ok(Some(digest)) = put_by
        && let Ok(Some(content)) = content_of(shared, repo, &digest).await
        && content == target
    {
        return Ok(digest);
    }
    Ok(target)
}

/// Records by which digest a tag is put. Blocks.
pub(super) fn put_tag(
    shared: &Shared,
    repo: &RepoName,
    tag: &Tag,
    digest: &Digest,
) -> Result<(), StoreError> {
    let path = shared.layout.tag_alias(repo, tag);
    match digest.algorithm() {
        Algorithm::Sha256 => remove_tag(shared, repo, tag),
        Algorithm::Sha512 => {
            shared.directories.ensure(&shared.layout.aliased_mark())?;
            shared.base.note_mark();
            links::put(&shared.directories, &path, digest)
        }
    }
}

/// Forgets by which digest a tag was put. Blocks.
pub(super) fn remove_tag(shared: &Shared, repo: &RepoName, tag: &Tag) -> Result<(), StoreError> {
    durable::remove(&shared.layout.tag_alias(repo, tag))?;
    Ok(())
}

/// The other digests of content. Blocks. One that cannot be read is nobody's.
pub(super) fn of_content(
    shared: &Shared,
    repo: &RepoName,
    content: &Digest,
) -> Result<Vec<Digest>, StoreError> {
    let directory = shared.layout.aliases(repo);
    let mut found = walk::linked_digests(&directory)?;
    found.retain(|digest| {
        let link = shared.layout.alias_link(repo, digest);
        matches!(links::read_blocking(&link), Ok(Some(target)) if target == *content)
    });
    Ok(found)
}

/// Removes an alias, and the directory that was its own. Blocks.
pub(super) fn remove(shared: &Shared, repo: &RepoName, digest: &Digest) -> Result<(), StoreError> {
    let link: PathBuf = shared.layout.alias_link(repo, digest);
    durable::remove(&link)?;
    if let Some(directory) = link.parent() {
        match disk::remove_dir(directory) {
            Err(error) if is_absent(&error) => {}
            // An empty directory more or less matters to nobody.
            Err(error) => tracing::debug!(error = %error, "an empty directory stays behind"),
            Ok(()) => {}
        }
    }
    Ok(())
}
