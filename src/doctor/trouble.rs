//! How a handshake went, in words.

use std::fmt;
use std::net::SocketAddr;

use rustls::AlertDescription;

use super::handshake::Seen;
use super::reach;
use super::report::{Check, Subject};

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

impl Trouble {
    /// What an alert of the server means (RFC 8446 section 6.2).
    pub(super) fn of_alert(alert: AlertDescription) -> Self {
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
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&explain(self).0)
    }
}

/// What each address of a server has shown.
type Shown<'a> = (SocketAddr, Result<&'a Seen, &'a Trouble>);

/// Judges the handshakes, one with each address.
pub(super) fn judge(shown: &[Shown<'_>]) -> Check {
    const TLS: Subject = Subject::Tls;
    let Some((first, seen)) = shown.iter().find_map(|(a, s)| Some((a, s.as_ref().ok()?))) else {
        let trouble = shown.iter().find_map(|(_, s)| s.as_ref().err());
        let (text, hint) = explain(trouble.unwrap_or(&&Trouble::Silence));
        return Check::fail(TLS, text).hint(hint);
    };
    for (address, other) in shown {
        match other {
            Err(trouble) => {
                let text = format!("{} at {first}, but at {address} {trouble}", seen.version);
                return Check::warn(TLS, text).hint(explain(trouble).1);
            }
            Ok(other) if other.chain != seen.chain => {
                let text = format!(
                    "{}, but {address} shows other certificates than {first}",
                    seen.version
                );
                return Check::warn(TLS, text).hint(format!(
                    "what follows is about {first}; see that both addresses are the registry's, and give both the same certificate"
                ));
            }
            Ok(_) => {}
        }
    }
    if seen.asks_for_client {
        let text = format!(
            "{}; the server asks for a certificate of the client",
            seen.version
        );
        return Check::warn(TLS, text).hint(CLIENT_CERTIFICATE);
    }
    Check::ok(TLS, seen.version)
}

const CLIENT_CERTIFICATE: &str = "docker looks for client.cert and client.key in /etc/docker/certs.d/HOST:PORT; this command has none to show";

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
            CLIENT_CERTIFICATE,
        ),
        Trouble::Other(error) => (error.clone(), "see the server's log"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Status;
    use super::*;

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 443))
    }

    #[test]
    fn every_address_has_to_show_the_same() {
        let showing = |certificate: u8| Seen {
            chain: vec![vec![certificate].into()],
            proven: true,
            asks_for_client: false,
            version: "TLS 1.3",
            http2: true,
        };
        let (seen, other) = (showing(1), showing(2));
        let both = |second| judge(&[(address(7), Ok(&seen)), (address(8), second)]);
        assert_eq!(both(Ok(&seen)).status, Status::Ok);
        let check = both(Ok(&other));
        assert_eq!(check.status, Status::Warn);
        assert!(check.text.contains("10.0.0.8:443 shows other"));
        let check = both(Err(&Trouble::OldVersion));
        assert_eq!(check.status, Status::Warn);
        assert!(check.text.contains("but at 10.0.0.8:443 the server speaks"));
    }

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
            let check = judge(&[(address(7), Err(trouble))]);
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
            assert_eq!(Trouble::of_alert(alert), trouble);
        }
        assert!(
            matches!(Trouble::of_alert(AlertDescription::InternalError), Trouble::Other(text) if text.contains("InternalError"))
        );
    }
}
