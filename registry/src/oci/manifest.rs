//! Manifests and indexes: what they are and what they refer to.
//!
//! OCI image-spec, "Image Manifest Specification" and "Image Index
//! Specification"; Docker's "Image Manifest Version 2, Schema 2". A manifest
//! is read to check it, never to be written again: what is stored and served
//! are the bytes that came.

mod embedded;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};

use super::digest::Digest;
use super::media_type::{ManifestType, is_nondistributable};

/// The largest manifest that is accepted, in bytes: 4 MiB, the limit that the
/// OCI distribution-spec recommends and that distribution keeps.
pub const MANIFEST_SIZE_LIMIT: usize = 4 * 1024 * 1024;

/// A reference to content (OCI image-spec, "Content Descriptors").
///
/// Fields that are not named here are tolerated and not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the content is.
    pub media_type: String,
    /// The content's digest.
    pub digest: Digest,
    /// The content's length in bytes.
    pub size: u64,
    /// Where else it can be had.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub urls: Vec<String>,
    /// What kind of artifact the content is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Free text by key.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// Whether the content may be absent from the registry: a layer that may
    /// not be distributed, with at least one URL to fetch it from.
    fn may_be_elsewhere(&self) -> bool {
        is_nondistributable(&self.media_type)
            && self
                .urls
                .iter()
                .any(|url| url.starts_with("https://") || url.starts_with("http://"))
    }
}

/// A checked manifest or index of one of the four types that can be pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    media_type: ManifestType,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Vec<Descriptor>,
    manifests: Vec<Descriptor>,
    subject: Option<Descriptor>,
    annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads a manifest that somebody pushes. `declared` is what the request
    /// said it is; without it the document decides.
    ///
    /// # Errors
    ///
    /// The first rule that the document breaks.
    pub fn parse(bytes: &[u8], declared: Option<ManifestType>) -> Result<Self, ManifestError> {
        if bytes.len() > MANIFEST_SIZE_LIMIT {
            return Err(ManifestError::TooLarge);
        }
        let document: Document = serde_json::from_slice(bytes).map_err(ManifestError::Json)?;
        if document.schema_version != 2 {
            return Err(ManifestError::SchemaVersion {
                got: document.schema_version,
            });
        }
        let media_type = document.agreed_type(declared)?;
        document.check_shape(media_type)?;
        Ok(Self {
            media_type,
            artifact_type: document.artifact_type.filter(|text| !text.is_empty()),
            config: document.config,
            layers: document.layers.unwrap_or_default(),
            manifests: document.manifests.unwrap_or_default(),
            subject: document.subject,
            annotations: document.annotations,
        })
    }

    /// What the document is, and what it is served as.
    pub fn media_type(&self) -> ManifestType {
        self.media_type
    }

    /// The blobs that have to be in the repository: the configuration and the
    /// layers, apart from layers that may be elsewhere.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        self.config
            .iter()
            .chain(self.layers.iter().filter(|layer| !layer.may_be_elsewhere()))
    }

    /// The configuration of an image.
    pub fn config(&self) -> Option<&Descriptor> {
        self.config.as_ref()
    }

    /// The layers of an image, wherever they are.
    pub fn layers(&self) -> impl Iterator<Item = &Descriptor> {
        self.layers.iter()
    }

    /// The manifests that an index lists.
    pub fn children(&self) -> impl Iterator<Item = &Descriptor> {
        self.manifests.iter()
    }

    /// Everything that it is made of: the configuration, the layers wherever
    /// they are, and the manifests that an index lists.
    pub fn references(&self) -> impl Iterator<Item = &Descriptor> {
        self.config
            .iter()
            .chain(&self.layers)
            .chain(&self.manifests)
    }

    /// The manifest that this one says something about. It need not exist.
    pub fn subject(&self) -> Option<&Descriptor> {
        self.subject.as_ref()
    }

    /// The kind of artifact: `artifactType`, or else the type of the
    /// configuration (OCI distribution-spec, "Listing Referrers").
    pub fn artifact_type(&self) -> Option<&str> {
        let of_config = || {
            self.config
                .as_ref()
                .map(|config| config.media_type.as_str())
        };
        self.artifact_type.as_deref().or_else(of_config)
    }

    /// Free text by key.
    pub fn annotations(&self) -> &BTreeMap<String, String> {
        &self.annotations
    }
}

impl ManifestType {
    /// Finds out what a stored manifest is. The layout on disk does not keep
    /// the type, so that it is read from the document, as distribution does:
    /// its `mediaType`, or else its shape.
    ///
    /// # Errors
    ///
    /// If the document is none of the types that were ever stored.
    pub fn of_stored(bytes: &[u8]) -> Result<Self, ManifestError> {
        let outline: Outline = serde_json::from_slice(bytes).map_err(ManifestError::Json)?;
        match (outline.schema_version, outline.media_type.as_deref()) {
            (2, None | Some("")) if outline.manifests => Ok(Self::OciIndex),
            (2, None | Some("")) => Ok(Self::OciManifest),
            (2, Some(text)) => Self::named(text).ok_or_else(|| ManifestError::UnknownType {
                got: text.to_owned(),
            }),
            (1, _) if outline.signatures => Ok(Self::DockerSchema1Signed),
            (1, _) => Ok(Self::DockerSchema1),
            (got, _) => Err(ManifestError::SchemaVersion { got }),
        }
    }
}

