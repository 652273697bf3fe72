//! Clients: hyper over TLS or plain TCP, and sockets for what hyper won't do.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::HOST;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tidegate_proxy::BoxError;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::authority::Made;

/// The name of the API's header.
pub(crate) const API_VERSION: &str = "docker-distribution-api-version";

/// Knows where the front is, and whom to trust.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    roots: RootCertStore,
    versions: &'static [&'static SupportedProtocolVersion],
    shows: Option<Made>,
}

/// What a client has of an answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response: Response<()>,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// The values of a header, joined.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let values: Vec<_> = self
            .response
            .headers()
            .get_all(name)
            .iter()
            .map(|value| value.to_str().unwrap())
            .collect();
        (!values.is_empty()).then(|| values.join(" | "))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn code(&self) -> String {
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        json["errors"][0]["code"].as_str().unwrap().to_owned()
    }
}

/// A GET of `target` on `localhost`.
pub(crate) fn get(target: &str) -> Request<Full<Bytes>> {
    request("GET", target, &[], "")
}

pub(crate) fn request(
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(body.into())).unwrap()
}

/// The value of `Authorization` for `user` and `password`.
pub(crate) fn basic(user: &str, password: &str) -> String {
    use base64::Engine;
    let token = base64::prelude::BASE64_STANDARD.encode(format!("{user}:{password}"));
    format!("Basic {token}")
}

impl Client {
    pub(crate) fn new(address: SocketAddr, roots: RootCertStore) -> Self {
        Self {
            address,
            roots,
            versions: rustls::ALL_VERSIONS,
            shows: None,
        }
    }

    pub(crate) fn speaking(
        mut self,
        versions: &'static [&'static SupportedProtocolVersion],
    ) -> Self {
        self.versions = versions;
        self
    }

    /// A client that shows a certificate if it is asked for one.
    pub(crate) fn showing(mut self, made: Option<&Made>) -> Self {
        self.shows = made.cloned();
        self
    }

    /// How it speaks TLS.
    pub(crate) fn config(&self, alpn: &[&[u8]]) -> ClientConfig {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_root_certificates(self.roots.clone());
        let mut config = match &self.shows {
            None => config.with_no_client_auth(),
            Some(Made { chain, key, .. }) => config
                .with_client_auth_cert(chain.clone(), key.clone_key())
                .unwrap(),
        };
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        config
    }

    /// A connection with `name` as SNI.
    pub(crate) async fn tls(
        &self,
        name: &str,
        alpn: &[&[u8]],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        self.tls_by(&Arc::new(self.config(alpn)), name).await
    }

    /// The same with a configuration that may know a session.
    pub(crate) async fn tls_by(
        &self,
        config: &Arc<ClientConfig>,
        name: &str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        TlsConnector::from(Arc::clone(config))
            .connect(name, stream)
            .await
    }

    /// One request over HTTP/1.1 and TLS.
    pub(crate) async fn h1(&self, request: Request<Full<Bytes>>) -> Answer {
        self.h1_for("localhost", request).await
    }

    /// The same on a connection that is made for another name.
    pub(crate) async fn h1_for(&self, name: &str, request: Request<Full<Bytes>>) -> Answer {
        let stream = self.tls(name, &[b"http/1.1"]).await.unwrap();
        over_h1(stream, request).await.unwrap()
    }

    /// One request over HTTP/2 and TLS.
    pub(crate) async fn h2(&self, request: Request<Full<Bytes>>) -> Answer {
        self.try_h2(request).await.unwrap()
    }

    pub(crate) async fn try_h2(&self, mut request: Request<Full<Bytes>>) -> hyper::Result<Answer> {
        let absolute = format!("https://localhost{}", request.uri());
        *request.uri_mut() = absolute.parse().unwrap();
        collect(self.h2_sender().await.send_request(request).await?).await
    }

    /// An HTTP/2 connection.
    pub(crate) async fn h2_sender<B>(&self) -> http2::SendRequest<B>
    where
        B: Body<Data: Send, Error: Into<BoxError>> + Unpin + Send + 'static,
    {
        let stream = self.tls("localhost", &[b"h2"]).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        sender
    }

    /// One request over HTTP/1.1 without TLS.
    pub(crate) async fn plain(&self, request: Request<Full<Bytes>>) -> Answer {
        let stream = TcpStream::connect(self.address).await.unwrap();
        over_h1(stream, request).await.unwrap()
    }

    /// A connection that carries bytes as they are written.
    pub(crate) async fn raw(&self) -> Raw<TlsStream<TcpStream>> {
        Raw {
            stream: self.tls("localhost", &[b"http/1.1"]).await.unwrap(),
        }
    }
}

/// One request over a connection.
pub(crate) async fn over_h1<S>(
    stream: S,
    mut request: Request<Full<Bytes>>,
) -> hyper::Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let headers = request.headers_mut();
    if !headers.contains_key(HOST) {
        headers.insert(HOST, "localhost".parse().unwrap());
    }
    collect(sender.send_request(request).await?).await
}

async fn collect(response: Response<hyper::body::Incoming>) -> hyper::Result<Answer> {
    let (parts, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    let response = Response::from_parts(parts, ());
    Ok(Answer { response, body })
}

/// A connection on which a test decides every byte.
pub(crate) struct Raw<S> {
    pub(crate) stream: S,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// One answer: its head as text, and the body that `Content-Length` tells.
    pub(crate) async fn answer(&mut self) -> (String, Vec<u8>) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.unwrap();
        (head, body)
    }

    /// Whatever comes until the connection ends, in whichever way.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = self.stream.read_to_end(&mut rest).await;
        rest
    }
}
