//! One upload being written: bytes are gathered here and handed, a batch at a
//! time, to the blocking pool, which hashes and writes them while the next
//! batch comes in.
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

/// Bytes after which a batch is handed over: enough that the hand-over costs
/// nothing beside the hashing.
const BATCH_BYTES: usize = 512 * 1024;
/// Pieces after which a batch is handed over, however small they are: each of
/// them may hold on to a larger buffer.
const BATCH_PIECES: usize = 128;

/// An upload with its lease.
pub(super) struct FileUpload {
    shared: Arc<Shared>,
    repo: RepoName,
    id: UploadId,
    file: FileState,
    /// Tells the lease that this writer has gone, though its file has not.
    closing: Arc<AtomicBool>,
    batch: Vec<Bytes>,
    batch_bytes: usize,
    offset: u64,
}

/// Where the file is at the moment.
enum FileState {
    Here(Box<Staged>),
    InPool(JoinHandle<(Box<Staged>, Result<(), StoreError>)>),
    /// Given away, or given up after an error.
    Gone,
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
            batch_bytes: 0,
        }
    }

    /// Hands the batch over, after the one before has been written.
    async fn hand_over(&mut self) -> Result<(), StoreError> {
        let mut staged = self.written().await?;
        let batch = self.take_batch();
        self.file = FileState::InPool(spawn(move || {
            let result = staged.append(&batch);
            (staged, result)
        }));
        Ok(())
    }

    /// Waits until nothing is being written. The file is then the caller's.
    async fn written(&mut self) -> Result<Box<Staged>, StoreError> {
        if let FileState::InPool(writing) = &mut self.file {
            let (staged, result) = match writing.await {
                Ok(done) => done,
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
            result?;
        }
        match mem::replace(&mut self.file, FileState::Gone) {
            FileState::Here(staged) => Ok(staged),
            _ => Err(unfinished(self.id, "an earlier write failed")),
        }
    }

    fn take_batch(&mut self) -> Vec<Bytes> {
        self.batch_bytes = 0;
        mem::take(&mut self.batch)
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

    async fn write(&mut self, data: Bytes) -> Result<(), StoreError> {
        self.batch_bytes += data.len();
        self.offset += data.len() as u64;
        self.batch.push(data);
        if self.batch_bytes >= BATCH_BYTES || self.batch.len() >= BATCH_PIECES {
            self.hand_over().await?;
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
        let batch = self.take_batch();
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
        self.take_batch();
        let staged = self.written().await?;
        let (shared, repo, id) = (Arc::clone(&self.shared), self.repo.clone(), self.id);
        blocking(move || commit::discard(&shared, *staged, &repo, id)).await
    }
}

impl Drop for FileUpload {
    fn drop(&mut self) {
        let batch = self.take_batch();
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
    fn finish_in_background(&self, file: FileState, batch: Vec<Bytes>) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        self.closing.store(true, Ordering::Release);
        let id = self.id;
        runtime.spawn(async move {
            let staged = match file {
                FileState::Here(staged) => Some(staged),
                FileState::InPool(writing) => {
                    writing.await.ok().and_then(|(staged, result)| result.ok().map(|()| staged))
                }
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