/// As much of a stored manifest as tells its type.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outline {
    schema_version: u64,
    media_type: Option<String>,
    #[serde(default, deserialize_with = "presence")]
    manifests: bool,
    #[serde(default, deserialize_with = "presence")]
    signatures: bool,
}

/// All fields of all four types, of which one document may have some.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u64,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    #[serde(default, deserialize_with = "list")]
    layers: Option<Vec<Descriptor>>,
    #[serde(default, deserialize_with = "list")]
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    #[serde(default, deserialize_with = "null_as_default")]
    annotations: BTreeMap<String, String>,
    /// Of no use here, but refused if it comes twice, because [`Outline`]
    /// could not read the stored document then.
    #[serde(default, rename = "signatures", deserialize_with = "presence")]
    _signatures: bool,
}

impl Document {
    fn agreed_type(&self, declared: Option<ManifestType>) -> Result<ManifestType, ManifestError> {
        let Some(text) = self.media_type.as_deref().filter(|text| !text.is_empty()) else {
            let by_shape = match self.manifests {
                Some(_) => ManifestType::OciIndex,
                None => ManifestType::OciManifest,
            };
            return match declared {
                None => Ok(by_shape),
                // The type could not be told from the stored bytes later.
                Some(docker @ (ManifestType::DockerManifest | ManifestType::DockerList)) => {
                    Err(ManifestError::TypeRequired { declared: docker })
                }
                Some(oci) => Ok(oci),
            };
        };
        let named = ManifestType::named(text)
            .filter(|named| named.as_str() == text)
            .ok_or_else(|| ManifestError::UnknownType {
                got: text.to_owned(),
            })?;
        match declared {
            Some(declared) if declared != named => Err(ManifestError::TypeMismatch {
                document: named,
                declared,
            }),
            _ => Ok(named),
        }
    }

    fn check_shape(&self, media_type: ManifestType) -> Result<(), ManifestError> {
        let (required, forbidden): (&[_], &[_]) = match media_type {
            ManifestType::OciManifest | ManifestType::DockerManifest => (
                &[
                    ("config", self.config.is_some()),
                    ("layers", self.layers.is_some()),
                ],
                &[("manifests", self.manifests.is_some())],
            ),
            ManifestType::OciIndex | ManifestType::DockerList => (
                &[("manifests", self.manifests.is_some())],
                &[
                    ("config", self.config.is_some()),
                    ("layers", self.layers.is_some()),
                ],
            ),
            ManifestType::DockerSchema1 | ManifestType::DockerSchema1Signed => {
                return Err(ManifestError::SchemaVersion { got: 1 });
            }
        };
        if let Some((field, _)) = forbidden.iter().find(|(_, present)| *present) {
            return Err(ManifestError::MixedFields { media_type, field });
        }
        if let Some((field, _)) = required.iter().find(|(_, present)| !present) {
            return Err(ManifestError::MissingField { media_type, field });
        }
        Ok(())
    }
}

/// True for a field that is there, whatever it holds.
fn presence<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// `null` is an empty list: so Go writes one.
fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Descriptor>>, D::Error> {
    null_as_default(deserializer).map(Some)
}

fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Why a document is not accepted as a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is larger than [`MANIFEST_SIZE_LIMIT`].
    #[error("the manifest is larger than {MANIFEST_SIZE_LIMIT} bytes")]
    TooLarge,
    /// It is no JSON, or a field has the wrong type.
    #[error("the manifest cannot be read: {0}")]
    Json(#[source] serde_json::Error),
    /// Only the second version of the schema is accepted.
    #[error("the manifest has schemaVersion {got}, expected 2")]
    SchemaVersion {
        /// What the document says.
        got: u64,
    },
    /// The media type is not one of a manifest.
    #[error("the media type {got:?} is not one of an image manifest or index")]
    UnknownType {
        /// What the document says.
        got: String,
    },
    /// Docker's types must stand in the document.
    #[error("the manifest has no mediaType, expected {declared}")]
    TypeRequired {
        /// What the request said.
        declared: ManifestType,
    },
    /// The document says one thing and the request another.
    #[error("the manifest has mediaType {document}, but was sent as {declared}")]
    TypeMismatch {
        /// What the document says.
        document: ManifestType,
        /// What the request said.
        declared: ManifestType,
    },
    /// A field of an index in a manifest, or the reverse: two clients could
    /// take the document for two different things.
    #[error("a document of type {media_type} must not have the field {field}")]
    MixedFields {
        /// What the document is.
        media_type: ManifestType,
        /// The field that does not belong there.
        field: &'static str,
    },
    /// A field is not there.
    #[error("a document of type {media_type} must have the field {field}")]
    MissingField {
        /// What the document is.
        media_type: ManifestType,
        /// The field that belongs there.
        field: &'static str,
    },
    /// A descriptor carries content that is not its own.
    #[error("the data of the descriptor of {digest} {problem}")]
    Data {
        /// What the descriptor stands for. Boxed for the size of the error.
        digest: Box<Digest>,
        /// What is the matter with it.
        problem: String,
    },
}
