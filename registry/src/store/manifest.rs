//! Manifests on their way into and out of a store.

use bytes::Bytes;

use crate::oci::{Digest, ManifestType, Tag};

/// A manifest as it was pushed, with the type that it is served as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredManifest {
    media_type: ManifestType,
    bytes: Bytes,
}

impl StoredManifest {
    /// Checks what was read from storage. A manifest is small and decides what
    /// a client runs, so that its digest is worth computing on every read from
    /// disk.
    ///
    /// # Errors
    ///
    /// A sentence about what is wrong with the bytes.
    pub(super) fn check(digest: &Digest, bytes: Bytes) -> Result<Self, String> {
        let actual = digest.algorithm().digest(&bytes);
        if actual != *digest {
            return Err(format!(
                "the content has digest {actual}, expected {digest}"
            ));
        }
        let media_type = ManifestType::of_stored(&bytes).map_err(|error| error.to_string())?;
        Ok(Self { media_type, bytes })
    }

    /// What it is.
    pub fn media_type(&self) -> ManifestType {
        self.media_type
    }

    /// The bytes that were pushed.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// A manifest to store.
#[derive(Debug, Clone)]
pub struct NewManifest {
    /// The digest of the bytes, by any algorithm: the one it was pushed by.
    pub digest: Digest,
    /// The bytes that came.
    pub bytes: Bytes,
    /// The manifest that it says something about.
    pub subject: Option<Digest>,
    /// The tags to point at it.
    pub tags: Vec<Tag>,
}
