//! Garbage collection in the server, on a schedule.

use std::sync::Arc;
use std::time::Duration;

use tidegate_config::Registry;
use tidegate_failure::Explain as _;
use tidegate_registry::Metrics;
use tidegate_registry::collect::{CollectError, Event, Options, Report, collect};
use tidegate_registry::store::Maintain;
use time::OffsetDateTime;
use tracing::{error, info, warn};

/// How long after the start the first run comes, unless runs are more frequent:
/// whoever has just started the server has better things for the disk to do.
const FIRST_AFTER: Duration = Duration::from_secs(5 * 60);

/// The part of a wait by which it may be longer, so that replicas that were
/// started together do not collect together.
const JITTER: f64 = 0.1;

/// Collects for as long as it is polled, as often as the settings say. `None` if
/// they say not to, or that nothing may be changed.
///
/// It may be dropped at any time: what a run leaves, the next one takes up.
pub(crate) fn scheduled(
    settings: &Registry,
    store: Arc<dyn Maintain>,
    metrics: Option<Metrics>,
) -> Option<impl Future<Output = ()> + Send + use<>> {
    let every = settings.collect.every.filter(|_| !settings.read_only)?;
    let options = Options {
        gentle: true,
        ..Options::from(settings)
    };
    Some(async move {
        let mut wait = every.min(FIRST_AFTER);
        loop {
            tokio::time::sleep(with_jitter(wait, rand::random())).await;
            let collected = collect(&*store, &options, &log_damage).await;
            if let Some(metrics) = &metrics {
                count(metrics, &collected);
            }
            log(&collected);
            wait = every;
        }
    })
}

/// A wait and up to a tenth of it more; `share` is from 0 to 1.
fn with_jitter(wait: Duration, share: f64) -> Duration {
    wait.saturating_add(wait.mul_f64(JITTER * share))
}

fn log_damage(event: &Event<'_>) {
    if let Event::Damaged(damaged) = event {
        warn!(
            registry.repository = %damaged.repo,
            hint = "`tidegate registry scrub` names all that is damaged",
            "not collected in this repository: {}",
            damaged.problem
        );
    }
}

fn log(collected: &Result<Report, CollectError>) {
    match collected {
        Ok(report) => info!(
            collect.repositories = report.repositories,
            collect.marked = report.marked,
            collect.tags = report.tags,
            collect.manifests = report.manifests,
            collect.blobs = report.blobs,
            collect.uploads = report.uploads,
            collect.bytes = report.bytes + report.upload_bytes,
            collect.damaged = report.damaged.len(),
            collect.seconds = report.duration.as_secs(),
            "collected garbage"
        ),
        Err(e) => error!(error = %e, hint = e.hint(), "garbage was not collected"),
    }
}

fn count(metrics: &Metrics, collected: &Result<Report, CollectError>) {
    let metrics = metrics.collection();
    match collected {
        Ok(report) => {
            metrics.runs_completed.inc();
            metrics.manifests_removed.inc_by(report.manifests);
            metrics.blobs_removed.inc_by(report.blobs);
            metrics.uploads_removed.inc_by(report.uploads);
            metrics
                .bytes_freed
                .inc_by(report.bytes + report.upload_bytes);
            metrics.duration.observe(report.duration.as_secs_f64());
            let now = OffsetDateTime::now_utc().unix_timestamp();
            metrics.last_completed.set(now);
        }
        Err(_) => {
            metrics.runs_failed.inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use tidegate_registry::store::Filesystem;

    use super::*;

    #[test]
    fn a_wait_is_longer_by_a_tenth_at_most() {
        let wait = Duration::from_secs(100);
        assert_eq!(with_jitter(wait, 0.0), wait);
        assert_eq!(with_jitter(wait, 1.0), Duration::from_secs(110));
        assert_eq!(with_jitter(Duration::MAX, 0.0), Duration::MAX);
    }

    #[test]
    fn nothing_is_scheduled_where_nothing_may_change() {
        let root = tempfile::tempdir().unwrap();
        let is_scheduled = |settings: &Registry| {
            let store = Arc::new(Filesystem::new(root.path()));
            scheduled(settings, store, None).is_some()
        };
        let mut settings = Registry::new(root.path());
        assert!(is_scheduled(&settings));
        settings.read_only = true;
        assert!(!is_scheduled(&settings));
        settings.read_only = false;
        settings.collect.every = None;
        assert!(!is_scheduled(&settings));
    }
}
