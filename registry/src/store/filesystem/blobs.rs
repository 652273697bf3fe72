//! Blobs: found by a link in the repository, read from the content that all
//! repositories share.

use std::ops::Range;
use std::sync::Arc;

use fs_err::File;
use futures_util::StreamExt;

use super::Shared;
use super::claims;
use super::durable::{self, is_absent};
use super::frames::{Frames, Pool};
use super::links;
use crate::oci::{Algorithm, Digest, RepoName};
use crate::store::{Blob, ByteStream, Missing, StoreError};

/// Opens a blob that the repository has.
pub(super) async fn open(
    shared: &Shared,
    repo: &RepoName,
    digest: &Digest,
) -> Result<FileBlob, StoreError> {
    let missing = || StoreError::NotFound(Missing::Blob(repo.clone(), *digest));
    let link = shared.layout.layer_link(repo, digest);
    let target = links::read_sound(&shared.base, &link)
        .await?
        .ok_or_else(missing)?;
    open_content(shared, &target).await?.ok_or_else(missing)
}

/// Opens content, whoever refers to it. `None` if it is not there.
pub(super) async fn open_content(
    shared: &Shared,
    content: &Digest,
) -> Result<Option<FileBlob>, StoreError> {
    let path = shared.layout.blob_data(content);
    let file = match shared.base.open(&path).await {
        Err(error) if is_absent(&error) => return Ok(None),
        result => result?,
    };
    let size = file.metadata()?.len();
    if size == 0 && !content.is_of_nothing() {
        tracing::warn!(store.blob = %path.display(), "empty file: the blob counts as absent");
        return Ok(None);
    }
    Ok(Some(FileBlob {
        file: Arc::new(file),
        size,
        pool: Arc::clone(&shared.frames),
    }))
}

/// Marks a blob that the repository has as used, and finds its size.
pub(super) async fn claim(
    shared: &Shared,
    repo: &RepoName,
    digest: &Digest,
) -> Result<u64, StoreError> {
    let size = open(shared, repo, digest).await?.size;
    if claims::renew_soon(&shared.base, shared.layout.layer_link(repo, digest)).await? {
        Ok(size)
    } else {
        Err(StoreError::NotFound(Missing::Blob(repo.clone(), *digest)))
    }
}

/// Adds a link in `to` for a blob that `from`, or anybody, has.
pub(super) async fn mount(
    shared: &Arc<Shared>,
    from: Option<&RepoName>,
    to: &RepoName,
    digest: &Digest,
) -> Result<(), StoreError> {
    let missing = Missing::Blob(from.unwrap_or(to).clone(), *digest);
    let source = match from {
        Some(from) => {
            open(shared, from, digest).await?;
            Some(shared.layout.layer_link(from, digest))
        }
        // Content is kept under this digest alone.
        None if digest.algorithm() == Algorithm::Sha256 => {
            if open_content(shared, digest).await?.is_none() {
                return Err(StoreError::NotFound(missing));
            }
            None
        }
        None => return Err(StoreError::NotFound(missing)),
    };
    let link = shared.layout.layer_link(to, digest);
    let (shared, digest) = (Arc::clone(shared), *digest);
    super::pool::blocking(move || {
        let target = match source {
            Some(source) => links::read_blocking(&source)?,
            None => Some(digest),
        };
        // The content first: it is then there until the link is.
        match target {
            Some(target) if claims::renew(&shared.layout.blob_data(&target))? => {
                links::put(&shared.directories, &link, &target)
            }
            _ => Err(StoreError::NotFound(missing)),
        }
    })
    .await
}

/// Removes the repository's link. Blocks.
pub(super) fn delete(shared: &Shared, repo: &RepoName, digest: &Digest) -> Result<(), StoreError> {
    if durable::remove(&shared.layout.layer_link(repo, digest))? {
        Ok(())
    } else {
        Err(StoreError::NotFound(Missing::Blob(repo.clone(), *digest)))
    }
}

/// An open blob: the file is opened once, so that it can be read to its end
/// also when it is deleted or replaced meanwhile.
pub(super) struct FileBlob {
    file: Arc<File>,
    size: u64,
    pool: Arc<Pool>,
}

impl Blob for FileBlob {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, range: Range<u64>) -> ByteStream {
        Frames::new(Arc::clone(&self.file), range, Arc::clone(&self.pool)).boxed()
    }
}
