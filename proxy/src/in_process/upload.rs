//! The way of a request's body from the client to the backend.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::EXPECT;
use pingora::ErrorType;
use pingora::proxy::Session;

use super::framing::content_length;
use crate::request_body::{BodySender, RequestBody};

/// How long a client may be silent in the middle of an HTTP/2 upload; pingora
/// has the same limit for HTTP/1.1.
const READ_SILENCE: Duration = Duration::from_secs(60);

/// A body on its way, piece by piece, as the backend takes it.
pub(super) struct Upload {
    /// `None` once the body has ended or nobody reads it.
    sender: Option<BodySender>,
    /// The client waits for leave to send.
    awaits_continue: bool,
    /// How much may be sent, and how much of that is left.
    limit: Option<(u64, u64)>,
}

/// What has happened to an upload.
pub(super) enum Step {
    Moved,
    /// The backend wants the body, and the client waits to be told.
    Wanted,
    /// The client has sent more than it may.
    TooLong {
        limit: u64,
    },
    Over,
}

impl Upload {
    /// At most `limit` bytes are let through.
    pub(super) fn begin(session: &mut Session, limit: Option<u64>) -> (Self, RequestBody) {
        if session.is_body_empty() {
            let upload = Self {
                sender: None,
                awaits_continue: false,
                limit: None,
            };
            return (upload, RequestBody::empty());
        }
        let headers = &session.req_header().headers;
        let (sender, body) = RequestBody::channel(content_length(headers));
        let upload = Self {
            sender: Some(sender),
            awaits_continue: expects_continue(headers),
            limit: limit.map(|limit| (limit, limit)),
        };
        (upload, body)
    }

    pub(super) fn is_open(&self) -> bool {
        self.sender.is_some()
    }

    /// Moves one piece. May be dropped at any await without losing any.
    pub(super) async fn step(&mut self, session: &mut Session) -> Step {
        let Some(sender) = &mut self.sender else {
            return Step::Over;
        };
        if self.awaits_continue {
            return match sender.polled().await {
                true => Step::Wanted,
                false => Step::Over,
            };
        }
        let Some(room) = sender.room().await else {
            return Step::Over;
        };
        match read(session).await {
            Ok(Some(data)) => {
                if let Some((limit, left)) = &mut self.limit {
                    match left.checked_sub(data.len() as u64) {
                        Some(rest) => *left = rest,
                        None => return Step::TooLong { limit: *limit },
                    }
                }
                if !data.is_empty() {
                    room.data(data);
                }
                Step::Moved
            }
            Ok(None) => {
                room.end();
                Step::Over
            }
            Err(broken) => {
                room.broken(broken);
                Step::Over
            }
        }
    }

    pub(super) async fn apply(&mut self, step: Step, session: &mut Session) -> pingora::Result<()> {
        match step {
            Step::Moved => {}
            Step::Wanted => {
                self.awaits_continue = false;
                // pingora takes any header written before the body's end, and
                // this interim one too, for a reason to close the connection.
                session.set_close_on_response_before_downstream_finish(false);
                let written = session.write_continue_response().await;
                session.set_close_on_response_before_downstream_finish(true);
                written?;
            }
            Step::TooLong { .. } | Step::Over => self.sender = None,
        }
        Ok(())
    }
}

async fn read(session: &mut Session) -> pingora::Result<Option<Bytes>> {
    if !session.is_http2() {
        return session.read_request_body().await;
    }
    tokio::time::timeout(READ_SILENCE, session.read_request_body())
        .await
        .unwrap_or_else(|_| {
            pingora::Error::e_explain(ErrorType::ReadTimedout, "reading the request's body")
        })
}

/// RFC 9110, section 10.1.1.
fn expects_continue(headers: &HeaderMap) -> bool {
    headers
        .get(EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_100_continue_is_expected() {
        let mut headers = HeaderMap::new();
        assert!(!expects_continue(&headers));
        headers.insert(EXPECT, HeaderValue::from_static("100-Continue"));
        assert!(expects_continue(&headers));
        headers.insert(EXPECT, HeaderValue::from_static("a-pony"));
        assert!(!expects_continue(&headers));
    }
}
