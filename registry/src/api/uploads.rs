//! `/v2/<name>/blobs/uploads/`: how a blob is pushed.

use http::StatusCode;
use http::header::{CONTENT_RANGE, HeaderMap, LOCATION, RANGE};
use prometheus_client::metrics::counter::Counter;
use serde_json::json;

use super::body::Body;
use super::error::{ApiError, Code};
use super::{Call, RequestBody, Response, headers, range, receive};
use crate::metrics::UploadMetrics;
use crate::oci::{Algorithm, Digest, DigestError, RepoName};
use crate::store::{Store, StoreError, Upload, UploadId};

/// 202 with where to send the bytes. With `mount`, 201 if the repository `from`,
/// or without it any, has the blob. With `digest` and a body, 201: the whole push in
/// one request.
pub(super) async fn start(
    store: &dyn Store,
    call: &Call,
    body: RequestBody,
    repo: &RepoName,
) -> Result<Response, ApiError> {
    if let Some(digest) = mounted(store, call, repo).await {
        return Ok(created(call, repo, &digest));
    }
    if let Some(digest) = call.query.value("digest") {
        let digest: Digest = digest.parse().map_err(unreadable_digest)?;
        // Without a body the client only announces what it will push, and
        // expects to be told where: unless it is nothing that it pushes.
        if !receive::is_empty(&call.headers, &body) || digest.is_of_nothing() {
            return push(store, call, body, repo, &digest).await;
        }
    }
    // All algorithms are found out at the end: the client is only told now
    // whether there is any use in going on.
    if let Some(name) = call.query.value("digest-algorithm")
        && Algorithm::named(&name).is_none()
    {
        return Err(unreadable_digest(DigestError::UnknownAlgorithm));
    }
    let upload = store.begin_upload(repo).await?;
    count(call, |uploads| &uploads.started);
    let id = upload.id();
    let offset = upload.suspend().await?;
    Ok(in_progress(StatusCode::ACCEPTED, call, repo, id, offset))
}

/// 204 with how much has come.
pub(super) async fn status(
    store: &dyn Store,
    call: &Call,
    repo: &RepoName,
    id: UploadId,
) -> Result<Response, ApiError> {
    let offset = store.upload_offset(repo, id).await?;
    Ok(in_progress(StatusCode::NO_CONTENT, call, repo, id, offset))
}

/// 202 with how much has come. What comes before a connection breaks is kept.
/// 416 `RANGE_INVALID` if `Content-Range` does not begin where the upload ends, or
/// cannot be read; the answer says where that is.
pub(super) async fn append(
    store: &dyn Store,
    call: &Call,
    body: RequestBody,
    repo: &RepoName,
    id: UploadId,
) -> Result<Response, ApiError> {
    let upload = receive_into(store, call, body, repo, id).await?;
    let offset = upload.suspend().await?;
    Ok(in_progress(StatusCode::ACCEPTED, call, repo, id, offset))
}

/// 201: the upload, with what this request carries, is the blob that `digest`
/// names. 400 `DIGEST_INVALID` if the digest is missing, after which the
/// upload is still there, or if the content has another, after which it is
/// gone.
pub(super) async fn finish(
    store: &dyn Store,
    call: &Call,
    body: RequestBody,
    repo: &RepoName,
    id: UploadId,
) -> Result<Response, ApiError> {
    let Some(digest) = call.query.value("digest") else {
        return Err(ApiError::new(Code::DigestInvalid).detail("digest missing"));
    };
    let digest = digest.parse().map_err(unreadable_digest)?;
    let upload = receive_into(store, call, body, repo, id).await?;
    let size = upload.offset();
    upload.commit(&digest).await?;
    count(call, |uploads| &uploads.finished);
    call.pushed_blob(repo, &digest, size).await;
    Ok(created(call, repo, &digest))
}

