//! What has been acknowledged.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore};

use super::image::Image;

/// The tags that were ever pushed, and how often anybody did anything.
pub(crate) struct Ledger {
    /// How many images may still be pushed.
    pub(crate) pushes: Semaphore,
    tags: Mutex<BTreeMap<(String, String), Arc<Tag>>>,
    first: Notify,
    pulled: AtomicU64,
    deleted: AtomicU64,
}

/// A tag. Whoever changes it writes, whoever looks at it reads: in between it is
/// what was acknowledged.
pub(crate) struct Tag {
    repo: String,
    name: String,
    image: RwLock<Option<Image>>,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self {
            pushes: Semaphore::new(0),
            tags: Mutex::default(),
            first: Notify::new(),
            pulled: AtomicU64::new(0),
            deleted: AtomicU64::new(0),
        }
    }

    pub(crate) fn tag(&self, repo: &str, name: &str) -> Arc<Tag> {
        let key = (repo.to_owned(), name.to_owned());
        let mut tags = self.tags.lock().unwrap();
        let tag = tags.entry(key).or_insert_with(|| {
            Arc::new(Tag {
                repo: repo.to_owned(),
                name: name.to_owned(),
                image: RwLock::default(),
            })
        });
        self.first.notify_waiters();
        Arc::clone(tag)
    }

    /// The tags, as soon as there is one.
    pub(crate) async fn some_tags(&self) -> Vec<Arc<Tag>> {
        loop {
            let first = self.first.notified();
            let tags = self.tags();
            if !tags.is_empty() {
                return tags;
            }
            first.await;
        }
    }

    pub(crate) fn tags(&self) -> Vec<Arc<Tag>> {
        self.tags.lock().unwrap().values().cloned().collect()
    }

    pub(crate) fn count_pull(&self) {
        self.pulled.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn pulled(&self) -> u64 {
        self.pulled.load(Ordering::Relaxed)
    }

    pub(crate) fn count_delete(&self) {
        self.deleted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn deleted(&self) -> u64 {
        self.deleted.load(Ordering::Relaxed)
    }
}

impl Tag {
    pub(crate) fn repo(&self) -> &str {
        &self.repo
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) async fn read(&self) -> RwLockReadGuard<'_, Option<Image>> {
        self.image.read().await
    }

    pub(crate) async fn write(&self) -> RwLockWriteGuard<'_, Option<Image>> {
        self.image.write().await
    }
}
