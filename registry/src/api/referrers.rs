//! `/v2/<name>/referrers/<digest>`: what was pushed about a manifest.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, LINK};
use serde::Serialize;
use serde_json::json;

use super::body::Body;
use super::error::{ApiError, Code};
use super::{Call, Response, headers};
use crate::oci::{Descriptor, Digest, MANIFEST_SIZE_LIMIT, Manifest, ManifestType, RepoName};
use crate::store::{Store, StoreError, StoredManifest};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u8,
    media_type: &'static str,
    manifests: Vec<Descriptor>,
}

/// Bytes of descriptors in one answer, so that the index with what stands around
/// them is no larger than a manifest may be.
const PAGE_BYTES: usize = MANIFEST_SIZE_LIMIT - 1024;

/// 200 with an index, which is empty if nothing refers to the digest, and
/// never 404: that would tell clients that there is no such endpoint.
/// `artifactType` filters. What does not fit follows where `Link` leads: after
/// the digest `last`.
pub(super) async fn list(
    store: &dyn Store,
    call: &Call,
    repo: &RepoName,
    subject: &Digest,
) -> Result<Response, ApiError> {
    let last = last(call)?;
    let filter = call.query.value("artifactType");
    let mut page = Page::default();
    let mut more = false;
    for (digest, recorded) in candidates(store, repo, subject).await? {
        if last.is_some_and(|last| digest <= last) {
            continue;
        }
        // Also of what a client recorded, only what is still there counts.
        let Some(stored) = found(store.manifest(repo, &digest).await)? else {
            continue;
        };
        let Some(descriptor) = recorded.or_else(|| describe(digest, &stored)) else {
            continue;
        };
        let artifact_type = descriptor.artifact_type.as_deref().unwrap_or_default();
        if filter
            .as_deref()
            .is_some_and(|wanted| artifact_type != wanted)
        {
            continue;
        }
        if !page.add(descriptor) {
            more = true;
            break;
        }
    }
    let link = page.manifests.last().filter(|_| more);
    let link = link.map(|last| next_page(repo, subject, filter.as_deref(), &last.digest));
    let mut response = Response::new(Body::full(headers::json(&Index {
        schema_version: 2,
        media_type: ManifestType::OciIndex.as_str(),
        manifests: page.manifests,
    })));
    let headers = response.headers_mut();
    let media_type = HeaderValue::from_static(ManifestType::OciIndex.as_str());
    headers.insert(CONTENT_TYPE, media_type);
    if let Some(link) = link {
        headers.insert(LINK, link);
    }
    if filter.is_some() {
        headers.insert(
            headers::OCI_FILTERS_APPLIED,
            HeaderValue::from_static("artifactType"),
        );
    }
    Ok(response)
}

/// As many descriptors as fit into one answer.
#[derive(Default)]
struct Page {
    manifests: Vec<Descriptor>,
    bytes: usize,
}

impl Page {
    /// False if there is no room. There is always room for one.
    fn add(&mut self, descriptor: Descriptor) -> bool {
        let bytes = headers::json(&descriptor).len();
        if !self.manifests.is_empty() && self.bytes + bytes > PAGE_BYTES {
            return false;
        }
        self.bytes += bytes;
        self.manifests.push(descriptor);
        true
    }
}

/// The digest after which the list goes on.
fn last(call: &Call) -> Result<Option<Digest>, ApiError> {
    let Some(text) = call.query.last() else {
        return Ok(None);
    };
    let last = text.parse::<Digest>().map_err(|error| {
        ApiError::new(Code::DigestInvalid)
            .detail(json!({ "last": text, "problem": error.to_string() }))
    })?;
    Ok(Some(last))
}

fn next_page(
    repo: &RepoName,
    subject: &Digest,
    filter: Option<&str>,
    last: &Digest,
) -> HeaderValue {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(artifact_type) = filter {
        query.append_pair("artifactType", artifact_type);
    }
    let query = query.append_pair("last", &last.to_string()).finish();
    headers::value(format!(
        "</v2/{repo}/referrers/{subject}?{query}>; rel=\"next\""
    ))
}

/// What may refer to the subject, in the order of the digests: what was put
/// with it, and what clients recorded under the tag `sha256-<hex>` while the
/// repository was served by a registry without this endpoint, with the
/// descriptor that they recorded (OCI distribution-spec, "Backwards
/// Compatibility").
async fn candidates(
    store: &dyn Store,
    repo: &RepoName,
    subject: &Digest,
) -> Result<BTreeMap<Digest, Option<Descriptor>>, ApiError> {
    let put = store.referrers(repo, subject).await?;
    let mut candidates: BTreeMap<_, _> = put.into_iter().map(|digest| (digest, None)).collect();
    let tag = format!("{}-{}", subject.algorithm().as_str(), subject.hex());
    // The hex of SHA-512 makes a tag that is too long: there is none then.
    let Ok(tag) = tag.parse() else {
        return Ok(candidates);
    };
    let Some(digest) = found(store.tagged(repo, &tag).await)? else {
        return Ok(candidates);
    };
    let Some(stored) = found(store.manifest(repo, &digest).await)? else {
        return Ok(candidates);
    };
    if let Ok(index) = parse(stored.bytes()) {
        for child in index.children() {
            candidates
                .entry(child.digest)
                .or_insert_with(|| Some(child.clone()));
        }
    }
    Ok(candidates)
}

fn describe(digest: Digest, stored: &StoredManifest) -> Option<Descriptor> {
    let manifest = parse(stored.bytes()).ok()?;
    Some(Descriptor {
        media_type: manifest.media_type().as_str().to_owned(),
        digest,
        size: stored.bytes().len() as u64,
        urls: Vec::new(),
        artifact_type: manifest.artifact_type().map(str::to_owned),
        annotations: manifest.annotations().clone(),
    })
}

fn parse(bytes: &Bytes) -> Result<Manifest, crate::oci::ManifestError> {
    Manifest::parse(bytes, None)
}

/// What can be read. One damaged manifest must not hide all others.
fn found<T>(result: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match result {
        Err(StoreError::NotFound(_)) => Ok(None),
        Err(error @ StoreError::Damaged { .. }) => {
            tracing::warn!(error = %error, hint = error.hint(), "left out of a list of referrers");
            Ok(None)
        }
        result => result.map(Some),
    }
}
