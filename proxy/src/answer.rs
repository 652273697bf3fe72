//! The answers that the front gives by itself.
//!
//! All of them are complete: they have a length, and they leave the connection
//! usable if the request's body has been read.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use pingora::http::ResponseHeader;
use pingora::proxy::Session;

use crate::client_certificates::Rejection;
use crate::sites::Dress;

/// The header by which clients recognise a v2 registry (Docker Registry HTTP
/// API V2, "API Version Check").
pub(crate) const API_VERSION: HeaderName =
    HeaderName::from_static("docker-distribution-api-version");
const REGISTRY_2_0: HeaderValue = HeaderValue::from_static("registry/2.0");

/// Whether `path` belongs to the registry's API, whose every answer says so.
pub(crate) fn is_api(path: &str) -> bool {
    path.strip_prefix("/v2")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Puts the API's version on an answer to `path`, once.
pub(crate) fn mark_api(path: &str, headers: &mut HeaderMap) {
    if is_api(path) {
        headers.insert(API_VERSION, REGISTRY_2_0);
    }
}

/// An answer with the registry's error body (OCI distribution-spec, "Error
/// Codes").
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Answer {
    pub(crate) fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "UNSUPPORTED", message)
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// 401 with the challenge that names the realm.
    pub(crate) fn unauthorized(challenge: HeaderValue) -> Self {
        Self {
            header: Some((WWW_AUTHENTICATE, challenge)),
            ..Self::new(
                StatusCode::UNAUTHORIZED,
                "UNAUTHORIZED",
                "authentication required",
            )
        }
    }

    /// 429; the client may try again after `delay`, rounded up to seconds.
    pub(crate) fn throttled(delay: Duration) -> Self {
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        Self {
            header: Some((RETRY_AFTER, HeaderValue::from(seconds.max(1)))),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "TOOMANYREQUESTS",
                "too many wrong passwords; try again later",
            )
        }
    }

    /// 404 for clients that cannot speak to a v2 registry; they take it for
    /// "no such registry here", as they would behind nginx.
    pub(crate) fn client_too_old() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "UNSUPPORTED",
            "this client cannot speak to a v2 registry; use Docker 1.6 or later",
        )
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self {
            header: Some((
                ALLOW,
                HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE"),
            )),
            ..Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "UNSUPPORTED",
                "the method is not supported",
            )
        }
    }

    /// 403 for an address that may not come in.
    pub(crate) fn denied() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "DENIED",
            "requested access to the resource is denied",
        )
    }

    /// 400 for a client without the certificate that it needs: nginx's status.
    pub(crate) fn client_certificate(rejection: &Rejection) -> Self {
        let message = match rejection {
            Rejection::Missing => "a client certificate is required, and none was sent".to_owned(),
            rejection => format!("the client certificate is refused: {rejection}"),
        };
        Self::new(StatusCode::BAD_REQUEST, "UNAUTHORIZED", message)
    }

    /// 421 for a request on a connection that was made for another host.
    pub(crate) fn misdirected() -> Self {
        Self::new(
            StatusCode::MISDIRECTED_REQUEST,
            "UNSUPPORTED",
            "this connection was made for a host that asks for other client certificates",
        )
    }

    /// 413 for a body of more than `limit` bytes.
    pub(crate) fn too_large(limit: u64) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "SIZE_INVALID",
            format!("the request's body is larger than the {limit} bytes that are let in"),
        )
    }

    /// 404 for a path that nothing is behind.
    pub(crate) fn not_found() -> Self {
        Self::of_status(StatusCode::NOT_FOUND)
    }

    /// What a file orders to be answered with a status alone.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        let code = match status {
            StatusCode::UNAUTHORIZED => "UNAUTHORIZED",
            StatusCode::FORBIDDEN => "DENIED",
            StatusCode::PAYLOAD_TOO_LARGE => "SIZE_INVALID",
            StatusCode::TOO_MANY_REQUESTS => "TOOMANYREQUESTS",
            status if status.is_client_error() => "UNSUPPORTED",
            status if status.as_u16() >= 502 => "UNAVAILABLE",
            _ => "UNKNOWN",
        };
        let reason = status.canonical_reason().unwrap_or("not served");
        Self::new(status, code, reason.to_ascii_lowercase())
    }

    pub(crate) fn request_timeout() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "UNAVAILABLE",
            "the request's body did not arrive in time",
        )
    }

    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "UNKNOWN",
            "internal error; the server's log has the cause",
        )
    }

    pub(crate) fn bad_gateway() -> Self {
        Self::new(
            StatusCode::BAD_GATEWAY,
            "UNAVAILABLE",
            "the registry behind this proxy cannot be reached",
        )
    }

    pub(crate) fn gateway_timeout() -> Self {
        Self::new(
            StatusCode::GATEWAY_TIMEOUT,
            "UNAVAILABLE",
            "the registry behind this proxy did not answer in time",
        )
    }

    fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            header: None,
        }
    }

    /// Writes the answer to the client, unless an answer has begun already.
    /// `dress` adds what its place adds to answers.
    pub(crate) async fn send(
        self,
        session: &mut Session,
        dress: &Dress<'_>,
    ) -> pingora::Result<()> {
        if session
            .response_written()
            .is_some_and(|written| !written.status.is_informational())
        {
            return Ok(());
        }
        let (mut header, body) = self.into_parts(session.req_header().uri.path());
        dress.put_on(session, &mut header);
        send_whole(session, header, body).await
    }

    fn into_parts(self, path: &str) -> (ResponseHeader, Bytes) {
        // Written out, so that the order is the one that everybody knows.
        let body = format!(
            "{{\"errors\":[{{\"code\":\"{}\",\"message\":{},\"detail\":null}}]}}
",
            self.code,
            serde_json::Value::from(self.message)
        );

        let (mut parts, ()) = http::Response::new(()).into_parts();
        parts.status = self.status;
        let headers = &mut parts.headers;
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        );
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        mark_api(path, headers);
        if let Some((name, value)) = self.header {
            headers.insert(name, value);
        }
        (ResponseHeader::from(parts), Bytes::from(body))
    }
}

