//! A registry that can be wrong in one thing.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_TYPE, DATE, HeaderValue, LOCATION, RANGE, WWW_AUTHENTICATE,
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::Service;

use crate::harness::{PASSWORD, USER};

type Answer = Response<Full<Bytes>>;

/// As it should be, except for what a test changes.
pub(crate) struct Registry {
    /// `WWW-Authenticate`; `None` asks for nothing.
    pub(crate) challenge: Option<String>,
    /// In place of the answer of `/v2/`.
    pub(crate) base: Option<(StatusCode, &'static str)>,
    pub(crate) api_version: bool,
    pub(crate) date: Option<&'static str>,
    /// Whether each answer closes the connection.
    pub(crate) closes: bool,
    pub(crate) breaks_http2: bool,
    /// Before the path of `Location`.
    pub(crate) origin: String,
    pub(crate) body_limit: usize,
    /// How long the next piece of a body may take.
    pub(crate) body_patience: Duration,
    /// How much of a body is lost.
    pub(crate) loses: usize,
    /// What starts an upload.
    pub(crate) start: StatusCode,
    pub(crate) cancels: bool,
    /// What was asked, with `!` where a password or token came with it.
    pub(crate) asked: Mutex<Vec<String>>,
    pub(crate) gone: AtomicBool,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            challenge: Some("Basic realm=\"Registry\"".to_owned()),
            base: None,
            api_version: true,
            date: None,
            closes: false,
            breaks_http2: false,
            origin: String::new(),
            body_limit: usize::MAX,
            body_patience: Duration::from_secs(60),
            loses: 0,
            start: StatusCode::ACCEPTED,
            cancels: true,
            asked: Mutex::new(vec![]),
            gone: AtomicBool::new(false),
        }
    }
}

/// The token that the token service gives.
const TOKEN: &str = "a.good.token";

const UPLOAD: &str = "/v2/team/app/blobs/uploads/1";

impl Registry {
    pub(crate) fn service(self: &Arc<Self>) -> Served {
        Served(self.clone())
    }

    /// What was asked up to now.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Whether a password or a token came with any request.
    pub(crate) fn heard_secrets(&self) -> bool {
        self.asked().iter().any(|line| line.starts_with('!'))
    }

    async fn answer(&self, request: Request<Incoming>) -> io::Result<Answer> {
        let secret = request.headers().get(AUTHORIZATION).cloned();
        let mark = if secret.is_some() { "!" } else { "" };
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let asked = uri.path_and_query().map(ToString::to_string);
        let line = format!("{mark}{method} {}", asked.unwrap_or_default());
        self.asked.lock().unwrap().push(line);

        let secret = secret.and_then(|value| value.to_str().map(ToOwned::to_owned).ok());
        let basic = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
        if uri.path() == "/token" {
            return Ok(match secret {
                None => text(StatusCode::UNAUTHORIZED, ""),
                Some(secret) if secret == basic => {
                    text(StatusCode::OK, &format!("{{\"token\":\"{TOKEN}\"}}"))
                }
                Some(_) => text(StatusCode::UNAUTHORIZED, ""),
            });
        }
        let mut answer = match &self.challenge {
            Some(challenge)
                if !secret.is_some_and(|s| s == basic || s == format!("Bearer {TOKEN}")) =>
            {
                let mut answer = text(StatusCode::UNAUTHORIZED, "");
                if !challenge.is_empty() {
                    answer
                        .headers_mut()
                        .insert(WWW_AUTHENTICATE, challenge.parse().unwrap());
                }
                answer
            }
            _ => self.serve(&method, uri.path(), request.into_body()).await?,
        };
        if uri.path() == "/v2/"
            && let Some((status, body)) = self.base
        {
            answer = text(status, body);
        }
        let headers = answer.headers_mut();
        if self.api_version {
            headers.insert(
                "docker-distribution-api-version",
                "registry/2.0".parse().unwrap(),
            );
        }
        if let Some(date) = self.date {
            headers.insert(DATE, date.parse().unwrap());
        }
        if self.closes {
            headers.insert(CONNECTION, "close".parse().unwrap());
        }
        Ok(answer)
    }

    async fn serve(&self, method: &Method, path: &str, body: Incoming) -> io::Result<Answer> {
        match (method.as_str(), path) {
            ("GET", "/v2/") => Ok(text(StatusCode::OK, "{}")),
            ("POST", "/v2/team/app/blobs/uploads/") => Ok(self.located(self.start, 0)),
            ("PATCH", UPLOAD) => match self.receive(body).await? {
                Some(length) => Ok(self.located(StatusCode::ACCEPTED, length)),
                None => Ok(text(StatusCode::PAYLOAD_TOO_LARGE, "")),
            },
            ("DELETE", UPLOAD) if self.cancels => {
                self.gone.store(true, Ordering::SeqCst);
                Ok(text(StatusCode::NO_CONTENT, ""))
            }
            ("DELETE", UPLOAD) => Ok(text(StatusCode::METHOD_NOT_ALLOWED, "")),
            ("GET", UPLOAD) if !self.gone.load(Ordering::SeqCst) => {
                Ok(self.located(StatusCode::NO_CONTENT, 0))
            }
            _ => Ok(text(StatusCode::NOT_FOUND, "")),
        }
    }

    fn located(&self, status: StatusCode, length: usize) -> Answer {
        let mut answer = text(status, "");
        let headers = answer.headers_mut();
        let location = format!("{}{UPLOAD}", self.origin);
        headers.insert(LOCATION, location.parse().unwrap());
        if let Some(last) = length.saturating_sub(self.loses).checked_sub(1) {
            headers.insert(RANGE, format!("0-{last}").parse().unwrap());
        }
        answer
    }

    /// How much has come; `None` if that is too much. An error cuts the
    /// connection.
    async fn receive(&self, mut body: Incoming) -> io::Result<Option<usize>> {
        let mut length = 0;
        loop {
            let frame = tokio::time::timeout(self.body_patience, body.frame())
                .await
                .map_err(io::Error::other)?;
            match frame {
                None => return Ok(Some(length)),
                Some(frame) => {
                    let frame = frame.map_err(io::Error::other)?;
                    length += frame.data_ref().map_or(0, Bytes::len);
                }
            }
            if length > self.body_limit {
                // Read to the end, as nginx does: who is still sending would
                // not see the answer.
                let _ = body.collect().await;
                return Ok(None);
            }
        }
    }
}

/// A registry as hyper wants it.
#[derive(Clone)]
pub(crate) struct Served(Arc<Registry>);

impl Service<Request<Incoming>> for Served {
    type Response = Answer;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Answer>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let registry = self.0.clone();
        Box::pin(async move { registry.answer(request).await })
    }
}

fn text(status: StatusCode, body: &str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body.to_owned())));
    if body.starts_with('<') {
        let html = HeaderValue::from_static("text/html");
        answer.headers_mut().insert(CONTENT_TYPE, html);
    }
    *answer.status_mut() = status;
    answer
}
