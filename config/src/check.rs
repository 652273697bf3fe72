//! What has to be well beside the storage, for requests to be answered:
//! distribution's `health.file`, `health.http` and `health.tcp`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::header::HeaderField;
use crate::webhook::ReceiverUrl;

/// One `[[registry.check]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What is looked at.
    pub of: Checked,
    /// How long to wait from one look to the next.
    pub interval: Duration,
    /// After how many failures in a row requests are answered 503.
    pub threshold: u32,
}

impl Check {
    /// How often is looked unless it is said otherwise.
    pub const INTERVAL: Duration = Duration::from_secs(10);
    /// How long another server may take unless it is said otherwise.
    pub const TIMEOUT: Duration = Duration::from_secs(10);
}

/// What a [`Check`] looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// It fails while there is a file at this path: so a server is taken out of
    /// service without stopping it.
    File(PathBuf),
    /// It fails unless `HEAD` is answered with this status.
    Http {
        /// What is asked for.
        url: ReceiverUrl,
        /// Sent along.
        headers: Vec<HeaderField>,
        /// The status.
        status: u16,
        /// How long an answer may take.
        timeout: Duration,
    },
    /// It fails unless a connection is accepted.
    Tcp {
        /// Host and port.
        address: String,
        /// How long that may take.
        timeout: Duration,
    },
}

/// By which it is known where it is told what fails.
impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Http { url, .. } => write!(f, "{url}"),
            Self::Tcp { address, .. } => f.write_str(address),
        }
    }
}

/// Whether a text is a host, or an address, with a port behind it.
pub(crate) fn is_host_with_port(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        let has_one_colon = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
        !host.is_empty() && has_one_colon && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_a_port() {
        for text in ["redis:6379", "10.0.0.1:80", "[::1]:6379"] {
            assert!(is_host_with_port(text), "{text}");
        }
        for text in [
            "",
            "redis",
            ":80",
            "redis:",
            "redis:0",
            "redis:65536",
            "::1:80",
            "a:b",
        ] {
            assert!(!is_host_with_port(text), "{text}");
        }
    }
}
