//! How TLS is spoken with clients.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ResolvesServerCert, ServerConfig, ServerSessionMemoryCache};
use rustls::version::{TLS12, TLS13};

/// Sessions of TLS 1.2 clients without tickets that are remembered.
const SESSIONS: usize = 4096;

/// The cryptography in use. Named everywhere rather than left to a process-wide
/// default: ring is compiled in as well, through pingora, and rustls refuses to
/// choose between the two.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// TLS 1.2 and 1.3, HTTP/2 before HTTP/1.1 (RFC 7301), resumption by tickets
/// whose keys rotate and never leave the process.
///
/// # Errors
/// If the provider has no randomness or no suites for these versions.
pub(crate) fn server_config(
    certificates: Arc<dyn ResolvesServerCert>,
    provider: Arc<CryptoProvider>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
    Ok(config)
}
