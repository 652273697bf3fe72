//! The headers that the registry writes, and how their values are made.

use std::fmt::{Display, Write as _};

use bytes::{Bytes, BytesMut};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use tidegate_config::HeaderField;

use crate::oci::Digest;

pub(super) const API_VERSION: HeaderName =
    HeaderName::from_static("docker-distribution-api-version");
pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
pub(super) const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");
pub(super) const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
pub(super) const OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");
pub(super) const OCI_FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

/// The type of every JSON document that is not a manifest.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// Room for a SHA-256 digest in quotes.
const USUAL_LENGTH: usize = 80;

/// A value made of what has been parsed before: names, digests, numbers.
pub(super) fn value(text: impl Display) -> HeaderValue {
    let mut bytes = BytesMut::with_capacity(USUAL_LENGTH);
    write!(bytes, "{text}").expect("memory takes whatever is written");
    HeaderValue::from_maybe_shared(bytes.freeze())
        .expect("names, digests and numbers hold visible ASCII only")
}

/// A header that the settings have every answer carry.
pub(super) fn configured(field: &HeaderField) -> (HeaderName, HeaderValue) {
    const CHECKED: &str = "the settings hold tokens and printable ASCII only";
    (
        field.name().parse().expect(CHECKED),
        field.value().parse().expect(CHECKED),
    )
}

/// Puts fields in the place of those that have the same names.
pub(super) fn replace(headers: &mut HeaderMap, fields: &[(HeaderName, HeaderValue)]) {
    for (name, _) in fields {
        headers.remove(name);
    }
    for (name, value) in fields {
        headers.append(name, value.clone());
    }
}

/// The entity tag of immutable content: its digest in quotes.
pub(super) fn etag(digest: &Digest) -> HeaderValue {
    value(format_args!("\"{digest}\""))
}

/// The text of a header, if it is there once and is text.
pub(super) fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// A document with the end of line that distribution writes.
pub(super) fn json(document: &impl Serialize) -> Bytes {
    let mut bytes =
        serde_json::to_vec(document).expect("a document of texts and numbers has a JSON form");
    bytes.push(b'\n');
    bytes.into()
}
