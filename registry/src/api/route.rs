//! The table of contents: every request that the registry answers.
//!
//! OCI distribution-spec 1.1, "Endpoints". Names, references and digests are
//! parsed here, once; what does not parse goes no further.

use std::borrow::Cow;

use http::Method;
use percent_encoding::percent_decode_str;

use crate::metrics::Handler;
use crate::oci::{Digest, DigestError, NameError, Reference, ReferenceError, RepoName};
use crate::store::UploadId;

/// What a request asks for. `HEAD` is routed like `GET`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// `GET /`
    Root,
    /// `GET /v2/`
    Base,
    /// `GET /v2/_catalog`
    Catalog,
    /// `GET /v2/<name>/tags/list`
    ListTags(RepoName),
    /// `GET /v2/<name>/referrers/<digest>`
    ListReferrers(RepoName, Digest),
    /// `GET /v2/<name>/manifests/<reference>`
    GetManifest(RepoName, Reference),
    /// `PUT /v2/<name>/manifests/<reference>`
    PutManifest(RepoName, Reference),
    /// `DELETE /v2/<name>/manifests/<reference>`
    DeleteManifest(RepoName, Reference),
    /// `GET /v2/<name>/blobs/<digest>`
    GetBlob(RepoName, Digest),
    /// `DELETE /v2/<name>/blobs/<digest>`
    DeleteBlob(RepoName, Digest),
    /// `POST /v2/<name>/blobs/uploads/`
    StartUpload(RepoName),
    /// `GET /v2/<name>/blobs/uploads/<id>`
    UploadStatus(RepoName, UploadId),
    /// `PATCH /v2/<name>/blobs/uploads/<id>`
    AppendUpload(RepoName, UploadId),
    /// `PUT /v2/<name>/blobs/uploads/<id>`
    FinishUpload(RepoName, UploadId),
    /// `DELETE /v2/<name>/blobs/uploads/<id>`
    CancelUpload(RepoName, UploadId),
}

impl Route {
    /// What it is counted as.
    pub(super) fn handler(&self) -> Handler {
        match self {
            Self::Root => Handler::Other,
            Self::Base => Handler::Base,
            Self::Catalog => Handler::Catalog,
            Self::ListTags(_) => Handler::Tags,
            Self::ListReferrers(..) => Handler::Referrers,
            Self::GetManifest(..) | Self::PutManifest(..) | Self::DeleteManifest(..) => {
                Handler::Manifest
            }
            Self::GetBlob(..) | Self::DeleteBlob(..) => Handler::Blob,
            Self::StartUpload(_) => Handler::BlobUpload,
            Self::UploadStatus(..)
            | Self::AppendUpload(..)
            | Self::FinishUpload(..)
            | Self::CancelUpload(..) => Handler::BlobUploadChunk,
        }
    }
}

/// Why a request is not routed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Nothing lies at this path.
    NoRoute,
    /// Something does, but it does not know the method.
    Method { allow: &'static str },
    /// The path has another spelling, without `//`, `.` and `..`.
    Moved { to: String },
    /// The repository's name breaks a rule.
    Name(NameError),
    /// A digest breaks a rule.
    Digest(DigestError),
    /// A manifest is asked for by what is neither tag nor digest.
    Reference(ReferenceError),
    /// The identifier of an upload that cannot exist.
    Upload,
}

/// Finds what a request asks for of an API that lies below a prefix: its `/v2/`
/// is there, and `/` stays where it is.
pub(crate) fn route_below(prefix: &str, method: &Method, path: &str) -> Result<Route, Refusal> {
    if prefix.is_empty() || path == "/" {
        return route(method, path);
    }
    match path.strip_prefix(prefix) {
        Some(rest) if rest.starts_with('/') && rest != "/" => {
            route(method, rest).map_err(|refusal| match refusal {
                Refusal::Moved { to } => Refusal::Moved {
                    to: format!("{prefix}{to}"),
                },
                other => other,
            })
        }
        _ => Err(Refusal::NoRoute),
    }
}

/// Finds what a request asks for.
pub(crate) fn route(method: &Method, path: &str) -> Result<Route, Refusal> {
    if let Some(mut to) = cleaned(path) {
        if to == "/v2" {
            // At once to where that would be sent.
            to.push('/');
        }
        // Only to where something can be: `/\host` is another host to browsers.
        let ours = to == "/" || to.starts_with("/v2");
        return Err(if ours {
            Refusal::Moved { to }
        } else {
            Refusal::NoRoute
        });
    }
    // Some clients write the colon of a digest as %3A. Decoding comes before
    // parsing, so that no spelling escapes a check.
    let path = match percent_decode_str(path).decode_utf8() {
        Ok(path) => path,
        Err(_) => return Err(Refusal::NoRoute),
    };
    match path.as_ref() {
        "/" => only_get(method, Route::Root),
        "/v2" => Err(Refusal::Moved {
            to: "/v2/".to_owned(),
        }),
        "/v2/" => only_get(method, Route::Base),
        "/v2/_catalog" => only_get(method, Route::Catalog),
        path => in_repository(method, path.strip_prefix("/v2/").ok_or(Refusal::NoRoute)?),
    }
}

