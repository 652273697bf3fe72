//! What changes on disk takes effect without a restart: looked at each second,
//! and at once on SIGHUP.

mod configuration;

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tidegate_auth::Verifier;
use tidegate_auth::audit::Audit;
use tidegate_auth::docker_auth::DockerAuth;
use tidegate_auth::policy::SharedPolicy;
use tidegate_auth::robots::Robots;
use tidegate_auth::token::TokenVerifier;
use tidegate_config::CertificateFiles;
use tidegate_failure::{Explain, Failure};
use tidegate_proxy::{CertificateStore, ClientCertificates, PublicCa};
use time::OffsetDateTime;
use tokio::signal::unix::SignalKind;
use tokio::time::MissedTickBehavior;
use tracing::{error, info, warn};

pub(crate) use self::configuration::Configuration;
use crate::inputs;
use crate::renewal::{self, Renewal};
use crate::serve::listen;

const INTERVAL: Duration = Duration::from_secs(1);

/// What may change while it is in use.
pub(crate) struct Watched {
    /// The file that is served by, if it is one of ours.
    pub(crate) configuration: Option<Configuration>,
    /// The rules of it, if it has any.
    pub(crate) policy: Option<SharedPolicy>,
    /// One for each password file.
    pub(crate) verifiers: Vec<Arc<Verifier>>,
    /// One for each token server whose keys are in files.
    pub(crate) tokens: Vec<Arc<TokenVerifier>>,
    /// docker_auth's users and rules.
    pub(crate) docker_auth: Option<Arc<DockerAuth>>,
    pub(crate) robots: Option<Arc<Robots>>,
    pub(crate) audit: Audit,
    pub(crate) certificates: Arc<CertificateStore>,
    pub(crate) client_certificates: Arc<ClientCertificates>,
    /// What is published of the CA behind these pairs.
    pub(crate) public_ca: Option<(Arc<PublicCa>, Vec<CertificateFiles>)>,
    pub(crate) renewal: Renewal,
}

/// Watches the files for as long as it is polled. A file that cannot be used is
/// reported, and what was in force stays.
pub(crate) fn watch(watched: Watched) -> Result<impl Future<Output = ()>, Failure> {
    let mut hangup = listen(SignalKind::hangup())?;
    watched.publish_ca();
    let watched = Arc::new(Mutex::new(watched));
    Ok(async move {
        let mut renewal_due = Instant::now() + renewal::INTERVAL;
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                _ = ticks.tick() => false,
                _ = hangup.recv() => true,
            };
            if asked {
                info!("SIGHUP: reading rules, password files, keys and certificates again");
            }
            let renew = asked || Instant::now() >= renewal_due;
            if renew {
                renewal_due = Instant::now() + renewal::INTERVAL;
            }
            let watched = Arc::clone(&watched);
            // The files may lie on a network file system that hangs.
            let looked = tokio::task::spawn_blocking(move || {
                let mut watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
                if renew {
                    watched.renewal.look(OffsetDateTime::now_utc());
                }
                watched.reload(asked);
            });
            if let Err(e) = looked.await {
                error!(error = %e, "reloading failed");
            }
        }
    })
}

impl Watched {
    fn reload(&mut self, asked: bool) {
        if asked {
            self.audit.reopen();
        }
        if let Some(configuration) = &mut self.configuration {
            configuration.reload(self.policy.as_ref(), asked);
        }
        if let Some(users) = &self.docker_auth {
            docker_auth(users, asked);
        }
        for verifier in &self.verifiers {
            passwords(verifier, asked);
        }
        if let Some(robots) = &self.robots {
            self::robots(robots, asked);
        }
        client_cas(&self.client_certificates, asked);
        for verifier in &self.tokens {
            keys(verifier, asked);
        }
        if pairs(&self.certificates, asked) {
            self.publish_ca();
        }
    }

    fn publish_ca(&self) {
        if let Some((public, pairs)) = &self.public_ca {
            public.set(renewal::published_ca(pairs));
        }
    }
}

fn docker_auth(users: &DockerAuth, asked: bool) {
    let read = look(
        users,
        asked,
        DockerAuth::reload,
        DockerAuth::reload_if_changed,
    );
    if let Some(found) = taken(read, "the users and rules") {
        info!(
            users = found.users,
            rules = found.rules,
            "read the users and rules of docker_auth again"
        );
        // Asked for at the start: otherwise it is not read.
        for refusal in inputs::refusals(&users.findings()) {
            warn!("{refusal}");
        }
    }
}

fn passwords(verifier: &Verifier, asked: bool) {
    let read = look(
        verifier,
        asked,
        Verifier::reload,
        Verifier::reload_if_changed,
    );
    if let Some(found) = taken(read, "the users") {
        info!(users = found.users, "read the password file again");
    }
}

fn robots(robots: &Robots, asked: bool) {
    let read = look(robots, asked, Robots::reload, Robots::reload_if_changed);
    if let Some(number) = taken(read, "the robots") {
        info!(robots = number, "read the file of robots again");
    }
}

fn keys(verifier: &TokenVerifier, asked: bool) {
    let read = look(
        verifier,
        asked,
        TokenVerifier::reload,
        TokenVerifier::reload_if_changed,
    );
    if let Some(keys) = taken(read, "the keys") {
        info!(auth.keys = keys, "read the token server's keys again");
    }
}

fn client_cas(certificates: &ClientCertificates, asked: bool) {
    let Some(reloaded) = look(
        certificates,
        asked,
        ClientCertificates::reload,
        ClientCertificates::reload_if_changed,
    ) else {
        return;
    };
    for file in &reloaded.replaced {
        info!(file.path = %file.display(), "read what certificates of clients are held against again");
    }
    for e in reloaded.failures {
        error!(
            hint = e.hint(),
            "{e}; what certificates of clients were held against before stays"
        );
    }
}

/// Whether anything was replaced.
fn pairs(certificates: &CertificateStore, asked: bool) -> bool {
    let Some(reloaded) = look(
        certificates,
        asked,
        CertificateStore::reload,
        CertificateStore::reload_if_changed,
    ) else {
        return false;
    };
    for files in &reloaded.replaced {
        info!(certificate.path = %files.cert.display(), "read the certificate again");
    }
    for e in reloaded.failures {
        error!(
            hint = e.hint(),
            "{e}; the certificate that was there before stays"
        );
    }
    !reloaded.replaced.is_empty()
}

/// Has a file read again that has changed, or in any case if that is `asked` for.
fn look<H, R>(
    holder: &H,
    asked: bool,
    reload: impl FnOnce(&H) -> R,
    reload_if_changed: impl FnOnce(&H) -> Option<R>,
) -> Option<R> {
    if asked {
        Some(reload(holder))
    } else {
        reload_if_changed(holder)
    }
}

/// What was found, if the file was read and can be used; otherwise it is said that
/// what `stays` was there before.
fn taken<T, E: Explain>(read: Option<Result<T, E>>, stays: &str) -> Option<T> {
    match read? {
        Ok(found) => Some(found),
        Err(e) => {
            error!(hint = e.hint(), "{e}; {stays} that were there before stay");
            None
        }
    }
}
