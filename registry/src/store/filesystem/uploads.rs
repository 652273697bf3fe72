//! Uploads: begun, looked at, and taken up again.

use std::fs::TryLockError;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use fs_err::{self as fs, File};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Shared;
use super::disk;
use super::durable::{self, is_absent};
use super::inventory;
use super::layout::{UPLOAD_DATA, UPLOAD_STARTED_AT};
use super::pool::blocking;
use super::staged::Staged;
use super::writer::FileUpload;
use crate::oci::RepoName;
use crate::store::{Missing, StoreError, UploadId};

/// Makes the directory of a new upload.
///
/// Nothing of it is synced: after a loss of power the client starts again.
/// Only the directories above it are, because later commits rely on every
/// directory that they find there.
pub(super) async fn begin(shared: &Arc<Shared>, repo: &RepoName) -> Result<FileUpload, StoreError> {
    let id = UploadId::random();
    let lease = shared.leases.acquire(repo, id).await?;
    let (shared, repo) = (Arc::clone(shared), repo.clone());
    let staged = blocking({
        let (shared, repo) = (Arc::clone(&shared), repo.clone());
        move || {
            let directory = shared.layout.upload(&repo, id);
            durable::in_directory(&shared.directories, &directory, || {
                disk::create_dir(&directory)
            })?;
            write_started_at(&directory.join(UPLOAD_STARTED_AT))?;
            let data = directory.join(UPLOAD_DATA);
            let file = disk::create_file(&data)?;
            Staged::open(file, data, id, lease)
        }
    })
    .await?;
    Ok(FileUpload::new(shared, repo, id, staged))
}

/// Opens the data of an upload and finds its hash.
pub(super) async fn resume(
    shared: &Arc<Shared>,
    repo: &RepoName,
    id: UploadId,
) -> Result<FileUpload, StoreError> {
    let lease = shared.leases.acquire(repo, id).await?;
    let (shared, repo) = (Arc::clone(shared), repo.clone());
    let staged = blocking({
        let (shared, repo) = (Arc::clone(&shared), repo.clone());
        move || {
            let directory = shared.layout.upload(&repo, id);
            let data = directory.join(UPLOAD_DATA);
            match open(&directory, &data).and_then(|file| Staged::open(file, data, id, lease)) {
                // Or expired by somebody else in the meantime.
                Err(StoreError::Io(error)) if is_absent(&error) => {
                    shared.leases.forget(&repo, id);
                    Err(missing(&repo, id))
                }
                result => result,
            }
        }
    })
    .await?;
    Ok(FileUpload::new(shared, repo, id, staged))
}

/// Opens the data of an upload. Distribution makes the file with the first byte.
fn open(directory: &Path, data: &Path) -> Result<File, StoreError> {
    match File::options().read(true).write(true).open(data) {
        // Without the directory, creating it fails.
        Err(error) if is_absent(&error) && kept(directory)?.is_some() => {
            Ok(disk::open_or_create(data)?)
        }
        result => Ok(result?),
    }
}

/// Removes an upload to which nothing was written since `idle_since`. False
/// if it is in use, or gone.
pub(super) async fn expire(
    shared: &Arc<Shared>,
    repo: &RepoName,
    id: UploadId,
    idle_since: SystemTime,
) -> Result<bool, StoreError> {
    let lease = match shared.leases.acquire(repo, id).await {
        Err(StoreError::UploadBusy(_)) => return Ok(false),
        result => result?,
    };
    let (shared, repo) = (Arc::clone(shared), repo.clone());
    blocking(move || {
        let directory = shared.layout.upload(&repo, id);
        // Distribution makes the file with the first byte.
        let data = match File::open(directory.join(UPLOAD_DATA)) {
            Err(error) if is_absent(&error) => None,
            result => Some(result?),
        };
        if let Some(data) = &data
            && let Err(TryLockError::WouldBlock) = data.try_lock()
        {
            return Ok(false);
        }
        let active = inventory::last_active(&directory)?;
        if active.is_none_or(|active| active >= idle_since) {
            return Ok(false);
        }
        disk::remove_tree(&directory)?;
        shared.leases.forget(&repo, id);
        drop((data, lease));
        Ok(true)
    })
    .await
}

/// The length of what is on disk.
pub(super) async fn offset(
    shared: &Arc<Shared>,
    repo: &RepoName,
    id: UploadId,
) -> Result<u64, StoreError> {
    let directory = shared.layout.upload(repo, id);
    let missing = missing(repo, id);
    blocking(move || kept(&directory)?.ok_or(missing)).await
}

/// How many bytes an upload has, if it is one still. Distribution makes the file
/// for them with the first byte; one that `commit` has begun to end has nothing
/// besides them.
fn kept(directory: &Path) -> Result<Option<u64>, StoreError> {
    if let Some(length) = length(&directory.join(UPLOAD_DATA))? {
        return Ok(Some(length));
    }
    let started = length(&directory.join(UPLOAD_STARTED_AT))?;
    Ok(started.map(|_| 0))
}

fn length(path: &Path) -> Result<Option<u64>, StoreError> {
    match fs::metadata(path) {
        Err(error) if is_absent(&error) => Ok(None),
        result => Ok(Some(result?.len())),
    }
}

fn missing(repo: &RepoName, id: UploadId) -> StoreError {
    StoreError::NotFound(Missing::Upload(repo.clone(), id))
}

fn write_started_at(path: &Path) -> Result<(), StoreError> {
    let now = OffsetDateTime::now_utc();
    let text = now
        .replace_nanosecond(0)
        .map_err(io::Error::other)
        .and_then(|now| now.format(&Rfc3339).map_err(io::Error::other))?;
    Ok(disk::write_at(
        &disk::create_file(path)?,
        text.as_bytes(),
        0,
    )?)
}
