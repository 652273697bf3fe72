//! One upload being written: bytes are gathered here and handed, a batch at a
//! time, to a task that hashes and keeps them while the next ones come in.
//!
//! The task is never dropped with whoever waits for it: a request that breaks
//! off ends between two of its steps, and nowhere else.

use std::fmt::Display;
use std::io;
use std::mem;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::bucket::Bucket;
use super::closing::Closing;
use super::commit;
use super::detached;
use super::session::{LEASE, Session};
use crate::oci::Digest;
use crate::store::{StoreError, Upload, UploadId};

/// Bytes after which a batch is handed over.
const BATCH_BYTES: usize = 512 * 1024;

/// Pieces after which a batch is handed over, however small they are.
const BATCH_PIECES: usize = 128;

/// An upload with the right to write to it.
pub(super) struct BucketUpload {
    id: UploadId,
    bucket: Bucket,
    closing: Arc<Closing>,
    place: Place,
    batch: Vec<Bytes>,
    batch_bytes: usize,
    /// When the batch is handed over, however little has come: with it the
    /// lease is renewed.
    due: SystemTime,
    offset: u64,
}

/// Where the session is at the moment.
enum Place {
    Here(Box<Session>),
    InTask(JoinHandle<(Box<Session>, Result<(), StoreError>)>),
    /// Given away, or given up after an error.
    Gone,
}

impl BucketUpload {
    pub(super) fn new(closing: Arc<Closing>, session: Session) -> Self {
        Self {
            id: session.id,
            bucket: session.bucket.clone(),
            closing,
            due: session.bucket.now() + LEASE / 2,
            offset: session.offset(),
            place: Place::Here(Box::new(session)),
            batch: Vec::new(),
            batch_bytes: 0,
        }
    }

    /// Hands the batch over, after the one before has been kept.
    async fn hand_over(&mut self) -> Result<(), StoreError> {
        self.settle().await?;
        let mut session = self.session()?;
        let batch = self.take_batch();
        self.due = self.bucket.now() + LEASE / 2;
        self.place = Place::InTask(tokio::spawn(async move {
            let result = session.append(batch).await;
            (session, result)
        }));
        Ok(())
    }

    /// Waits until nothing is being kept.
    async fn settle(&mut self) -> Result<(), StoreError> {
        let Place::InTask(task) = &mut self.place else {
            return Ok(());
        };
        let done = task.await;
        self.place = Place::Gone;
        let (session, result) = done.map_err(|failure| unfinished(self.id, failure))?;
        self.place = Place::Here(session);
        if result.is_err() {
            // Whoever resumes finds what was kept. What came after it is not:
            // it would leave a gap.
            self.take_batch();
            self.give_up();
        }
        result
    }

    /// The session, which is then the caller's.
    fn session(&mut self) -> Result<Box<Session>, StoreError> {
        match mem::replace(&mut self.place, Place::Gone) {
            Place::Here(session) => Ok(session),
            _ => Err(unfinished(self.id, "an earlier write failed")),
        }
    }

    fn take_batch(&mut self) -> Vec<Bytes> {
        self.batch_bytes = 0;
        mem::take(&mut self.batch)
    }

    /// Keeps in the background what has come: the client believes that it was
    /// taken. Whoever resumes the upload waits for it.
    fn give_up(&mut self) {
        let (place, batch) = (
            mem::replace(&mut self.place, Place::Gone),
            self.take_batch(),
        );
        let id = self.id;
        // Without a runtime the process ends: the upload is found as it was
        // saved last, when its lease is over.
        let (false, Ok(runtime)) = (matches!(place, Place::Gone), Handle::try_current()) else {
            return;
        };
        let closing = self.closing.begin(id);
        runtime.spawn(async move {
            let (session, result) = match place {
                Place::Here(session) => (session, Ok(())),
                Place::InTask(task) => match task.await {
                    Ok(done) => done,
                    Err(_) => return,
                },
                Place::Gone => return,
            };
            let batch = if result.is_ok() { batch } else { Vec::new() };
            if let Err(error) = suspend(session, batch).await {
                tracing::warn!(upload.id = %id, error = %error, "the end of a broken-off upload is lost");
            }
            drop(closing);
        });
    }
}

#[async_trait]
impl Upload for BucketUpload {
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
        let is_full = self.batch_bytes >= BATCH_BYTES || self.batch.len() >= BATCH_PIECES;
        if is_full || self.bucket.now() >= self.due {
            self.hand_over().await?;
        }
        Ok(())
    }

    async fn suspend(mut self: Box<Self>) -> Result<u64, StoreError> {
        self.settle().await?;
        let (session, batch) = (self.session()?, self.take_batch());
        let closing = self.closing.begin(self.id);
        detached(async move {
            let offset = suspend(session, batch).await;
            drop(closing);
            offset
        })
        .await
    }

    async fn commit(mut self: Box<Self>, digest: &Digest) -> Result<(), StoreError> {
        self.settle().await?;
        let (mut session, batch) = (self.session()?, self.take_batch());
        let (closing, digest) = (self.closing.begin(self.id), *digest);
        detached(async move {
            let result = match session.append(batch).await {
                Ok(()) => commit::commit(*session, &digest).await,
                Err(error) => {
                    commit::give_up(*session).await;
                    Err(error)
                }
            };
            drop(closing);
            result
        })
        .await
    }

    async fn cancel(mut self: Box<Self>) -> Result<(), StoreError> {
        self.settle().await?;
        let session = self.session()?;
        self.take_batch();
        let closing = self.closing.begin(self.id);
        detached(async move {
            let result = commit::discard(&session).await;
            drop(closing);
            result
        })
        .await
    }
}

impl Drop for BucketUpload {
    fn drop(&mut self) {
        self.give_up();
    }
}

async fn suspend(mut session: Box<Session>, batch: Vec<Bytes>) -> Result<u64, StoreError> {
    let result = session.append(batch).await;
    let offset = session.release().await;
    result.and(offset)
}

fn unfinished(id: UploadId, why: impl Display) -> StoreError {
    StoreError::Io(io::Error::other(format!(
        "cannot go on with upload {id}: {why}"
    )))
}
