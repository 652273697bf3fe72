//! A client's connection in TLS as pingora wants it.
//!
//! pingora's own cannot be told which configuration a client is to have once its
//! name is known, nor carry what the client showed.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::SslDigest;
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio_rustls::server::TlsStream;
use tracing::debug;

use crate::client_certificates::Shown;
use crate::delegate::delegate_to_stream;
use crate::gathered::Gathered;
use crate::socket::{ClientSocket, peeked};

/// What is agreed on to speak HTTP/2 (RFC 9113, section 3.2).
const HTTP2: &[u8] = b"h2";

/// One connection, after the handshake.
#[derive(Debug)]
pub(crate) struct TlsSocket {
    stream: Gathered<ClientSocket>,
    digest: Arc<SslDigest>,
    shown: Option<Arc<ProxyDigest>>,
}

impl TlsSocket {
    /// A connection whose client was asked for a certificate, or not.
    pub(crate) fn new(stream: TlsStream<ClientSocket>, shown: Option<Shown>) -> Self {
        let (_, connection) = stream.get_ref();
        let suite = connection.negotiated_cipher_suite();
        let version = connection.protocol_version();
        let digest = SslDigest::new(
            suite.and_then(|s| s.suite().as_str()).unwrap_or_default(),
            version.and_then(|v| v.as_str()).unwrap_or_default(),
            None,
            None,
            Vec::new(),
        );
        let puts_off = connection.alpn_protocol() == Some(HTTP2);
        Self {
            stream: Gathered::new(stream, puts_off),
            digest: Arc::new(digest),
            shown: shown.map(|shown| Arc::new(shown.into_digest())),
        }
    }

    fn socket(&self) -> &ClientSocket {
        self.stream.get_ref().get_ref().0
    }
}

delegate_to_stream!(TlsSocket);

#[async_trait]
impl Shutdown for TlsSocket {
    async fn shutdown(&mut self) {
        // The peer may be gone already, which is as good.
        if let Err(error) = AsyncWriteExt::shutdown(self).await {
            debug!(%error, "the client was not told that its connection ends");
        }
    }
}

impl Ssl for TlsSocket {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        Some(Arc::clone(&self.digest))
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        let (_, connection) = self.stream.get_ref().get_ref();
        match connection.alpn_protocol()? {
            HTTP2 => Some(ALPN::H2),
            b"http/1.1" => Some(ALPN::H1),
            _ => None,
        }
    }
}

impl UniqueID for TlsSocket {
    fn id(&self) -> UniqueIDType {
        self.socket().id()
    }
}

impl GetSocketDigest for TlsSocket {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.socket().get_socket_digest()
    }
}

impl GetTimingDigest for TlsSocket {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for TlsSocket {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.shown.clone()
    }
}

#[async_trait]
impl Peek for TlsSocket {
    /// False at the end of what the client sends.
    async fn try_peek(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let came = self.stream.get_mut().fill_buf().await?;
        Ok(peeked(came, buffer))
    }
}
