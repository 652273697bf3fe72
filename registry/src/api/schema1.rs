//! Clients that know schema 1 only, where the settings allow for them.
//!
//! Their manifests are taken in and served signed, and an image of schema 2 is
//! converted for them if they ask for it by tag. By digest everybody gets the
//! very content.

use std::io;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use time::OffsetDateTime;

use super::error::{ApiError, Code};
use super::manifests::{Pushed, Served};
use super::{Call, accept};
use crate::oci::{Digest, MANIFEST_SIZE_LIMIT, Manifest, ManifestType, Reference, RepoName, Tag};
use crate::schema1::{
    self, ConvertError, EMPTY_LAYER, Jws, PayloadError, Schema1Manifest, SigningKey,
};
use crate::store::{Blob, ByteStream, Missing, Store, StoreError, StoredManifest};

/// What the client is shown of a stored manifest: the manifest itself, the
/// child of a list that old clients run on, or a conversion.
pub(super) async fn shown(
    key: &SigningKey,
    store: &dyn Store,
    call: &Call,
    repo: &RepoName,
    reference: &Reference,
    stored: (Digest, StoredManifest),
) -> Result<Served, ApiError> {
    let (mut digest, mut manifest) = stored;
    if let Reference::Tag(tag) = reference {
        let lacks = |wanted| !accept::names(&call.headers, wanted);
        if manifest.media_type() == ManifestType::DockerList && lacks(ManifestType::DockerList) {
            digest = schema1::linux_amd64(manifest.bytes()).ok_or_else(|| {
                ApiError::new(Code::ManifestUnknown).detail(json!({
                    "tag": tag.as_str(),
                    "reason": "the client accepts no manifest list, and the list has no image for linux/amd64",
                }))
            })?;
            manifest = store.manifest(repo, &digest).await?;
        }
        if manifest.media_type() == ManifestType::DockerManifest
            && lacks(ManifestType::DockerManifest)
        {
            let payload = converted(store, repo, tag, &manifest).await?;
            let digest = digest.algorithm().digest(&payload);
            return signed(key, digest, &payload);
        }
    }
    match manifest.media_type() {
        ManifestType::DockerSchema1 => signed(key, digest, manifest.bytes()),
        _ => Ok(Served::of(digest, &manifest)),
    }
}

fn signed(key: &SigningKey, digest: Digest, payload: &[u8]) -> Result<Served, ApiError> {
    let document = key
        .sign(payload, OffsetDateTime::now_utc())
        .map_err(ApiError::internal)?;
    Ok(Served {
        digest,
        media_type: ManifestType::DockerSchema1Signed,
        bytes: document.into(),
    })
}

async fn converted(
    store: &dyn Store,
    repo: &RepoName,
    tag: &Tag,
    manifest: &StoredManifest,
) -> Result<Vec<u8>, ApiError> {
    let manifest = Manifest::parse(manifest.bytes(), None).map_err(no_form)?;
    let Some(config) = manifest.config() else {
        return Err(no_form("the manifest has no config"));
    };
    let config = match store.blob(repo, &config.digest).await {
        Ok(blob) => whole(&*blob).await?,
        Err(StoreError::NotFound(Missing::Blob(_, digest))) => {
            return Err(no_form(format!("the repository has no config {digest}")));
        }
        Err(error) => return Err(error.into()),
    };
    let layers: Vec<Digest> = manifest.layers().map(|layer| layer.digest).collect();
    schema1::convert(repo, tag, &config, &layers).map_err(|error| match error {
        ConvertError::Json(_) => ApiError::internal(error),
        _ => no_form(error),
    })
}

/// A configuration may be as large as a manifest: it is read whole, by
/// whoever may pull.
async fn whole(config: &dyn Blob) -> Result<Bytes, ApiError> {
    let size = config.size();
    if size > MANIFEST_SIZE_LIMIT as u64 {
        return Err(no_form(format!(
            "the config has {size} bytes, expected at most {MANIFEST_SIZE_LIMIT}"
        )));
    }
    let frames = config.read(0..size);
    let bytes: BytesMut = frames
        .try_fold(BytesMut::new(), |mut bytes, frame| async move {
            bytes.extend_from_slice(&frame);
            Ok(bytes)
        })
        .await
        .map_err(StoreError::Io)?;
    Ok(bytes.freeze())
}

/// distribution answers so, too.
fn no_form(why: impl ToString) -> ApiError {
    ApiError::new(Code::ManifestInvalid).detail(format!(
        "the image cannot be converted to schema 1, and the client accepts no schema 2: {}",
        why.to_string()
    ))
}

/// Whether what somebody pushes is to be read as schema 1: the request says
/// so, or says nothing that is known and the document does.
pub(super) fn is_pushed(declared: Option<ManifestType>, bytes: &[u8]) -> bool {
    let is_schema1 = |kind| {
        matches!(
            kind,
            ManifestType::DockerSchema1 | ManifestType::DockerSchema1Signed
        )
    };
    match declared {
        Some(kind) => is_schema1(kind),
        None => ManifestType::of_stored(bytes).is_ok_and(is_schema1),
    }
}

/// Reads and verifies what somebody pushes.
pub(super) async fn read(document: Bytes) -> Result<Pushed, ApiError> {
    // Each signature is a pass over the whole document, which may be large.
    tokio::task::spawn_blocking(move || take(&document))
        .await
        .map_err(ApiError::internal)?
}

fn take(document: &[u8]) -> Result<Pushed, ApiError> {
    let invalid = |code, error: String| ApiError::new(code).detail(error);
    let jws = Jws::parse(document).map_err(|e| invalid(Code::ManifestInvalid, e.to_string()))?;
    let manifest = Schema1Manifest::parse(jws.payload()).map_err(|error| {
        let code = match error {
            PayloadError::Name { .. } => Code::NameInvalid,
            _ => Code::ManifestInvalid,
        };
        invalid(code, error.to_string())
    })?;
    jws.verify()
        .map_err(|error| invalid(Code::ManifestUnverified, error.to_string()))?;
    Ok(Pushed {
        blobs: manifest.layers().to_vec(),
        children: Vec::new(),
        subject: None,
        bytes: jws.into_payload().into(),
    })
}

/// A blob of the repository. Every repository has the empty layer, since a
/// converted manifest may name it at any time: nothing is written when
/// somebody pulls, and nobody can collect it in the meantime.
pub(super) async fn blob(
    store: &dyn Store,
    repo: &RepoName,
    digest: &Digest,
) -> Result<Box<dyn Blob>, StoreError> {
    match store.blob(repo, digest).await {
        Err(StoreError::NotFound(_)) if *digest == schema1::empty_layer() => {
            Ok(Box::new(EmptyLayer))
        }
        result => result,
    }
}

/// Puts the empty layer into a repository whose manifests name it. It was said
/// to be there: see [`blob`].
pub(super) async fn put_empty_layer(store: &dyn Store, repo: &RepoName) -> Result<(), StoreError> {
    let mut upload = store.begin_upload(repo).await?;
    upload.write(Bytes::from_static(EMPTY_LAYER)).await?;
    upload.commit(&schema1::empty_layer()).await
}

struct EmptyLayer;

impl Blob for EmptyLayer {
    fn size(&self) -> u64 {
        EMPTY_LAYER.len() as u64
    }

    fn read(&self, range: Range<u64>) -> ByteStream {
        let part = usize::try_from(range.start)
            .ok()
            .zip(usize::try_from(range.end).ok())
            .and_then(|(start, end)| EMPTY_LAYER.get(start..end))
            .map(Bytes::from_static)
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into());
        stream::iter([part]).boxed()
    }
}
