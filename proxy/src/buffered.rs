//! Buffers of a connection that are there only while something is in them.
//!
//! Most connections of a registry wait for their next request most of the time,
//! and thousands of them may. tokio's `BufStream` keeps its buffers for as long
//! as the connection lives.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

/// What is read at once while no more comes: a handshake, a request.
const SMALL_READ: usize = 8 * 1024;
/// What is read at once while the client sends as fast as it can. rustls asks
/// for 4 KiB at a time; one system call fetches eight TLS records, and tells the
/// client once that there is room for more.
const LARGE_READ: usize = 128 * 1024;
/// A small answer, header and body, leaves in one segment.
const WRITE: usize = 16 * 1024;

/// A stream with fewer and larger reads and writes.
#[derive(Debug)]
pub(crate) struct Buffered<S> {
    stream: S,
    /// What has come and nobody has taken.
    read: BytesMut,
    read_size: usize,
    /// What is to be sent.
    written: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Buffered<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            read: BytesMut::new(),
            read_size: SMALL_READ,
            written: BytesMut::new(),
        }
    }

    /// Fetches something, if there is something.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.read.reserve(self.read_size);
        let room = self.read.capacity();
        let fetched = poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.read);
        let Poll::Ready(fetched) = fetched else {
            self.read = BytesMut::new();
            return Poll::Pending;
        };
        let length = fetched?;
        if length == room {
            self.read_size = LARGE_READ;
        } else if length <= SMALL_READ {
            self.read_size = SMALL_READ;
        }
        Poll::Ready(Ok(()))
    }

    /// What has come and nobody has taken; nothing at the end.
    pub(crate) fn poll_peek(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        if self.read.is_empty() {
            ready!(self.poll_fill(cx))?;
        }
        Poll::Ready(Ok(&self.read))
    }

    /// Sends what is to be sent.
    fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.written.is_empty() {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.written))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written.advance(sent);
        }
        self.written = BytesMut::new();
        Poll::Ready(Ok(()))
    }

    /// Makes room for `length` bytes. False if they are too many to be kept.
    fn poll_room(&mut self, cx: &mut Context<'_>, length: usize) -> Poll<io::Result<bool>> {
        if self.written.len() + length > WRITE {
            ready!(self.poll_empty(cx))?;
        }
        if length >= WRITE {
            return Poll::Ready(Ok(false));
        }
        if self.written.capacity() == 0 {
            self.written.reserve(WRITE);
        }
        Poll::Ready(Ok(true))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Buffered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.read.is_empty() {
            if buffer.remaining() >= LARGE_READ {
                return Pin::new(&mut this.stream).poll_read(cx, buffer);
            }
            ready!(this.poll_fill(cx))?;
        }
        let length = this.read.len().min(buffer.remaining());
        buffer.put_slice(&this.read[..length]);
        this.read.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Buffered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if ready!(this.poll_room(cx, bytes.len()))? {
            this.written.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut this.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let length = buffers.iter().map(|buffer| buffer.len()).sum();
        if ready!(this.poll_room(cx, length))? {
            for buffer in buffers {
                this.written.extend_from_slice(buffer);
            }
            return Poll::Ready(Ok(length));
        }
        Pin::new(&mut this.stream).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    fn pair() -> (Buffered<DuplexStream>, DuplexStream) {
        let (near, far) = duplex(4 * LARGE_READ);
        (Buffered::new(near), far)
    }

    #[tokio::test]
    async fn a_waiting_connection_has_no_buffers() {
        let (mut near, mut far) = pair();
        far.write_all(b"request").await.unwrap();
        let mut request = [0; 7];
        near.read_exact(&mut request).await.unwrap();
        near.write_all(b"answer").await.unwrap();
        near.flush().await.unwrap();
        let waiting = tokio::time::timeout(std::time::Duration::ZERO, near.read_u8()).await;
        waiting.unwrap_err();
        assert_eq!(near.read.capacity(), 0);
        assert_eq!(near.written.capacity(), 0);
    }

    #[tokio::test]
    async fn reads_grow_while_much_comes_and_shrink_again() {
        let (mut near, mut far) = pair();
        far.write_all(&[7; 3 * LARGE_READ]).await.unwrap();
        let mut taken = vec![0; SMALL_READ];
        near.read_exact(&mut taken).await.unwrap();
        assert_eq!(near.read_size, LARGE_READ);
        for _ in 1..3 * LARGE_READ / SMALL_READ {
            near.read_exact(&mut taken).await.unwrap();
        }
        far.write_all(b"x").await.unwrap();
        assert_eq!(near.read_u8().await.unwrap(), b'x');
        assert_eq!(near.read_size, SMALL_READ);
    }

    #[tokio::test]
    async fn small_writes_leave_together_and_only_when_asked() {
        let (mut near, mut far) = pair();
        near.write_all(b"head").await.unwrap();
        near.write_all(b"body").await.unwrap();
        let early = tokio::time::timeout(std::time::Duration::ZERO, far.read_u8()).await;
        early.unwrap_err();
        near.flush().await.unwrap();
        let mut read = [0; 16];
        assert_eq!(far.read(&mut read).await.unwrap(), 8);
        assert_eq!(&read[..8], b"headbody");
    }

    #[tokio::test]
    async fn the_end_is_seen_and_sent() {
        let (mut near, mut far) = pair();
        near.write_all(b"last").await.unwrap();
        near.shutdown().await.unwrap();
        let mut read = Vec::new();
        far.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"last");
        far.shutdown().await.unwrap();
        assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 0);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_added_or_moved(
            writes in prop::collection::vec(0..80_000_usize, 0..12),
            reads in prop::collection::vec(1..100_000_usize, 1..6),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let sent: Vec<u8> = (0..writes.iter().sum()).map(|n: usize| (n % 251) as u8).collect();
                let (mut near, far) = pair();
                let mut far = Buffered::new(far);
                let writing = async {
                    let mut left = &sent[..];
                    for length in &writes {
                        let (now, later) = left.split_at(*length);
                        let (head, tail) = now.split_at(length / 3);
                        let mut parts = &mut [IoSlice::new(head), IoSlice::new(tail)][..];
                        while !parts.is_empty() && *length > 0 {
                            let written = near.write_vectored(parts).await.unwrap();
                            IoSlice::advance_slices(&mut parts, written);
                        }
                        left = later;
                    }
                    near.shutdown().await.unwrap();
                };
                let reading = async {
                    let mut got = Vec::new();
                    for size in reads.iter().cycle() {
                        let mut buffer = vec![0; *size];
                        let length = far.read(&mut buffer).await.unwrap();
                        if length == 0 {
                            break;
                        }
                        got.extend_from_slice(&buffer[..length]);
                    }
                    got
                };
                let ((), got) = tokio::join!(writing, reading);
                assert!(got == sent, "{} bytes sent, {} came", sent.len(), got.len());
            });
        }
    }
}
