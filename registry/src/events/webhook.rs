//! From a request into the queue of one webhook.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tidegate_config::{Action, WebhookName};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use super::queue::{self, Bounds, Queue};
use super::{Event, Subscriber};
use crate::metrics::EndpointMetrics;

/// How many events may be on their way to the disk. Pushes wait for a place,
/// events of pulls are dropped.
const ON_THEIR_WAY: u32 = 1024;

/// A subscriber that keeps events until they are delivered.
pub(crate) struct Webhook {
    settings: tidegate_config::Webhook,
    shared: Arc<Shared>,
    places: Arc<Semaphore>,
}

/// What the two ends of a queue have in common.
pub(super) struct Shared {
    pub(super) name: WebhookName,
    pub(super) metrics: EndpointMetrics,
    /// An event was added.
    pub(super) arrived: Notify,
    queue: Mutex<Queue>,
    /// Whether it was logged that events are lost, and they still are.
    loses: AtomicBool,
}

impl Webhook {
    /// Opens the queue of a webhook, below the directory that its settings name
    /// or else below `default`.
    ///
    /// # Errors
    ///
    /// If the queue cannot be opened. The error names the file.
    pub(crate) fn open(
        settings: tidegate_config::Webhook,
        default: &Path,
        metrics: EndpointMetrics,
    ) -> io::Result<Self> {
        let directory = settings.queue.directory.as_deref().unwrap_or(default);
        let bounds = Bounds {
            events: settings.queue.events,
            bytes: settings.queue.bytes,
        };
        let queue = queue::claim(&directory.join(settings.name.as_str()), bounds)?;
        let shared = Shared {
            name: settings.name.clone(),
            metrics,
            arrived: Notify::new(),
            queue: Mutex::new(queue),
            loses: AtomicBool::new(false),
        };
        shared.count_pending(&shared.lock());
        Ok(Self {
            settings,
            shared: Arc::new(shared),
            places: Arc::new(Semaphore::new(ON_THEIR_WAY as usize)),
        })
    }

    pub(super) fn settings(&self) -> &tidegate_config::Webhook {
        &self.settings
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn is_ignored(&self, event: &Event) -> bool {
        event.target.media_type.is_some_and(|media_type| {
            let ignored = &self.settings.ignore.media_types;
            ignored.iter().any(|ignored| ignored == media_type)
        })
    }

    async fn put(&self, line: Vec<u8>, place: OwnedSemaphorePermit) {
        let shared = Arc::clone(&self.shared);
        let put = spawn_blocking(move || {
            shared.append(&line);
            drop(place);
        });
        // It is done also if nobody waits here any more.
        if let Err(error) = put.await {
            tracing::error!(webhook = %self.shared.name, error = %error, "an event is lost");
        }
    }
}

#[async_trait]
impl Subscriber for Webhook {
    fn wants(&self, action: Action) -> bool {
        !self.settings.ignore.actions.contains(&action)
    }

    fn wants_references(&self) -> bool {
        self.settings.references
    }

    async fn take(&self, event: &Event) {
        if self.is_ignored(event) {
            return;
        }
        self.shared.metrics.events.inc();
        let line = event.to_line(self.settings.references);
        let places = Arc::clone(&self.places);
        if event.action == Action::Pull {
            // What is read from memory must not wait for a disk.
            match places.try_acquire_owned() {
                Ok(place) => {
                    let shared = Arc::clone(&self.shared);
                    spawn_blocking(move || {
                        shared.append(&line);
                        drop(place);
                    });
                }
                Err(_) => self.shared.lost("the disk cannot keep up with the pulls"),
            }
        } else if let Ok(place) = places.acquire_owned().await {
            self.put(line, place).await;
        }
    }

    async fn flush(&self) {
        // All places are free when nothing is on its way.
        let _all = self.places.acquire_many(ON_THEIR_WAY).await;
        self.shared.sync().await;
    }
}

impl Shared {
    /// Adds an event. Blocks.
    fn append(&self, line: &[u8]) {
        let mut queue = self.lock();
        let appended = queue.append(line);
        self.count_pending(&queue);
        drop(queue);
        match appended {
            Ok(0) => {}
            Ok(dropped) => {
                self.metrics.dropped.inc_by(dropped as u64 - 1);
                self.lost("its queue is full: the oldest are dropped");
            }
            Err(error) => {
                self.lost(&format!("its queue cannot be written: {error}"));
                return;
            }
        }
        self.arrived.notify_one();
    }

    /// Counts one event that nobody will be told of, and logs the first.
    pub(super) fn lost(&self, why: &str) {
        self.metrics.dropped.inc();
        if !self.loses.swap(true, Ordering::Relaxed) {
            tracing::error!(webhook = %self.name, why, "events of a webhook are lost");
        }
    }

    /// An event got through: what is lost from now on is worth a line again.
    pub(super) fn got_through(&self) {
        self.loses.store(false, Ordering::Relaxed);
    }

    /// Does something with the queue that may block.
    pub(super) async fn with_queue<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Queue) -> T + Send + 'static,
    ) -> io::Result<T> {
        let shared = Arc::clone(self);
        spawn_blocking(move || {
            let mut queue = shared.lock();
            let done = work(&mut queue);
            shared.count_pending(&queue);
            done
        })
        .await
        .map_err(io::Error::other)
    }

    /// Makes durable what was added.
    pub(super) async fn sync(self: &Arc<Self>) {
        let shared = Arc::clone(self);
        let synced = spawn_blocking(move || {
            // The lock is not held meanwhile: nobody who adds waits for a sync.
            let unsynced = shared.lock().unsynced();
            unsynced.sync()
        });
        let synced = synced.await.map_err(io::Error::other);
        if let Err(error) = synced.and_then(|synced| synced) {
            tracing::error!(webhook = %self.name, error = %error, "events may not be on disk");
        }
    }

    fn count_pending(&self, queue: &Queue) {
        let pending = i64::try_from(queue.len()).unwrap_or(i64::MAX);
        self.metrics.pending.set(pending);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Each change of a queue leaves it whole, or returns an error.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
