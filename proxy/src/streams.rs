//! One connection that speaks HTTP/2: all its requests in one task.
//!
//! pingora spawns a task for each request. What it answers then goes from one core
//! to another on its way into the connection, and each piece wakes a thread.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use pingora::apps::HttpServerApp;
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::{H2Accept, HttpSession, handshake};
use pingora::protocols::{Digest, Stream};
use pingora::server::ShutdownWatch;
use tracing::{debug, warn};

use crate::service::KEEP_ALIVE_SECONDS;

/// Requests that cannot be understood, after which a connection is closed: each of
/// them costs the client less than it costs us.
const MALFORMED: usize = 32;

/// Serves what comes over `stream`, until its end or a shutdown.
pub(crate) async fn hold<A>(app: &Arc<A>, stream: Stream, shutdown: &ShutdownWatch)
where
    A: HttpServerApp + Send + Sync + 'static,
{
    let digest = Arc::new(Digest {
        ssl_digest: stream.get_ssl_digest(),
        timing_digest: stream.get_timing_digest(),
        proxy_digest: stream.get_proxy_digest(),
        socket_digest: stream.get_socket_digest(),
    });
    let mut connection = match handshake(stream, app.h2_options()).await {
        Ok(connection) => connection,
        Err(error) => return debug!(%error, "the client does not speak HTTP/2 after all"),
    };
    let mut stopping = shutdown.clone();
    let mut is_stopping = false;
    let mut malformed = 0;
    let mut running = FuturesUnordered::new();
    loop {
        let accepted = tokio::select! {
            biased;
            // An error is the end of the server as well.
            _ = stopping.wait_for(|stops| *stops), if !is_stopping => {
                is_stopping = true;
                // Requests that are on their way are still taken (RFC 9113, section 6.8).
                connection.graceful_shutdown();
                continue;
            }
            // This is also what reads and writes for all requests.
            accepted = HttpSession::from_h2_conn(&mut connection, Arc::clone(&digest)) => accepted,
            Some(()) = running.next() => continue,
            () = tokio::time::sleep(Duration::from_secs(KEEP_ALIVE_SECONDS)),
                if running.is_empty() && !is_stopping => return,
        };
        match accepted {
            Ok(Some(H2Accept::Session(session))) => {
                let request = app.process_new_http(ServerSession::new_http2(session), shutdown);
                // A panic is the end of its own request, as it would be in a task of its own.
                running.push(AssertUnwindSafe(request).catch_unwind().map(drop));
            }
            Ok(Some(H2Accept::Rejected)) => {
                malformed += 1;
                if malformed == MALFORMED {
                    warn!("a connection is closed: too many requests on it were malformed");
                    break;
                }
            }
            Ok(None) => break,
            Err(error) => {
                debug!(%error, "the connection broke");
                break;
            }
        }
    }
    // What they do is not to stop half-way; that the client has gone they find out.
    drop(connection);
    while running.next().await.is_some() {}
}
