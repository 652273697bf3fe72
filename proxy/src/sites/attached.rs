//! What is served at one listener: its sites, and the certificates that they ask
//! of clients.

use std::sync::Arc;

use pingora::proxy::Session;
use tidegate_config::site::{Found, Site};
use tidegate_config::{ClientAuth, Listener, Protocol, TlsOffer};

use super::hosts::Hosts;
use crate::answer::Answer;
use crate::bind_error::BindError;
use crate::client_certificates::{ClientCertificates, Demand, Shown};

/// The sites of one listener.
pub(crate) struct Attached {
    hosts: Hosts,
    /// How TLS is spoken for each site, by its index.
    manners: Vec<Manner>,
}

/// How TLS is spoken with those who ask for a site.
#[derive(Debug, Clone)]
pub(crate) struct Manner {
    /// What certificates it asks for.
    pub(crate) demand: Option<Arc<Demand>>,
    /// What clients may choose from.
    pub(crate) offer: TlsOffer,
}

impl Attached {
    /// A listener with one site.
    pub(super) fn only(
        listener: &Listener,
        certificates: &ClientCertificates,
    ) -> Result<Self, BindError> {
        let manner = Manner {
            demand: demand(listener, None, certificates)?,
            offer: listener.offer,
        };
        Ok(Self {
            hosts: Hosts::only(0),
            manners: vec![manner],
        })
    }

    /// Those among `sites` that are served at `listener`, which has that index.
    pub(super) fn of(
        listener: &Listener,
        index: usize,
        sites: &[Site],
        certificates: &ClientCertificates,
    ) -> Result<Self, BindError> {
        let address = &listener.address;
        let manners = sites.iter().map(|site| {
            Ok::<_, BindError>(Manner {
                demand: demand(listener, site.client_auth.as_ref(), certificates)?,
                offer: TlsOffer {
                    http2: site.http2.unwrap_or(listener.offer.http2),
                    ..listener.offer
                },
            })
        });
        Ok(Self {
            hosts: Hosts::of(index, sites).ok_or_else(|| BindError::NoSite {
                address: address.clone(),
            })?,
            manners: manners.collect::<Result<_, _>>()?,
        })
    }

    /// The index of the site for `host`, which is without a port.
    pub(super) fn choose(&self, host: &str) -> usize {
        self.hosts.choose(host)
    }

    /// What was found in `host` where an expression chooses its site.
    pub(super) fn find(&self, host: &str) -> Option<Found> {
        self.hosts.find(host)
    }

    /// The index of the site for those who name no host.
    pub(super) fn default_site(&self) -> usize {
        self.hosts.default()
    }

    /// What all of them offer, if they offer the same and none asks for certificates.
    pub(crate) fn offer_without_certificates(&self) -> Option<TlsOffer> {
        let first = self.manners.first()?.offer;
        let is_plain = |manner: &Manner| manner.demand.is_none() && manner.offer == first;
        self.manners.iter().all(is_plain).then_some(first)
    }

    /// How TLS is spoken with a client that names this host in the handshake, or
    /// none.
    pub(crate) fn manner(&self, name: Option<&str>) -> Manner {
        let site = name.map_or(self.default_site(), |name| self.hosts.choose(name));
        self.manners[site].clone()
    }

    /// Lets a request for the site of that index in, as far as certificates go.
    ///
    /// # Errors
    /// What it is answered with: 400 without the right certificate, as nginx does,
    /// and 421 (RFC 9110, section 15.5.20) if the handshake was for a site that
    /// asks for others. A client opens a connection for that site then.
    pub(super) fn admit(&self, session: &Session, site: usize) -> Result<(), Answer> {
        let demand = self.manners.get(site);
        let demand = demand.and_then(|manner| manner.demand.as_ref());
        match (demand, Shown::of(session)) {
            (None, None) => Ok(()),
            // What another site's CA says of a client holds for that site alone.
            (None, Some(shown)) if shown.certificate().is_some() => Err(Answer::misdirected()),
            (None, Some(_)) => Ok(()),
            (Some(demand), Some(shown)) if shown.was_asked_by(demand) => shown
                .admit()
                .map_err(|rejection| Answer::client_certificate(&rejection)),
            (Some(_), _) => Err(Answer::misdirected()),
        }
    }
}

/// What is asked for where `site` says so, or else the listener.
fn demand(
    listener: &Listener,
    site: Option<&ClientAuth>,
    certificates: &ClientCertificates,
) -> Result<Option<Arc<Demand>>, BindError> {
    // Without TLS there is nothing to ask in; nginx does not look either.
    if listener.protocol != Protocol::Https {
        return Ok(None);
    }
    let Some(settings) = site.or(listener.client_auth.as_ref()) else {
        return Ok(None);
    };
    let found = certificates.find(settings);
    found.map(Some).ok_or_else(|| BindError::UnreadClientCa {
        address: listener.address.clone(),
    })
}
