//! How TLS is spoken with clients.

use std::io;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    Acceptor, NoClientAuth, ResolvesServerCert, ServerConfig, ServerSessionMemoryCache,
};
use rustls::version::{TLS12, TLS13};
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use crate::client_certificates::Shown;
use crate::sites::Attached;
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

/// TLS 1.2 and 1.3, HTTP/2 before HTTP/1.1 (RFC 7301), resumption by tickets
/// whose keys rotate and never leave the process. Each configuration has its own
/// tickets: a session that was begun without asking for a certificate, or with
/// other CAs, is not resumed where one is asked for.
///
/// # Errors
/// If the provider has no randomness or no suites for these versions.
pub(crate) fn server_config(
    certificates: Arc<dyn ResolvesServerCert>,
    provider: Arc<CryptoProvider>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_client_cert_verifier(clients.unwrap_or_else(|| Arc::new(NoClientAuth)))
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
    Ok(config)
}

/// How one listener shakes hands.
pub(crate) struct Handshakes {
    /// Where no certificate is asked for.
    plain: Arc<ServerConfig>,
    /// The sites of the listener, which may ask for one.
    sites: Arc<Attached>,
}

impl Handshakes {
    pub(crate) fn new(plain: Arc<ServerConfig>, sites: Arc<Attached>) -> Self {
        Self { plain, sites }
    }

    /// Shakes hands with a client, in the way of the site that it names (RFC
    /// 6066, section 3).
    ///
    /// # Errors
    /// What went wrong; the client has been told.
    pub(crate) async fn shake(&self, socket: ClientSocket) -> io::Result<TlsSocket> {
        if !self.sites.ask_for_certificates() {
            let stream = TlsAcceptor::from(Arc::clone(&self.plain)).accept(socket);
            return Ok(TlsSocket::new(stream.await?, None));
        }
        let begun = LazyConfigAcceptor::new(Acceptor::default(), socket).await?;
        let demand = self.sites.demand_for(begun.client_hello().server_name());
        let demand = demand.map(Arc::clone);
        let config = match &demand {
            Some(demand) => demand.server_config(),
            None => Arc::clone(&self.plain),
        };
        let stream = begun.into_stream(config).await?;
        let shown = demand.map(|demand| {
            let (socket, connection) = stream.get_ref();
            Shown::new(demand, connection.peer_certificates(), socket.peer())
        });
        Ok(TlsSocket::new(stream, shown))
    }
}
