//! `/v2/`: whether this is a registry. `/`: whether anything is here.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};

use super::Response;
use super::body::Body;
use super::headers::JSON;

/// 200 with an empty document: the registry speaks version 2.
pub(super) fn version() -> Response {
    let mut response = Response::new(Body::full("{}".into()));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// 200 with nothing, for those who ask whether the server is up.
pub(super) fn root() -> Response {
    let mut response = Response::new(Body::empty());
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
