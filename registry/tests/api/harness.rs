//! A registry in a temporary directory or in memory, requests that read as
//! sentences, and answers that are taken apart whole.

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderMap, Method, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use serde_json::{Value, json};
use tidegate_config::Registry as Settings;
use tidegate_registry::events::{Events, Source, Subscriber};
use tidegate_registry::oci::{Algorithm, Digest};
use tidegate_registry::store::memory::Bucket;
use tidegate_registry::store::{Filesystem, Memory};
use tidegate_registry::{
    Api, Body, Health, HealthCheck, Metrics, Observers, open, open_observed, open_store,
};
use tower_service::Service;

use crate::Store;

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// The origin of every request.
pub(crate) const ORIGIN: &str = "https://reg.example:5043";

pub(crate) struct Registry {
    place: Place,
    api: Api,
}

enum Place {
    Disk(Arc<tempfile::TempDir>),
    Memory(Bucket),
}

impl Registry {
    /// An empty registry in which everything is allowed.
    pub(crate) fn new() -> Self {
        Self::on(super::STORE)
    }

    /// The same on a disk, for tests that look at files.
    pub(crate) fn on_disk() -> Self {
        Self::on(Store::Disk)
    }

    fn on(store: Store) -> Self {
        let place = match store {
            Store::Disk => Place::Disk(Arc::new(tempfile::tempdir().unwrap())),
            Store::Memory => Place::Memory(Bucket::default()),
        };
        let api = place.open(|_| {});
        Self { place, api }
    }

    /// The same data, opened anew with other settings.
    pub(crate) fn reopened(self, change: impl FnOnce(&mut Settings)) -> Self {
        let api = self.place.open(change);
        Self {
            place: self.place,
            api,
        }
    }

    /// Another server over the same data, at the same time.
    pub(crate) fn replica(&self) -> Self {
        let place = match &self.place {
            Place::Disk(directory) => Place::Disk(Arc::clone(directory)),
            Place::Memory(bucket) => Place::Memory(bucket.another_client()),
        };
        let api = place.open(|_| {});
        Self { place, api }
    }

    /// The same data, opened anew with other settings, and with somebody who
    /// counts and looks at the storage. On a disk.
    pub(crate) fn observed(
        self,
        metrics: &Metrics,
        change: impl FnOnce(&mut Settings),
    ) -> (Self, HealthCheck) {
        let mut settings = Settings::new(self.root());
        change(&mut settings);
        let source = Source::new("host:5043".to_owned());
        let opened = open_observed(&settings, Some(metrics.clone()), source).unwrap();
        let registry = Self {
            place: self.place,
            api: opened.api,
        };
        (registry, opened.check.expect("it is on by default"))
    }

    /// The same data, with somebody who is told what happens.
    pub(crate) fn telling(self, subscriber: Arc<dyn Subscriber>) -> Self {
        let source = Source::new("host:5043".to_owned());
        let observers = Observers {
            events: Events::to(vec![subscriber], source),
            ..Observers::default()
        };
        let settings = Settings::new("/nowhere");
        let api = Api::observed(self.place.store(), &settings, None, observers);
        Self {
            place: self.place,
            api,
        }
    }

    /// Where everything is kept.
    pub(crate) fn store(&self) -> Arc<dyn tidegate_registry::store::Store> {
        self.place.store()
    }

    /// The same data through a store that the test has a hand in, and in a
    /// state of health that it has a hand in as well.
    pub(crate) fn through(
        self,
        store: Arc<dyn tidegate_registry::store::Store>,
        health: Health,
    ) -> Self {
        let observers = Observers {
            health,
            ..Observers::default()
        };
        let api = Api::observed(store, &Settings::new("/nowhere"), None, observers);
        Self {
            place: self.place,
            api,
        }
    }

    /// The directory that the settings name.
    pub(crate) fn root(&self) -> &Path {
        match &self.place {
            Place::Disk(directory) => directory.path(),
            Place::Memory(_) => panic!("a test that looks at files needs Registry::on_disk"),
        }
    }

