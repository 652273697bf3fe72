//! Another registry: a hyper server on TCP or on a Unix socket.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tidegate_proxy::BoxError;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

type Body = UnsyncBoxBody<Bytes, BoxError>;

/// How often the upstream has been connected to.
pub(crate) type Connections = Arc<AtomicUsize>;

pub(crate) async fn tcp() -> (SocketAddr, Connections) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (address, accept_tcp(listener))
}

pub(crate) fn accept_tcp(listener: TcpListener) -> Connections {
    let connections = Connections::default();
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream));
        }
    });
    connections
}

pub(crate) fn unix(path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream));
        }
    });
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) {
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service_fn(answer))
        .await;
}

/// Tells what it got, one line for each header.
async fn answer(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let response = Response::builder()
        .header("docker-distribution-api-version", "registry/2.0")
        .header("keep-alive", "timeout=5");
    if parts.uri.path() == "/v2/hang" {
        std::future::pending::<()>().await;
    }
    if parts.uri.path() == "/v2/cut" {
        let ten = stream::iter([Ok(Frame::data(Bytes::from_static(b"ten bytes.")))]);
        let broken = stream::once(async {
            // hyper sends what it has while the body has nothing for it.
            tokio::task::yield_now().await;
            Err(BoxError::from("the disk broke"))
        });
        let body = BodyExt::boxed_unsync(StreamBody::new(ten.chain(broken)));
        return Ok(response.header("content-length", "100").body(body).unwrap());
    }
    let bytes = body.collect().await.map_or(0, |body| body.to_bytes().len());
    let mut lines = vec![
        format!("{} {}", parts.method, parts.uri),
        format!("{bytes} bytes"),
    ];
    for (name, value) in &parts.headers {
        lines.push(format!("{name}: {}", value.to_str().unwrap()));
    }
    let body = Full::new(Bytes::from(lines.join("\n")));
    let body = body.map_err(|never| match never {}).boxed_unsync();
    Ok(response.body(body).unwrap())
}
