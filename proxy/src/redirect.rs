//! A listener that sends every request to `https`.

use std::sync::Arc;

use async_trait::async_trait;
use http::header::{CONTENT_LENGTH, HOST, LOCATION};
use http::{HeaderValue, Method, StatusCode, Uri};
use pingora::http::ResponseHeader;
use pingora::modules::http::HttpModules;
use pingora::proxy::{ProxyHttp, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType};
use tidegate_config::AccessLog;

use crate::access_log;
use crate::answer::{Answer, mark_api};
use crate::context::RequestContext;
use crate::edge::parse_authority;
use crate::in_flight::InFlight;
use crate::service::{address_for_host, bound_waiting, client_address};
use crate::sites::Dress;

/// The port that `https` has unless a URL says otherwise.
const HTTPS_PORT: u16 = 443;

/// What serves a listener that redirects.
pub(crate) struct Redirector {
    pub(crate) port: u16,
    pub(crate) access_log: AccessLog,
    pub(crate) in_flight: Arc<InFlight>,
}

/// Where a request for `uri` on `host` is sent: the same host, which is the
/// client's own word, and nowhere else. `None` if `host` is not one.
fn location(host: &[u8], uri: &Uri, port: u16) -> Option<HeaderValue> {
    let authority = parse_authority(host)?;
    let host = authority.host();
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let slash = if target.starts_with('/') { "" } else { "/" };
    let target = if target == "*" { "" } else { target };
    let location = if port == HTTPS_PORT {
        format!("https://{host}{slash}{target}")
    } else {
        format!("https://{host}:{port}{slash}{target}")
    };
    HeaderValue::try_from(location).ok()
}

/// 301 where every client turns the request into a GET anyway, 308 where method
/// and body must stay (RFC 9110, sections 15.4.2 and 15.4.9).
fn status(method: &Method) -> StatusCode {
    match *method {
        Method::GET | Method::HEAD => StatusCode::MOVED_PERMANENTLY,
        _ => StatusCode::PERMANENT_REDIRECT,
    }
}

#[async_trait]
impl ProxyHttp for Redirector {
    type CTX = RequestContext;

    fn new_ctx(&self) -> RequestContext {
        RequestContext::new(self.in_flight.enter())
    }

    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn request_filter(
        &self,
        session: &mut Session,
        context: &mut RequestContext,
    ) -> pingora::Result<bool> {
        bound_waiting(session);
        context.client = client_address(session);
        let request = session.req_header();
        let address = address_for_host(session);
        let address = address.as_ref().and_then(Uri::authority);
        let host = match (request.headers.get(HOST), address) {
            (Some(host), _) => host.as_bytes(),
            (None, Some(address)) => address.as_str().as_bytes(),
            (None, None) => b"",
        };
        let Some(location) = location(host, &request.uri, self.port) else {
            let answer = Answer::bad_request("the request names no host to be redirected to");
            return answer.send(session, &Dress::none()).await.map(|()| true);
        };
        let (mut parts, ()) = http::Response::new(()).into_parts();
        parts.status = status(&request.method);
        parts.headers.insert(LOCATION, location);
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
        mark_api(request.uri.path(), &mut parts.headers);
        let header = Box::new(ResponseHeader::from(parts));
        session.write_response_header(header, true).await?;
        session.write_response_body(None, true).await?;
        Ok(true)
    }

    async fn upstream_peer(
        &self,
        _session: &mut Session,
        _context: &mut RequestContext,
    ) -> pingora::Result<Box<HttpPeer>> {
        Err(Error::explain(
            ErrorType::InternalError,
            "a listener that redirects has no upstream",
        ))
    }

    fn suppress_error_log(&self, _: &Session, _: &RequestContext, _: &Error) -> bool {
        true
    }

    async fn logging(
        &self,
        session: &mut Session,
        _error: Option<&Error>,
        context: &mut RequestContext,
    ) {
        access_log::record(self.access_log, session, context);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn to(host: &str, uri: &str, port: u16) -> Option<String> {
        let location = location(host.as_bytes(), &uri.parse().unwrap(), port)?;
        Some(location.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_same_host_on_the_other_port() {
        assert_eq!(
            to("r.example.com", "/v2/_catalog?n=1", 443).unwrap(),
            "https://r.example.com/v2/_catalog?n=1"
        );
        assert_eq!(
            to("r.example.com:80", "/v2/", 5043).unwrap(),
            "https://r.example.com:5043/v2/"
        );
        assert_eq!(to("[::1]:8080", "/", 443).unwrap(), "https://[::1]/");
        assert_eq!(to("r", "*", 443).unwrap(), "https://r/");
        assert_eq!(
            to("r.example.com", "//evil.example/", 443).unwrap(),
            "https://r.example.com//evil.example/"
        );
    }

    #[test]
    fn no_host_no_redirect() {
        for host in [
            "",
            "a b",
            "evil.example/",
            "user@evil.example",
            "a,b",
            "x:99999",
        ] {
            assert_eq!(to(host, "/", 443), None, "{host}");
        }
    }

    #[test]
    fn a_method_with_a_body_keeps_it() {
        assert_eq!(status(&Method::GET), 301);
        assert_eq!(status(&Method::HEAD), 301);
        assert_eq!(status(&Method::PUT), 308);
        assert_eq!(status(&Method::POST), 308);
    }

    proptest! {
        #[test]
        fn the_location_is_on_the_host_that_was_asked(
            host in "[ -~]{0,32}", path in "/[!-~]{0,32}", port in any::<u16>(),
        ) {
            let Ok(uri) = path.parse::<Uri>() else { return Ok(()) };
            if let Some(location) = location(host.as_bytes(), &uri, port) {
                let location: Uri = location.to_str().unwrap().parse().unwrap();
                let asked = parse_authority(host.as_bytes()).unwrap();
                prop_assert_eq!(location.scheme_str(), Some("https"));
                prop_assert_eq!(location.host(), Some(asked.host()));
                prop_assert_eq!(location.port_u16().unwrap_or(443), port);
            }
        }
    }
}
