//! Servers on a port of their own: TLS with HTTP in it, or bytes.

use std::future::Future;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::server::WebPkiClientVerifier;
use rustls::{ConfigBuilder, ServerConfig, WantsVerifier};
use tokio_rustls::TlsAcceptor;

use crate::identity::{Authority, Identity};
use crate::registry::Registry;

/// A server that runs until the test's process ends.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
}

impl Server {
    /// `host:port`.
    pub(crate) fn site(&self) -> String {
        self.address.to_string()
    }
}

/// How a server speaks TLS.
pub(crate) struct Tls {
    config: ServerConfig,
}

pub(crate) fn tls(identity: Identity) -> Tls {
    let config = builder()
        .with_no_client_auth()
        .with_single_cert(identity.chain, identity.key)
        .unwrap();
    Tls { config }.http2()
}

/// Lets only clients in whose certificate the CA signed.
pub(crate) fn mutual_tls(identity: Identity, clients: &Authority) -> Tls {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(clients.der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .unwrap();
    let config = builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(identity.chain, identity.key)
        .unwrap();
    Tls { config }
}

fn builder() -> ConfigBuilder<ServerConfig, WantsVerifier> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
}

impl Tls {
    fn http2(mut self) -> Self {
        self.config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        self
    }

    pub(crate) fn http1(mut self) -> Self {
        self.config.alpn_protocols.clear();
        self
    }

    /// Serves a registry.
    pub(crate) fn serve(self, registry: &Arc<Registry>) -> Server {
        let acceptor = TlsAcceptor::from(Arc::new(self.config));
        let registry = registry.clone();
        accept(move |socket| {
            let (acceptor, registry) = (acceptor.clone(), registry.clone());
            async move {
                let Ok(stream) = acceptor.accept(socket).await else {
                    return;
                };
                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let stream = TokioIo::new(stream);
                if http2 && registry.breaks_http2 {
                    return;
                }
                if http2 {
                    let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                        .serve_connection(stream, registry.service())
                        .await;
                } else {
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(stream, registry.service())
                        .await;
                }
            }
        })
    }
}

/// HTTP without TLS.
pub(crate) fn plain(registry: &Arc<Registry>) -> Server {
    let registry = registry.clone();
    accept(move |socket| {
        let registry = registry.clone();
        async move {
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(socket), registry.service())
                .await;
        }
    })
}

fn accept<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(tokio::net::TcpStream) -> F + Send + 'static,
) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket));
            }
        });
    });
    Server { address }
}

/// Answers whatever comes with these bytes, and closes.
pub(crate) fn bytes(answer: &'static [u8]) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut socket in listener.incoming().map_while(Result::ok) {
            let mut asked = [0; 4096];
            let _ = socket.read(&mut asked);
            let _ = socket.write_all(answer);
        }
    });
    Server { address }
}

/// Accepts, and never says a word.
pub(crate) fn silent() -> (Server, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // The kernel accepts on its behalf.
    (Server { address }, listener)
}