/// Writes an answer that is at hand; to HEAD without its body.
pub(crate) async fn send_whole(
    session: &mut Session,
    header: ResponseHeader,
    body: Bytes,
) -> pingora::Result<()> {
    let bodiless = session.req_header().method == Method::HEAD;
    session
        .write_response_header(Box::new(header), bodiless)
        .await?;
    let body = (!bodiless).then_some(body);
    session.write_response_body(body, true).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_is_recognised_by_whole_segments() {
        for path in ["/v2", "/v2/", "/v2/library/busybox/manifests/latest"] {
            assert!(is_api(path), "{path}");
        }
        for path in ["/", "/v2x", "/v20/", "/v1/search", "/V2/", "v2", ""] {
            assert!(!is_api(path), "{path}");
        }
    }

    #[test]
    fn the_version_replaces_what_is_there() {
        let mut headers = HeaderMap::new();
        headers.append(API_VERSION, HeaderValue::from_static("registry/2.0"));
        headers.append(API_VERSION, HeaderValue::from_static("registry/2.0"));
        mark_api("/v2/", &mut headers);
        assert_eq!(headers.get_all(API_VERSION).iter().count(), 1);
    }

    #[test]
    fn a_refusal_has_the_registrys_body_and_headers() {
        let challenge = HeaderValue::from_static("Basic realm=\"x\"");
        let (header, body) = Answer::unauthorized(challenge).into_parts("/v2/");
        assert_eq!(header.status, 401);
        assert_eq!(header.headers[WWW_AUTHENTICATE], "Basic realm=\"x\"");
        assert_eq!(header.headers[API_VERSION], "registry/2.0");
        assert_eq!(
            header.headers[CONTENT_TYPE],
            "application/json; charset=utf-8"
        );
        assert_eq!(header.headers[CONTENT_LENGTH], body.len().to_string());
        assert_eq!(
            body,
            "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"authentication required\",\
             \"detail\":null}]}
"
        );
    }

    #[test]
    fn outside_the_api_nothing_claims_to_be_it() {
        let (header, _) = Answer::internal().into_parts("/metrics");
        assert!(!header.headers.contains_key(API_VERSION));
    }

    #[test]
    fn delays_are_rounded_up_to_whole_seconds() {
        let after = |delay| {
            let (header, _) = Answer::throttled(delay).into_parts("/v2/");
            header.headers[RETRY_AFTER].to_str().unwrap().to_owned()
        };
        assert_eq!(after(Duration::ZERO), "1");
        assert_eq!(after(Duration::from_millis(1200)), "2");
        assert_eq!(after(Duration::from_secs(60)), "60");
    }
}
