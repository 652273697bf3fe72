//! One upload being written: bytes are copied together here and handed, a batch at
//! a time, to the blocking pool, which hashes and writes them while the next batch
//! comes in.
//!
//! A thread is taken for each batch and not for the whole upload, so that any
//! number of slow clients cannot use up the pool. At any time an upload holds
//! two batches in memory: one that is gathered and one that is written.

use std::fmt::Display;
use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::Shared;
use super::commit;
use super::pool::{blocking, spawn};
use super::staged::Staged;
use crate::oci::{Digest, RepoName};
use crate::store::{StoreError, Upload, UploadId};

/// Bytes in a batch: enough that handing it over costs nothing beside hashing it.
const BATCH: usize = 512 * 1024;

/// An upload with its lease.
pub(super) struct FileUpload {
    shared: Arc<Shared>,
    repo: RepoName,
    id: UploadId,
    file: FileState,
    /// Tells the lease that this writer has gone, though its file has not.
    closing: Arc<AtomicBool>,
    /// What has come and is not handed over.
    batch: Vec<u8>,
    /// The memory of a batch that has been written.
    spare: Vec<u8>,
    offset: u64,
}

/// Where the file is at the moment.
enum FileState {
    Here(Box<Staged>),
    InPool(JoinHandle<Appended>),
    /// Given away, or given up after an error.
    Gone,
}

/// A batch that was written, or should have been.
struct Appended {
    staged: Box<Staged>,
    batch: Vec<u8>,
    result: Result<(), StoreError>,
}

impl FileUpload {
    pub(super) fn new(shared: Arc<Shared>, repo: RepoName, id: UploadId, staged: Staged) -> Self {
        Self {
            shared,
            repo,
            id,
            closing: staged.closing(),
            offset: staged.offset(),
            file: FileState::Here(Box::new(staged)),
            batch: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Hands the batch over, after the one before has been written.
    async fn hand_over(&mut self) -> Result<(), StoreError> {
        let mut staged = self.written().await?;
        let batch = mem::replace(&mut self.batch, mem::take(&mut self.spare));
        self.file = FileState::InPool(spawn(move || {
            let result = staged.append(&batch);
            Appended {
                staged,
                batch,
                result,
            }
        }));
        Ok(())
    }

    /// Waits until nothing is being written. The file is then the caller's.
    async fn written(&mut self) -> Result<Box<Staged>, StoreError> {
        if let FileState::InPool(writing) = &mut self.file {
            let Appended {
                staged,
                batch,
                result,
            } = match writing.await {
                Ok(appended) => appended,
                Err(failure) => {
                    self.file = FileState::Gone;
                    return Err(unfinished(self.id, failure));
                }
            };
            // After an error the file is let go: to add to it what comes after
            // the bytes that failed would leave a gap.
            self.file = if result.is_ok() {
                FileState::Here(staged)
            } else {
                FileState::Gone
            };
            self.spare = batch;
            self.spare.clear();
            result?;
        }
        match mem::replace(&mut self.file, FileState::Gone) {
            FileState::Here(staged) => Ok(staged),
            _ => Err(unfinished(self.id, "an earlier write failed")),
        }
    }
}

#[async_trait]
impl Upload for FileUpload {
    fn id(&self) -> UploadId {
        self.id
    }

    fn offset(&self) -> u64 {
        self.offset
    }

    async fn write(&mut self, mut data: Bytes) -> Result<(), StoreError> {
        while !data.is_empty() {
            self.batch.reserve(BATCH - self.batch.len());
            let some = data.split_to(data.len().min(BATCH - self.batch.len()));
            self.batch.extend_from_slice(&some);
            self.offset += some.len() as u64;
            if self.batch.len() == BATCH {
                self.hand_over().await?;
            }
        }
        Ok(())
    }

    async fn suspend(mut self: Box<Self>) -> Result<u64, StoreError> {
        if !self.batch.is_empty() {
            self.hand_over().await?;
        }
        Ok(self.written().await?.offset())
    }

    async fn commit(mut self: Box<Self>, digest: &Digest) -> Result<(), StoreError> {
        let mut staged = self.written().await?;
        let batch = mem::take(&mut self.batch);
        let (shared, repo, id, digest) = (
            Arc::clone(&self.shared),
            self.repo.clone(),
            self.id,
            *digest,
        );
        blocking(move || {
            staged.append(&batch)?;
            commit::commit(&shared, *staged, &repo, id, &digest)
        })
        .await
    }

    async fn cancel(mut self: Box<Self>) -> Result<(), StoreError> {
        self.batch = Vec::new();
        let staged = self.written().await?;
        let (shared, repo, id) = (Arc::clone(&self.shared), self.repo.clone(), self.id);
        blocking(move || commit::discard(&shared, *staged, &repo, id)).await
    }
}

impl Drop for FileUpload {
    fn drop(&mut self) {
        let batch = mem::take(&mut self.batch);
        match mem::replace(&mut self.file, FileState::Gone) {
            FileState::Gone => {}
            FileState::Here(staged) if batch.is_empty() => drop(staged),
            file => self.finish_in_background(file, batch),
        }
    }
}

impl FileUpload {
    /// Writes what has come but is not on disk: the client believes that it
    /// was taken. Whoever resumes the upload waits for it.
    fn finish_in_background(&self, file: FileState, batch: Vec<u8>) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        self.closing.store(true, Ordering::Release);
        let id = self.id;
        runtime.spawn(async move {
            let staged = match file {
                FileState::Here(staged) => Some(staged),
                FileState::InPool(writing) => match writing.await {
                    Ok(Appended { staged, result: Ok(()), .. }) => Some(staged),
                    _ => None,
                },
                FileState::Gone => None,
            };
            if let Some(mut staged) = staged
                && let Err(error) = blocking(move || staged.append(&batch)).await
            {
                tracing::warn!(upload.id = %id, error = %error, "the end of a broken-off upload is lost");
            }
        });
    }
}

fn unfinished(id: UploadId, why: impl Display) -> StoreError {
    StoreError::Io(io::Error::other(format!(
        "cannot go on with upload {id}: {why}"
    )))
}
