//! The TLS handshake, and what else a port may speak.

use std::fmt;
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
    AlertDescription, ClientConfig, DigitallySignedStruct, Error, PeerIncompatible,
    ProtocolVersion, SignatureScheme,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::reach;
use super::report::{Check, Subject, shown};

/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection whose handshake is done, by a server that may be anybody: the
/// chain is yet to be judged.
pub(super) struct Session {
    pub(super) stream: TlsStream<TcpStream>,
    pub(super) seen: Seen,
}

/// What a handshake showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// What the server sent, its own certificate first.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// Whether the server showed that it has the first one's key. It did not if
    /// that certificate is too odd to check a signature with.
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

/// Why there is no TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The connection cannot be made.
    Connect(reach::Refusal),
    /// It is accepted, and then nothing comes.
    Silence,
    /// It is closed in the middle.
    Closed,
    /// The server speaks HTTP without TLS; the line with which it answers.
    PlainHttp(String),
    /// The server speaks something else; its first line.
    Stranger(String),
    /// TLS 1.1 or older only.
    OldVersion,
    /// No cipher suite, curve or signature scheme in common.
    NothingInCommon,
    /// The server has no certificate for the name, and says so.
    UnknownName,
    /// The server does not let anybody in without a certificate.
    ClientCertificate,
    /// Something else, in the library's words.
    Other(String),
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
        Ok(Ok(stream)) => Ok(Session::new(stream, &observer)),
        Ok(Err(error)) => Err(name(&error, address, host).await),
        Err(_) => Err(speaks(address, host).await.unwrap_or(Trouble::Silence)),
    }
}

impl Session {
    fn new(stream: TlsStream<TcpStream>, observer: &Observer) -> Self {
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
        Self { stream, seen }
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

    /// A wrong signature ends the handshake. A certificate that the library
    /// does not read, such as one of X.509 version 1, does not: that is to be
    /// said by the judge of the chain.
    fn proof(
        &self,
        checked: Result<HandshakeSignatureValid, Error>,
    ) -> Result<HandshakeSignatureValid, Error> {
        match checked {
            Err(Error::InvalidCertificate(rustls::CertificateError::BadSignature)) => checked,
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
        Some(Error::AlertReceived(alert)) => of_alert(*alert),
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

fn of_alert(alert: AlertDescription) -> Trouble {
    match alert {
        AlertDescription::ProtocolVersion => Trouble::OldVersion,
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
            Trouble::NothingInCommon
        }
        AlertDescription::UnrecognisedName => Trouble::UnknownName,
        AlertDescription::CertificateRequired => Trouble::ClientCertificate,
        other => Trouble::Other(format!("the server ends the handshake with {other:?}")),
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

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&explain(self).0)
    }
}

/// Judges the handshake.
pub(super) fn judge(seen: Result<&Seen, &Trouble>) -> Check {
    const TLS: Subject = Subject::Tls;
    match seen {
        Ok(seen) if seen.asks_for_client => Check::warn(
            TLS,
            format!("{}; the server asks for a certificate of the client", seen.version),
        )
        .hint("docker looks for client.cert and client.key in /etc/docker/certs.d/HOST:PORT; this command has none to show"),
        Ok(seen) => Check::ok(TLS, seen.version),
        Err(trouble) => {
            let (text, hint) = explain(trouble);
            Check::fail(TLS, text).hint(hint)
        }
    }
}

fn explain(trouble: &Trouble) -> (String, &'static str) {
    match trouble {
        Trouble::Connect(refusal) => (
            format!("the address {}", refusal.shown()),
            "try again; if that happens often, the server is overloaded or restarts",
        ),
        Trouble::Silence => (
            "the connection is accepted, and then nothing comes".to_owned(),
            "another program has the port, or a proxy before the registry waits for it: see what listens there (`ss -ltnp`)",
        ),
        Trouble::Closed => (
            "the server closes the connection in the middle of the handshake".to_owned(),
            "the server has no certificate, or a balancer has nobody behind it: see the server's log",
        ),
        Trouble::PlainHttp(line) => (
            format!(
                "the port speaks plain HTTP, not TLS (`{line}`); a password would cross the network in the clear"
            ),
            "give the server a certificate (`tidegate up` makes one), or ask for the port that has TLS; without being told otherwise, docker uses plain HTTP for 127.0.0.0/8 alone",
        ),
        Trouble::Stranger(line) => (
            format!("the port speaks another protocol, neither TLS nor HTTP (`{line}`)"),
            "see that the port is right",
        ),
        Trouble::OldVersion => (
            "the server speaks TLS 1.1 or older only, which clients refuse".to_owned(),
            "allow TLS 1.2 and 1.3: in nginx, `ssl_protocols TLSv1.2 TLSv1.3;`",
        ),
        Trouble::NothingInCommon => (
            "the server and this client have no cipher suite or signature in common".to_owned(),
            "allow ECDHE with AES-GCM (in nginx, take `ssl_ciphers` out), and see that certificate and key are there",
        ),
        Trouble::UnknownName => (
            "the server knows no site of this name".to_owned(),
            "give the server a certificate for this name, or use the name that it knows",
        ),
        Trouble::ClientCertificate => (
            "the server lets nobody in without a certificate of the client".to_owned(),
            "docker looks for client.cert and client.key in /etc/docker/certs.d/HOST:PORT; this command has none to show",
        ),
        Trouble::Other(error) => (error.clone(), "see the server's log"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Status;
    use super::*;

    #[test]
    fn each_trouble_has_a_name_and_a_remedy() {
        let troubles = [
            Trouble::Connect(reach::Refusal::Refused),
            Trouble::Silence,
            Trouble::Closed,
            Trouble::PlainHttp("HTTP/1.1 400 Bad Request".to_owned()),
            Trouble::Stranger("SSH-2.0-OpenSSH".to_owned()),
            Trouble::OldVersion,
            Trouble::NothingInCommon,
            Trouble::UnknownName,
            Trouble::ClientCertificate,
            Trouble::Other("x".to_owned()),
        ];
        let mut texts = std::collections::HashSet::new();
        for trouble in &troubles {
            let check = judge(Err(trouble));
            assert_eq!(check.status, Status::Fail);
            assert!(check.hint.is_some());
            assert!(texts.insert(check.text), "{trouble:?}");
        }
    }

    #[test]
    fn alerts_are_told_apart() {
        for (alert, trouble) in [
            (AlertDescription::ProtocolVersion, Trouble::OldVersion),
            (AlertDescription::HandshakeFailure, Trouble::NothingInCommon),
            (AlertDescription::UnrecognisedName, Trouble::UnknownName),
            (
                AlertDescription::CertificateRequired,
                Trouble::ClientCertificate,
            ),
        ] {
            assert_eq!(of_alert(alert), trouble);
        }
        assert!(
            matches!(of_alert(AlertDescription::InternalError), Trouble::Other(text) if text.contains("InternalError"))
        );
    }

    #[test]
    fn only_odd_certificates_are_let_through_unproven() {
        use rustls::CertificateError::{BadEncoding, BadSignature};
        let observer = Observer::new();
        assert!(
            observer
                .proof(Err(Error::InvalidCertificate(BadSignature)))
                .is_err()
        );
        assert!(observer.proof(Err(Error::DecryptError)).is_err());
        assert!(!observer.unproven.load(Ordering::Relaxed));
        assert!(
            observer
                .proof(Err(Error::InvalidCertificate(BadEncoding)))
                .is_ok()
        );
        assert!(observer.unproven.load(Ordering::Relaxed));
    }
}
