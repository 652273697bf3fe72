//! The body of an answer.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use http_body::{Frame, SizeHint};

use crate::metrics::InFlight;
use crate::store::ByteStream;

/// The bytes of an answer, of which the number is known before the first.
///
/// A stream that ends too early is an error of the body, so that whoever sends
/// it cuts the connection: a client never takes a part for the whole.
#[derive(Default)]
pub struct Body {
    parts: Parts,
    left: u64,
    /// Who counts what goes out, and when it has.
    watch: Option<InFlight>,
}

#[derive(Default)]
enum Parts {
    #[default]
    None,
    One(Part),
    Many(VecDeque<Part>),
}

/// A piece of a body.
pub(super) enum Part {
    /// In memory.
    Bytes(Bytes),
    /// Still to be read: as many bytes as the number says.
    Stream(ByteStream, u64),
}

impl Body {
    /// No bytes.
    pub fn empty() -> Self {
        Self::default()
    }

    pub(super) fn full(bytes: Bytes) -> Self {
        let left = bytes.len() as u64;
        Self {
            parts: Parts::One(Part::Bytes(bytes)),
            left,
            watch: None,
        }
    }

    pub(super) fn stream(stream: ByteStream, length: u64) -> Self {
        Self {
            parts: Parts::One(Part::Stream(stream, length)),
            left: length,
            watch: None,
        }
    }

    /// One part after the other.
    pub(super) fn parts(parts: VecDeque<Part>) -> Self {
        let left = parts.iter().map(Part::length).sum();
        Self {
            parts: Parts::Many(parts),
            left,
            watch: None,
        }
    }

    /// Has the request counted when this is dropped, with what has gone out.
    pub(super) fn watch(&mut self, in_flight: InFlight) {
        self.watch = Some(in_flight);
    }

    /// How many bytes are still to come.
    pub(super) fn length(&self) -> u64 {
        self.left
    }
}

impl Part {
    fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Stream(_, length) => *length,
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let (stream, length) = match self {
            Self::Bytes(bytes) => return Poll::Ready(Ok(std::mem::take(bytes))),
            Self::Stream(stream, length) => (stream, length),
        };
        let next = ready!(Pin::new(stream).poll_next(context)).unwrap_or_else(|| {
            let message = format!("the content ends {length} bytes early");
            Err(io::Error::new(io::ErrorKind::UnexpectedEof, message))
        })?;
        *length = length.checked_sub(next.len() as u64).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "the content is longer than announced",
            )
        })?;
        Poll::Ready(Ok(next))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        while self.left > 0 {
            let part = match &mut self.parts {
                Parts::None => return Poll::Ready(None),
                Parts::One(part) => part,
                Parts::Many(parts) => {
                    while parts.front().is_some_and(|part| part.length() == 0) {
                        parts.pop_front();
                    }
                    let Some(part) = parts.front_mut() else {
                        return Poll::Ready(None);
                    };
                    part
                }
            };
            let bytes = ready!(part.poll(context)).inspect_err(|_| self.left = 0)?;
            self.left -= bytes.len() as u64;
            if let Some(in_flight) = &mut self.watch {
                in_flight.sent(bytes.len() as u64);
            }
            if !bytes.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.left)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use http_body::Body as _;
    use http_body_util::BodyExt;

    use super::*;

    fn stream_of(pieces: &[&'static str]) -> ByteStream {
        let pieces: Vec<_> = pieces
            .iter()
            .map(|piece| Ok(Bytes::from_static(piece.as_bytes())))
            .collect();
        stream::iter(pieces).boxed()
    }

    #[tokio::test]
    async fn parts_follow_each_other() {
        let parts = [
            Part::Bytes("<".into()),
            Part::Stream(stream_of(&["ab", "", "c"]), 3),
            Part::Stream(stream_of(&[]), 0),
            Part::Bytes("".into()),
            Part::Bytes(">".into()),
        ];
        let body = Body::parts(parts.into());
        assert_eq!(body.size_hint().exact(), Some(5));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "<abc>");
    }

    #[tokio::test]
    async fn a_wrong_length_is_an_error() {
        for (pieces, length, kind) in [
            (&["abc"][..], 4, io::ErrorKind::UnexpectedEof),
            (&[][..], 1, io::ErrorKind::UnexpectedEof),
            (&["abc", "d"][..], 2, io::ErrorKind::InvalidData),
        ] {
            let error = Body::stream(stream_of(pieces), length)
                .collect()
                .await
                .unwrap_err();
            assert_eq!(error.kind(), kind);
        }
    }

    #[tokio::test]
    async fn an_empty_body_is_at_its_end() {
        for body in [
            Body::empty(),
            Body::full(Bytes::new()),
            Body::stream(stream_of(&[]), 0),
        ] {
            assert!(body.is_end_stream());
            assert!(body.collect().await.unwrap().to_bytes().is_empty());
        }
    }
}
