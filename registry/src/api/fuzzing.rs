//! The way in to private parsers for the fuzz targets: with the feature
//! `fuzzing` only, and no part of the crate's API.

use std::ops::Range;

use http::Method;

use super::manifests;
use super::query::{self, Query};
use super::range::{self, Selection};
use super::route::{self, Refusal, Route};

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Routed {
    /// It is answered as a request for this path, in its plainest spelling.
    To(String),
    /// It is sent to another spelling.
    Moved(String),
    /// It goes no further.
    Refused,
}

/// Routes a request.
pub fn route(method: &str, path: &str) -> Routed {
    let Ok(method) = method.parse::<Method>() else {
        return Routed::Refused;
    };
    match route::route(&method, path) {
        Ok(route) => Routed::To(path_of(&route)),
        Err(Refusal::Moved { to }) => Routed::Moved(to),
        Err(_) => Routed::Refused,
    }
}

fn path_of(route: &Route) -> String {
    match route {
        Route::Root => "/".to_owned(),
        Route::Base => "/v2/".to_owned(),
        Route::Catalog => "/v2/_catalog".to_owned(),
        Route::ListTags(repo) => format!("/v2/{repo}/tags/list"),
        Route::ListReferrers(repo, digest) => format!("/v2/{repo}/referrers/{digest}"),
        Route::GetManifest(repo, reference)
        | Route::PutManifest(repo, reference)
        | Route::DeleteManifest(repo, reference) => format!("/v2/{repo}/manifests/{reference}"),
        Route::GetBlob(repo, digest) | Route::DeleteBlob(repo, digest) => {
            format!("/v2/{repo}/blobs/{digest}")
        }
        Route::StartUpload(repo) => format!("/v2/{repo}/blobs/uploads/"),
        Route::UploadStatus(repo, id)
        | Route::AppendUpload(repo, id)
        | Route::FinishUpload(repo, id)
        | Route::CancelUpload(repo, id) => format!("/v2/{repo}/blobs/uploads/{id}"),
    }
}

/// The parts of content of `size` bytes that `Range` asks for; none if that is
/// all of it, or nothing.
pub fn ranges(header: &str, size: u64) -> Vec<Range<u64>> {
    match range::select(header, size) {
        Selection::Parts(parts) => parts,
        Selection::Whole | Selection::Unsatisfiable => Vec::new(),
    }
}

/// The bytes that the `Content-Range` of an upload stands for.
pub fn content_range(header: &str) -> Option<Range<u64>> {
    range::content_range(header)
}

/// `n` and `last` of a query; `None` if `n` is no number.
pub fn page(query: &str) -> Option<(Option<usize>, Option<String>)> {
    let query = Query::new(Some(query));
    let count = query.count().ok()?;
    Some((count, query.last().map(|last| last.into_owned())))
}

/// The value of `Link` that leads to the next page.
pub fn next_page(path: &str, last: &str, count: usize) -> String {
    let link = query::next_page(path, last, count);
    String::from_utf8_lossy(link.as_bytes()).into_owned()
}

/// The tags that a query asks for; `None` if one is none, or there are too many.
pub fn tags(query: &str) -> Option<Vec<String>> {
    let tags = manifests::asked_tags(&Query::new(Some(query))).ok()?;
    Some(tags.iter().map(ToString::to_string).collect())
}
