//! An HTTP client that shows what it sees: one connection, kept as long as the
//! server keeps it, to one server whose certificates are known.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use certs_tool::HostName;
use http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderValue, USER_AGENT};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use time::OffsetDateTime;
use tokio::time::timeout;

use super::handshake::{self, Offer, Seen, Session};
use super::report::shown;

/// How long an answer may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// How much of an answer's body is read: more than any JSON that is asked for.
const BODY_LIMIT: usize = 64 * 1024;

/// As docker's, so that what a proxy has against clients shows here as well.
const AGENT: &str = concat!(
    "docker/24.0.0 go/go1.20.4 os/linux arch/amd64 tidegate-doctor/",
    env!("CARGO_PKG_VERSION")
);

/// The body of a request.
pub(super) type Body = BoxBody<Bytes, io::Error>;

/// Where a client goes.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) host: HostName,
    /// What requests name: `host` or `host:port`.
    pub(super) authority: String,
}

/// A client of one server.
pub(super) struct Client {
    peer: Peer,
    offer: Offer,
    /// What the first handshake showed, and was judged.
    seen: Seen,
    /// Whether what is secret may be sent there.
    confided: bool,
    connection: Option<Connection>,
    connections: u32,
}

/// An answer, with as much of its body as is of use.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// By this machine's clock.
    pub(super) received: OffsetDateTime,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
    #[error("{0}")]
    Cut(String),
    #[error("a new connection fails: {0}")]
    Connect(String),
    #[error("a new connection shows other certificates than the first")]
    OtherChain,
    #[error("the server is not trusted, so nothing secret is sent to it")]
    Untrusted,
    #[error("`{0}` cannot be asked for")]
    Target(String),
}

enum Connection {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Client {
    /// Takes over a connection that was just made.
    pub(super) async fn start(
        peer: Peer,
        offer: Offer,
        session: Session,
    ) -> Result<Self, NoAnswer> {
        let seen = session.seen.clone();
        let connection = Connection::start(session).await?;
        Ok(Self {
            peer,
            offer,
            seen,
            confided: false,
            connection: Some(connection),
            connections: 1,
        })
    }

    /// Lets secrets pass, to whoever shows the certificates of the first
    /// connection.
    pub(super) fn confide(&mut self) {
        self.confided = true;
    }

    /// How many connections were made up to now.
    pub(super) fn connections(&self) -> u32 {
        self.connections
    }

    /// Sends a request without a body.
    pub(super) async fn ask(
        &mut self,
        method: Method,
        target: &str,
        headers: &HeaderMap,
    ) -> Result<Answer, NoAnswer> {
        let before = self.connections;
        let first = self
            .send(method.clone(), target, headers, empty(), PATIENCE)
            .await;
        match first {
            // The server may have closed an idle connection while the request
            // was on its way; every client tries again then.
            Err(NoAnswer::Cut(_)) if before == self.connections => {
                self.send(method, target, headers, empty(), PATIENCE).await
            }
            other => other,
        }
    }

    /// Sends a request. `target` is a path with its query.
    pub(super) async fn send(
        &mut self,
        method: Method,
        target: &str,
        headers: &HeaderMap,
        body: Body,
        patience: Duration,
    ) -> Result<Answer, NoAnswer> {
        if headers.contains_key(AUTHORIZATION) && !self.confided {
            return Err(NoAnswer::Untrusted);
        }
        let mut connection = self.connection().await?;
        let request = self.request(method, target, headers, body)?;
        let answer = timeout(patience, connection.exchange(request)).await;
        match answer {
            Ok(Ok((answer, reusable))) => {
                self.connection = reusable.then_some(connection);
                Ok(answer)
            }
            Ok(Err(error)) => Err(NoAnswer::Cut(error)),
            Err(_) => Err(NoAnswer::Timeout(patience)),
        }
    }