/// Routes `<name>/<noun>/…`. The noun is looked for from the right, because a
/// name may hold any noun: `tags/list` is a valid name.
fn in_repository(method: &Method, path: &str) -> Result<Route, Refusal> {
    if let Some(name) = path.strip_suffix("/tags/list") {
        return only_get(method, Route::ListTags(repo(name)?));
    }
    // The specification has the slash at the end; a client that forgets it
    // would turn its POST into a GET if it were redirected.
    if let Some(name) = path
        .strip_suffix('/')
        .unwrap_or(path)
        .strip_suffix("/blobs/uploads")
    {
        let repo = repo(name)?;
        return match *method {
            Method::POST => Ok(Route::StartUpload(repo)),
            _ => Err(Refusal::Method { allow: "POST" }),
        };
    }
    let (noun, last) = path.rsplit_once('/').ok_or(Refusal::NoRoute)?;
    if let Some(name) = noun.strip_suffix("/manifests") {
        manifest(method, repo(name)?, last)
    } else if let Some(name) = noun.strip_suffix("/blobs/uploads") {
        upload(method, repo(name)?, last)
    } else if let Some(name) = noun.strip_suffix("/blobs") {
        blob(method, repo(name)?, last)
    } else if let Some(name) = noun.strip_suffix("/referrers") {
        let repo = repo(name)?;
        only_get(
            method,
            Route::ListReferrers(repo, last.parse().map_err(Refusal::Digest)?),
        )
    } else {
        Err(Refusal::NoRoute)
    }
}

fn manifest(method: &Method, repo: RepoName, last: &str) -> Result<Route, Refusal> {
    let reference = || last.parse().map_err(Refusal::Reference);
    match *method {
        Method::GET | Method::HEAD => Ok(Route::GetManifest(repo, reference()?)),
        Method::PUT => Ok(Route::PutManifest(repo, reference()?)),
        Method::DELETE => Ok(Route::DeleteManifest(repo, reference()?)),
        _ => Err(Refusal::Method {
            allow: "GET, HEAD, PUT, DELETE",
        }),
    }
}

fn blob(method: &Method, repo: RepoName, last: &str) -> Result<Route, Refusal> {
    let digest = || last.parse().map_err(Refusal::Digest);
    match *method {
        Method::GET | Method::HEAD => Ok(Route::GetBlob(repo, digest()?)),
        Method::DELETE => Ok(Route::DeleteBlob(repo, digest()?)),
        _ => Err(Refusal::Method {
            allow: "GET, HEAD, DELETE",
        }),
    }
}

fn upload(method: &Method, repo: RepoName, last: &str) -> Result<Route, Refusal> {
    let id = || last.parse().map_err(|_| Refusal::Upload);
    match *method {
        Method::GET | Method::HEAD => Ok(Route::UploadStatus(repo, id()?)),
        Method::PATCH => Ok(Route::AppendUpload(repo, id()?)),
        Method::PUT => Ok(Route::FinishUpload(repo, id()?)),
        Method::DELETE => Ok(Route::CancelUpload(repo, id()?)),
        _ => Err(Refusal::Method {
            allow: "GET, HEAD, PATCH, PUT, DELETE",
        }),
    }
}

fn only_get(method: &Method, route: Route) -> Result<Route, Refusal> {
    match *method {
        Method::GET | Method::HEAD => Ok(route),
        _ => Err(Refusal::Method { allow: "GET, HEAD" }),
    }
}

fn repo(name: &str) -> Result<RepoName, Refusal> {
    name.parse().map_err(Refusal::Name)
}

/// The path without empty segments, `.` and `..`, if it has any. It begins
/// with exactly one slash, so that it never names another host.
fn cleaned(path: &str) -> Option<String> {
    let inner = path.strip_prefix('/')?;
    let (body, slash) = match inner.strip_suffix('/') {
        Some(body) => (body, "/"),
        None => (inner, ""),
    };
    let is_clean = |segment: &str| !matches!(segment, "" | "." | "..");
    if inner.is_empty() || body.split('/').all(is_clean) {
        return None;
    }
    let mut segments: Vec<Cow<'_, str>> = Vec::new();
    for segment in body.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(segment.into()),
        }
    }
    let slash = if segments.is_empty() { "" } else { slash };
    Some(format!("/{}{slash}", segments.join("/")))
}

#[cfg(test)]
mod tests;
