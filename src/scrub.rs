//! Reading everything again in the server, from time to time.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tidegate_config::Registry;
use tidegate_failure::Explain as _;
use tidegate_registry::scrub::{self, Finding, Observer, Options, Report, ScrubError};
use tidegate_registry::store::Maintain;
use tracing::{error, info, warn};

/// How long after the start the first run may come: whoever has just started
/// the server has better things for the disk to do.
const FIRST_AFTER: Duration = Duration::from_secs(60 * 60);

/// The longest wait before the clock is looked at again: a machine may sleep,
/// and another process may have read everything meanwhile.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// Reads everything again for as long as it is polled, as often as the settings
/// say. `None` if they say not to, or that nothing may be changed.
///
/// It may be dropped at any time: the next start goes on where it was.
pub(crate) fn scheduled(
    settings: &Registry,
    store: Arc<dyn Maintain>,
) -> Option<impl Future<Output = ()> + Send + use<>> {
    let every = settings.scrub.every.filter(|_| !settings.read_only)?;
    let state = scrub::state_file(&settings.root);
    let options = Options {
        quarantine: true,
        rate: Some(settings.scrub.rate),
        threads: NonZeroUsize::MIN,
        state: Some(state.clone()),
    };
    Some(async move {
        tokio::time::sleep(FIRST_AFTER.min(every)).await;
        loop {
            wait_until_due(&state, every).await;
            let outcome = scrub::run(&store, &options, &Logged).await;
            log(&outcome);
            if outcome.is_err() {
                tokio::time::sleep(LONGEST_WAIT.min(every)).await;
            }
        }
    })
}

/// Waits until it is due, also if another process has done it meanwhile. What
/// was interrupted is due at once.
async fn wait_until_due(state: &Path, every: Duration) {
    loop {
        let last = match scrub::last_run(state) {
            Ok(last) => last,
            Err(error) => {
                warn!(error = %error, "when everything was last read is not known: it is done now");
                // What cannot be removed either is reported by the run.
                let _ = scrub::forget(state);
                return;
            }
        };
        let left = match last.completed {
            Some(completed) if !last.interrupted => {
                // A clock that was set back makes it due.
                let age = SystemTime::now().duration_since(completed);
                every.saturating_sub(age.unwrap_or(every))
            }
            _ => return,
        };
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(LONGEST_WAIT)).await;
    }
}

fn log(outcome: &Result<Report, ScrubError>) {
    match outcome {
        Ok(report) if report.findings.is_empty() => info!(
            scrub.repositories = report.repositories,
            scrub.blobs = report.contents,
            scrub.bytes = report.bytes,
            "read everything again: all is well"
        ),
        Ok(report) => error!(
            scrub.repositories = report.repositories,
            scrub.blobs = report.contents,
            scrub.bytes = report.bytes,
            scrub.findings = report.findings.len(),
            "read everything again: something is wrong"
        ),
        Err(e) => error!(error = %e, hint = e.hint(), "not everything could be read again"),
    }
}

/// Logs what is wrong as it is found.
struct Logged;

impl Observer for Logged {
    fn found(&self, finding: &Finding) {
        warn!(hint = finding.mend, "scrub: {finding}");
    }
}

#[cfg(test)]
mod tests {
    use tidegate_registry::store::Filesystem;

    use super::*;

    #[test]
    fn nothing_is_scheduled_where_nothing_may_change() {
        let root = tempfile::tempdir().unwrap();
        let is_scheduled = |settings: &Registry| {
            let store = Arc::new(Filesystem::new(root.path()));
            scheduled(settings, store).is_some()
        };
        let mut settings = Registry::new(root.path());
        assert!(is_scheduled(&settings));
        settings.read_only = true;
        assert!(!is_scheduled(&settings));
        settings.read_only = false;
        settings.scrub.every = None;
        assert!(!is_scheduled(&settings));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_known_is_due() {
        let root = tempfile::tempdir().unwrap();
        let state = root.path().join("scrub.json");
        let month = Duration::from_secs(30 * 86_400);
        wait_until_due(&state, month).await;
        fs_err::write(&state, b"{").unwrap();
        wait_until_due(&state, month).await;
        assert!(!state.exists());
    }
}
