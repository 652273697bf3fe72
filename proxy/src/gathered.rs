//! Frames of HTTP/2 on their way into TLS, several at a time.
//!
//! h2 flushes after each frame, of 16 KiB for nearly every client. With its nine
//! bytes of header each would be two TLS records and a system call of its own.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is handed on at once: four full TLS records.
const ROOM: usize = 64 * 1024;
/// A flush after as much as this is taken for one in the middle of something longer.
const LONG: usize = 8 * 1024;

/// A stream that gathers what is written.
///
/// A flush in the middle of something longer is put off until the task is polled
/// again, for which it is woken at once: by then h2 has written whatever else it
/// had. It reads whenever it is polled, and what waits leaves before that.
#[derive(Debug)]
pub(crate) struct Gathered<S> {
    stream: S,
    /// Whether anything is gathered at all: HTTP/1.1 flushes when it should.
    gathers: bool,
    waiting: BytesMut,
    /// What was written since the last flush, in bytes.
    fresh: usize,
    /// The task was woken to flush.
    is_woken: bool,
}

impl<S> Gathered<S> {
    pub(crate) fn new(stream: S, gathers: bool) -> Self {
        Self {
            stream,
            gathers,
            waiting: BytesMut::new(),
            fresh: 0,
            is_woken: false,
        }
    }

    pub(crate) fn get_ref(&self) -> &S {
        &self.stream
    }

    pub(crate) fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }
}

impl<S: AsyncWrite + Unpin> Gathered<S> {
    /// Hands on what waits.
    fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            let taken = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.waiting))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.waiting.advance(taken);
        }
        // A connection that waits for its next request keeps no memory.
        self.waiting = BytesMut::new();
        Poll::Ready(Ok(()))
    }

    fn poll_flush_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Takes what there is room for, once there is any.
    fn poll_gather<'a>(
        &mut self,
        cx: &mut Context<'_>,
        buffers: impl Iterator<Item = &'a [u8]>,
    ) -> Poll<io::Result<usize>> {
        if self.waiting.len() >= ROOM {
            ready!(self.poll_empty(cx))?;
        }
        if self.waiting.capacity() == 0 {
            self.waiting.reserve(ROOM);
        }
        let before = self.waiting.len();
        for buffer in buffers {
            let room = ROOM - self.waiting.len();
            self.waiting
                .extend_from_slice(&buffer[..buffer.len().min(room)]);
        }
        let taken = self.waiting.len() - before;
        self.fresh += taken;
        Poll::Ready(Ok(taken))
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

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.gathers {
            return Pin::new(&mut self.stream).poll_write(cx, bytes);
        }
        self.poll_gather(cx, std::iter::once(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !self.gathers {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, buffers);
        }
        self.poll_gather(cx, buffers.iter().map(|buffer| &**buffer))
    }

    fn is_write_vectored(&self) -> bool {
        self.gathers || self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.fresh) >= LONG {
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

    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    const FRAME: usize = 16 * 1024 + 9;

    fn pair(pipe: usize) -> (Gathered<DuplexStream>, DuplexStream) {
        let (near, far) = duplex(pipe);
        (Gathered::new(near, true), far)
    }

    /// What has come so far.
    async fn came(far: &mut DuplexStream) -> usize {
        let mut buffer = vec![0; 1024 * 1024];
        poll_fn(|cx| {
            let mut read = ReadBuf::new(&mut buffer);
            let _ = Pin::new(&mut *far).poll_read(cx, &mut read)?;
            Poll::Ready(io::Result::Ok(read.filled().len()))
        })
        .await
        .unwrap()
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
    async fn frames_leave_four_records_at_a_time_and_the_rest_when_polled_again() {
        let (mut near, mut far) = pair(1024 * 1024);
        for _ in 0..5 {
            near.write_all(&[7; FRAME]).await.unwrap();
            near.flush().await.unwrap();
        }
        assert_eq!(came(&mut far).await, ROOM);
        poll_again(&mut near).await;
        assert_eq!(came(&mut far).await, 5 * FRAME - ROOM);
        assert_eq!(near.waiting.capacity(), 0);
    }

    #[tokio::test]
    async fn what_is_short_leaves_when_it_is_flushed() {
        let (mut near, mut far) = pair(1024);
        near.write_all(b"head").await.unwrap();
        near.write_all(b"body").await.unwrap();
        assert_eq!(came(&mut far).await, 0);
        near.flush().await.unwrap();
        assert_eq!(came(&mut far).await, 8);
    }

    #[tokio::test]
    async fn a_second_flush_is_not_put_off() {
        let (mut near, mut far) = pair(1024 * 1024);
        near.write_all(&[7; FRAME]).await.unwrap();
        near.flush().await.unwrap();
        assert_eq!(came(&mut far).await, 0);
        near.flush().await.unwrap();
        assert_eq!(came(&mut far).await, FRAME);
    }

    #[tokio::test]
    async fn whoever_puts_off_a_flush_is_woken() {
        let (mut near, mut far) = pair(1024 * 1024);
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
    async fn without_http2_nothing_waits() {
        let (near, mut far) = duplex(1024);
        let mut near = Gathered::new(near, false);
        near.write_all(b"x").await.unwrap();
        assert_eq!(came(&mut far).await, 1);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_added_or_moved(
            writes in prop::collection::vec((0..80_000_usize, any::<bool>()), 0..12),
            pipe in 1..200_000_usize,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let length = writes.iter().map(|(length, _)| length).sum();
                let sent: Vec<u8> = (0..length).map(|n: usize| (n % 251) as u8).collect();
                let (mut near, mut far) = pair(pipe);
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
