//! The part of a URL in front of the path, as the client wrote it.

use std::fmt;

use http::HeaderMap;
use http::Uri;
use http::header::HOST;
use http::uri::{Authority, Scheme};

use super::headers;

/// Scheme, host and port under which the client reached the registry. What it
/// is sent to next begins with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin(Option<(Scheme, Authority)>);

impl Origin {
    /// Takes the origin of the effective request URI (RFC 9110 §7.1), which
    /// whoever ends TLS has put together, or else `http` and the `Host`.
    /// A client that names no host, as in HTTP/1.0, is sent to a path.
    pub(super) fn of(uri: &Uri, headers: &HeaderMap) -> Self {
        if let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) {
            return Self(Some((scheme.clone(), authority.clone())));
        }
        let host = headers::text(headers, HOST).and_then(|host| host.parse().ok());
        Self(host.map(|authority| (Scheme::HTTP, authority)))
    }

    /// Host and port; empty if the client named none.
    pub(super) fn host(&self) -> &str {
        self.0.as_ref().map_or("", |(_, authority)| host(authority))
    }
}

/// Whatever stands in front of an @ is no part of a host.
fn host(authority: &Authority) -> &str {
    let text = authority.as_str();
    text.rsplit_once('@').map_or(text, |(_, host)| host)
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some((scheme, authority)) => write!(f, "{scheme}://{}", host(authority)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn origin(uri: &'static str, host: Option<&'static str>) -> String {
        let headers = host.map(|host| (HOST, HeaderValue::from_static(host)));
        Origin::of(&Uri::from_static(uri), &HeaderMap::from_iter(headers)).to_string()
    }

    #[test]
    fn the_request_uri_comes_first_and_then_the_host() {
        let absolute = "https://reg.example:5043/v2/";
        assert_eq!(
            origin(absolute, Some("inner:80")),
            "https://reg.example:5043"
        );
        assert_eq!(
            origin("/v2/", Some("reg.example:5000")),
            "http://reg.example:5000"
        );
        assert_eq!(origin("/v2/", Some("[::1]:5000")), "http://[::1]:5000");
        assert_eq!(origin("/v2/", None), "");
        assert_eq!(origin("/v2/", Some("not a host")), "");
        assert_eq!(
            origin("/v2/", Some("user@reg.example")),
            "http://reg.example"
        );
    }
}
