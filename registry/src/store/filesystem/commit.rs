//! From an upload to a blob. Everything in here blocks.
//!
//! The order is what makes it safe: the bytes are checked, then durable, then
//! in their place, then linked; only then is the upload gone. A crash in
//! between leaves content that nobody can reach, and an upload that can be
//! committed again or is gone.

use std::io;
use std::path::Path;

use fs_err as fs;

use super::Shared;
use super::claims;
use super::disk;
use super::durable::{self, is_absent};
use super::layout::UPLOAD_STARTED_AT;
use super::links;
use super::staged::Staged;
use crate::oci::{Algorithm, Digest, RepoName};
use crate::store::{StoreError, UploadId};

/// Makes an upload a blob of the repository under `digest`.
///
/// A blob lies under its SHA-256 digest, whatever it was pushed by. Pushed by
/// another, it gets two links, which both lead there.
pub(super) fn commit(
    shared: &Shared,
    staged: Staged,
    repo: &RepoName,
    id: UploadId,
    digest: &Digest,
) -> Result<(), StoreError> {
    let actual = staged.digest_by(digest.algorithm())?;
    if actual != *digest {
        clean_up(shared, staged, repo, id);
        return Err(StoreError::mismatch(*digest, actual));
    }
    let content = staged.digest();
    debug_assert_eq!(content.algorithm(), Algorithm::Sha256);

    place(shared, &staged, &content, &shared.layout.upload(repo, id))?;
    links::put(
        &shared.directories,
        &shared.layout.layer_link(repo, &content),
        &content,
    )?;
    if content != *digest {
        links::put(
            &shared.directories,
            &shared.layout.layer_link(repo, digest),
            &content,
        )?;
    }
    clean_up(shared, staged, repo, id);
    Ok(())
}

/// Removes an upload about which the client has its answer: that something of
/// it stays behind does not change the answer.
fn clean_up(shared: &Shared, staged: Staged, repo: &RepoName, id: UploadId) {
    if let Err(error) = discard(shared, staged, repo, id) {
        tracing::warn!(upload.id = %id, error = %error, "the rest of an upload stays behind");
    }
}

/// Removes an upload and all that is left of it.
pub(super) fn discard(
    shared: &Shared,
    staged: Staged,
    repo: &RepoName,
    id: UploadId,
) -> Result<(), StoreError> {
    let directory = shared.layout.upload(repo, id);
    let removed = retire(&directory).and_then(|()| disk::remove_tree(&directory));
    // The lease is given back last: whoever waits for it finds no file.
    shared.leases.forget(repo, id);
    drop(staged);
    Ok(removed?)
}

/// Makes an upload one that is nothing without its data. Otherwise a kill
/// between its data and its directory would leave one that has no bytes, though
/// some were acknowledged.
fn retire(upload: &Path) -> io::Result<()> {
    match disk::remove_file(&upload.join(UPLOAD_STARTED_AT)) {
        Err(error) if is_absent(&error) => Ok(()),
        result => result,
    }
}

/// Moves the bytes of `upload` to where content lies.
fn place(
    shared: &Shared,
    staged: &Staged,
    content: &Digest,
    upload: &Path,
) -> Result<(), StoreError> {
    let target = shared.layout.blob_data(content);
    // Whoever put a file of this size there had checked the same digest. A file
    // of another size is what a crash or a full disk left: it is replaced.
    let is_there = fs::metadata(&target)
        .is_ok_and(|existing| existing.is_file() && existing.len() == staged.offset());
    if is_there && claims::renew(&target)? {
        return Ok(durable::sync_existing(&target)?);
    }
    // The bytes may have come days ago.
    disk::touch(staged.file())?;
    staged.sync()?;
    retire(upload)?;
    durable::in_directory(&shared.directories, &target, || {
        // Whoever removes what lies there must not remove what comes there.
        let _replaced = claims::lock_exclusively(&target)?;
        disk::rename(staged.path(), &target)
    })?;
    Ok(durable::sync_parent(&target)?)
}
