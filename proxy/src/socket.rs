//! The client's socket as pingora wants it: buffered, never stuck, and closed
//! with care.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use pingora::protocols::l4::socket::SocketAddr as PingoraAddr;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, Sleep};
use tokio_util::either::Either;

use crate::buffered::Buffered;
use crate::delegate::delegate_to_stream;
use crate::linger::Closer;

/// How long a client may refuse to take a single byte. Without this, one that
/// has gone silent would hold its connection, and the file behind it, forever.
const WRITE_STALL: Duration = Duration::from_secs(180);

/// A connection as it was accepted.
pub(crate) type Accepted = Either<TcpStream, UnixStream>;

/// One accepted connection.
#[derive(Debug)]
pub(crate) struct ClientSocket {
    stream: Buffered<Connection>,
    descriptor: UniqueIDType,
    peer: SocketAddr,
    digest: Arc<SocketDigest>,
}

impl ClientSocket {
    /// The address at the other end.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Wraps a connection from `peer`; when dropped it is left to `closer`.
    pub(crate) fn new(stream: Accepted, peer: SocketAddr, closer: Closer) -> Self {
        let descriptor = match &stream {
            Accepted::Left(tcp) => tcp.as_raw_fd(),
            Accepted::Right(unix) => unix.as_raw_fd(),
        };
        let digest = SocketDigest::from_raw_fd(descriptor);
        // Known from `accept`, so it need not be asked for again; a failure
        // means that it is set already. Whoever comes through a Unix socket has
        // the address that stands for that.
        let _ = digest.peer_addr.set(Some(PingoraAddr::Inet(peer)));
        Self {
            stream: Buffered::new(Connection {
                stream: Some(stream),
                stalled: None,
                client_is_gone: false,
                closer,
            }),
            descriptor,
            peer,
            digest: Arc::new(digest),
        }
    }
}

/// Fails writes that make no progress for [`WRITE_STALL`], and lingers when it
/// is dropped.
#[derive(Debug)]
struct Connection {
    /// Taken when this is dropped.
    stream: Option<Accepted>,
    /// Runs while a write waits.
    stalled: Option<Pin<Box<Sleep>>>,
    /// The client has closed its side, so nothing can come that would be reset.
    client_is_gone: bool,
    closer: Closer,
}

impl Connection {
    fn stream(&mut self) -> Pin<&mut Accepted> {
        let stream = self.stream.as_mut();
        Pin::new(stream.expect("taken by `drop` alone"))
    }

    fn guard<T>(
        &mut self,
        cx: &mut Context<'_>,
        progress: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            self.stalled = None;
            return progress;
        }
        let stalled = self.stalled.get_or_insert_with(|| {
            Box::pin(tokio::time::sleep_until(Instant::now() + WRITE_STALL))
        });
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("the client took no byte for {} s", WRITE_STALL.as_secs()),
        )))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = self.stream().poll_read(cx, buffer);
        self.client_is_gone |= match &read {
            Poll::Ready(Ok(())) => buffer.filled().len() == before && buffer.remaining() > 0,
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        };
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let progress = self.stream().poll_write(cx, buffer);
        self.guard(cx, progress)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let progress = self.stream().poll_write_vectored(cx, buffers);
        self.guard(cx, progress)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take()
            && !self.client_is_gone
        {
            self.closer.close(stream);
        }
    }
}

delegate_to_stream!(ClientSocket);

#[async_trait]
impl Shutdown for ClientSocket {
    async fn shutdown(&mut self) {
        // The peer may be gone already, which is as good.
        let _ = AsyncWriteExt::shutdown(self).await;
    }
}

impl UniqueID for ClientSocket {
    fn id(&self) -> UniqueIDType {
        self.descriptor
    }
}

impl GetSocketDigest for ClientSocket {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        Some(Arc::clone(&self.digest))
    }
}

impl GetTimingDigest for ClientSocket {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for ClientSocket {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl Ssl for ClientSocket {}

#[async_trait]
impl Peek for ClientSocket {
    /// False at the end of what the client sends.
    async fn try_peek(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        poll_fn(|cx| {
            let came = ready!(self.stream.poll_peek(cx))?;
            Poll::Ready(Ok(peeked(came, buffer)))
        })
        .await
    }
}

/// Copies as much of what came as there is room for; whether there is any.
pub(crate) fn peeked(came: &[u8], buffer: &mut [u8]) -> bool {
    let length = came.len().min(buffer.len());
    buffer[..length].copy_from_slice(&came[..length]);
    length > 0
}
