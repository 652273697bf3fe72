//! What is written on its way into TLS.
//!
//! rustls makes a record of each write. Over HTTP/1.1 the head of a small answer and
//! its body would be two, each sealed and opened by itself.
//!
//! h2 flushes after each frame, of 16 KiB for nearly every client. With its nine
//! bytes of header each would be two TLS records and a system call of its own.

use std::io::{self, IoSlice, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

/// What a TLS record holds at most (RFC 8446, section 5.1).
const RECORD: usize = 16 * 1024;
/// What a full record has besides: header, type and tag (RFC 8446, section 5.2).
const SEAL: usize = 5 + 1 + 16;
/// How much is sealed before it is sent: a frame of a blob, in one system call.
const SEALED_AT_ONCE: usize = 16 * (RECORD + SEAL);
/// Slices that are taken at once: a frame of h2 has two, its header and its content.
const SLICES: usize = 8;
/// Room for most small answers, header and body.
const SMALL: usize = 2 * 1024;
/// A flush after as much as this is taken for one in the middle of something longer.
const LONG: usize = 8 * 1024;

/// A TLS stream that fills its records and sends many of them at a time.
///
/// Over HTTP/2 a flush in the middle of something longer is put off until the task is
/// polled again, for which it is woken at once: by then h2 has written whatever else
/// it had. It reads whenever it is polled, and what waits leaves before that.
#[derive(Debug)]
pub(crate) struct Gathered<S> {
    stream: TlsStream<S>,
    /// Whether flushes are put off: HTTP/1.1 flushes when it should.
    puts_off: bool,
    /// What does not fill a record yet. Whatever came before is sealed already, so
    /// that little is copied for this.
    rest: BytesMut,
    /// What was written since the last flush, in bytes.
    fresh: usize,
    /// The task was woken to flush.
    is_woken: bool,
}

impl<S> Gathered<S> {
    pub(crate) fn new(mut stream: TlsStream<S>, puts_off: bool) -> Self {
        let (_, connection) = stream.get_mut();
        connection.set_buffer_limit(Some(SEALED_AT_ONCE));
        Self {
            stream,
            puts_off,
            rest: BytesMut::new(),
            fresh: 0,
            is_woken: false,
        }
    }

    pub(crate) fn get_ref(&self) -> &TlsStream<S> {
        &self.stream
    }

    pub(crate) fn get_mut(&mut self) -> &mut TlsStream<S> {
        &mut self.stream
    }

    /// Seals up to `length` bytes of what is kept and of `buffers`, and returns how
    /// many that were: fewer when much is sealed and not sent.
    fn seal(&mut self, buffers: &[IoSlice<'_>], length: usize) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); SLICES + 1];
        let mut left = length;
        let parts = [IoSlice::new(&self.rest)];
        for (slice, part) in slices.iter_mut().zip(parts.iter().chain(buffers)) {
            let some = &part[..part.len().min(left)];
            left -= some.len();
            *slice = IoSlice::new(some);
        }
        let (_, connection) = self.stream.get_mut();
        connection.writer().write_vectored(&slices)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Gathered<S> {
    /// Takes as much as there is room for, once there is any.
    fn poll_gather(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let buffers = &buffers[..buffers.len().min(SLICES)];
        let length = buffers.iter().map(|buffer| buffer.len()).sum();
        let taken = loop {
            let kept = self.rest.len();
            let full = (kept + length) / RECORD * RECORD;
            let sealed = if full > 0 {
                self.seal(buffers, full)?
            } else {
                0
            };
            self.rest.advance(sealed.min(kept));
            if sealed == full {
                self.keep(buffers, sealed.saturating_sub(kept));
                break length;
            }
            if sealed > kept {
                break sealed - kept;
            }
            ready!(self.poll_send(cx))?;
        };
        self.fresh += taken;
        Poll::Ready(Ok(taken))
    }

    /// Keeps all of `buffers` but the first bytes, which are sealed.
    fn keep(&mut self, buffers: &[IoSlice<'_>], mut sealed: usize) {
        for buffer in buffers {
            let part = sealed.min(buffer.len());
            sealed -= part;
            if part < buffer.len() && self.rest.capacity() == 0 {
                self.rest.reserve(SMALL);
            }
            self.rest.extend_from_slice(&buffer[part..]);
        }
    }

    /// Seals what does not fill a record.
    fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.rest.is_empty() {
            let sealed = self.seal(&[], self.rest.len())?;
            self.rest.advance(sealed);
            if sealed == 0 {
                ready!(self.poll_send(cx))?;
            }
        }
        // A connection that waits for its next request keeps no memory.
        self.rest = BytesMut::new();
        Poll::Ready(Ok(()))
    }

    /// Sends what is sealed.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_flush_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty(cx))?;
        self.poll_send(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_woken {
            // If the client takes nothing now, the task is woken when it does.
            match self.poll_flush_all(cx) {
                Poll::Ready(flushed) => {
                    self.is_woken = false;
                    flushed?;
                }
                Poll::Pending => {}
            }
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_gather(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_gather(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.fresh) >= LONG && self.puts_off {
            if !self.is_woken {
                self.is_woken = true;
                cx.waker().wake_by_ref();
            }
            return Poll::Ready(Ok(()));
        }
        self.poll_flush_all(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::{Arc, LazyLock};

    use proptest::prelude::*;
    use rustls::pki_types::{PrivateKeyDer, ServerName};
    use rustls::{ClientConfig, RootCertStore, ServerConfig};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio_rustls::{TlsAcceptor, TlsConnector, client};

    use super::*;
    use crate::tls;

    const FRAME: usize = RECORD + 9;

    static ENDS: LazyLock<(TlsAcceptor, TlsConnector)> = LazyLock::new(|| {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let server = ServerConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let client = ClientConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        (Arc::new(server).into(), Arc::new(client).into())
    });
    const NAME: &str = "localhost";

    /// What a server writes into, and what the client has of it.
    async fn pair(pipe: usize) -> (Gathered<DuplexStream>, client::TlsStream<DuplexStream>) {
        let (near, far) = streams(pipe).await;
        (Gathered::new(near, true), far)
    }

    async fn streams(pipe: usize) -> (TlsStream<DuplexStream>, client::TlsStream<DuplexStream>) {
        let (near, far) = duplex(pipe);
        let (acceptor, connector) = &*ENDS;
        let name = ServerName::try_from(NAME).unwrap();
        let (near, far) = tokio::join!(acceptor.accept(near), connector.connect(name, far));
        (near.unwrap(), far.unwrap())
    }

    /// What has come so far.
    async fn came(far: &mut client::TlsStream<DuplexStream>) -> usize {
        let mut buffer = vec![0; RECORD];
        let mut length = 0;
        loop {
            let more = poll_fn(|cx| {
                let mut read = ReadBuf::new(&mut buffer);
                let _ = Pin::new(&mut *far).poll_read(cx, &mut read)?;
                Poll::Ready(io::Result::Ok(read.filled().len()))
            });
            match more.await.unwrap() {
                0 => return length,
                more => length += more,
            }
        }
    }

    /// Lets the stream be read once, as h2 does whenever it is polled.
    async fn poll_again(near: &mut Gathered<DuplexStream>) {
        poll_fn(|cx| {
            let _ = Pin::new(&mut *near).poll_read(cx, &mut ReadBuf::new(&mut [0]))?;
            Poll::Ready(io::Result::Ok(()))
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn frames_leave_many_records_at_a_time_and_the_rest_when_polled_again() {
        let (mut near, mut far) = pair(1024 * 1024).await;
        for _ in 0..16 {
            near.write_all(&[7; FRAME]).await.unwrap();
            near.flush().await.unwrap();
        }
        assert_eq!(came(&mut far).await, 0);
        near.write_all(&[7; FRAME]).await.unwrap();
        assert_eq!(came(&mut far).await, 16 * RECORD);
        near.flush().await.unwrap();
        poll_again(&mut near).await;
        assert_eq!(came(&mut far).await, 17 * FRAME - 16 * RECORD);
        assert_eq!(near.rest.capacity(), 0);
    }

    #[tokio::test]
    async fn what_is_short_leaves_when_it_is_flushed() {
        let (mut near, mut far) = pair(1024).await;
        near.write_all(b"head").await.unwrap();
        near.write_all(b"body").await.unwrap();
        assert_eq!(came(&mut far).await, 0);
        near.flush().await.unwrap();
        assert_eq!(came(&mut far).await, 8);
    }

    #[tokio::test]
    async fn a_second_flush_is_not_put_off() {
        let (mut near, mut far) = pair(1024 * 1024).await;
        near.write_all(&[7; FRAME]).await.unwrap();
        near.flush().await.unwrap();
        assert_eq!(came(&mut far).await, 0);
        near.flush().await.unwrap();
        assert_eq!(came(&mut far).await, FRAME);
    }

    #[tokio::test]
    async fn whoever_puts_off_a_flush_is_woken() {
        let (mut near, mut far) = pair(1024 * 1024).await;
        let mut is_flushed = false;
        tokio::spawn(poll_fn(move |cx| {
            if is_flushed {
                let read = Pin::new(&mut near).poll_read(cx, &mut ReadBuf::new(&mut [0]));
                assert!(read.is_pending());
            } else {
                is_flushed = true;
                let written = Pin::new(&mut near).poll_write(cx, &[7; FRAME]);
                assert!(matches!(written, Poll::Ready(Ok(FRAME))));
                assert!(Pin::new(&mut near).poll_flush(cx).is_ready());
            }
            Poll::<()>::Pending
        }));
        far.read_exact(&mut [0; FRAME]).await.unwrap();
    }

    #[tokio::test]
    async fn without_http2_no_flush_is_put_off() {
        let (near, mut far) = streams(1024 * 1024).await;
        let mut near = Gathered::new(near, false);
        near.write_all(&[7; FRAME]).await.unwrap();
        near.flush().await.unwrap();
        assert_eq!(came(&mut far).await, FRAME);
        assert_eq!(near.rest.capacity(), 0);
    }

    #[tokio::test]
    async fn what_is_flushed_together_is_one_record() {
        for puts_off in [false, true] {
            let (near, mut far) = streams(1024).await;
            let mut near = Gathered::new(near, puts_off);
            near.write_all(b"head").await.unwrap();
            near.write_all(b"body").await.unwrap();
            near.flush().await.unwrap();
            let mut record = [0; 16];
            assert_eq!(far.read(&mut record).await.unwrap(), 8);
            assert_eq!(&record[..8], b"headbody");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_added_or_moved(
            writes in prop::collection::vec((0..80_000_usize, any::<bool>()), 0..12),
            pipe in 1000..200_000_usize,
            puts_off: bool,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let length = writes.iter().map(|(length, _)| length).sum();
                let sent: Vec<u8> = (0..length).map(|n: usize| (n % 251) as u8).collect();
                let (near, mut far) = streams(pipe).await;
                let mut near = Gathered::new(near, puts_off);
                let writing = async {
                    let mut left = &sent[..];
                    for (length, flush) in &writes {
                        let (now, later) = left.split_at(*length);
                        let (head, tail) = now.split_at(length / 3);
                        let mut parts = &mut [IoSlice::new(head), IoSlice::new(tail)][..];
                        while !parts.is_empty() && *length > 0 {
                            let written = near.write_vectored(parts).await.unwrap();
                            IoSlice::advance_slices(&mut parts, written);
                        }
                        if *flush {
                            near.flush().await.unwrap();
                        }
                        left = later;
                    }
                    near.shutdown().await.unwrap();
                };
                let mut got = Vec::new();
                let ((), read) = tokio::join!(writing, far.read_to_end(&mut got));
                read.unwrap();
                assert!(got == sent, "{} bytes sent, {} came", sent.len(), got.len());
            });
        }
    }
}
