//! What the token server answers.

use std::time::{Duration, SystemTime};

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::request::BadRequest;
use crate::challenge::Challenge;
use crate::token::Scope;

/// A status, headers and a body in JSON.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// Without `Content-Length`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// JSON.
    pub body: String,
}

/// What goes into the answer to somebody who gets a token.
pub(super) struct Given<'a> {
    pub(super) token: &'a str,
    pub(super) scopes: Option<&'a Vec<Scope>>,
    pub(super) expires_in: Duration,
    pub(super) issued_at: SystemTime,
    pub(super) refresh_token: Option<&'a str>,
}

impl Answer {
    /// 200 with a document that anybody may see.
    pub(super) fn json(document: &Value) -> Self {
        Self::new(StatusCode::OK, document)
    }

    /// 200 with a token. Clients look for it under either name.
    pub(super) fn token(given: &Given<'_>) -> Self {
        let mut document = json!({
            "token": given.token,
            "access_token": given.token,
            "expires_in": given.expires_in.as_secs(),
        });
        let members = document.as_object_mut().expect("it was made an object");
        let at = OffsetDateTime::from(given.issued_at).replace_nanosecond(0);
        if let Some(at) = at.ok().and_then(|at| at.format(&Rfc3339).ok()) {
            members.insert("issued_at".to_owned(), at.into());
        }
        if let Some(scopes) = given.scopes {
            let scopes: Vec<_> = scopes.iter().map(ToString::to_string).collect();
            members.insert("scope".to_owned(), scopes.join(" ").into());
        }
        if let Some(token) = given.refresh_token {
            members.insert("refresh_token".to_owned(), token.into());
        }
        // RFC 6749 section 5.1.
        Self::new(StatusCode::OK, &document).with(CACHE_CONTROL, "no-store")
    }

    /// 401. Docker shows `details`, others the message of the error.
    pub(super) fn unauthorized(issuer: &str) -> Self {
        let challenge = Challenge::Basic {
            realm: issuer.into(),
        };
        let answer = Self::error(
            StatusCode::UNAUTHORIZED,
            "UNAUTHORIZED",
            "incorrect username or password",
        );
        answer.with(WWW_AUTHENTICATE, &challenge.value("", "", None))
    }

    /// 429, to try again after a time that is rounded up to seconds.
    pub(super) fn throttled(retry_after: Duration) -> Self {
        let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
        let answer = Self::error(
            StatusCode::TOO_MANY_REQUESTS,
            "TOOMANYREQUESTS",
            "too many wrong passwords; try again later",
        );
        answer.with(RETRY_AFTER, &seconds.max(1).to_string())
    }

    /// 400 with what is wrong; 405 for the method.
    pub(super) fn bad_request(bad: &BadRequest) -> Self {
        let status = match bad {
            BadRequest::Method => StatusCode::METHOD_NOT_ALLOWED,
            _ => StatusCode::BAD_REQUEST,
        };
        let answer = Self::error(status, "UNSUPPORTED", &bad.to_string());
        match bad {
            BadRequest::Method => answer.with(http::header::ALLOW, "GET, HEAD, POST"),
            _ => answer,
        }
    }

    /// For a body that cannot be read.
    #[must_use]
    pub fn unreadable(status: StatusCode) -> Self {
        Self::error(
            status,
            "UNSUPPORTED",
            "the form is too long or broke off, or it is not known where it comes from",
        )
    }

    /// 200 for those who look whether the server lives.
    #[must_use]
    pub fn here() -> Self {
        Self::json(&json!({ "service": "token server" }))
    }

    /// 404
    #[must_use]
    pub fn not_found() -> Self {
        Self::error(
            StatusCode::NOT_FOUND,
            "NOT_FOUND",
            "there is nothing at this path; tokens are at /auth",
        )
    }

    /// 500; the cause is in the log.
    pub(super) fn internal() -> Self {
        Self::error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "UNKNOWN",
            "an error inside the token server",
        )
    }

    fn error(status: StatusCode, code: &str, message: &str) -> Self {
        Self::new(
            status,
            &json!({
                "errors": [{ "code": code, "message": message }],
                "details": message,
            }),
        )
    }

    fn new(status: StatusCode, document: &Value) -> Self {
        Self {
            status,
            headers: vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))],
            body: document.to_string(),
        }
    }

    /// Adds a header, unless the value cannot be one.
    fn with(mut self, name: HeaderName, value: &str) -> Self {
        self.headers
            .extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
        self
    }
}
