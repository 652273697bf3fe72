//! What a client is told when something is wrong, and what only the log is.
//!
//! OCI distribution-spec, "Error Codes". Nothing else in this crate writes the
//! JSON of an error.

use std::error::Error;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use http::{HeaderMap, Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use super::Response;
use super::body::Body;
use super::headers::JSON;
use super::route::Refusal;
use crate::oci::ReferenceError;
use crate::store::{Missing, StoreError};

/// A code that a client can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    BlobUnknown,
    BlobUploadInvalid,
    BlobUploadUnknown,
    Denied,
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    ManifestUnverified,
    NameInvalid,
    NameUnknown,
    /// Of no specification: nothing lies at this path.
    NotFound,
    PaginationNumberInvalid,
    RangeInvalid,
    SizeInvalid,
    /// `UNAVAILABLE` as well: there is no room for what was sent.
    StorageFull,
    TagInvalid,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unknown,
    Unsupported,
}

impl Code {
    /// The code, its usual status and its message.
    fn parts(self) -> (&'static str, StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::BlobUnknown => (
                "BLOB_UNKNOWN",
                S::NOT_FOUND,
                "the repository has no such blob",
            ),
            Self::BlobUploadInvalid => (
                "BLOB_UPLOAD_INVALID",
                S::BAD_REQUEST,
                "the upload cannot go on like this",
            ),
            Self::BlobUploadUnknown => (
                "BLOB_UPLOAD_UNKNOWN",
                S::NOT_FOUND,
                "the repository has no such upload",
            ),
            Self::Denied => ("DENIED", S::FORBIDDEN, "the operation is not allowed"),
            Self::DigestInvalid => (
                "DIGEST_INVALID",
                S::BAD_REQUEST,
                "the digest is wrong or cannot be read",
            ),
            Self::ManifestBlobUnknown => (
                "MANIFEST_BLOB_UNKNOWN",
                S::BAD_REQUEST,
                "the manifest refers to content that the repository does not have",
            ),
            Self::ManifestInvalid => (
                "MANIFEST_INVALID",
                S::BAD_REQUEST,
                "the manifest is not accepted",
            ),
            Self::ManifestUnknown => (
                "MANIFEST_UNKNOWN",
                S::NOT_FOUND,
                "the repository has no such manifest",
            ),
            Self::ManifestUnverified => (
                "MANIFEST_UNVERIFIED",
                S::BAD_REQUEST,
                "a signature of the manifest is wrong",
            ),
            Self::NameInvalid => (
                "NAME_INVALID",
                S::BAD_REQUEST,
                "the repository name is invalid",
            ),
            Self::NameUnknown => ("NAME_UNKNOWN", S::NOT_FOUND, "there is no such repository"),
            Self::NotFound => ("NOT_FOUND", S::NOT_FOUND, "there is nothing at this path"),
            Self::PaginationNumberInvalid => (
                "PAGINATION_NUMBER_INVALID",
                S::BAD_REQUEST,
                "the number of entries asked for is invalid",
            ),
            Self::RangeInvalid => (
                "RANGE_INVALID",
                S::RANGE_NOT_SATISFIABLE,
                "the range does not fit what is there",
            ),
            Self::SizeInvalid => (
                "SIZE_INVALID",
                S::BAD_REQUEST,
                "the length is not what it was said to be",
            ),
            Self::StorageFull => (
                "UNAVAILABLE",
                S::INSUFFICIENT_STORAGE,
                "the registry's disk is full, and what was sent is not stored",
            ),
            Self::TagInvalid => ("TAG_INVALID", S::BAD_REQUEST, "the tag is invalid"),
            Self::TooManyRequests => ("TOOMANYREQUESTS", S::TOO_MANY_REQUESTS, "too many requests"),
            Self::Unauthorized => ("UNAUTHORIZED", S::UNAUTHORIZED, "authentication required"),
            Self::Unavailable => (
                "UNAVAILABLE",
                S::SERVICE_UNAVAILABLE,
                "the registry cannot serve this at present",
            ),
            Self::Unknown => (
                "UNKNOWN",
                S::INTERNAL_SERVER_ERROR,
                "an error inside the registry",
            ),
            Self::Unsupported => (
                "UNSUPPORTED",
                S::METHOD_NOT_ALLOWED,
                "the operation is not supported",
            ),
        }
    }
}

