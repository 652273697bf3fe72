//! One way of asking clients for certificates.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ResolvesServerCert;
use tidegate_config::{ClientAuth, TlsOffer};

use super::ask::Ask;
use super::error::ClientCaError;
use super::rejection::Rejection;
use super::trust::{self, Trust};
use crate::bind_error::BindError;
use crate::tls::Offers;

/// What is asked of clients, and what their certificates are held against.
pub(crate) struct Demand {
    pub(super) settings: ClientAuth,
    certificates: Arc<dyn ResolvesServerCert>,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<State>,
}

/// What the files held when they were last good.
pub(super) struct State {
    trust: Trust,
    offers: Arc<Offers>,
}

impl Demand {
    pub(super) fn load(
        settings: ClientAuth,
        certificates: Arc<dyn ResolvesServerCert>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, BindError> {
        let trust = Trust::load(&settings, provider.signature_verification_algorithms.all)?;
        let offers = offers(&trust, &certificates, &provider).map_err(BindError::Tls)?;
        Ok(Self {
            settings,
            certificates,
            provider,
            current: ArcSwap::from_pointee(State { trust, offers }),
        })
    }

    /// Takes what the files hold now, or keeps what there is.
    pub(super) fn reload(&self) -> Result<(), ClientCaError> {
        let algorithms = self.provider.signature_verification_algorithms.all;
        let trust = Trust::load(&self.settings, algorithms)?;
        // Sessions of before are not resumed: their tickets have another key.
        let offers = offers(&trust, &self.certificates, &self.provider);
        let offers = offers.unwrap_or_else(|error| {
            // Without randomness; handshakes will say so themselves.
            tracing::error!(%error, "clients are told the CAs of before");
            Arc::clone(&self.current.load().offers)
        });
        self.current.store(Arc::new(State { trust, offers }));
        Ok(())
    }

    /// How handshakes are made under it, with that on offer.
    pub(crate) fn server_config(&self, offer: TlsOffer) -> Arc<ServerConfig> {
        self.current.load().offers.of(offer)
    }

    pub(super) fn state(&self) -> Arc<State> {
        self.current.load_full()
    }

    pub(super) fn is_current(&self, state: &Arc<State>) -> bool {
        Arc::ptr_eq(&self.current.load(), state)
    }

    /// Whether a client may come in that was found to be so.
    pub(super) fn admits(&self, found: &Result<(), Rejection>) -> bool {
        match found {
            Ok(()) => true,
            Err(Rejection::Missing) => !self.settings.required,
            Err(rejection) => trust::tolerates(self.settings.verify, rejection),
        }
    }
}

impl State {
    pub(super) fn verify(
        &self,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Rejection> {
        self.trust.verify(chain, now)
    }
}

impl fmt::Debug for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Demand")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

fn offers(
    trust: &Trust,
    certificates: &Arc<dyn ResolvesServerCert>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<Offers>, rustls::Error> {
    let ask = Arc::new(Ask {
        names: trust.names.clone(),
        provider: Arc::clone(provider),
    });
    Offers::new(certificates, provider, Some(ask)).map(Arc::new)
}
