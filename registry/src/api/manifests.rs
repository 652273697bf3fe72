//! `/v2/<name>/manifests/<reference>`
//!
//! Whatever a client says it accepts, it gets the manifest that was pushed:
//! to convert it would change its digest, and clients that say nothing, or
//! `*/*`, understand all of them. Where the settings ask for it, `schema1` makes
//! an exception for those that do not.

use std::collections::HashSet;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, ETAG, HeaderValue, LOCATION, VARY};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::body::Body;
use super::error::{ApiError, Code};
use super::query::Query;
use super::receive::{self, Limited};
use super::{Call, RequestBody, Response, conditional, headers, schema1};
use crate::oci::{
    Algorithm, Digest, MANIFEST_SIZE_LIMIT, Manifest, ManifestError, ManifestType, Reference,
    RepoName, Tag,
};
use crate::schema1::{SigningKey, empty_layer};
use crate::store::{NewManifest, Store, StoreError, StoredManifest};

/// Tags that one request may ask for, beside the one in its path. Each is
/// written durably before the answer.
const MOST_TAGS: usize = 64;

/// 200 with the manifest, 304 if the client has it, 404 `MANIFEST_UNKNOWN`.
pub(super) async fn get(
    store: &dyn Store,
    schema1: Option<&SigningKey>,
    call: &Call,
    repo: &RepoName,
    reference: &Reference,
) -> Result<Response, ApiError> {
    let digest = match reference {
        Reference::Tag(tag) => store.tagged(repo, tag).await?,
        Reference::Digest(digest) => *digest,
    };
    if call.is_relied_on() {
        store.claim_manifest(repo, &digest).await?;
    }
    let manifest = store.manifest(repo, &digest).await?;
    let served = match schema1 {
        Some(key) => {
            let stored = (digest, manifest);
            schema1::shown(key, store, call, repo, reference, stored).await?
        }
        None => Served::of(digest, &manifest),
    };
    let mut response = if conditional::is_unchanged(&call.headers, &served.digest) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        call.pulled_manifest(repo, reference, &served).await;
        let mut response = Response::new(Body::full(served.bytes));
        let media_type = HeaderValue::from_static(served.media_type.as_str());
        response.headers_mut().insert(CONTENT_TYPE, media_type);
        response
    };
    if let Reference::Tag(tag) = reference {
        // With HEAD as well: containerd asks so where a tag points, and then
        // gets the manifest by its digest.
        call.shared.pulls.note(store, repo, tag).await;
    }
    let headers = response.headers_mut();
    headers.insert(headers::CONTENT_DIGEST, headers::value(served.digest));
    headers.insert(ETAG, headers::etag(&served.digest));
    if schema1.is_some() && matches!(reference, Reference::Tag(_)) {
        headers.insert(VARY, HeaderValue::from(ACCEPT));
    }
    Ok(response)
}

/// A manifest as a client gets it.
pub(super) struct Served {
    /// Its name, and its entity tag.
    pub(super) digest: Digest,
    pub(super) media_type: ManifestType,
    pub(super) bytes: Bytes,
}

impl Served {
    /// A manifest as it is stored.
    pub(super) fn of(digest: Digest, manifest: &StoredManifest) -> Self {
        Self {
            digest,
            media_type: manifest.media_type(),
            bytes: manifest.bytes().clone(),
        }
    }
}

