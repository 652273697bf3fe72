//! Closing a connection without destroying what was sent last.
//!
//! A client that is refused in the middle of an upload goes on sending. If its
//! connection were closed at once, the kernel would answer the next segment
//! with a reset, and the reset would destroy the answer before the client reads
//! it (RFC 9112, section 9.6). So our side is closed first, and what still
//! comes is thrown away until the client has closed its own.
//!
//! The same holds for one stream of an HTTP/2 connection: RFC 9113, section
//! 8.1, lets a server reset it after a complete answer, but there are clients,
//! curl among them, that then lose the answer.

use std::io;
use std::time::Duration;

use pingora::proxy::Session;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::socket::Accepted;

/// The whole time spent on one client.
const TOTAL: Duration = Duration::from_secs(30);
/// How long a client may be silent: it has stopped, and has read its answer.
const SILENCE: Duration = Duration::from_secs(5);
/// Bytes thrown away for one client, so that a refusal is not an invitation.
const BYTES: usize = 512 * 1024 * 1024;
/// Bytes thrown away at once.
const PIECE: usize = 64 * 1024;

/// Where connections end: counted, and cut when there is no more time.
#[derive(Debug, Clone)]
pub(crate) struct Closer {
    pub(crate) connections: TaskTracker,
    pub(crate) cut: CancellationToken,
}

impl Closer {
    /// Closes `stream` in the background.
    pub(crate) fn close(&self, stream: Accepted) {
        // Outside a runtime there is nothing to wait with, nor anybody to wait
        // for: the process ends.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        if self.cut.is_cancelled() {
            return;
        }
        let cut = self.cut.clone();
        let closing = async move {
            tokio::select! {
                () = cut.cancelled() => {}
                () = linger(stream) => {}
            }
        };
        self.connections.spawn_on(closing, &runtime);
    }
}

/// Waits until there is something to read.
async fn readable(stream: &Accepted) -> io::Result<()> {
    match stream {
        Accepted::Left(tcp) => tcp.readable().await,
        Accepted::Right(unix) => unix.readable().await,
    }
}

/// Reads and drops what the client still sends, within limits.
async fn linger(mut stream: Accepted) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let deadline = Instant::now() + TOTAL;
    let mut piece = Vec::new();
    let mut dropped = 0;
    while dropped < BYTES {
        // Most clients have nothing to say, and cost no memory.
        match timeout_at(deadline, timeout(SILENCE, readable(&stream))).await {
            Ok(Ok(Ok(()))) => piece.resize(PIECE, 0),
            _ => return,
        }
        match stream.read(&mut piece).await {
            // The client's end, or the connection's.
            Ok(0) | Err(_) => return,
            Ok(read) => dropped += read,
        }
    }
}

/// Reads and drops what is left of an HTTP/2 request that has been answered,
/// within limits. HTTP/1.1 requests need nothing: their connection lingers.
pub(crate) async fn drain_stream(session: &mut Session) {
    if !session.is_http2() {
        return;
    }
    let deadline = Instant::now() + TOTAL;
    let mut dropped = 0;
    while dropped < BYTES && !session.is_body_done() {
        match timeout_at(deadline, timeout(SILENCE, session.read_request_body())).await {
            Ok(Ok(Ok(Some(piece)))) => dropped += piece.len(),
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    fn closer() -> Closer {
        Closer {
            connections: TaskTracker::new(),
            cut: CancellationToken::new(),
        }
    }

    async fn pair() -> (TcpStream, Accepted) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, server) = tokio::join!(client, listener.accept());
        (client.unwrap(), Accepted::Left(server.unwrap().0))
    }

    #[tokio::test]
    async fn a_client_that_goes_on_sending_reads_what_was_sent_last() {
        let (mut client, mut server) = pair().await;
        let closer = closer();
        server.write_all(b"the answer").await.unwrap();
        closer.close(server);
        // More than the buffers of both sockets hold.
        client.write_all(&vec![0; 32 * 1024 * 1024]).await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"the answer");
        drop(client);
        closer.connections.close();
        closer.connections.wait().await;
    }

    #[tokio::test]
    async fn no_time_is_no_time() {
        let (client, server) = pair().await;
        let closer = closer();
        closer.close(server);
        closer.connections.close();
        closer.cut.cancel();
        closer.connections.wait().await;
        drop(client);
    }
}
