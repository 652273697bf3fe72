//! What changes on disk takes effect without a restart: looked at each second,
//! and at once on SIGHUP.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tidegate_auth::Verifier;
use tidegate_failure::{Explain as _, Failure};
use tidegate_proxy::CertificateStore;
use tokio::signal::unix::SignalKind;
use tokio::time::MissedTickBehavior;
use tracing::{error, info};

use crate::serve::listen;

const INTERVAL: Duration = Duration::from_secs(1);

/// Watches the files of `verifier` and `certificates` for as long as it is
/// polled. A file that cannot be used is reported, and what was in force stays.
pub(crate) fn watch(
    verifier: Option<Arc<Verifier>>,
    certificates: Arc<CertificateStore>,
) -> Result<impl Future<Output = ()>, Failure> {
    let mut hangup = listen(SignalKind::hangup())?;
    Ok(async move {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                _ = ticks.tick() => false,
                _ = hangup.recv() => true,
            };
            if asked {
                info!("SIGHUP: reading password file and certificates again");
            }
            let verifier = verifier.clone();
            let certificates = Arc::clone(&certificates);
            // The files may lie on a network file system that hangs.
            let looked = tokio::task::spawn_blocking(move || {
                if let Some(verifier) = verifier {
                    passwords(&verifier, asked);
                }
                pairs(&certificates, asked);
            });
            if let Err(e) = looked.await {
                error!(error = %e, "reloading failed");
            }
        }
    })
}

fn passwords(verifier: &Verifier, asked: bool) {
    let result = if asked {
        Some(verifier.reload())
    } else {
        verifier.reload_if_changed()
    };
    match result {
        None => {}
        Some(Ok(reloaded)) => info!(users = reloaded.users, "read the password file again"),
        Some(Err(e)) => error!(
            hint = e.hint(),
            "{e}; the users that were there before stay"
        ),
    }
}

fn pairs(certificates: &CertificateStore, asked: bool) {
    let reloaded = if asked {
        Some(certificates.reload())
    } else {
        certificates.reload_if_changed()
    };
    let Some(reloaded) = reloaded else { return };
    for files in reloaded.replaced {
        info!(certificate.path = %files.cert.display(), "read the certificate again");
    }
    for e in reloaded.failures {
        error!(
            hint = e.hint(),
            "{e}; the certificate that was there before stays"
        );
    }
}
