//! How the end of a backend's response is told to the client.

use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use http_body::Body;

use crate::backend::ResponseBody;

/// How a response's end is told (RFC 9112, section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// No body may follow, whatever the header says.
    None,
    /// HEAD: the header describes a body that does not follow.
    Described,
    /// A body, of a length if it is known.
    Body { length: Option<u64> },
}

impl Framing {
    pub(super) fn of(
        method: &Method,
        status: StatusCode,
        headers: &HeaderMap,
        body: &ResponseBody,
    ) -> Self {
        if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            Self::None
        } else if method == Method::HEAD {
            Self::Described
        } else {
            let length = content_length(headers).or_else(|| body.size_hint().exact());
            Self::Body { length }
        }
    }

    pub(super) fn apply(self, version: Version, headers: &mut HeaderMap) {
        headers.remove(TRANSFER_ENCODING);
        headers.remove(CONNECTION);
        match self {
            Self::None => {
                headers.remove(CONTENT_LENGTH);
            }
            Self::Described => {}
            Self::Body {
                length: Some(length),
            } => {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
            }
            Self::Body { length: None } if version == Version::HTTP_11 => {
                headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            }
            // HTTP/1.0 ends with the connection, HTTP/2 frames by itself.
            Self::Body { length: None } => {}
        }
    }
}

pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::{BodyExt, Empty, Full, StreamBody};

    use super::*;
    use crate::backend::BoxError;

    fn full(content: &'static str) -> ResponseBody {
        let body = Full::new(Bytes::from_static(content.as_bytes()));
        body.map_err(|never| match never {}).boxed_unsync()
    }

    fn unsized_body() -> ResponseBody {
        let frames = futures_util::stream::empty::<Result<http_body::Frame<Bytes>, BoxError>>();
        BodyExt::boxed_unsync(StreamBody::new(frames))
    }

    fn framed(method: Method, status: u16, length: Option<u64>, body: &ResponseBody) -> Framing {
        let mut headers = HeaderMap::new();
        if let Some(length) = length {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        let status = StatusCode::from_u16(status).unwrap();
        Framing::of(&method, status, &headers, body)
    }

    #[test]
    fn the_length_comes_from_the_header_or_the_body() {
        let of = |length, body: &ResponseBody| framed(Method::GET, 200, length, body);
        assert_eq!(of(None, &full("abc")), Framing::Body { length: Some(3) });
        assert_eq!(
            of(Some(3), &unsized_body()),
            Framing::Body { length: Some(3) }
        );
        assert_eq!(of(None, &unsized_body()), Framing::Body { length: None });
        let empty = Empty::new().map_err(|never| match never {}).boxed_unsync();
        assert_eq!(of(None, &empty), Framing::Body { length: Some(0) });
    }

    #[test]
    fn some_answers_have_no_body() {
        assert_eq!(framed(Method::GET, 204, Some(0), &full("x")), Framing::None);
        assert_eq!(framed(Method::GET, 304, None, &full("x")), Framing::None);
        assert_eq!(
            framed(Method::HEAD, 200, Some(7), &full("")),
            Framing::Described
        );
    }

    #[test]
    fn the_header_tells_what_the_protocol_needs() {
        let applied = |framing: Framing, version| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_LENGTH, HeaderValue::from(7));
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("gzip"));
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
            if framing == (Framing::Body { length: None }) {
                headers.remove(CONTENT_LENGTH);
            }
            framing.apply(version, &mut headers);
            let text = |name| {
                headers
                    .get(name)
                    .map(|value: &HeaderValue| value.to_str().unwrap().to_owned())
            };
            assert!(!headers.contains_key(CONNECTION));
            (text(CONTENT_LENGTH), text(TRANSFER_ENCODING))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(applied(Framing::None, Version::HTTP_11), (None, None));
        assert_eq!(
            applied(Framing::Described, Version::HTTP_11),
            (some("7"), None)
        );
        let length = Some(9);
        assert_eq!(
            applied(Framing::Body { length }, Version::HTTP_2),
            (some("9"), None)
        );
        let length = None;
        assert_eq!(
            applied(Framing::Body { length }, Version::HTTP_11),
            (None, some("chunked"))
        );
        assert_eq!(
            applied(Framing::Body { length }, Version::HTTP_10),
            (None, None)
        );
        assert_eq!(
            applied(Framing::Body { length }, Version::HTTP_2),
            (None, None)
        );
    }
}
