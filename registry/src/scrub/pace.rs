//! Not reading faster than was asked for.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// A limit of bytes in a second, for all who share it.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Option<NonZeroU64>,
    begun: Instant,
    taken: AtomicU64,
}

impl Pace {
    pub(super) fn new(rate: Option<NonZeroU64>) -> Self {
        Self {
            rate,
            begun: Instant::now(),
            taken: AtomicU64::new(0),
        }
    }

    /// Counts bytes that were read, and waits until the next may be.
    pub(super) async fn take(&self, bytes: u64) {
        let Some(rate) = self.rate else { return };
        let taken = self.taken.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let due = Duration::from_secs_f64(taken as f64 / rate.get() as f64);
        tokio::time::sleep_until(self.begun + due).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_rate() {
        let pace = Pace::new(NonZeroU64::new(1000));
        let begun = Instant::now();
        for _ in 0..5 {
            pace.take(2000).await;
        }
        assert_eq!(begun.elapsed().as_secs(), 10);
        Pace::new(None).take(u64::MAX).await;
        assert_eq!(begun.elapsed().as_secs(), 10);
    }
}
