//! When to kill.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts what its clients see happen, and goes off at a certain event.
pub(crate) struct Fuse {
    left: AtomicUsize,
    burnt: Notify,
}

impl Fuse {
    pub(crate) fn after(events: usize) -> Self {
        Self {
            left: AtomicUsize::new(events),
            burnt: Notify::new(),
        }
    }

    /// One that does not go off.
    pub(crate) fn never() -> Self {
        Self::after(usize::MAX)
    }

    /// A piece of a body was taken, or an answer has come.
    pub(crate) fn event(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.burnt.notify_one();
        }
    }

    pub(crate) async fn burnt(&self) {
        self.burnt.notified().await;
    }
}