    /// A file of the registry on disk.
    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.root().join("docker/registry/v2").join(path)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path)).await
    }

    pub(crate) async fn head(&self, path: &str) -> Answer {
        self.send(request(Method::HEAD, path)).await
    }

    pub(crate) async fn post(&self, path: &str) -> Answer {
        self.send(request(Method::POST, path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(request(Method::DELETE, path)).await
    }

    pub(crate) async fn send(&self, request: Request) -> Answer {
        let response = self.call(request.0).await;
        Answer::of(response).await
    }

    /// Sends a request of which the body is a stream.
    pub(crate) async fn send_stream(
        &self,
        request: Request,
        pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Answer {
        let body = StreamBody::new(pieces.map(|piece| piece.map(Frame::data)));
        let (parts, _) = request.0.into_parts();
        Answer::of(self.call(http::Request::from_parts(parts, body)).await).await
    }

    pub(crate) async fn call<B>(&self, request: http::Request<B>) -> http::Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let answer: Result<_, Infallible> = self.api.clone().call(request).await;
        answer.unwrap()
    }

    /// Pushes a blob in one request.
    pub(crate) async fn push_blob(&self, repo: &str, content: &[u8]) -> Digest {
        let digest = sha256(content);
        let path = format!("/v2/{repo}/blobs/uploads/?digest={digest}");
        let answer = self.send(request(Method::POST, &path).body(content)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        digest
    }

    /// Starts an upload and returns the path to send it to.
    pub(crate) async fn start_upload(&self, repo: &str) -> String {
        let answer = self.post(&format!("/v2/{repo}/blobs/uploads/")).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        answer.location()
    }

    /// Pushes a small image, blobs first, and returns its manifest's digest.
    pub(crate) async fn push_image(&self, repo: &str, reference: &str, about: &str) -> Digest {
        let manifest = self.image(repo, about).await;
        self.push_manifest(repo, reference, OCI_MANIFEST, &manifest)
            .await
    }

    /// Pushes the blobs of a small image and returns its manifest.
    pub(crate) async fn image(&self, repo: &str, about: &str) -> Value {
        let config = format!("{{\"about\":\"{about}\"}}");
        self.push_blob(repo, config.as_bytes()).await;
        self.push_blob(repo, b"layer").await;
        image(OCI_MANIFEST, &config)
    }

    pub(crate) async fn push_manifest(
        &self,
        repo: &str,
        reference: &str,
        media_type: &str,
        manifest: &Value,
    ) -> Digest {
        let bytes = bytes_of(manifest);
        let answer = self
            .send(put_manifest(repo, reference, media_type, &bytes))
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        sha256(&bytes)
    }
}

impl Place {
    fn store(&self) -> Arc<dyn tidegate_registry::store::Store> {
        match self {
            Self::Disk(directory) => Arc::new(Filesystem::new(directory.path())),
            Self::Memory(bucket) => Arc::new(Memory::new(bucket.another_client())),
        }
    }

    fn open(&self, change: impl FnOnce(&mut Settings)) -> Api {
        let root = match self {
            Self::Disk(directory) => directory.path(),
            Self::Memory(_) => Path::new("/nowhere"),
        };
        let mut settings = Settings::new(root);
        change(&mut settings);
        match self {
            Self::Disk(_) => open(&settings).unwrap(),
            Self::Memory(bucket) => {
                let store = Memory::new(bucket.another_client());
                open_store(Arc::new(store), &settings).unwrap()
            }
        }
    }
}

/// A request to make.
pub(crate) struct Request(http::Request<Full<Bytes>>);

pub(crate) fn request(method: Method, path: &str) -> Request {
    let uri = format!("{ORIGIN}{path}");
    let request = http::Request::builder()
        .method(method)
        .uri(uri)
        .body(Full::default());
    Request(request.unwrap())
}

impl Request {
    pub(crate) fn header(mut self, name: &'static str, value: impl AsRef<str>) -> Self {
        self.0
            .headers_mut()
            .append(name, value.as_ref().parse().unwrap());
        self
    }

    /// Puts another value in the place of a header.
    pub(crate) fn replace(mut self, name: &'static str, value: &str) -> Self {
        self.0.headers_mut().insert(name, value.parse().unwrap());
        self
    }

    /// From somebody who may do this much.
    pub(crate) fn by(mut self, permit: tidegate_auth::Permit) -> Self {
        self.0.extensions_mut().insert(permit);
        self
    }

    /// A body of known length.
    pub(crate) fn body(mut self, content: &[u8]) -> Self {
        self = self.header("content-length", content.len().to_string());
        *self.0.body_mut() = Full::new(Bytes::copy_from_slice(content));
        self
    }

    /// The request with a URI as an old client sends it, without an origin.
    pub(crate) fn without_origin(mut self) -> Self {
        let path = self
            .0
            .uri()
            .path_and_query()
            .unwrap()
            .as_str()
            .parse()
            .unwrap();
        *self.0.uri_mut() = path;
        self
    }

    pub(crate) fn into_inner(self) -> http::Request<Full<Bytes>> {
        self.0
    }
}

pub(crate) fn put_manifest(repo: &str, reference: &str, media_type: &str, bytes: &[u8]) -> Request {
    request(Method::PUT, &format!("/v2/{repo}/manifests/{reference}"))
        .header("content-type", media_type)
        .body(bytes)
}

/// A body that gives its pieces and then breaks off.
pub(crate) fn broken_off(pieces: &[&'static str]) -> impl Stream<Item = io::Result<Bytes>> + use<> {
    let pieces: Vec<_> = pieces
        .iter()
        .map(|piece| Ok(Bytes::from_static(piece.as_bytes())))
        .collect();
    stream::iter(pieces).chain(stream::iter([Err(io::ErrorKind::ConnectionReset.into())]))
}

/// A body without an announced length.
pub(crate) fn chunked(pieces: &[&'static str]) -> impl Stream<Item = io::Result<Bytes>> + use<> {
    let pieces: Vec<_> = pieces
        .iter()
        .map(|piece| Ok(Bytes::from_static(piece.as_bytes())))
        .collect();
    stream::iter(pieces)
}

/// An answer, with its body read to the end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) async fn of(response: http::Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let exact = http_body::Body::size_hint(&body)
            .exact()
            .expect("a known length");
        let body = body.collect().await.expect("a whole body").to_bytes();
        assert_eq!(exact, body.len() as u64, "the length was announced rightly");
        Self {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// A header that is there once.
    pub(crate) fn header(&self, name: &str) -> &str {
        let values: Vec<_> = self.headers.get_all(name).iter().collect();
        let [value] = values[..] else {
            panic!("{name} is there {} times: {self:?}", values.len())
        };
        value.to_str().unwrap()
    }

    /// The path of `Location`, which leads to the same origin.
    pub(crate) fn location(&self) -> String {
        self.header("location")
            .strip_prefix(ORIGIN)
            .expect("the client's own origin")
            .to_owned()
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(
            self.header("content-type"),
            "application/json; charset=utf-8"
        );
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Asserts status, version header, content type and codes of an error, and
    /// returns its details.
    #[track_caller]
    pub(crate) fn assert_error(&self, status: u16, code: &str) -> Vec<Value> {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(
            self.header("docker-distribution-api-version"),
            "registry/2.0"
        );
        assert!(self.body.ends_with(b"\n"), "{self:?}");
        let document = self.json();
        let errors = document["errors"].as_array().unwrap();
        assert!(!errors.is_empty());
        for error in errors {
            assert_eq!(error["code"], code, "{document}");
            assert!(!error["message"].as_str().unwrap().is_empty());
        }
        errors.iter().map(|error| error["detail"].clone()).collect()
    }
}

pub(crate) fn sha256(content: &[u8]) -> Digest {
    Algorithm::Sha256.digest(content)
}

pub(crate) fn bytes_of(document: &Value) -> Vec<u8> {
    serde_json::to_vec_pretty(document).unwrap()
}

pub(crate) fn descriptor(media_type: &str, content: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": sha256(content), "size": content.len()})
}

/// A manifest with this configuration and the layer `layer`.
pub(crate) fn image(media_type: &str, config: &str) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": descriptor("application/vnd.oci.image.config.v1+json", config.as_bytes()),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", b"layer")],
    })
}

pub(crate) fn index(media_type: &str, children: &[Value]) -> Value {
    json!({"schemaVersion": 2, "mediaType": media_type, "manifests": children})
}
