//! The address of another server.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::str::FromStr;

/// The address of another registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    /// `http://host:port`
    Http {
        /// A name or an address; an IPv6 address without brackets.
        host: String,
        /// The TCP port.
        port: u16,
    },
    /// `unix:/path/to/socket`, spoken to in plain HTTP.
    Unix(PathBuf),
}

/// Why a text is no [`Upstream`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`: {problem}")]
pub struct UpstreamError {
    text: String,
    problem: &'static str,
}

impl FromStr for Upstream {
    type Err = UpstreamError;

    fn from_str(text: &str) -> Result<Self, UpstreamError> {
        let refuse = |problem| {
            Err(UpstreamError {
                text: text.to_owned(),
                problem,
            })
        };
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.starts_with('/') {
                Ok(Self::Unix(PathBuf::from(path)))
            } else {
                refuse("the path of a Unix socket must be absolute")
            };
        }
        let Some(rest) = text.strip_prefix("http://") else {
            return refuse(if text.starts_with("https://") {
                "https to the upstream is not supported"
            } else {
                "no address of an upstream"
            });
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#', '@']) {
            return refuse("only host and port may follow http://");
        }
        let (host, port) = match authority.rsplit_once(':') {
            // The colons of a bracketed IPv6 address are not the port's.
            Some((host, port)) if !port.ends_with(']') => match port.parse() {
                Ok(port) if port != 0 => (host, port),
                _ => return refuse("the port must be a number from 1 to 65535"),
            },
            _ => (authority, 80),
        };
        // Names are resolved when a request comes; this finds what never will.
        let is_known = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let host = match host.strip_prefix('[').map(|h| h.strip_suffix(']')) {
            Some(Some(v6)) if v6.parse::<Ipv6Addr>().is_ok() => v6,
            Some(_) => return refuse("brackets enclose an IPv6 address"),
            None if !host.is_empty() && host.chars().all(is_known) => host,
            None => return refuse("the host is neither a name nor an address"),
        };
        Ok(Self::Http {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { host, port } if host.contains(':') => write!(f, "http://[{host}]:{port}"),
            Self::Http { host, port } => write!(f, "http://{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_out_as_it_was_written() {
        for text in [
            "http://registry:5000",
            "http://127.0.0.1:5000",
            "http://[::1]:5000",
            "unix:/run/registry.sock",
        ] {
            assert_eq!(text.parse::<Upstream>().unwrap().to_string(), text);
        }
        let short: Upstream = "http://registry/".parse().unwrap();
        assert_eq!(short.to_string(), "http://registry:80");
        for text in [
            "registry:5000",
            "https://r",
            "unix:r",
            "http://",
            "http://[::1",
            "http://r:0",
        ] {
            assert!(text.parse::<Upstream>().is_err(), "{text}");
        }
    }
}
