//! Taking in the body of a request.
//!
//! A body that breaks off is never taken for a complete one: neither one that
//! ends with an error, nor one that is shorter or longer than it was said to
//! be.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::Body as _;
use http_body_util::BodyExt;
use serde_json::json;

use super::error::{ApiError, Code};
use super::headers;
use super::{BoxError, RequestBody};
use crate::store::Upload;

/// The length that a request says its body has.
pub(super) fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers::text(headers, CONTENT_LENGTH)?.parse().ok()
}

/// Whether it is known, before anything is read, that no body comes.
pub(super) fn is_empty(headers: &HeaderMap, body: &RequestBody) -> bool {
    body.is_end_stream() || announced_length(headers) == Some(0)
}

/// Writes a body into an upload: all of it, or as much as comes. `length` is
/// what the request says it has, if it says so.
pub(super) async fn into_upload(
    upload: &mut dyn Upload,
    mut body: RequestBody,
    length: Option<u64>,
) -> Result<(), ApiError> {
    let mut received = 0_u64;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken_off(Code::BlobUploadInvalid, &error))?;
        let Ok(data) = frame.into_data() else {
            continue; // Trailers mean nothing here.
        };
        received += data.len() as u64;
        if length.is_some_and(|length| received > length) {
            return Err(wrong_length(length, received));
        }
        upload.write(data).await?;
    }
    match length {
        Some(expected) if expected != received => Err(wrong_length(length, received)),
        _ => Ok(()),
    }
}

/// A body that may be too large to be taken.
pub(super) enum Limited {
    Whole(Bytes),
    TooLarge,
}

/// Takes the whole body of a manifest into memory, unless it has more than `limit` bytes.
pub(super) async fn all(
    headers: &HeaderMap,
    mut body: RequestBody,
    limit: usize,
) -> Result<Limited, ApiError> {
    let length = announced_length(headers);
    if length.is_some_and(|length| length > limit as u64) {
        return Ok(Limited::TooLarge);
    }
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken_off(Code::ManifestInvalid, &error))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > limit {
            return Ok(Limited::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    match length {
        Some(expected) if expected != bytes.len() as u64 => {
            Err(wrong_length(length, bytes.len() as u64))
        }
        _ => Ok(Limited::Whole(bytes.freeze())),
    }
}

/// The client has gone, as a rule, and nobody reads the answer.
fn broken_off(code: Code, error: &BoxError) -> ApiError {
    tracing::debug!(error = %error, "the body of a request broke off");
    ApiError::new(code).detail("the body of the request broke off")
}

fn wrong_length(expected: Option<u64>, received: u64) -> ApiError {
    ApiError::new(Code::SizeInvalid).detail(json!({ "expected": expected, "received": received }))
}
