//! An HTTPS client that trusts one CA: one connection for each request, so
//! that no test depends on what an earlier request left behind.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub type Body = BoxBody<Bytes, std::io::Error>;

#[derive(Clone)]
pub struct Client {
    address: SocketAddr,
    /// What the client asks for in SNI and `Host`.
    authority: String,
    server_name: ServerName<'static>,
    roots: rustls::RootCertStore,
    tls: Arc<rustls::ClientConfig>,
    headers: HeaderMap,
}

pub struct Answer {
    pub status: StatusCode,
    pub version: http::Version,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        let mut values = self.headers.get_all(name).iter();
        let value = values
            .next()
            .unwrap_or_else(|| panic!("no {name} in {:?}", self.headers));
        assert!(
            values.next().is_none(),
            "{name} twice in {:?}",
            self.headers
        );
        value.to_str().expect("printable")
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {:?}", self.body))
    }

    /// The code of the first error in the body.
    pub fn error_code(&self) -> String {
        let code = &self.json()["errors"][0]["code"];
        code.as_str().expect("an error body").to_owned()
    }
}

fn trusting(
    roots: rustls::RootCertStore,
) -> rustls::ConfigBuilder<rustls::ClientConfig, rustls::client::WantsClientCert> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_root_certificates(roots)
}

impl Client {
    pub fn new(address: SocketAddr, ca: &Path) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        for der in CertificateDer::pem_file_iter(ca).expect("a CA file") {
            roots.add(der.expect("a certificate")).expect("a CA");
        }
        let tls = trusting(roots.clone()).with_no_client_auth();
        Self {
            address,
            roots,
            authority: address.to_string(),
            server_name: ServerName::from(address.ip()),
            tls: Arc::new(tls),
            headers: HeaderMap::new(),
        }
    }

    /// Asks for `localhost` rather than for the address.
    pub fn named(mut self, name: &str) -> Self {
        self.authority = format!("{name}:{}", self.address.port());
        self.server_name = ServerName::try_from(name.to_owned()).expect("a DNS name");
        self
    }

    /// Shows the certificate of these two files if it is asked for one.
    pub fn showing(mut self, cert: &Path, key: &Path) -> Self {
        let chain = CertificateDer::pem_file_iter(cert).expect("a certificate");
        let chain = chain.map(|der| der.expect("a certificate")).collect();
        let key = PrivateKeyDer::from_pem_file(key).expect("a key");
        let tls = trusting(self.roots.clone()).with_client_auth_cert(chain, key);
        self.tls = Arc::new(tls.expect("they belong together"));
        self
    }

    pub fn http2(mut self) -> Self {
        Arc::make_mut(&mut self.tls).alpn_protocols = vec![b"h2".to_vec()];
        self
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_str(value).expect("printable"),
        );
        self
    }

    pub fn basic(self, user: &str, password: &str) -> Self {
        let value = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        self.header("authorization", &value)
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn anonymous(mut self) -> Self {
        self.headers.remove(header::AUTHORIZATION);
        self
    }

    /// A TLS connection, for tests that write bytes of their own.
    pub async fn connect(&self) -> std::io::Result<TlsStream<TcpStream>> {
        let socket = TcpStream::connect(self.address).await?;
        TlsConnector::from(self.tls.clone())
            .connect(self.server_name.clone(), socket)
            .await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, empty()).await
    }

    pub async fn head(&self, path: &str) -> Answer {
        self.send(Method::HEAD, path, empty()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, empty()).await
    }

    pub async fn post(&self, path: &str) -> Answer {
        self.send(Method::POST, path, empty()).await
    }

    pub async fn patch(&self, path: &str, bytes: impl Into<Bytes>) -> Answer {
        self.send(Method::PATCH, path, full(bytes)).await
    }

    pub async fn put(&self, path: &str, bytes: impl Into<Bytes>) -> Answer {
        self.send(Method::PUT, path, full(bytes)).await
    }

    pub async fn send(&self, method: Method, target: &str, body: Body) -> Answer {
        let shown = format!("{method} {target}");
        self.try_send(method, target, body)
            .await
            .unwrap_or_else(|e| panic!("{shown}: {e}"))
    }

    /// One request. `target` is a path, or the absolute URL of a `Location`.
    pub async fn try_send(
        &self,
        method: Method,
        target: &str,
        body: Body,
    ) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        let base = format!("https://{}", self.authority);
        let path = target.strip_prefix(&base).unwrap_or(target);
        assert!(path.starts_with('/'), "{target} is not at {base}");
        let stream = self.connect().await?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let stream = TokioIo::new(stream);
        let uri = if http2 {
            format!("{base}{path}")
        } else {
            path.to_owned()
        };
        let mut request = Request::builder().method(method).uri(uri);
        if let Some(headers) = request.headers_mut() {
            headers.extend(self.headers.clone());
            if !http2 {
                headers.insert(header::HOST, HeaderValue::from_str(&self.authority)?);
            }
        }
        let request = request.body(body)?;
        let response = if http2 {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await?;
            tokio::spawn(connection);
            sender.send_request(request).await?
        } else {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
            tokio::spawn(connection);
            sender.send_request(request).await?
        };
        let (parts, body) = response.into_parts();
        Ok(Answer {
            status: parts.status,
            version: parts.version,
            headers: parts.headers,
            body: body.collect().await?.to_bytes(),
        })
    }
}

pub fn empty() -> Body {
    full(Bytes::new())
}

pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed()
}
