//! Who writes to which upload, and how far its hash has come.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::oci::{Hasher, RepoName};
use crate::store::{StoreError, UploadId};

/// How many uploads are remembered between requests: about 2 MiB.
const REMEMBERED: usize = 4096;

/// An identifier counts in its repository only: so that nobody holds up an upload
/// by it and the name of another one.
type Key = (RepoName, UploadId);

/// The leases of all uploads of this process.
#[derive(Debug, Default)]
pub(super) struct Leases {
    slots: Mutex<HashMap<Key, Arc<Slot>>>,
}

/// A hash of the first `offset` bytes of an upload.
#[derive(Debug, Clone)]
pub(super) struct Checkpoint {
    pub(super) hasher: Hasher,
    pub(super) offset: u64,
}

/// The right to write to one upload. Given back when it is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    slot: Arc<Slot>,
    checkpoint: OwnedMutexGuard<Option<Checkpoint>>,
}

#[derive(Debug, Default)]
struct Slot {
    /// Locked by the writer; `None` while nothing is known, or being written.
    checkpoint: Arc<tokio::sync::Mutex<Option<Checkpoint>>>,
    /// Whether the writer has gone, and only the disk has to catch up.
    closing: Arc<AtomicBool>,
}

impl Leases {
    /// Takes the lease of an upload. Waits for a writer that has gone, but not
    /// for one that is still there.
    pub(super) async fn acquire(&self, repo: &RepoName, id: UploadId) -> Result<Lease, StoreError> {
        let slot = self.slot((repo.clone(), id));
        let checkpoint = match Arc::clone(&slot.checkpoint).try_lock_owned() {
            Ok(checkpoint) => checkpoint,
            // Only the first who comes may wait: for whoever comes next, the
            // one who waits is the writer.
            Err(_) if slot.closing.swap(false, Ordering::AcqRel) => {
                Arc::clone(&slot.checkpoint).lock_owned().await
            }
            Err(_) => return Err(StoreError::UploadBusy(id)),
        };
        slot.closing.store(false, Ordering::Release);
        Ok(Lease { slot, checkpoint })
    }

    /// Forgets an upload that is no more. Whoever waits for its lease still
    /// gets it, and then finds no file.
    pub(super) fn forget(&self, repo: &RepoName, id: UploadId) {
        self.lock().remove(&(repo.clone(), id));
    }

    fn slot(&self, key: Key) -> Arc<Slot> {
        let mut slots = self.lock();
        if slots.len() >= REMEMBERED && !slots.contains_key(&key) {
            // What is lost are hashes of uploads that nobody writes to at the
            // moment: they are computed again from the file.
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(slots.entry(key).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<Slot>>> {
        // The map is whole between any two calls on it.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// Takes out what the last writer left.
    pub(super) fn take(&mut self) -> Option<Checkpoint> {
        self.checkpoint.take()
    }

    /// Leaves something for the next writer.
    pub(super) fn leave(&mut self, checkpoint: Checkpoint) {
        *self.checkpoint = Some(checkpoint);
    }

    /// A way to say, before the lease is given back, that it will be soon.
    pub(super) fn closing(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.slot.closing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Algorithm;

    fn repo() -> RepoName {
        "a/b".parse().unwrap()
    }

    #[tokio::test]
    async fn one_writer_at_a_time() {
        let leases = Leases::default();
        let id = UploadId::random();
        let lease = leases.acquire(&repo(), id).await.unwrap();
        assert!(
            matches!(leases.acquire(&repo(), id).await, Err(StoreError::UploadBusy(busy)) if busy == id)
        );
        assert!(leases.acquire(&repo(), UploadId::random()).await.is_ok());
        let elsewhere = "a/c".parse().unwrap();
        assert!(leases.acquire(&elsewhere, id).await.is_ok());
        drop(lease);
        assert!(leases.acquire(&repo(), id).await.is_ok());
    }

    #[tokio::test]
    async fn a_writer_that_has_gone_is_waited_for() {
        let leases = Arc::new(Leases::default());
        let id = UploadId::random();
        let mut lease = leases.acquire(&repo(), id).await.unwrap();
        lease.closing().store(true, Ordering::Release);
        let next = tokio::spawn({
            let leases = Arc::clone(&leases);
            async move {
                leases
                    .acquire(&repo(), id)
                    .await
                    .unwrap()
                    .take()
                    .unwrap()
                    .offset
            }
        });
        lease.leave(Checkpoint {
            hasher: Hasher::new(Algorithm::Sha256),
            offset: 7,
        });
        drop(lease);
        assert_eq!(next.await.unwrap(), 7);
    }

    #[tokio::test]
    async fn many_uploads_do_not_fill_the_memory_nor_lose_a_lease() {
        let leases = Leases::default();
        let id = UploadId::random();
        let _held = leases.acquire(&repo(), id).await.unwrap();
        for _ in 0..3 * REMEMBERED {
            leases.acquire(&repo(), UploadId::random()).await.unwrap();
        }
        assert!(leases.lock().len() <= REMEMBERED);
        assert!(matches!(
            leases.acquire(&repo(), id).await,
            Err(StoreError::UploadBusy(_))
        ));
    }
}
