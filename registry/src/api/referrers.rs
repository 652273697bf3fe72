//! `/v2/<name>/referrers/<digest>`: what was pushed about a manifest.

use std::collections::HashSet;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;

use super::body::Body;
use super::error::ApiError;
use super::{Call, Response, headers};
use crate::oci::{Descriptor, Digest, Manifest, ManifestType, RepoName};
use crate::store::{Store, StoreError, StoredManifest};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u8,
    media_type: &'static str,
    manifests: Vec<Descriptor>,
}

/// 200 with an index, which is empty if nothing refers to the digest, and
/// never 404: that would tell clients that there is no such endpoint.
/// `artifactType` filters.
pub(super) async fn list(
    store: &dyn Store,
    call: &Call,
    repo: &RepoName,
    subject: &Digest,
) -> Result<Response, ApiError> {
    let mut manifests = Vec::new();
    for digest in store.referrers(repo, subject).await? {
        if let Some(stored) = found(store.manifest(repo, &digest).await)?
            && let Some(descriptor) = describe(digest, &stored)
        {
            manifests.push(descriptor);
        }
    }
    add_fallback(store, repo, subject, &mut manifests).await?;

    let filter = call.query.value("artifactType");
    if let Some(wanted) = &filter {
        manifests.retain(|manifest| manifest.artifact_type.as_deref() == Some(wanted));
    }
    let media_type = ManifestType::OciIndex.as_str();
    let index = Index {
        schema_version: 2,
        media_type,
        manifests,
    };
    let mut response = Response::new(Body::full(headers::json(&index)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    if filter.is_some() {
        headers.insert(
            headers::OCI_FILTERS_APPLIED,
            HeaderValue::from_static("artifactType"),
        );
    }
    Ok(response)
}

/// Adds what clients recorded under the tag `sha256-<hex>` while the
/// repository was served by a registry without this endpoint (OCI
/// distribution-spec, "Backwards Compatibility").
async fn add_fallback(
    store: &dyn Store,
    repo: &RepoName,
    subject: &Digest,
    manifests: &mut Vec<Descriptor>,
) -> Result<(), ApiError> {
    let tag = format!("{}-{}", subject.algorithm().as_str(), subject.hex());
    // The hex of SHA-512 makes a tag that is too long: there is none then.
    let Ok(tag) = tag.parse() else { return Ok(()) };
    let Some(digest) = found(store.tagged(repo, &tag).await)? else {
        return Ok(());
    };
    let Some(stored) = found(store.manifest(repo, &digest).await)? else {
        return Ok(());
    };
    let Ok(index) = parse(stored.bytes()) else {
        return Ok(());
    };
    let mut known: HashSet<Digest> = manifests.iter().map(|known| known.digest).collect();
    let recorded = index.children().filter(|child| known.insert(child.digest));
    manifests.extend(recorded.cloned());
    Ok(())
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
