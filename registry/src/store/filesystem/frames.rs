//! A range of a file as a stream of frames.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use fs_err::File;
use fs_err::os::unix::fs::FileExt;
use futures_util::Stream;
use tokio::task::{JoinHandle, spawn_blocking};

use super::quick;

/// Bytes in one frame. Measured over TLS: faster than 64 KiB, for which the
/// calls cost too much, and than 1 MiB, which falls out of the CPU's cache
/// between the read and the encryption.
const FRAME: usize = 256 * 1024;

/// Frames that are kept for the next use: 2 MiB.
const KEPT_FRAMES: usize = 8;

/// The bytes of a range of a file.
pub(super) struct Frames {
    file: Arc<File>,
    left: Range<u64>,
    pool: Arc<Pool>,
    /// Whether the file system can say that a read would have to wait.
    quick: bool,
    pending: Option<JoinHandle<io::Result<Frame>>>,
}

impl Frames {
    pub(super) fn new(file: Arc<File>, range: Range<u64>, pool: Arc<Pool>) -> Self {
        Self {
            file,
            left: range,
            pool,
            quick: true,
            pending: None,
        }
    }

    fn take(&mut self, frame: Frame) -> Bytes {
        self.left.start += frame.length as u64;
        Bytes::from_owner(frame)
    }
}

impl Stream for Frames {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(pending) = &mut this.pending {
                let read = ready!(Pin::new(pending).poll(context));
                this.pending = None;
                let frame = read.map_err(io::Error::other).flatten();
                return Poll::Ready(Some(frame.map(|frame| this.take(frame))));
            }
            if this.left.is_empty() {
                return Poll::Ready(None);
            }
            let wanted = usize::try_from(this.left.end - this.left.start)
                .unwrap_or(FRAME)
                .min(FRAME);
            let mut frame = this.pool.frame(wanted);
            let offset = this.left.start;

            if this.quick {
                match quick::read_now(&this.file, &mut frame.buffer[..wanted], offset) {
                    Some(Ok(0)) => return Poll::Ready(Some(Err(cut_short(offset)))),
                    Some(Ok(read)) => {
                        frame.length = read;
                        return Poll::Ready(Some(Ok(this.take(frame))));
                    }
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => {}
                }
            }
            let file = Arc::clone(&this.file);
            this.pending = Some(spawn_blocking(move || {
                file.read_exact_at(&mut frame.buffer[..wanted], offset)
                    .map_err(|error| match error.kind() {
                        io::ErrorKind::UnexpectedEof => cut_short(offset),
                        _ => error,
                    })?;
                frame.length = wanted;
                Ok(frame)
            }));
        }
    }
}

/// The file is shorter than it was when it was opened.
fn cut_short(offset: u64) -> io::Error {
    let message = format!("the blob ends within the {FRAME} bytes from offset {offset}");
    io::Error::new(io::ErrorKind::UnexpectedEof, message)
}

/// Buffers that go round: filling a fresh one with zeros for every read would
/// cost about as much as the read.
#[derive(Debug, Default)]
pub(super) struct Pool {
    idle: Mutex<Vec<Box<[u8]>>>,
}

impl Pool {
    fn frame(self: &Arc<Self>, wanted: usize) -> Frame {
        let recycled = if wanted < FRAME {
            None
        } else {
            self.idle().pop()
        };
        let buffer = recycled.unwrap_or_else(|| vec![0; wanted].into_boxed_slice());
        Frame {
            buffer,
            length: 0,
            pool: Arc::clone(self),
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Box<[u8]>>> {
        // Push and pop leave nothing half done if they panic.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A buffer that has been read into.
struct Frame {
    buffer: Box<[u8]>,
    length: usize,
    pool: Arc<Pool>,
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        if self.buffer.len() == FRAME {
            let mut idle = self.pool.idle();
            if idle.len() < KEPT_FRAMES {
                idle.push(std::mem::take(&mut self.buffer));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use futures_util::{StreamExt, TryStreamExt};
    use proptest::prelude::*;

    use super::*;

    fn content(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at * 31 % 251) as u8).collect()
    }

    fn file(content: &[u8]) -> Arc<File> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        Arc::new(File::from_parts(file, "blob"))
    }

    async fn collect(mut frames: Frames, quick: bool) -> io::Result<Vec<u8>> {
        frames.quick = quick;
        frames
            .try_fold(Vec::new(), |mut all, frame| async move {
                all.extend_from_slice(&frame);
                Ok(all)
            })
            .await
    }

    #[tokio::test]
    async fn both_ways_give_the_range_and_nothing_else() {
        let content = content(3 * FRAME + 17);
        let file = file(&content);
        let pool = Arc::new(Pool::default());
        for range in [
            0..content.len(),
            5..6,
            7..7,
            FRAME - 1..2 * FRAME + 1,
            3 * FRAME..content.len(),
        ] {
            for quick in [true, false] {
                let frames = Frames::new(
                    Arc::clone(&file),
                    range.start as u64..range.end as u64,
                    Arc::clone(&pool),
                );
                assert_eq!(
                    collect(frames, quick).await.unwrap(),
                    content[range.clone()]
                );
            }
        }
        assert!(pool.idle().len() <= KEPT_FRAMES);
    }

    #[tokio::test]
    async fn a_file_that_shrank_is_an_error_and_no_end() {
        for quick in [true, false] {
            let file = file(&content(FRAME + 10));
            let range = 0..(FRAME as u64 + 20);
            let error = collect(Frames::new(file, range, Arc::default()), quick)
                .await
                .unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[tokio::test]
    async fn a_frame_in_use_is_not_given_out_again() {
        let content = content(2 * FRAME);
        let pool = Arc::new(Pool::default());
        let mut frames = Frames::new(file(&content), 0..2 * FRAME as u64, Arc::clone(&pool));
        let first = frames.next().await.unwrap().unwrap();
        let second = frames.next().await.unwrap().unwrap();
        assert_eq!([&first[..], &second[..]].concat(), content);
        drop((first, second));
        assert!(!pool.idle().is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn any_range_is_exact(start in 0..600_000_usize, length in 0..600_000_usize) {
            let content = content(1_200_000);
            let range = start as u64..(start + length) as u64;
            let frames = Frames::new(file(&content), range, Arc::default());
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let read = runtime.block_on(collect(frames, true)).unwrap();
            prop_assert!(read == content[start..start + length]);
        }
    }
}
