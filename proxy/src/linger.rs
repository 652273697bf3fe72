//! Reading what a client still sends after it has been answered.
//!
//! A client that is refused in the middle of an upload goes on sending. If the
//! connection were closed on it, the kernel would answer its next segment with
//! a reset, and the reset would destroy the answer before the client reads it
//! (RFC 9112, section 9.6).

use std::time::Duration;

use pingora::proxy::Session;
use tokio::time::{Instant, timeout, timeout_at};

/// The whole time spent on one client.
const TOTAL: Duration = Duration::from_secs(30);
/// How long a client may be silent: it has stopped, and has read its answer.
const SILENCE: Duration = Duration::from_secs(5);
/// Bytes thrown away for one client, so that a refusal is not an invitation.
const BYTES: usize = 512 * 1024 * 1024;

/// Reads and drops the rest of the request's body, within limits. HTTP/2 needs
/// none of it: there a stream is reset without harm to its answer.
pub(crate) async fn linger(session: &mut Session) {
    if session.is_http2() || session.is_body_done() || session.response_written().is_none() {
        return;
    }
    let deadline = Instant::now() + TOTAL;
    let mut dropped = 0;
    while dropped < BYTES && !session.is_process_shutting_down() {
        let next = timeout(SILENCE, session.read_request_body());
        match timeout_at(deadline, next).await {
            Ok(Ok(Ok(Some(bytes)))) => dropped += bytes.len(),
            // The body's end, the client's end, or the end of our patience.
            _ => return,
        }
    }
}