    fn request(
        &self,
        method: Method,
        target: &str,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Request<Body>, NoAnswer> {
        let unusable = || NoAnswer::Target(target.to_owned());
        let uri = if self.seen.http2 {
            format!("https://{}{target}", self.peer.authority)
        } else {
            target.to_owned()
        };
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .body(body)
            .map_err(|_| unusable())?;
        let all = request.headers_mut();
        all.extend(headers.clone());
        all.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        if !self.seen.http2 {
            let host = HeaderValue::from_str(&self.peer.authority).map_err(|_| unusable())?;
            all.insert(HOST, host);
        }
        Ok(request)
    }

    /// The open connection, or a new one.
    async fn connection(&mut self) -> Result<Connection, NoAnswer> {
        if let Some(mut connection) = self.connection.take()
            && connection.ready().await
        {
            return Ok(connection);
        }
        let session = handshake::shake_hands(self.peer.address, &self.peer.host, self.offer)
            .await
            .map_err(|trouble| NoAnswer::Connect(trouble.to_string()))?;
        self.connections += 1;
        // What was judged once, and nothing else, gets what is secret.
        if session.seen.chain != self.seen.chain || session.seen.proven != self.seen.proven {
            return Err(NoAnswer::OtherChain);
        }
        self.seen.http2 = session.seen.http2;
        Connection::start(session).await
    }
}

impl Connection {
    async fn start(session: Session) -> Result<Self, NoAnswer> {
        let cut = |error: hyper::Error| NoAnswer::Cut(causes(&error));
        let stream = TokioIo::new(session.stream);
        if session.seen.http2 {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), stream)
                .await
                .map_err(cut)?;
            // How it ends is seen by the request that it cuts.
            tokio::spawn(connection);
            Ok(Self::Http2(sender))
        } else {
            let (sender, connection) = http1::handshake(stream).await.map_err(cut)?;
            tokio::spawn(connection);
            Ok(Self::Http1(sender))
        }
    }

    async fn ready(&mut self) -> bool {
        match self {
            Self::Http1(sender) => sender.ready().await.is_ok(),
            Self::Http2(sender) => sender.ready().await.is_ok(),
        }
    }

    /// The answer, and whether another request may follow.
    async fn exchange(&mut self, request: Request<Body>) -> Result<(Answer, bool), String> {
        let response = match self {
            Self::Http1(sender) => sender.send_request(request).await,
            Self::Http2(sender) => sender.send_request(request).await,
        };
        read(response.map_err(|error| causes(&error))?).await
    }
}

async fn read(response: Response<Incoming>) -> Result<(Answer, bool), String> {
    let received = OffsetDateTime::now_utc();
    let (parts, mut incoming) = response.into_parts();
    let mut body = Vec::new();
    let mut whole = true;
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| causes(&error))?;
        if let Some(bytes) = frame.data_ref() {
            body.extend_from_slice(bytes);
        }
        if body.len() > BODY_LIMIT {
            whole = false;
            break;
        }
    }
    let answer = Answer {
        status: parts.status,
        headers: parts.headers,
        body: body.into(),
        received,
    };
    Ok((answer, whole))
}

impl Answer {
    /// A header as text; `None` if it is not there, or not text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// What an error says: the message of the OCI error body (distribution
    /// specification, "Error Codes"), if it is one.
    pub(super) fn detail(&self) -> String {
        #[derive(serde::Deserialize)]
        struct Errors {
            errors: Vec<Entry>,
        }
        #[derive(serde::Deserialize)]
        struct Entry {
            #[serde(default)]
            code: String,
            #[serde(default)]
            message: String,
        }
        let parsed: Option<Errors> = serde_json::from_slice(&self.body).ok();
        match parsed.and_then(|e| e.errors.into_iter().next()) {
            Some(Entry { code, message }) => shown(&format!("{} ({code}: {message})", self.status)),
            None => self.status.to_string(),
        }
    }

    /// Whether it is a page for people.
    pub(super) fn is_html(&self) -> bool {
        self.header("content-type")
            .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html"))
    }
}

/// No body.
pub(super) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}

/// An error with what is behind it; hyper's own words are short.
fn causes(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &'static str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::from_static(body.as_bytes()),
            received: OffsetDateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn errors_are_shown_with_what_the_registry_says() {
        let json = r#"{"errors":[{"code":"DENIED","message":"not you"}]}"#;
        assert_eq!(
            answer(403, json).detail(),
            "403 Forbidden (DENIED: not you)"
        );
        for other in ["", "<html>", "[]", r#"{"errors":[]}"#] {
            assert_eq!(answer(403, other).detail(), "403 Forbidden");
        }
    }
}
