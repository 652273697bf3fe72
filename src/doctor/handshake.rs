//! The TLS handshake, and what else a port may speak.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use certs_tool::HostName;
use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, PeerIncompatible, ProtocolVersion, SignatureScheme,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::reach;
use super::report::shown;
use super::trouble::Trouble;

/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection whose handshake is done, by a server that may be anybody: the
/// chain is yet to be judged.
pub(super) struct Session {
    pub(super) address: SocketAddr,
    pub(super) stream: Box<TlsStream<TcpStream>>,
    pub(super) seen: Seen,
}

/// What a handshake showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// What the server sent, its own certificate first.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// Whether the server showed that it has the first one's key. It did not if
    /// the signature is wrong, or the certificate too odd to check it with.
    pub(super) proven: bool,
    /// Whether the server asked for a certificate of the client.
    pub(super) asks_for_client: bool,
    /// The version of TLS, as people write it.
    pub(super) version: &'static str,
    /// Whether the server chose HTTP/2.
    pub(super) http2: bool,
}

/// Which protocols are offered by ALPN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    /// HTTP/2 and HTTP/1.1, as clients do.
    Both,
    /// HTTP/1.1 alone.
    Http1,
}

/// Connects and shakes hands, and accepts every certificate.
pub(super) async fn shake_hands(
    address: SocketAddr,
    host: &HostName,
    offer: Offer,
) -> Result<Session, Trouble> {
    let socket = reach::connect(address).await.map_err(Trouble::Connect)?;
    let observer = Arc::new(Observer::new());
    let config = config(&observer, offer)?;
    let handshake = TlsConnector::from(Arc::new(config)).connect(server_name(host)?, socket);
    match timeout(PATIENCE, handshake).await {
        Ok(Ok(stream)) => Ok(Session::new(address, stream, &observer)),
        Ok(Err(error)) => Err(name(&error, address, host).await),
        Err(_) => Err(speaks(address, host).await.unwrap_or(Trouble::Silence)),
    }
}

impl Session {
    fn new(address: SocketAddr, stream: TlsStream<TcpStream>, observer: &Observer) -> Self {
        let tls = stream.get_ref().1;
        let seen = Seen {
            chain: tls
                .peer_certificates()
                .unwrap_or_default()
                .iter()
                .map(|certificate| certificate.clone().into_owned())
                .collect(),
            proven: !observer.unproven.load(Ordering::Relaxed),
            asks_for_client: observer.asked.load(Ordering::Relaxed),
            version: match tls.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
                _ => "TLS 1.2",
            },
            http2: tls.alpn_protocol() == Some(b"h2"),
        };
        Self {
            address,
            stream: Box::new(stream),
            seen,
        }
    }
}

fn config(observer: &Arc<Observer>, offer: Offer) -> Result<ClientConfig, Trouble> {
    let mut config = ClientConfig::builder_with_provider(observer.provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Trouble::Other(error.to_string()))?
        .dangerous()
        // The doctor has to see a chain in order to say what is wrong with it.
        // It judges the chain afterwards, and sends no secret before that.
        .with_custom_certificate_verifier(observer.clone())
        .with_client_cert_resolver(observer.clone());
    config.alpn_protocols = match offer {
        Offer::Both => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        Offer::Http1 => vec![b"http/1.1".to_vec()],
    };
    Ok(config)
}

fn server_name(host: &HostName) -> Result<ServerName<'static>, Trouble> {
    match host.as_ip() {
        Some(address) => Ok(ServerName::from(address)),
        None => ServerName::try_from(host.to_string())
            .map_err(|error| Trouble::Other(format!("{host}: {error}"))),
    }
}

/// Takes every certificate, and notes what judging it later needs.
#[derive(Debug)]
struct Observer {
    provider: Arc<CryptoProvider>,
    unproven: AtomicBool,
    asked: AtomicBool,
}

impl Observer {
    fn new() -> Self {
        Self {
            provider: Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
            unproven: AtomicBool::new(false),
            asked: AtomicBool::new(false),
        }
    }

    /// Who cannot show the key is noted, and not refused: the judge of the chain
    /// has more to say, of X.509 version 1 or of a key that is too short.
    fn proof(
        &self,
        checked: Result<HandshakeSignatureValid, Error>,
    ) -> Result<HandshakeSignatureValid, Error> {
        match checked {
            Err(Error::InvalidCertificate(_)) => {
                self.unproven.store(true, Ordering::Relaxed);
                Ok(HandshakeSignatureValid::assertion())
            }
            other => other,
        }
    }
}

impl ServerCertVerifier for Observer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        self.proof(verify_tls12_signature(message, cert, dss, algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        self.proof(verify_tls13_signature(message, cert, dss, algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

impl ResolvesClientCert for Observer {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        None
    }

    /// Only then is `resolve` asked.
    fn has_certs(&self) -> bool {
        true
    }
}

/// What a failed handshake means.
async fn name(error: &io::Error, address: SocketAddr, host: &HostName) -> Trouble {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    match tls {
        Some(Error::AlertReceived(alert)) => Trouble::of_alert(*alert),
        Some(Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13)) => {
            Trouble::OldVersion
        }
        Some(Error::PeerIncompatible(_)) => Trouble::NothingInCommon,
        Some(error @ Error::InvalidMessage(_)) => speaks(address, host)
            .await
            .unwrap_or_else(|| Trouble::Other(error.to_string())),
        Some(error) => Trouble::Other(error.to_string()),
        None => speaks(address, host).await.unwrap_or(Trouble::Closed),
    }
}

/// What a server that does not speak TLS speaks: it is asked for `/v2/` in
/// plain HTTP. `None` if it says nothing to that either.
async fn speaks(address: SocketAddr, host: &HostName) -> Option<Trouble> {
    const ANSWER: Duration = Duration::from_secs(3);
    let mut socket = reach::connect(address).await.ok()?;
    let question =
        format!("GET /v2/ HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    // One that closes at once may have said something before.
    let _ = socket.write_all(question.as_bytes()).await;
    let mut start = vec![];
    let mut reader = socket.take(512);
    let _ = timeout(ANSWER, reader.read_to_end(&mut start)).await;
    let text = String::from_utf8_lossy(&start);
    match () {
        () if start.is_empty() => None,
        () if text.starts_with("HTTP/") => Some(Trouble::PlainHttp(shown(&text))),
        () => Some(Trouble::Stranger(shown(&text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_cannot_show_the_key_is_remembered() {
        let observer = Observer::new();
        let proof = |error| observer.proof(Err(error));
        assert!(proof(Error::DecryptError).is_err());
        assert!(!observer.unproven.load(Ordering::Relaxed));
        let bad = rustls::CertificateError::BadSignature;
        assert!(proof(Error::InvalidCertificate(bad)).is_ok());
        assert!(observer.unproven.load(Ordering::Relaxed));
    }
}