/// 204: the upload is gone.
pub(super) async fn cancel(
    store: &dyn Store,
    call: &Call,
    repo: &RepoName,
    id: UploadId,
) -> Result<Response, ApiError> {
    store.resume_upload(repo, id).await?.cancel().await?;
    count(call, |uploads| &uploads.cancelled);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// The blob that was taken over from another repository. Whatever prevents
/// that, the client can push it.
async fn mounted(store: &dyn Store, call: &Call, repo: &RepoName) -> Option<Digest> {
    let digest = call.query.value("mount")?.parse().ok()?;
    // Without `from`, any repository will do (OCI distribution-spec, "Mounting
    // a blob from another repository").
    let from = match call.query.value("from") {
        Some(from) => Some(from.parse().ok()?),
        None => None,
    };
    // What the sender may not pull is not there for it.
    let may_mount = match &from {
        Some(from) => call.may_pull(from),
        None => call.may_pull_everything(),
    };
    if !may_mount {
        return None;
    }
    match store.mount_blob(from.as_ref(), repo, &digest).await {
        Ok(()) => {
            call.mounted_blob(store, repo, from.as_ref(), &digest).await;
            Some(digest)
        }
        Err(StoreError::NotFound(_)) => None,
        Err(error) => {
            tracing::warn!(error = %error, "a blob cannot be mounted, and has to be pushed");
            None
        }
    }
}

async fn push(
    store: &dyn Store,
    call: &Call,
    body: RequestBody,
    repo: &RepoName,
    digest: &Digest,
) -> Result<Response, ApiError> {
    let mut upload = store.begin_upload(repo).await?;
    count(call, |uploads| &uploads.started);
    let _writing = call.uploads().map(UploadMetrics::writing);
    let length = receive::announced_length(&call.headers);
    match receive::into_upload(&mut *upload, body, length).await {
        Ok(()) => {
            let size = upload.offset();
            upload.commit(digest).await?;
            count(call, |uploads| &uploads.finished);
            call.pushed_blob(repo, digest, size).await;
        }
        Err(error) => {
            count(call, |uploads| &uploads.cancelled);
            // The client does not know the upload: nobody would go on with it.
            given_up(upload.cancel().await);
            return Err(error);
        }
    }
    Ok(created(call, repo, digest))
}

/// Takes up an upload and adds the body of the request.
async fn receive_into(
    store: &dyn Store,
    call: &Call,
    body: RequestBody,
    repo: &RepoName,
    id: UploadId,
) -> Result<Box<dyn Upload>, ApiError> {
    let announced = receive::announced_length(&call.headers);
    let header = call.headers.get(CONTENT_RANGE);
    let range = header.map(|value| value.to_str().ok().and_then(range::content_range));
    let ranged = range.as_ref().and_then(Option::as_ref);
    let ranged = ranged.map(|range| range.end - range.start);
    if let (Some(ranged), Some(announced)) = (ranged, announced)
        && ranged != announced
    {
        let detail = json!({ "content-range": ranged, "content-length": announced });
        return Err(ApiError::new(Code::SizeInvalid).detail(detail));
    }

    let mut upload = store.resume_upload(repo, id).await?;
    if let Some(range) = range
        && range.as_ref().map(|range| range.start) != Some(upload.offset())
    {
        let progress = progress(call, repo, id, upload.offset());
        let invalid = ApiError::new(Code::RangeInvalid).headers(progress);
        return Err(match range {
            Some(_) => invalid,
            None => invalid.detail("Content-Range cannot be read"),
        });
    }
    let _writing = call.uploads().map(UploadMetrics::writing);
    match receive::into_upload(&mut *upload, body, ranged.or(announced)).await {
        Ok(()) => Ok(upload),
        Err(error) => {
            // What came is kept, and on disk before the client can ask.
            given_up(upload.suspend().await);
            Err(error)
        }
    }
}

fn count(call: &Call, counter: impl FnOnce(&UploadMetrics) -> &Counter) {
    if let Some(uploads) = call.uploads() {
        counter(uploads).inc();
    }
}

/// What follows from an error is not its cause: the first one is reported.
fn given_up<T>(outcome: Result<T, StoreError>) {
    if let Err(error) = outcome {
        tracing::debug!(error = %error, "an upload that failed could not be put away either");
    }
}

fn created(call: &Call, repo: &RepoName, digest: &Digest) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::CREATED;
    let location = call.location(&format!("/v2/{repo}/blobs/{digest}"));
    response.headers_mut().insert(LOCATION, location);
    response
        .headers_mut()
        .insert(headers::CONTENT_DIGEST, headers::value(digest));
    response
}

fn in_progress(
    status: StatusCode,
    call: &Call,
    repo: &RepoName,
    id: UploadId,
    offset: u64,
) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    *response.headers_mut() = progress(call, repo, id, offset);
    response
}

/// Where an upload is and how far it has come. `Range` has no unit, and one
/// byte looks like none: so it is everywhere.
fn progress(call: &Call, repo: &RepoName, id: UploadId, offset: u64) -> HeaderMap {
    let location = call.location(&format!("/v2/{repo}/blobs/uploads/{id}"));
    HeaderMap::from_iter([
        (LOCATION, location),
        (
            RANGE,
            headers::value(format!("0-{}", offset.saturating_sub(1))),
        ),
        (headers::UPLOAD_UUID, headers::value(id)),
    ])
}

fn unreadable_digest(error: DigestError) -> ApiError {
    ApiError::new(Code::DigestInvalid).detail(format!("digest parsing failed: {error}"))
}
