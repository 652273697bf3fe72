//! Leaving room for those who are served meanwhile.

use std::time::{Duration, Instant};

/// How long a gentle run works at a stretch, and rests at most.
const STRETCH: Duration = Duration::from_millis(10);
const LONGEST_REST: Duration = Duration::from_secs(1);

/// Between two steps of a run.
pub(super) struct Pace {
    gentle: bool,
    working_since: Instant,
}

impl Pace {
    pub(super) fn new(gentle: bool) -> Self {
        Self {
            gentle,
            working_since: Instant::now(),
        }
    }

    /// Lets others have their turn. A gentle run then rests for as long as it
    /// has worked, so that it has half of the disk at most.
    pub(super) async fn step(&mut self) {
        let worked = self.working_since.elapsed();
        if self.gentle && worked >= STRETCH {
            tokio::time::sleep(worked.min(LONGEST_REST)).await;
            self.working_since = Instant::now();
        } else {
            tokio::task::yield_now().await;
        }
    }
}
