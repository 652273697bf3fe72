//! How TLS is spoken with clients.

use std::io;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    Acceptor, NoClientAuth, ResolvesServerCert, ServerConfig, ServerSessionMemoryCache,
};
use rustls::version::{TLS12, TLS13};
use tidegate_config::{TlsOffer, TlsVersion};
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use crate::client_certificates::Shown;
use crate::sites::{Attached, Manner};
use crate::socket::ClientSocket;
use crate::tls_socket::TlsSocket;

/// Sessions of TLS 1.2 clients without tickets that are remembered.
const SESSIONS: usize = 4096;

/// The cryptography in use. Named everywhere rather than left to a process-wide
/// default: ring is compiled in as well, through pingora, and rustls refuses to
/// choose between the two.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// How handshakes are made, for each offer: HTTP/2 before HTTP/1.1 (RFC 7301),
/// resumption by tickets whose keys rotate and never leave the process.
///
/// Those made apart have tickets of their own: a session that was begun without
/// asking for a certificate, or with other CAs, is not resumed where one is asked
/// for.
pub(crate) struct Offers(Vec<(TlsOffer, Arc<ServerConfig>)>);

impl Offers {
    /// Without `clients`, no certificates are asked for.
    ///
    /// # Errors
    /// If the provider has no randomness or no suites for these versions.
    pub(crate) fn new(
        certificates: &Arc<dyn ResolvesServerCert>,
        provider: &Arc<CryptoProvider>,
        clients: Option<Arc<dyn ClientCertVerifier>>,
    ) -> Result<Self, rustls::Error> {
        let clients = clients.unwrap_or_else(|| Arc::new(NoClientAuth));
        let mut offers = Vec::new();
        for minimum in [TlsVersion::Tls12, TlsVersion::Tls13] {
            let versions: &[_] = match minimum {
                TlsVersion::Tls12 => &[&TLS13, &TLS12],
                TlsVersion::Tls13 => &[&TLS13],
            };
            let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
                .with_protocol_versions(versions)?
                .with_client_cert_verifier(Arc::clone(&clients))
                .with_cert_resolver(Arc::clone(certificates));
            config.ticketer = aws_lc_rs::Ticketer::new()?;
            config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
            for http2 in [false, true] {
                // What is spoken within is agreed on anew when a session is resumed.
                let mut config = config.clone();
                config.alpn_protocols = vec![b"http/1.1".to_vec()];
                if http2 {
                    config.alpn_protocols.insert(0, b"h2".to_vec());
                }
                offers.push((TlsOffer { http2, minimum }, Arc::new(config)));
            }
        }
        Ok(Self(offers))
    }

    /// How a handshake is made with that on offer.
    pub(crate) fn of(&self, offer: TlsOffer) -> Arc<ServerConfig> {
        let found = self.0.iter().find(|(known, _)| *known == offer);
        let (_, config) = found.expect("one was made for each version, with HTTP/2 and without");
        Arc::clone(config)
    }
}

/// How one listener shakes hands.
pub(crate) struct Handshakes {
    /// Where no certificate is asked for.
    plain: Arc<Offers>,
    /// The sites of the listener, which may ask for one.
    sites: Arc<Attached>,
}

impl Handshakes {
    pub(crate) fn new(plain: Arc<Offers>, sites: Arc<Attached>) -> Self {
        Self { plain, sites }
    }

    /// Shakes hands with a client, in the way of the site that it names (RFC
    /// 6066, section 3).
    ///
    /// # Errors
    /// What went wrong; the client has been told.
    pub(crate) async fn shake(&self, socket: ClientSocket) -> io::Result<TlsSocket> {
        if let Some(offer) = self.sites.offer_without_certificates() {
            let stream = TlsAcceptor::from(self.plain.of(offer)).accept(socket);
            return Ok(TlsSocket::new(stream.await?, None));
        }
        let begun = LazyConfigAcceptor::new(Acceptor::default(), socket).await?;
        let Manner { demand, offer } = self.sites.manner(begun.client_hello().server_name());
        let config = match &demand {
            Some(demand) => demand.server_config(offer),
            None => self.plain.of(offer),
        };
        let stream = begun.into_stream(config).await?;
        let shown = demand.map(|demand| {
            let (socket, connection) = stream.get_ref();
            Shown::new(demand, connection.peer_certificates(), socket.peer())
        });
        Ok(TlsSocket::new(stream, shown))
    }
}
