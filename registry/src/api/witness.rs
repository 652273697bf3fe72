//! Looking on from outside: what a request asked for, and what was done.

use std::fmt;
use std::sync::{Arc, OnceLock};

use http::{Method, Uri};
use uuid::Uuid;

use super::query::Query;
use super::route::{Route, route};
use crate::oci::{Digest, RepoName};

/// Learns what a request is about. Whoever wants to know puts one into the
/// request's extensions, and keeps a clone: it knows also when the request is
/// given up before there is an answer.
#[derive(Clone, Default)]
pub struct Witness(Arc<Seen>);

#[derive(Default)]
struct Seen {
    asked: OnceLock<Asked>,
    done: OnceLock<Done>,
    id: OnceLock<Uuid>,
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What is to be done.
    pub deed: Deed,
    /// To what, if it is about a part of a repository.
    pub object: Option<Object>,
    /// In which repository.
    pub repository: Option<String>,
    /// The tag or digest by which it is named.
    pub reference: Option<String>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Whether the API is there, and its caller may come in.
    Ping,
    /// Repositories are listed.
    Catalog,
    /// Something is read.
    Pull,
    /// Something is stored.
    Push,
    /// Something is removed.
    Delete,
}

/// What it is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    /// A manifest or a tag.
    Manifest,
    /// A blob; for a push, one that is finished.
    Blob,
    /// A blob in the making.
    Upload,
    /// The tags of a repository.
    Tags,
    /// What refers to a manifest.
    Referrers,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The content.
    pub digest: String,
    /// Its size in bytes, if it is known.
    pub bytes: Option<u64>,
    /// For a blob that was mounted: from which repository, if the client named
    /// one.
    pub mounted: Option<Option<String>>,
}

impl Witness {
    /// What the request asks for. `None` for what is no part of the API.
    #[must_use]
    pub fn asked(&self) -> Option<&Asked> {
        self.0.asked.get()
    }

    /// The content that was read or stored; also if nobody heard of it.
    #[must_use]
    pub fn done(&self) -> Option<&Done> {
        self.0.done.get()
    }

    /// What the request is called in the events of webhooks, if it is.
    #[must_use]
    pub fn id(&self) -> Option<Uuid> {
        self.0.id.get().copied()
    }

    pub(super) fn sees_route(&self, route: &Route, query: &Query) {
        if let Some(asked) = Asked::by(route, query) {
            let _ = self.0.asked.set(asked);
        }
    }

    pub(super) fn sees(&self, digest: &Digest, bytes: u64) {
        let _ = self.0.done.set(Done {
            digest: digest.to_string(),
            bytes: Some(bytes),
            mounted: None,
        });
    }

    pub(super) fn sees_mount(&self, digest: &Digest, from: Option<&RepoName>) {
        let _ = self.0.done.set(Done {
            digest: digest.to_string(),
            bytes: None,
            mounted: Some(from.map(ToString::to_string)),
        });
    }

    pub(super) fn sees_id(&self, id: Uuid) {
        let _ = self.0.id.set(id);
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Witness")
            .field("asked", &self.asked())
            .field("done", &self.done())
            .finish_non_exhaustive()
    }
}

impl Asked {
    /// What a request asks for that does not come as far as the API. `None` for what
    /// is no part of it.
    #[must_use]
    pub fn of(method: &Method, uri: &Uri) -> Option<Self> {
        let route = route(method, uri.path()).ok()?;
        Self::by(&route, &Query::new(uri.query()))
    }

    fn by(route: &Route, query: &Query) -> Option<Self> {
        let (deed, object) = match route {
            Route::Root => return None,
            Route::Base => (Deed::Ping, None),
            Route::Catalog => (Deed::Catalog, None),
            Route::ListTags(_) => (Deed::Pull, Some(Object::Tags)),
            Route::ListReferrers(..) => (Deed::Pull, Some(Object::Referrers)),
            Route::GetManifest(..) => (Deed::Pull, Some(Object::Manifest)),
            Route::GetBlob(..) => (Deed::Pull, Some(Object::Blob)),
            Route::PutManifest(..) => (Deed::Push, Some(Object::Manifest)),
            Route::FinishUpload(..) => (Deed::Push, Some(Object::Blob)),
            Route::StartUpload(_)
            | Route::UploadStatus(..)
            | Route::AppendUpload(..)
            | Route::CancelUpload(..) => (Deed::Push, Some(Object::Upload)),
            Route::DeleteManifest(..) => (Deed::Delete, Some(Object::Manifest)),
            Route::DeleteBlob(..) => (Deed::Delete, Some(Object::Blob)),
        };
        let repository = match route {
            Route::Root | Route::Base | Route::Catalog => None,
            Route::ListTags(repo)
            | Route::ListReferrers(repo, _)
            | Route::GetManifest(repo, _)
            | Route::PutManifest(repo, _)
            | Route::DeleteManifest(repo, _)
            | Route::GetBlob(repo, _)
            | Route::DeleteBlob(repo, _)
            | Route::StartUpload(repo)
            | Route::UploadStatus(repo, _)
            | Route::AppendUpload(repo, _)
            | Route::FinishUpload(repo, _)
            | Route::CancelUpload(repo, _) => Some(repo.to_string()),
        };
        let reference = match route {
            Route::GetManifest(_, reference)
            | Route::PutManifest(_, reference)
            | Route::DeleteManifest(_, reference) => Some(reference.to_string()),
            Route::GetBlob(_, digest)
            | Route::DeleteBlob(_, digest)
            | Route::ListReferrers(_, digest) => Some(digest.to_string()),
            // What the client says, once it is known to be a digest.
            Route::FinishUpload(..) => query
                .value("digest")
                .and_then(|text| text.parse::<Digest>().ok())
                .map(|digest| digest.to_string()),
            _ => None,
        };
        Some(Self {
            deed,
            object,
            repository,
            reference,
        })
    }
}
