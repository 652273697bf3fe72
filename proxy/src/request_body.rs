//! The body of a request on its way to a backend in this process.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::{mpsc, oneshot};

use crate::backend::BoxError;

/// Pieces that may wait between the connection and the backend. Enough to keep
/// both busy, few enough that a slow backend slows the client down.
const PIECES_IN_TRANSIT: usize = 4;

/// The body of a request: frames as they arrive, with back-pressure.
///
/// It ends cleanly only if the client finished it; a connection that breaks
/// off, or a request that is given up, ends it with an error.
#[derive(Debug)]
pub struct RequestBody(Source);

#[derive(Debug)]
enum Source {
    Ended,
    Streamed {
        pieces: mpsc::Receiver<Piece>,
        /// Dropped at the first poll, which is how the sender learns of it.
        unpolled: Option<oneshot::Sender<()>>,
        /// Bytes still to come, where the client said how many.
        remaining: Option<u64>,
    },
}

#[derive(Debug)]
enum Piece {
    Data(Bytes),
    End,
    Broken(BoxError),
}

/// Why a request's body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BrokenOff {
    /// The connection failed, or what it carried could not be understood.
    #[error("the client's body broke off")]
    Connection(#[source] BoxError),
    /// The request was given up, as when the process stops.
    #[error("the request was given up before its body had been read")]
    Abandoned,
}

impl RequestBody {
    /// A body without content.
    #[must_use]
    pub fn empty() -> Self {
        Self(Source::Ended)
    }

    /// A body and the sender that feeds it. `length` is the `Content-Length`.
    pub(crate) fn channel(length: Option<u64>) -> (BodySender, Self) {
        let (sender, pieces) = mpsc::channel(PIECES_IN_TRANSIT);
        let (unpolled, polled) = oneshot::channel();
        let body = Self(Source::Streamed {
            pieces,
            unpolled: Some(unpolled),
            remaining: length,
        });
        (
            BodySender {
                pieces: sender,
                polled,
            },
            body,
        )
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Source::Streamed {
            pieces,
            unpolled,
            remaining,
        } = &mut self.0
        else {
            return Poll::Ready(None);
        };
        drop(unpolled.take());
        let last = match std::task::ready!(pieces.poll_recv(cx)) {
            Some(Piece::Data(data)) => {
                if let Some(remaining) = remaining {
                    *remaining = remaining.saturating_sub(data.len() as u64);
                }
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            Some(Piece::End) => None,
            Some(Piece::Broken(cause)) => Some(Err(BrokenOff::Connection(cause).into())),
            // The sender went without a word: never a clean end.
            None => Some(Err(BrokenOff::Abandoned.into())),
        };
        self.0 = Source::Ended;
        Poll::Ready(last)
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Source::Ended)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Ended => SizeHint::with_exact(0),
            Source::Streamed {
                remaining: Some(remaining),
                ..
            } => SizeHint::with_exact(*remaining),
            Source::Streamed {
                remaining: None, ..
            } => SizeHint::default(),
        }
    }
}

/// Feeds a [`RequestBody`].
pub(crate) struct BodySender {
    pieces: mpsc::Sender<Piece>,
    polled: oneshot::Receiver<()>,
}

/// Room for one piece.
pub(crate) struct Room<'a>(mpsc::Permit<'a, Piece>);

impl BodySender {
    /// Waits until the body is polled or dropped; whether it still exists.
    pub(crate) async fn polled(&mut self) -> bool {
        // Nothing is ever sent: the other half is dropped at the first poll.
        let _ = (&mut self.polled).await;
        !self.pieces.is_closed()
    }

    /// Waits for room; `None` if nobody reads the body any more.
    pub(crate) async fn room(&self) -> Option<Room<'_>> {
        self.pieces.reserve().await.ok().map(Room)
    }
}

impl Room<'_> {
    pub(crate) fn data(self, data: Bytes) {
        self.0.send(Piece::Data(data));
    }

    pub(crate) fn end(self) {
        self.0.send(Piece::End);
    }

    pub(crate) fn broken(self, cause: BoxError) {
        self.0.send(Piece::Broken(cause));
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn what_is_sent_arrives_and_the_length_counts_down() {
        let (sender, mut body) = RequestBody::channel(Some(8));
        assert_eq!(body.size_hint().exact(), Some(8));
        sender
            .room()
            .await
            .unwrap()
            .data(Bytes::from_static(b"12345"));
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "12345");
        assert_eq!(body.size_hint().exact(), Some(3));
        assert!(!body.is_end_stream());
        sender
            .room()
            .await
            .unwrap()
            .data(Bytes::from_static(b"678"));
        sender.room().await.unwrap().end();
        assert_eq!(body.collect().await.unwrap().to_bytes(), "678");
    }

    #[tokio::test]
    async fn a_sender_that_vanishes_is_not_a_clean_end() {
        let (sender, mut body) = RequestBody::channel(None);
        sender.room().await.unwrap().data(Bytes::from_static(b"1"));
        drop(sender);
        assert!(body.frame().await.unwrap().is_ok());
        let error = body.frame().await.unwrap().unwrap_err();
        assert!(matches!(
            error.downcast_ref::<BrokenOff>(),
            Some(BrokenOff::Abandoned)
        ));
        assert!(body.frame().await.is_none());
        assert!(body.is_end_stream());
    }

    #[tokio::test]
    async fn a_reader_that_vanishes_leaves_no_room() {
        let (sender, body) = RequestBody::channel(None);
        drop(body);
        assert!(sender.room().await.is_none());
    }

    #[tokio::test]
    async fn the_first_poll_is_noticed_and_so_is_its_absence() {
        let (mut sender, mut body) = RequestBody::channel(None);
        let (wanted, ()) = tokio::join!(sender.polled(), async {
            assert!(futures_util::FutureExt::now_or_never(body.frame()).is_none());
        });
        assert!(wanted);

        let (mut sender, body) = RequestBody::channel(None);
        drop(body);
        assert!(!sender.polled().await);
    }
}
