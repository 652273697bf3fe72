//! The CA's certificate, for whoever asks: clients that are to trust this
//! registry cannot log in before they do.

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, StatusCode};
use pingora::http::ResponseHeader;

/// What is published at [`PublicCa::PATH`], if anything is.
///
/// A certificate is no secret: every handshake shows one. Whoever fetches it
/// this way must compare its fingerprint with one that came by another way,
/// since nothing vouches for the connection yet.
#[derive(Debug, Default)]
pub struct PublicCa(ArcSwapOption<Bytes>);

impl PublicCa {
    /// Where it is found. Outside of `/v2/`, so that no repository can be named
    /// so; "well-known" by RFC 8615.
    pub const PATH: &'static str = "/.well-known/tidegate/ca.crt";

    /// Publishes a certificate, PEM, in place of the one before; `None`
    /// publishes nothing, and requests for it are answered as any others.
    pub fn set(&self, pem: Option<String>) {
        self.0.store(pem.map(|pem| Bytes::from(pem).into()));
    }

    /// The whole answer to a request, if the request asks for it.
    pub(crate) fn answer(&self, method: &Method, path: &str) -> Option<(ResponseHeader, Bytes)> {
        if path != Self::PATH {
            return None;
        }
        let pem = self.0.load_full()?;
        let (mut parts, ()) = http::Response::new(()).into_parts();
        let headers = &mut parts.headers;
        let body = if matches!(*method, Method::GET | Method::HEAD) {
            // What browsers offer to trust; they take PEM under this name.
            let kind = HeaderValue::from_static("application/x-x509-ca-cert");
            headers.insert(CONTENT_TYPE, kind);
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            Bytes::clone(&pem)
        } else {
            parts.status = StatusCode::METHOD_NOT_ALLOWED;
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            Bytes::new()
        };
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        Some((ResponseHeader::from(parts), body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_published_is_there() {
        let ca = PublicCa::default();
        assert!(ca.answer(&Method::GET, PublicCa::PATH).is_none());
        ca.set(Some("PEM".to_owned()));
        let (header, body) = ca.answer(&Method::GET, PublicCa::PATH).unwrap();
        assert_eq!((header.status.as_u16(), &body[..]), (200, &b"PEM"[..]));
        assert_eq!(header.headers[CONTENT_LENGTH], "3");
        for path in [
            "/",
            "/v2/",
            "/.well-known/tidegate/ca.key",
            "/.well-known/tidegate/ca.crt/",
        ] {
            assert!(ca.answer(&Method::GET, path).is_none(), "{path}");
        }
        ca.set(None);
        assert!(ca.answer(&Method::GET, PublicCa::PATH).is_none());
    }

    #[test]
    fn it_can_only_be_read() {
        let ca = PublicCa::default();
        ca.set(Some("PEM".to_owned()));
        let (header, body) = ca.answer(&Method::PUT, PublicCa::PATH).unwrap();
        assert_eq!((header.status.as_u16(), body.len()), (405, 0));
        assert_eq!(header.headers[ALLOW], "GET, HEAD");
    }
}
