//! A backend that tells the test what it saw.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use tidegate_auth::Known;
use tidegate_proxy::{Backend, BoxError, ClientAddress, RequestBody, ResponseBody};
use tokio::sync::{Semaphore, mpsc};

/// What the backend saw of a request once it had read it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) user: Option<String>,
    pub(crate) client: Option<String>,
    /// The bytes of the body, or why it broke off.
    pub(crate) body: Result<u64, String>,
}

/// What a test can wait for and set off.
pub(crate) struct Events {
    pub(crate) seen: mpsc::UnboundedReceiver<Seen>,
    /// A permit for each request that has reached `/v2/slow`.
    started: Arc<Semaphore>,
    /// A permit for each of them that may be answered.
    release: Arc<Semaphore>,
}

impl Events {
    /// Waits until `requests` more have reached `/v2/slow`.
    pub(crate) async fn started(&self, requests: u32) {
        self.started.acquire_many(requests).await.unwrap().forget();
    }

    /// Lets one of them be answered.
    pub(crate) fn release(&self) {
        self.release.add_permits(1);
    }
}

/// Answers by path; see [`TestBackend::answer`].
pub(crate) struct TestBackend {
    seen: mpsc::UnboundedSender<Seen>,
    started: Arc<Semaphore>,
    release: Arc<Semaphore>,
}

impl TestBackend {
    pub(crate) fn new() -> (Self, Events) {
        let (sender, seen) = mpsc::unbounded_channel();
        let [started, release] = [0, 0].map(|permits| Arc::new(Semaphore::new(permits)));
        let events = Events {
            seen,
            started: Arc::clone(&started),
            release: Arc::clone(&release),
        };
        let backend = Self {
            seen: sender,
            started,
            release,
        };
        (backend, events)
    }

    async fn answer(&self, path: &str, body: &Result<u64, String>) -> Response<ResponseBody> {
        let response = Response::builder()
            // Twice, so that a test can see it come out once.
            .header("docker-distribution-api-version", "registry/2.0")
            .header("docker-distribution-api-version", "registry/2.0");
        match path.strip_prefix("/v2/").unwrap_or(path) {
            "slow" => {
                self.started.add_permits(1);
                self.release.acquire().await.unwrap().forget();
                response.body(full("slow")).unwrap()
            }
            "panic" => panic!("this panic is part of a test"),
            "cut" => response
                .header("content-length", "100")
                .body(frames([
                    Ok(Bytes::from_static(b"ten bytes.")),
                    Err("the disk broke".into()),
                ]))
                .unwrap(),
            "short" => response
                .header("content-length", "100")
                .body(full("ten bytes."))
                .unwrap(),
            "stream" => response
                .body(frames([
                    Ok(Bytes::from_static(b"one ")),
                    Ok(Bytes::from_static(b"two")),
                ]))
                .unwrap(),
            "large" => response.body(pattern(64, 1024 * 1024)).unwrap(),
            "none" => response
                .status(StatusCode::NO_CONTENT)
                .body(full(""))
                .unwrap(),
            "interim" => response.status(103).body(full("")).unwrap(),
            _ => {
                let text = match body {
                    Ok(bytes) => format!("{bytes} bytes"),
                    Err(reason) => reason.clone(),
                };
                response.body(full(text)).unwrap()
            }
        }
    }
}

#[async_trait]
impl Backend for TestBackend {
    async fn call(&self, request: Request<RequestBody>) -> Response<ResponseBody> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        if path == "/v2/early" {
            return Response::builder()
                .status(StatusCode::NOT_FOUND)
                .body(full("not here"))
                .unwrap();
        }
        let body = read(body).await;
        let response = self.answer(&path, &body).await;
        let client = parts.extensions.get::<ClientAddress>();
        let _ = self.seen.send(Seen {
            method: parts.method,
            uri: parts.uri,
            headers: parts.headers,
            user: parts
                .extensions
                .get::<Known>()
                .map(|known| known.user.name().to_owned()),
            client: client.map(|ClientAddress(address)| address.to_string()),
            body,
        });
        response
    }
}

async fn read(mut body: RequestBody) -> Result<u64, String> {
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| error.to_string())?;
        bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
    }
    Ok(bytes)
}

fn full(content: impl Into<Bytes>) -> ResponseBody {
    Full::new(content.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

fn frames<const N: usize>(frames: [Result<Bytes, BoxError>; N]) -> ResponseBody {
    let frames = frames.map(|frame| frame.map(Frame::data));
    BodyExt::boxed_unsync(StreamBody::new(stream::iter(frames)))
}

/// `count` frames of `size` bytes each, of no known length.
fn pattern(count: usize, size: usize) -> ResponseBody {
    let frame = Bytes::from(vec![0x5a; size]);
    let frames = stream::iter((0..count).map(move |_| Ok(Frame::data(frame.clone()))));
    BodyExt::boxed_unsync(StreamBody::new(frames))
}
