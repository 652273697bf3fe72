//! Where a listener is reached.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where a listener is reached: `0.0.0.0:443` or `unix:/run/tidegate.sock`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    /// By TCP; port 0 lets the system choose.
    Inet(SocketAddr),
    /// By a socket in the file system, with an absolute path.
    Unix(PathBuf),
}

/// The address of those who come through a Unix socket, who have none: the
/// unspecified one (RFC 4291, section 2.5.2), which nobody else can have. In rules it
/// is written `unix:`.
pub const OVER_SOCKET: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// A client's address as it is shown: `unix:` for those who have none, as in nginx.
#[derive(Debug, Clone, Copy)]
pub struct ShownClient(pub IpAddr);

impl fmt::Display for ShownClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == OVER_SOCKET {
            f.write_str("unix:")
        } else {
            write!(f, "{}", self.0)
        }
    }
}

/// Why a text is no [`ListenAddress`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListenAddressError {
    /// It is no address.
    #[error("`{0}` is no address with a port")]
    Address(String),
    /// A Unix socket whose path does not begin at the root.
    #[error("`{0}`: the path of a Unix socket must be absolute")]
    Relative(String),
}

impl ListenAddress {
    /// The address, if it is one of TCP.
    #[must_use]
    pub fn inet(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }

    /// The path, if it is a Unix socket.
    #[must_use]
    pub fn unix(&self) -> Option<&Path> {
        match self {
            Self::Inet(_) => None,
            Self::Unix(path) => Some(path),
        }
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Inet(address)
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    fn from_str(text: &str) -> Result<Self, ListenAddressError> {
        match text.strip_prefix("unix:") {
            Some(path) if path.starts_with('/') => Ok(Self::Unix(PathBuf::from(path))),
            Some(_) => Err(ListenAddressError::Relative(text.to_owned())),
            None => text
                .parse()
                .map(Self::Inet)
                .map_err(|_| ListenAddressError::Address(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_out_as_they_were_written() {
        for text in ["0.0.0.0:443", "[::1]:5000", "unix:/run/a b.sock"] {
            let parsed: ListenAddress = text.parse().unwrap();
            assert_eq!(parsed.to_string(), text);
            assert_eq!(parsed.inet().is_some(), parsed.unix().is_none());
        }
        for text in ["", "443", "localhost:443", "unix:", "unix:a", "/run/a"] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
    }
}
