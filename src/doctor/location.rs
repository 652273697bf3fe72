//! Where a registry sends clients to go on with an upload (`Location`; RFC 9110
//! section 10.2.2, distribution specification, "Pushing blobs").

use std::fmt;

use http::Uri;

use super::report::{Check, Subject, shown};

/// A `Location` that has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    /// Scheme, host and port, if it is absolute.
    origin: Option<Origin>,
    /// Path and query, to be asked of the same server.
    target: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    https: bool,
    /// In lower case, without brackets.
    host: String,
    port: u16,
}

/// Why a `Location` leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Nowhere {
    Missing,
    Unreadable(String),
}

impl Location {
    /// Reads the header.
    pub(super) fn read(header: Option<&str>) -> Result<Self, Nowhere> {
        let text = header.ok_or(Nowhere::Missing)?;
        let unreadable = || Nowhere::Unreadable(shown(text));
        // `//host/path` is relative to the scheme alone.
        let absolute;
        let text = match text.strip_prefix("//") {
            Some(rest) => {
                absolute = format!("https://{rest}");
                &absolute
            }
            None => text,
        };
        let uri: Uri = text.parse().map_err(|_| unreadable())?;
        let target = match uri.path_and_query() {
            Some(target) if target.as_str().starts_with('/') => target.as_str().to_owned(),
            _ => return Err(unreadable()),
        };
        let origin = match (uri.scheme_str(), uri.host()) {
            (None, None) => None,
            (Some(scheme @ ("http" | "https")), Some(host)) => Some(Origin {
                https: scheme == "https",
                host: bare(host).to_ascii_lowercase(),
                port: uri
                    .port_u16()
                    .unwrap_or(if scheme == "https" { 443 } else { 80 }),
            }),
            _ => return Err(unreadable()),
        };
        Ok(Self { origin, target })
    }

    /// Path and query.
    pub(super) fn target(&self) -> &str {
        &self.target
    }
}

fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

/// Judges where clients of `https://host:port` are sent.
pub(super) fn judge(found: &Result<Location, Nowhere>, host: &str, port: u16) -> Check {
    const LOCATION: Subject = Subject::Location;
    let origin = match found {
        Err(Nowhere::Missing) => {
            return Check::fail(LOCATION, "the answer to an upload's start has no Location")
                .hint("a proxy takes it away, or this is no registry");
        }
        Err(Nowhere::Unreadable(text)) => {
            return Check::fail(LOCATION, format!("`{text}` is no URL of HTTP"))
                .hint("see how the proxy rewrites Location (in nginx, `proxy_redirect`)");
        }
        Ok(location) => location.origin.as_ref(),
    };
    let Some(origin) = origin else {
        return Check::ok(LOCATION, "leads back here (relative)");
    };
    let asked = Origin {
        https: true,
        host: host.to_ascii_lowercase(),
        port,
    };
    if *origin == asked {
        return Check::ok(LOCATION, format!("leads back to {origin}"));
    }
    let text = format!("uploads are sent on to {origin}, not to {asked}");
    if !origin.https {
        return Check::fail(LOCATION, format!("{text}: without TLS"))
            .hint("the registry does not know that clients come by https: in nginx, `proxy_set_header X-Forwarded-Proto $scheme;`");
    }
    if origin.host != asked.host {
        return Check::fail(LOCATION, format!("{text}: to another host"))
            .hint("the registry does not know by which name clients come: in nginx, `proxy_set_header Host $http_host;`; docker-registry's `http.host` says it, too");
    }
    Check::fail(LOCATION, format!("{text}: to another port"))
        .hint("in nginx, `proxy_set_header Host $http_host;`: `$host` has no port")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::report::Status;
    use super::*;

    fn judged(header: &str) -> Check {
        judge(&Location::read(Some(header)), "registry.lan", 5043)
    }

    #[test]
    fn leads_back_or_says_what_is_wrong() {
        for right in [
            "/v2/a/blobs/uploads/x?_state=y",
            "https://registry.lan:5043/v2/a/blobs/uploads/x",
            "HTTPS://Registry.LAN:5043/v2/a",
            "//registry.lan:5043/v2/a",
        ] {
            assert_eq!(judged(right).status, Status::Ok, "{right}");
        }
        for (wrong, said) in [
            ("http://registry.lan:5043/v2/a", "without TLS"),
            ("https://localhost:5000/v2/a", "to another host"),
            ("https://registry.lan/v2/a", "to another port"),
            ("ftp://registry.lan/a", "no URL of HTTP"),
            ("v2/a", "no URL of HTTP"),
            ("", "no URL of HTTP"),
        ] {
            let check = judged(wrong);
            assert_eq!(check.status, Status::Fail, "{wrong}");
            assert!(check.text.contains(said), "{wrong}: {}", check.text);
            assert!(check.hint.is_some());
        }
        let missing = judge(&Location::read(None), "registry.lan", 5043);
        assert!(missing.text.contains("has no Location"));
    }

    #[test]
    fn the_default_port_and_brackets_make_no_difference() {
        let found = Location::read(Some("https://[FD00::7]/v2/a?b"));
        assert_eq!(judge(&found, "fd00::7", 443).status, Status::Ok);
        assert_eq!(found.unwrap().target(), "/v2/a?b");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,60}|(https?:)?//[a-z0-9.:\\[\\]@]{0,20}(/[a-z?=&]{0,20})?") {
            let found = Location::read(Some(&text));
            let _ = judge(&found, "registry.lan", 443);
            if let Ok(location) = found {
                prop_assert!(location.target().starts_with('/'));
            }
        }
    }
}
