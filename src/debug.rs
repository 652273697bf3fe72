//! The debug listener: `/debug/health` and `/metrics`, in plain HTTP, for those
//! who operate the registry and for their monitoring.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tidegate_config::DebugListener;
use tidegate_failure::Explain;
use tidegate_registry::{Health, Metrics};
use tokio::net::{TcpListener, TcpStream};
use tracing::{debug, warn};

/// How long a client may take for a request, and a connection be idle.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait after accepting has failed: most likely for lack of files.
const PAUSE: Duration = Duration::from_millis(100);

/// The listener, bound.
pub(crate) struct Debug {
    listener: TcpListener,
    address: SocketAddr,
    /// Where metrics are, if they are shown.
    metrics_path: Option<String>,
}

/// What it shows.
pub(crate) struct Shown {
    /// What is known of the storage.
    pub(crate) health: Health,
    /// What was counted, if that is to be shown.
    pub(crate) metrics: Option<Metrics>,
}

/// The debug listener cannot be bound.
#[derive(Debug, thiserror::Error)]
#[error("`debug.address`: cannot listen on {address}: {source}")]
pub(crate) struct BindError {
    address: SocketAddr,
    source: io::Error,
}

impl Explain for BindError {
    fn hint(&self) -> Option<String> {
        let port = self.address.port();
        (self.source.kind() == io::ErrorKind::AddrInUse).then(|| {
            format!(
                "`ss -ltnp 'sport = :{port}'` shows what listens there; stop it, or choose \
                 another port"
            )
        })
    }
}

impl Debug {
    /// Binds the address.
    pub(crate) async fn bind(settings: &DebugListener) -> Result<Self, BindError> {
        let failed = |source| BindError {
            address: settings.address,
            source,
        };
        let listener = TcpListener::bind(settings.address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self {
            listener,
            address,
            metrics_path: settings.metrics.clone(),
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until the future is dropped.
    pub(crate) async fn serve(self, shown: Shown) {
        let shown = Arc::new((shown, self.metrics_path));
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(answer_all(stream, Arc::clone(&shown)));
                }
                Err(e) => {
                    warn!(error = %e, "the debug listener cannot accept a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

async fn answer_all(stream: TcpStream, shown: Arc<(Shown, Option<String>)>) {
    let service = service_fn(move |request: Request<_>| {
        let (shown, metrics_path) = &*shown;
        let response = answer(
            shown,
            metrics_path.as_deref(),
            request.method(),
            request.uri().path(),
        );
        async move { Ok::<_, Infallible>(response) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(e) = served {
        debug!(error = %e, "a connection to the debug listener broke off");
    }
}

/// Answers one request; `HEAD` like `GET`, of which hyper leaves out the body.
fn answer(
    shown: &Shown,
    metrics_path: Option<&str>,
    method: &Method,
    path: &str,
) -> Response<Full<Bytes>> {
    const JSON: &str = "application/json; charset=utf-8";
    let (status, content_type, body) = match (path, &shown.metrics) {
        ("/debug/health", _) => match shown.health.troubles() {
            troubles if troubles.is_empty() => (StatusCode::OK, JSON, "{}".to_owned()),
            troubles => (
                StatusCode::SERVICE_UNAVAILABLE,
                JSON,
                json!(troubles).to_string(),
            ),
        },
        (path, Some(metrics)) if Some(path) == metrics_path => {
            (StatusCode::OK, Metrics::CONTENT_TYPE, metrics.exposition())
        }
        _ => (
            StatusCode::NOT_FOUND,
            "text/plain; charset=utf-8",
            "404 page not found\n".to_owned(),
        ),
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status != StatusCode::NOT_FOUND && !matches!(*method, Method::GET | Method::HEAD) {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        *response.body_mut() = Full::default();
    }
    response
}
