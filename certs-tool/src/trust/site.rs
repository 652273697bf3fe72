//! The registry that is to be trusted, as image references name it.

use std::fmt;
use std::str::FromStr;

use tidegate_failure::Explain;

use crate::name::{HostName, HostNameError};

/// `HOST` or `HOST:PORT`. Clients compare it letter by letter with the beginning
/// of an image reference, so `reg.lan` and `reg.lan:443` are two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    host: HostName,
    port: Option<u16>,
}

/// Why a text is no [`Site`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SiteError {
    /// The host is none.
    #[error(transparent)]
    Host(#[from] HostNameError),
    /// The port is none.
    #[error("`{text}`: `{port}` is no port; expected 1 to 65535")]
    Port {
        /// What was given.
        text: String,
        /// The part after the colon.
        port: String,
    },
    /// An address of the web, which image references do not begin with.
    #[error("`{text}` is no HOST[:PORT]: it is a URL")]
    Url {
        /// What was given.
        text: String,
        /// The registry that it leads to, if it is one.
        site: Option<String>,
    },
    /// A pattern, which clients do not look for.
    #[error("`{text}` is a pattern; clients look for the name in the image reference")]
    Wildcard {
        /// What was given.
        text: String,
    },
}

impl Explain for SiteError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Host(error) => error.hint(),
            Self::Url { site, .. } => site
                .as_ref()
                .map(|site| format!("leave out all but {site}")),
            _ => Some("write it as in `docker push`: registry.example:5043".to_owned()),
        }
    }
}

impl Site {
    /// Reads `HOST[:PORT]`; an IPv6 address with a port stands in brackets.
    ///
    /// # Errors
    /// If it is no host, or the port is none.
    pub fn parse(text: &str) -> Result<Self, SiteError> {
        if let Some((_, rest)) = text.split_once("://") {
            let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
            return Err(SiteError::Url {
                text: text.escape_debug().to_string(),
                site: Self::parse(authority).ok().map(|site| site.to_string()),
            });
        }
        let (host, port) = match text.rsplit_once(':') {
            // An IPv6 address without a port.
            Some((before, _)) if before.contains(':') && !before.ends_with(']') => (text, None),
            Some((_, after)) if after.ends_with(']') => (text, None),
            // A path: the host's own error says so.
            Some((_, after)) if after.contains('/') => (text, None),
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        };
        let host = HostName::parse(host)?;
        if host.is_wildcard() {
            return Err(SiteError::Wildcard {
                text: text.to_owned(),
            });
        }
        let port = port
            .map(|port| match port.parse() {
                Ok(number) if number != 0 && !port.starts_with('+') => Ok(number),
                _ => Err(SiteError::Port {
                    text: text.escape_debug().to_string(),
                    port: port.escape_debug().to_string(),
                }),
            })
            .transpose()?;
        Ok(Self { host, port })
    }

    /// The name or address.
    #[must_use]
    pub fn host(&self) -> &HostName {
        &self.host
    }

    /// The port, if one was named.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// As part of the name of a file that is not to hold colons.
    pub(super) fn file_name(&self) -> String {
        self.to_string().replace([':', '[', ']'], "_")
    }
}

impl FromStr for Site {
    type Err = SiteError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Site {
    /// As image references begin.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.as_ip() {
            Some(std::net::IpAddr::V6(address)) => write!(f, "[{address}]")?,
            _ => self.host.fmt(f)?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_image_references_begin_with() {
        for (text, shown, port) in [
            ("reg.lan", "reg.lan", None),
            ("Reg.LAN:5043", "reg.lan:5043", Some(5043)),
            ("10.0.0.1:443", "10.0.0.1:443", Some(443)),
            ("::1", "[::1]", None),
            ("[::1]", "[::1]", None),
            ("[2001:db8::1]:5043", "[2001:db8::1]:5043", Some(5043)),
        ] {
            let site = Site::parse(text).unwrap();
            assert_eq!((site.to_string().as_str(), site.port()), (shown, port));
        }
    }

    #[test]
    fn refuses_what_is_none_with_a_hint() {
        let url = Site::parse("https://reg.lan:5043/v2/").unwrap_err();
        assert_eq!(url.hint().unwrap(), "leave out all but reg.lan:5043");
        for (text, part) in [
            ("", "it is empty"),
            ("https://reg.lan:5043", "it is a URL"),
            ("https://reg.lan", "it is a URL"),
            ("a://b://c", "it is a URL"),
            ("reg.lan/app", "it has a path"),
            ("reg.lan:", "`` is no port"),
            ("reg.lan:0", "`0` is no port"),
            ("reg.lan:+1", "`+1` is no port"),
            ("reg.lan:65536", "`65536` is no port"),
            ("reg.lan:http", "`http` is no port"),
            ("*.reg.lan", "is a pattern"),
            ("../etc:1", "it has a path"),
        ] {
            let error = Site::parse(text).unwrap_err();
            assert!(error.to_string().contains(part), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_stays_in_its_directory(text in "[\\PC\\s]{0,30}|[a-z0-9.:/\\[\\]-]{0,30}") {
            if let Ok(site) = Site::parse(&text) {
                prop_assert_eq!(Site::parse(&site.to_string()), Ok(site.clone()));
                prop_assert!(!site.to_string().contains('/'));
                prop_assert!(!site.to_string().starts_with('.'));
            }
        }
    }
}
