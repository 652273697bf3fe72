//! `/v2/<name>/blobs/<digest>`

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, RANGE,
};
use http::{Method, StatusCode};

use super::body::Body;
use super::error::{ApiError, Code};
use super::range::{self, Selection};
use super::{Call, Response, conditional, headers, multipart, schema1};
use crate::oci::{Digest, RepoName};
use crate::schema1::{SigningKey, empty_layer};
use crate::store::{Blob, Store};

/// Content never changes under its digest: a cache may keep it for a year.
const CACHE_FOR_A_YEAR: HeaderValue = HeaderValue::from_static("max-age=31536000");
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// 200 with the blob, 206 with a part of it or several, 304 if the client has
/// it, 404 `BLOB_UNKNOWN`, 416 `RANGE_INVALID`.
pub(super) async fn get(
    store: &dyn Store,
    schema1: Option<&SigningKey>,
    call: &Call,
    repo: &RepoName,
    digest: &Digest,
) -> Result<Response, ApiError> {
    let blob = match schema1 {
        Some(_) => schema1::blob(store, repo, digest).await?,
        None => store.blob(repo, digest).await?,
    };
    // What is served from memory needs no claim.
    if call.is_relied_on() && !(schema1.is_some() && *digest == empty_layer()) {
        store.claim_blob(repo, digest).await?;
    }
    let mut response = if conditional::is_unchanged(&call.headers, digest) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let response = content(call, &*blob, digest)?;
        call.pulled_blob(repo, digest, blob.size()).await;
        response
    };
    let headers = response.headers_mut();
    headers.insert(headers::CONTENT_DIGEST, headers::value(digest));
    headers.insert(ETAG, headers::etag(digest));
    headers.insert(CACHE_CONTROL, CACHE_FOR_A_YEAR);
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    Ok(response)
}

/// 202, or 404 `BLOB_UNKNOWN`. The content stays until it is collected.
pub(super) async fn delete(
    store: &dyn Store,
    call: &Call,
    repo: &RepoName,
    digest: &Digest,
) -> Result<Response, ApiError> {
    store.delete_blob(repo, digest).await?;
    call.deleted_blob(repo, digest).await;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    response
        .headers_mut()
        .insert(headers::CONTENT_DIGEST, headers::value(digest));
    Ok(response)
}

fn content(call: &Call, blob: &dyn Blob, digest: &Digest) -> Result<Response, ApiError> {
    let size = blob.size();
    let (status, extra, body) = match selection(call, size, digest) {
        Selection::Whole => (
            StatusCode::OK,
            vec![(CONTENT_TYPE, OCTETS)],
            Body::stream(blob.read(0..size), size),
        ),
        Selection::Unsatisfiable => {
            let range = headers::value(format!("bytes */{size}"));
            return Err(ApiError::new(Code::RangeInvalid).header(CONTENT_RANGE, range));
        }
        Selection::Parts(mut parts) => match (parts.pop(), parts.is_empty()) {
            (Some(only), true) => {
                let range = headers::value(multipart::content_range(&only, size));
                let extra = vec![(CONTENT_TYPE, OCTETS), (CONTENT_RANGE, range)];
                let length = only.end - only.start;
                (
                    StatusCode::PARTIAL_CONTENT,
                    extra,
                    Body::stream(blob.read(only), length),
                )
            }
            (last, _) => {
                parts.extend(last);
                let (content_type, body) = multipart::byteranges(blob, parts);
                let extra = vec![(CONTENT_TYPE, headers::value(content_type))];
                (StatusCode::PARTIAL_CONTENT, extra, body)
            }
        },
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = HeaderMap::from_iter(extra);
    Ok(response)
}

fn selection(call: &Call, size: u64, digest: &Digest) -> Selection {
    // RFC 9110 §14.2: a range means something in a GET only.
    if call.method != Method::GET || !conditional::is_range_valid(&call.headers, digest) {
        return Selection::Whole;
    }
    headers::text(&call.headers, RANGE).map_or(Selection::Whole, |range| range::select(range, size))
}
