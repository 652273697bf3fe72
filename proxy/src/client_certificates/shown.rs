//! What the client of a connection showed, and what it is worth now.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use pingora::http::ResponseHeader;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::proxy::Session;
use rustls::pki_types::{CertificateDer, UnixTime};
use tidegate_auth::Identity;
use tracing::info;

use super::demand::{Demand, State};
use super::rejection::Rejection;
use super::subject;

/// How long what was found out of a certificate is believed while no file
/// changes: it may end, and so may a revocation list, on a connection that
/// stands.
const BELIEVED: Duration = Duration::from_secs(60);

/// What a client showed in the handshake, which proved that it has the key.
pub(crate) struct Shown {
    demand: Arc<Demand>,
    /// Its own certificate first; empty if it showed none.
    chain: Vec<CertificateDer<'static>>,
    /// Whom the certificate names, if it is worth anything.
    user: Option<Identity>,
    finding: ArcSwap<Finding>,
}

/// What was found of a certificate, and when.
struct Finding {
    under: Arc<State>,
    at: Instant,
    result: Result<(), Rejection>,
}

/// The user whose certificate the client of `session` has shown: one that stands
/// up to everything that is asked where it was shown, revocation included, now.
pub(crate) fn certificate_user(session: &Session) -> Option<&Identity> {
    let shown = Shown::of(session)?;
    shown.finding().result.is_ok().then_some(())?;
    shown.user.as_ref()
}

impl Shown {
    /// What the client of a connection from `peer` showed under `demand`.
    pub(crate) fn new(
        demand: Arc<Demand>,
        chain: Option<&[CertificateDer<'_>]>,
        peer: SocketAddr,
    ) -> Self {
        let chain = chain.unwrap_or_default().iter();
        let chain: Vec<_> = chain.map(|der| der.clone().into_owned()).collect();
        let leaf = chain.first();
        let user = leaf.and_then(|leaf| subject::user(leaf, demand.settings.user));
        let finding = Finding::of(&demand, &chain);
        if let (Err(rejection), Some(leaf)) = (&finding.result, leaf) {
            let subject = subject::distinguished_names(leaf).map(|names| names.subject);
            let subject = subject.unwrap_or_default();
            info!(client.address = %peer, tls.client.subject = %subject, reason = %rejection, "a client's certificate is not trusted");
        }
        Self {
            finding: ArcSwap::from_pointee(finding),
            demand,
            chain,
            user,
        }
    }

    /// What the client of `session` was asked for and showed; `None` where it was
    /// not asked.
    pub(crate) fn of(session: &Session) -> Option<&Self> {
        let carried = session.digest()?.proxy_digest.as_ref()?;
        carried.user_data.as_ref()?.downcast_ref()
    }

    /// pingora hands to a session what is known of the proxy that a connection
    /// came through. There is none on our side, and no other place for facts of
    /// ours: those of TLS can only be written within pingora.
    pub(crate) fn into_digest(self) -> ProxyDigest {
        let (parts, ()) = http::Response::new(()).into_parts();
        let response = Box::new(ResponseHeader::from(parts));
        ProxyDigest::new(response, Some(Box::new(self)))
    }

    /// Whether it was asked for by this very demand.
    pub(crate) fn was_asked_by(&self, demand: &Arc<Demand>) -> bool {
        Arc::ptr_eq(&self.demand, demand)
    }

    /// The client's own certificate.
    pub(crate) fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.chain.first()
    }

    /// What is wrong with it now, whether or not that keeps anybody out.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn verified(&self) -> Result<(), Rejection> {
        self.finding().result.clone()
    }

    /// Lets the client in, or says why not.
    ///
    /// # Errors
    /// What is wrong with its certificate.
    pub(crate) fn admit(&self) -> Result<(), Rejection> {
        let finding = self.finding();
        if self.demand.admits(&finding.result) {
            Ok(())
        } else {
            finding.result.clone()
        }
    }

    fn finding(&self) -> Arc<Finding> {
        let finding = self.finding.load_full();
        if self.demand.is_current(&finding.under) && finding.at.elapsed() < BELIEVED {
            return finding;
        }
        let finding = Arc::new(Finding::of(&self.demand, &self.chain));
        self.finding.store(Arc::clone(&finding));
        finding
    }
}

impl Finding {
    fn of(demand: &Demand, chain: &[CertificateDer<'_>]) -> Self {
        let under = demand.state();
        Self {
            result: under.verify(chain, UnixTime::now()),
            at: Instant::now(),
            under,
        }
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}