/// 201, or 400 with what is wrong: `MANIFEST_INVALID`, `DIGEST_INVALID`,
/// `TAG_INVALID`, one `MANIFEST_BLOB_UNKNOWN` for each thing that is missing,
/// `MANIFEST_UNVERIFIED`; 409 `DENIED` for a tag that is immutable and points
/// elsewhere; 413 for more than 4 MiB.
pub(super) async fn put(
    store: &dyn Store,
    schema1: Option<&SigningKey>,
    call: &Call,
    body: RequestBody,
    repo: &RepoName,
    reference: Reference,
) -> Result<Response, ApiError> {
    let declared = declared_type(&call.headers);
    let asked = asked_tags(&call.query)?;
    let bytes = match receive::all(&call.headers, body, MANIFEST_SIZE_LIMIT).await? {
        Limited::Whole(bytes) => bytes,
        Limited::TooLarge => return Err(invalid(&ManifestError::TooLarge)),
    };
    let known = *declared.as_ref().unwrap_or(&None);
    let ((digest, mut tags), pushed) = if schema1.is_some() && schema1::is_pushed(known, &bytes) {
        let pushed = schema1::read(bytes).await?;
        (name(&pushed.bytes, reference)?, pushed)
    } else {
        let declared = declared?;
        (name(&bytes, reference)?, Pushed::read(bytes, declared)?)
    };
    let mut missing = missing_content(store, repo, &pushed).await?;
    if schema1.is_some() && missing.contains(&empty_layer()) {
        schema1::put_empty_layer(store, repo).await?;
        missing.retain(|digest| *digest != empty_layer());
    }
    if !missing.is_empty() {
        let details = missing
            .into_iter()
            .map(|digest| json!({ "digest": digest }));
        return Err(ApiError::for_each(Code::ManifestBlobUnknown, details));
    }
    let Pushed { bytes, subject, .. } = pushed;
    tags.extend(
        asked
            .iter()
            .filter(|tag| !tags.contains(tag))
            .cloned()
            .collect::<Vec<_>>(),
    );
    let immutable = &call.shared.immutable;
    let _held = immutable.hold(repo).await;
    immutable.check_put(store, repo, &tags, &digest).await?;
    let (stored, pointed) = (bytes.clone(), tags.clone());
    store
        .put_manifest(
            repo,
            NewManifest {
                digest,
                bytes,
                subject,
                tags,
            },
        )
        .await?;
    call.pushed_manifest(repo, &digest, &stored, &pointed).await;

    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::CREATED;
    let location = call.location(&format!("/v2/{repo}/manifests/{digest}"));
    let headers = response.headers_mut();
    headers.insert(LOCATION, location);
    headers.insert(headers::CONTENT_DIGEST, headers::value(digest));
    for tag in &asked {
        headers.append(headers::OCI_TAG, headers::value(tag));
    }
    if let Some(subject) = subject {
        // Says that the subject is listed under `/referrers/`, so that the
        // client need not keep a list of its own.
        headers.insert(headers::OCI_SUBJECT, headers::value(subject));
    }
    Ok(response)
}

