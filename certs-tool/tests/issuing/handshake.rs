//! TLS handshakes in memory, by rustls on both sides.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

use crate::harness::Workshop;

/// Whom a server asks to show a certificate.
pub(crate) enum Clients<'a> {
    Anybody,
    /// Those whom the CA in this file signed.
    SignedBy(&'a str),
}

/// Shakes hands as a client that trusts `ca` with a server that shows `site`.
pub(crate) fn shake(
    shop: &Workshop,
    ca: &str,
    site: &str,
    host: &str,
    clients: &Clients<'_>,
    client: Option<&str>,
) -> Result<(), String> {
    let provider = || Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap();
    let server = match clients {
        Clients::Anybody => server.with_no_client_auth(),
        Clients::SignedBy(ca) => {
            let roots = Arc::new(roots(shop, ca));
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
            server.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let (chain, key) = pair(shop, site);
    let server = server.with_single_cert(chain, key).unwrap();
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(shop, ca));
    let config = match client {
        None => config.with_no_client_auth(),
        Some(name) => {
            let (chain, key) = pair(shop, name);
            config.with_client_auth_cert(chain, key).unwrap()
        }
    };
    let host = ServerName::try_from(host.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), host).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    while client.is_handshaking() || server.is_handshaking() || client.wants_write() {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut rest = &wire[..];
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            server
                .process_new_packets()
                .map_err(|error| format!("server: {error}"))?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut rest = &wire[..];
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client
                .process_new_packets()
                .map_err(|error| format!("client: {error}"))?;
        }
    }
    Ok(())
}

fn roots(shop: &Workshop, ca: &str) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(shop.path(ca)).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    roots
}

fn pair(shop: &Workshop, name: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = CertificateDer::pem_file_iter(shop.path(&format!("{name}.crt")))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let key = PrivateKeyDer::from_pem_file(shop.path(&format!("{name}.key"))).unwrap();
    (chain, key)
}
