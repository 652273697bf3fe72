//! How many requests are being served.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts requests, so that a drain knows whom it waits for.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    count: AtomicUsize,
    idle: Notify,
}

/// One request; it has been served when this is dropped.
#[derive(Debug)]
pub(crate) struct Guard(Arc<InFlight>);

impl InFlight {
    pub(crate) fn enter(self: &Arc<Self>) -> Guard {
        self.count.fetch_add(1, Ordering::Relaxed);
        Guard(Arc::clone(self))
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Waits until nothing is being served.
    pub(crate) async fn idle(&self) {
        loop {
            // Registered before the count is read, or the last guard could be
            // dropped between the two.
            let mut notified = std::pin::pin!(self.idle.notified());
            notified.as_mut().enable();
            if self.count() == 0 {
                return;
            }
            notified.await;
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn idle_waits_for_the_last_guard() {
        let requests = Arc::new(InFlight::default());
        requests.idle().await;
        let first = requests.enter();
        let second = requests.enter();
        assert_eq!(requests.count(), 2);
        let mut idle = std::pin::pin!(requests.idle());
        assert!(idle.as_mut().now_or_never().is_none());
        drop(first);
        assert!(idle.as_mut().now_or_never().is_none());
        drop(second);
        idle.await;
        assert_eq!(requests.count(), 0);
    }
}