/// An answer other than the one asked for.
#[derive(Debug)]
pub(super) struct ApiError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    /// Code and detail; of several, the first sets the status.
    entries: Vec<(Code, Option<Value>)>,
    headers: HeaderMap,
    /// Never sent.
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl ApiError {
    pub(super) fn new(code: Code) -> Self {
        Self(Box::new(Inner {
            status: code.parts().1,
            entries: vec![(code, None)],
            headers: HeaderMap::new(),
            cause: None,
        }))
    }

    /// One error with the same code for each detail, of which there is at
    /// least one.
    pub(super) fn for_each(code: Code, details: impl IntoIterator<Item = Value>) -> Self {
        let mut error = Self::new(code);
        error.0.entries = details
            .into_iter()
            .map(|detail| (code, Some(detail)))
            .collect();
        error
    }

    /// 500 for what is nobody's mistake; the cause is for the log.
    pub(super) fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Code::Unknown).because(cause)
    }

    /// 507: whoever pushes cannot mend that, but can tell somebody who can.
    /// Docker, Podman and their kin show of a 5xx the status line alone, so the
    /// status has to say it (RFC 4918 section 11.5).
    pub(super) fn storage_full() -> Self {
        Self::new(Code::StorageFull)
            .detail("whoever runs the registry has to make room; then send it again")
    }

    /// Adds what only the log is told.
    fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// Says more, to the client.
    pub(super) fn detail(mut self, detail: impl Into<Value>) -> Self {
        if let Some((_, slot)) = self.0.entries.first_mut() {
            *slot = Some(detail.into());
        }
        self
    }

    pub(super) fn status(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    pub(super) fn headers(mut self, headers: HeaderMap) -> Self {
        self.0.headers.extend(headers);
        self
    }

    /// 405 with the methods that are allowed.
    pub(super) fn method(allow: &'static str) -> Self {
        Self::new(Code::Unsupported).header(ALLOW, HeaderValue::from_static(allow))
    }

    /// Logs what the client is not told, and makes the answer.
    pub(super) fn into_response(self, method: &Method, path: &str) -> Response {
        let Inner {
            status,
            entries,
            headers,
            cause,
        } = *self.0;
        if let Some(cause) = cause {
            let hint = cause.downcast_ref().and_then(StoreError::hint);
            tracing::error!(
                http.method = %method,
                http.path = path,
                error = %cause,
                hint,
                "the registry could not answer a request"
            );
        }
        let mut response = Response::new(if entries.is_empty() {
            Body::empty()
        } else {
            Body::full(json(&entries))
        });
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        if !entries.is_empty() {
            response.headers_mut().insert(CONTENT_TYPE, JSON);
        }
        response
    }
}

#[derive(Serialize)]
struct Document<'a> {
    errors: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    code: &'static str,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a Value>,
}

fn json(entries: &[(Code, Option<Value>)]) -> Bytes {
    let errors = entries.iter().map(|(code, detail)| {
        let (code, _, message) = code.parts();
        Entry {
            code,
            message,
            detail: detail.as_ref(),
        }
    });
    super::headers::json(&Document {
        errors: errors.collect(),
    })
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::NotFound(missing) => missing.into(),
            StoreError::UploadBusy(_) => Self::new(Code::BlobUploadInvalid)
                .status(StatusCode::CONFLICT)
                .detail("another request is writing to this upload"),
            StoreError::DigestMismatch { expected, actual } => Self::new(Code::DigestInvalid)
                .detail(json!({ "expected": expected, "actual": actual })),
            StoreError::Io(_) if error.is_full() => Self::storage_full().because(error),
            StoreError::Damaged { .. } | StoreError::Io(_) => Self::internal(error),
        }
    }
}

impl From<&Missing> for ApiError {
    fn from(missing: &Missing) -> Self {
        match missing {
            Missing::Repository(repo) => {
                Self::new(Code::NameUnknown).detail(json!({ "name": repo.as_str() }))
            }
            Missing::Blob(_, digest) | Missing::Content(digest) => {
                Self::new(Code::BlobUnknown).detail(json!({ "digest": digest }))
            }
            Missing::Upload(_, id) => {
                Self::new(Code::BlobUploadUnknown).detail(json!({ "id": id.to_string() }))
            }
            Missing::Manifest(_, digest) => {
                Self::new(Code::ManifestUnknown).detail(json!({ "digest": digest }))
            }
            Missing::Tag(_, tag) => {
                Self::new(Code::ManifestUnknown).detail(json!({ "tag": tag.as_str() }))
            }
        }
    }
}

impl ApiError {
    /// The answer to a request that has no route.
    pub(super) fn refused(refusal: Refusal, method: &Method, query: Option<&str>) -> Self {
        match refusal {
            Refusal::NoRoute => Self::new(Code::NotFound),
            Refusal::Method { allow } => Self::method(allow),
            Refusal::Moved { to } => Self::moved(&to, method, query),
            Refusal::Name(error) => Self::new(Code::NameInvalid).detail(error.to_string()),
            Refusal::Digest(error) | Refusal::Reference(ReferenceError::Digest(error)) => {
                Self::new(Code::DigestInvalid).detail(error.to_string())
            }
            // Nothing can have such a tag, and so nothing is found under it:
            // the specification's own conformance test asks for one.
            Refusal::Reference(ReferenceError::Tag(error)) if *method == Method::PUT => {
                Self::new(Code::TagInvalid).detail(error.to_string())
            }
            Refusal::Reference(ReferenceError::Tag(error)) => {
                Self::new(Code::ManifestUnknown).detail(error.to_string())
            }
            Refusal::Upload => Self::new(Code::BlobUploadUnknown),
        }
    }

    fn moved(to: &str, method: &Method, query: Option<&str>) -> Self {
        let location = match query {
            Some(query) => format!("{to}?{query}"),
            None => to.to_owned(),
        };
        let Ok(location) = HeaderValue::try_from(location) else {
            return Self::new(Code::NotFound);
        };
        // 308 keeps the method and the body, which 301 does not in practice.
        let status = match *method {
            Method::GET | Method::HEAD => StatusCode::MOVED_PERMANENTLY,
            _ => StatusCode::PERMANENT_REDIRECT,
        };
        let mut error = Self::new(Code::NotFound)
            .status(status)
            .header(LOCATION, location);
        error.0.entries.clear();
        error
    }
}
