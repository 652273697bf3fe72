//! The names in a certificate: whom it is for.

use std::fmt;
use std::net::IpAddr;

use x509_parser::extensions::GeneralName;

use crate::name::HostName;

/// A subject alternative name (RFC 5280 section 4.2.1.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum San {
    /// A DNS name, perhaps with a wildcard, as it is written there.
    Dns(String),
    /// An IP address.
    Ip(IpAddr),
    /// An e-mail address, of a person.
    Email(String),
    /// Something else.
    Other(String),
}

impl San {
    pub(crate) fn of(name: &GeneralName<'_>) -> Self {
        match name {
            GeneralName::DNSName(name) => Self::Dns((*name).to_owned()),
            GeneralName::RFC822Name(address) => Self::Email((*address).to_owned()),
            GeneralName::IPAddress(octets) => {
                let v4 = <[u8; 4]>::try_from(*octets).map(IpAddr::from);
                let v6 = <[u8; 16]>::try_from(*octets).map(IpAddr::from);
                v4.or(v6)
                    .map_or_else(|_| Self::Other(name.to_string()), Self::Ip)
            }
            other => Self::Other(other.to_string()),
        }
    }

    /// Whether a client that uses `name` takes this for it.
    pub(crate) fn covers(&self, name: &HostName) -> bool {
        match self {
            Self::Ip(address) => name.as_ip() == Some(*address),
            Self::Dns(pattern) => name.as_dns().is_some_and(|name| dns_covers(pattern, name)),
            Self::Email(_) | Self::Other(_) => false,
        }
    }
}

impl fmt::Display for San {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) | Self::Email(name) | Self::Other(name) => f.write_str(name),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

fn dns_covers(pattern: &str, name: &str) -> bool {
    if pattern.eq_ignore_ascii_case(name) {
        return true;
    }
    let wildcard = pattern.strip_prefix("*.");
    let parent = name.split_once('.').filter(|(first, _)| *first != "*");
    matches!((wildcard, parent), (Some(pattern), Some((_, name))) if pattern.eq_ignore_ascii_case(name))
}
