//! Why the front cannot start.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tidegate_config::ListenAddress;
use tidegate_failure::Explain;

use crate::certificates::CertificateError;
use crate::client_certificates::ClientCaError;
use crate::edge::BadExpression;

/// The front cannot start. Nothing has been served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// There is nothing to listen on.
    #[error("no listener is configured")]
    NoListener,
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: ListenAddress,
        /// What the system said.
        source: io::Error,
    },
    /// A listener speaks TLS and there is no certificate.
    #[error("the listener on {address} speaks TLS, but no certificate is configured")]
    NoCertificate {
        /// The listener's address.
        address: ListenAddress,
    },
    /// A certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The CAs or revocation lists for certificates of clients cannot be used.
    #[error(transparent)]
    ClientCa(#[from] ClientCaError),
    /// A site asks for certificates of clients, and its CAs were not read: the
    /// settings of the front do not name it.
    #[error("the CAs for certificates of clients on {address} were not read")]
    UnreadClientCa {
        /// The listener's address.
        address: ListenAddress,
    },
    /// TLS itself cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[source] rustls::Error),
    /// The expression for user agents is none.
    #[error(transparent)]
    RefusedUserAgents(#[from] BadExpression),
    /// The upstream's socket cannot be connected to.
    #[error("`{}` cannot be the path of a Unix socket: {source}", path.display())]
    UpstreamSocket {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// No site is served at a listener.
    #[error("no site is served on {address}")]
    NoSite {
        /// The listener's address.
        address: ListenAddress,
    },
    /// A place leads to a registry in this process, and there is none.
    #[error("a place leads to the registry in this process, but there is none")]
    NoRegistry,
    /// An upstream's certificate is to be checked, and nothing is trusted.
    #[error("the certificate of an upstream is to be checked, but no CA is trusted to sign it")]
    NoTrust,
    /// The CAs that are trusted to sign an upstream's certificate cannot be used.
    #[error("`{}`: {reason}", path.display())]
    Trust {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Explain for BindError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NoListener => Some("add a [[listener]] with an `address`".to_owned()),
            Self::Listen { address, source } => match address {
                ListenAddress::Inet(address) => inet_hint(*address, source.kind()),
                ListenAddress::Unix(path) => socket_hint(path, source.kind()),
            },
            Self::NoCertificate { .. } => Some(
                "add a [[certificate]] with `cert` and `key`, or let `tidegate up` make one"
                    .to_owned(),
            ),
            Self::Certificate(error) => error.hint(),
            Self::ClientCa(error) => error.hint(),
            Self::NoTrust => Some(
                "name the file with the CAs (`proxy_ssl_trusted_certificate`), or do not check"
                    .to_owned(),
            ),
            Self::Tls(_)
            | Self::RefusedUserAgents(_)
            | Self::UpstreamSocket { .. }
            | Self::NoSite { .. }
            | Self::NoRegistry
            | Self::UnreadClientCa { .. }
            | Self::Trust { .. } => None,
        }
    }
}

fn inet_hint(address: SocketAddr, kind: io::ErrorKind) -> Option<String> {
    let port = address.port();
    match kind {
        io::ErrorKind::AddrInUse => Some(format!(
            "`ss -ltnp 'sport = :{port}'` shows what listens there; stop it, or listen on another \
             port"
        )),
        io::ErrorKind::PermissionDenied if port < 1024 => Some(format!(
            "ports below 1024 need a privilege: listen on another one, or grant \
             CAP_NET_BIND_SERVICE (in a systemd unit, \
             `AmbientCapabilities=CAP_NET_BIND_SERVICE`) for {port}"
        )),
        io::ErrorKind::AddrNotAvailable => Some(format!(
            "no interface of this machine has {}; 0.0.0.0 or [::] listens on all of them",
            address.ip()
        )),
        _ => None,
    }
}

fn socket_hint(path: &Path, kind: io::ErrorKind) -> Option<String> {
    let path = path.display();
    match kind {
        io::ErrorKind::AddrInUse => Some(format!(
            "`ss -lxp src {path}` shows what listens there; a file that is no socket is not removed"
        )),
        io::ErrorKind::PermissionDenied => Some(
            "this user has to be able to write the directory (in a systemd unit, \
             `RuntimeDirectory=tidegate` makes one below /run)"
                .to_owned(),
        ),
        io::ErrorKind::NotFound => Some("make the directory first".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_fit_the_failure() {
        let listen = |kind: io::ErrorKind, address: &str| BindError::Listen {
            address: address.parse().unwrap(),
            source: kind.into(),
        };
        let hint = |error: BindError| error.hint().unwrap();
        assert!(hint(listen(io::ErrorKind::AddrInUse, "0.0.0.0:5043")).contains("sport = :5043"));
        assert!(
            hint(listen(io::ErrorKind::PermissionDenied, "0.0.0.0:443"))
                .contains("CAP_NET_BIND_SERVICE")
        );
        assert!(
            listen(io::ErrorKind::PermissionDenied, "0.0.0.0:5043")
                .hint()
                .is_none()
        );
        assert!(hint(listen(io::ErrorKind::AddrInUse, "unix:/run/a")).contains("src /run/a"));
        assert!(hint(listen(io::ErrorKind::NotFound, "unix:/run/a")).contains("directory"));
        assert!(hint(listen(io::ErrorKind::AddrNotAvailable, "192.0.2.1:1")).contains("192.0.2.1"));
    }
}
