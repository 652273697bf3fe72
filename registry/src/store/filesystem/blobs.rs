//! Blobs: found by a link in the repository, read from the content that all
//! repositories share.

use std::ops::Range;
use std::sync::Arc;

use fs_err::File;
use futures_util::StreamExt;

use super::Shared;
use super::durable::{self, is_absent};
use super::frames::{Frames, Pool};
use super::{links, quick};
use crate::oci::{Digest, RepoName};
use crate::store::{Blob, ByteStream, Missing, StoreError};

/// Opens a blob that the repository has.
pub(super) async fn open(
    shared: &Shared,
    repo: &RepoName,
    digest: &Digest,
) -> Result<FileBlob, StoreError> {
    let missing = || StoreError::NotFound(Missing::Blob(repo.clone(), *digest));
    let link = shared.layout.layer_link(repo, digest);
    let target = match links::read(&link).await {
        Ok(target) => target.ok_or_else(missing)?,
        // To be told "not there" is what makes a client send the layer again,
        // and that writes the link anew. An error would stop every push.
        Err(StoreError::Damaged { location, problem }) => {
            tracing::warn!(
                store.link = location,
                problem,
                "broken link: the blob counts as absent"
            );
            return Err(missing());
        }
        Err(error) => return Err(error),
    };
    let path = shared.layout.blob_data(&target);
    let file = match quick::open(&path).await {
        Err(error) if is_absent(&error) => return Err(missing()),
        result => result?,
    };
    let size = file.metadata()?.len();
    if size == 0 && !target.is_of_nothing() {
        tracing::warn!(store.blob = %path.display(), "empty file: the blob counts as absent");
        return Err(missing());
    }
    Ok(FileBlob {
        file: Arc::new(file),
        size,
        pool: Arc::clone(&shared.frames),
    })
}

/// Adds a link in `to` for a blob that `from` has.
pub(super) async fn mount(
    shared: &Arc<Shared>,
    from: &RepoName,
    to: &RepoName,
    digest: &Digest,
) -> Result<(), StoreError> {
    open(shared, from, digest).await?;
    let source = shared.layout.layer_link(from, digest);
    let link = shared.layout.layer_link(to, digest);
    let (shared, missing) = (Arc::clone(shared), Missing::Blob(from.clone(), *digest));
    super::pool::blocking(move || {
        let target = links::read_blocking(&source)?.ok_or(StoreError::NotFound(missing))?;
        links::put(&shared.directories, &link, &target)
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
