//! One connection, request after request.
//!
//! pingora's own loop holds all that a request takes, 25 KiB, while a client that
//! speaks HTTP/1.1 thinks about its next one, and most clients of a registry do
//! that most of the time. Here a request begins when its first byte is there.

use std::sync::Arc;
use std::time::Duration;

use pingora::apps::{HttpPersistentSettings, HttpServerApp};
use pingora::protocols::http::ServerSession;
use pingora::protocols::{ALPN, Stream};
use pingora::server::ShutdownWatch;

use crate::service::KEEP_ALIVE_SECONDS;
use crate::streams;

/// Serves what comes over `stream`, until its end or a shutdown.
pub(crate) async fn hold<A>(app: &Arc<A>, mut stream: Stream, shutdown: &ShutdownWatch)
where
    A: HttpServerApp + Send + Sync + 'static,
{
    if matches!(stream.selected_alpn_proto(), Some(ALPN::H2)) {
        // There the connection has frames of its own to answer at all times. On the
        // heap, for those that speak HTTP/1.1 need no room for it.
        return Box::pin(streams::hold(app, stream, shutdown)).await;
    }
    let mut settings = None;
    while begins(&mut stream, shutdown).await {
        let mut session = ServerSession::new_http1(stream);
        match settings {
            Some(settings) => HttpPersistentSettings::apply_to_session(settings, &mut session),
            None => session.set_keepalive(Some(KEEP_ALIVE_SECONDS)),
        }
        let Some(reused) = app.process_new_http(session, shutdown).await else {
            return;
        };
        (stream, settings) = reused.consume();
    }
}

/// Waits for the first byte of a request. False if none is to come.
async fn begins(stream: &mut Stream, shutdown: &ShutdownWatch) -> bool {
    let mut first = [0];
    let patience = Duration::from_secs(KEEP_ALIVE_SECONDS);
    let stops = async { shutdown.clone().wait_for(|stops| *stops).await.map(drop) };
    tokio::select! {
        // A request that is there already is not dropped.
        biased;
        peeked = pingora::time::timeout(patience, stream.try_peek(&mut first)) => {
            matches!(peeked, Ok(Ok(true)))
        }
        _ = stops => false,
    }
}