/// 202: by digest, the manifest and all its tags are gone; by tag, the tag.
/// 404 `MANIFEST_UNKNOWN`, 409 `DENIED` for a tag that is immutable.
pub(super) async fn delete(
    store: &dyn Store,
    call: &Call,
    repo: &RepoName,
    reference: &Reference,
) -> Result<Response, ApiError> {
    let immutable = &call.shared.immutable;
    let _held = immutable.hold(repo).await;
    immutable.check_delete(store, repo, reference).await?;
    match reference {
        Reference::Tag(tag) => {
            store.delete_tag(repo, tag).await?;
            call.deleted_tag(repo, tag).await;
        }
        Reference::Digest(digest) => {
            let tags = call.tags_to_go(store, repo, digest).await?;
            store.delete_manifest(repo, digest).await?;
            call.deleted_manifest(repo, digest, &tags).await;
        }
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// The tags that the request asks to point at the manifest, each once: `tag`,
/// as often as wanted (OCI distribution-spec, "Pushing Manifests").
pub(super) fn asked_tags(query: &Query) -> Result<Vec<Tag>, ApiError> {
    let mut tags = Vec::new();
    for text in query.values("tag") {
        let tag = text.parse::<Tag>().map_err(|error| {
            ApiError::new(Code::TagInvalid)
                .detail(json!({ "tag": text, "problem": error.to_string() }))
        })?;
        if !tags.contains(&tag) {
            tags.push(tag);
        }
        if tags.len() > MOST_TAGS {
            return Err(ApiError::new(Code::TagInvalid)
                .status(StatusCode::URI_TOO_LONG)
                .detail(format!("one request may name {MOST_TAGS} tags")));
        }
    }
    Ok(tags)
}

/// What the request says the manifest is. A request that says nothing leaves
/// it to the document; one that says something else is wrong.
fn declared_type(headers: &HeaderMap) -> Result<Option<ManifestType>, ApiError> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(value.as_bytes());
    match ManifestType::named(&text) {
        Some(known) => Ok(Some(known)),
        None => Err(invalid(&ManifestError::UnknownType {
            got: text.into_owned(),
        })),
    }
}

/// The digest that the manifest is pushed by, and the tags to point at it.
fn name(bytes: &Bytes, reference: Reference) -> Result<(Digest, Vec<Tag>), ApiError> {
    match reference {
        Reference::Tag(tag) => Ok((Algorithm::Sha256.digest(bytes), vec![tag])),
        Reference::Digest(expected) => {
            let actual = expected.algorithm().digest(bytes);
            if actual == expected {
                Ok((actual, Vec::new()))
            } else {
                Err(StoreError::mismatch(expected, actual).into())
            }
        }
    }
}

/// A checked manifest that somebody pushes.
pub(super) struct Pushed {
    /// What is stored.
    pub(super) bytes: Bytes,
    /// The blobs that it names, apart from those that may be elsewhere.
    pub(super) blobs: Vec<Digest>,
    /// The manifests that it lists.
    pub(super) children: Vec<Digest>,
    /// The manifest that it says something about.
    pub(super) subject: Option<Digest>,
}

impl Pushed {
    fn read(bytes: Bytes, declared: Option<ManifestType>) -> Result<Self, ApiError> {
        let manifest = Manifest::parse(&bytes, declared).map_err(|error| invalid(&error))?;
        Manifest::check_embedded(&bytes).map_err(|error| invalid(&error))?;
        Ok(Self {
            blobs: manifest.blobs().map(|blob| blob.digest).collect(),
            children: manifest.children().map(|child| child.digest).collect(),
            subject: manifest.subject().map(|subject| subject.digest),
            bytes,
        })
    }
}

/// Everything that a manifest names and the repository lacks. The rest stays.
async fn missing_content(
    store: &dyn Store,
    repo: &RepoName,
    pushed: &Pushed,
) -> Result<Vec<Digest>, ApiError> {
    // Each digest is looked for once: a hostile manifest may name one, or
    // others that are not there, tens of thousands of times.
    let mut seen = HashSet::new();
    let mut missing = Vec::new();
    for blob in &pushed.blobs {
        if seen.insert(*blob) && !has_blob(store, repo, blob).await? {
            missing.push(*blob);
        }
    }
    for child in &pushed.children {
        // An index of BuildKit's cache lists layers, and others may as well.
        if seen.insert(*child)
            && !has_manifest(store, repo, child).await?
            && !has_blob(store, repo, child).await?
        {
            missing.push(*child);
        }
    }
    Ok(missing)
}

async fn has_blob(store: &dyn Store, repo: &RepoName, digest: &Digest) -> Result<bool, StoreError> {
    match store.claim_blob(repo, digest).await {
        Err(StoreError::NotFound(_)) => Ok(false),
        result => result.map(|_| true),
    }
}

async fn has_manifest(
    store: &dyn Store,
    repo: &RepoName,
    digest: &Digest,
) -> Result<bool, StoreError> {
    let claimed = async {
        store.claim_manifest(repo, digest).await?;
        store.manifest(repo, digest).await
    };
    match claimed.await {
        Err(StoreError::NotFound(_)) => Ok(false),
        result => result.map(|_| true),
    }
}

fn invalid(error: &ManifestError) -> ApiError {
    let invalid = ApiError::new(Code::ManifestInvalid).detail(error.to_string());
    match error {
        ManifestError::TooLarge => invalid.status(StatusCode::PAYLOAD_TOO_LARGE),
        _ => invalid,
    }
}
