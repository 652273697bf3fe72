//! The payload: what a schema 1 manifest says.

use serde::Deserialize;

use crate::oci::{
    Digest, DigestError, ManifestError, ManifestType, NameError, RepoName, Tag, TagError,
};

/// A checked payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema1Manifest {
    name: RepoName,
    tag: Option<Tag>,
    architecture: String,
    layers: Vec<Digest>,
}

impl Schema1Manifest {
    /// Reads a payload that somebody pushes.
    ///
    /// # Errors
    ///
    /// The first rule that it breaks.
    pub fn parse(payload: &[u8]) -> Result<Self, PayloadError> {
        // The type is not stored: it has to be found in the payload again.
        match ManifestType::of_stored(payload).map_err(PayloadError::Type)? {
            ManifestType::DockerSchema1 => {}
            ManifestType::DockerSchema1Signed => return Err(PayloadError::SignedTwice),
            got => return Err(PayloadError::OtherType { got }),
        }
        let document: Document = serde_json::from_slice(payload)?;
        let (layers, history) = (document.fs_layers.len(), document.history.len());
        if layers == 0 || layers != history {
            return Err(PayloadError::Counts { layers, history });
        }
        let name = document.name.parse().map_err(|source| PayloadError::Name {
            got: document.name,
            source,
        })?;
        // A manifest that was pushed by its digest need not have a tag.
        let tag = match document.tag {
            tag if tag.is_empty() => None,
            tag => match tag.parse() {
                Ok(parsed) => Some(parsed),
                Err(source) => return Err(PayloadError::Tag { got: tag, source }),
            },
        };
        Ok(Self {
            name,
            tag,
            architecture: document.architecture,
            layers: digests(&document.fs_layers)?,
        })
    }

    /// The repository that it was made for, which need not be the one that it
    /// is pushed to.
    pub fn name(&self) -> &RepoName {
        &self.name
    }

    /// The tag that it was made for, which need not be the one that it is
    /// pushed to.
    pub fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// What the image runs on, as Go names it. Empty if nobody said.
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// The layers, the newest first, each as often as it is named.
    pub fn layers(&self) -> &[Digest] {
        &self.layers
    }
}

/// The layers of a payload that is stored, perhaps by a registry that checks
/// less: whoever keeps what a manifest refers to keeps these.
///
/// # Errors
///
/// If it is no schema 1 manifest, or a layer is named by no digest.
pub fn layers_of_stored(payload: &[u8]) -> Result<Vec<Digest>, PayloadError> {
    match ManifestType::of_stored(payload).map_err(PayloadError::Type)? {
        ManifestType::DockerSchema1 | ManifestType::DockerSchema1Signed => {}
        got => return Err(PayloadError::OtherType { got }),
    }
    let outline: Outline = serde_json::from_slice(payload)?;
    digests(&outline.fs_layers.unwrap_or_default())
}

fn digests(layers: &[Layer]) -> Result<Vec<Digest>, PayloadError> {
    let digests = layers.iter().enumerate().map(|(index, layer)| {
        layer
            .blob_sum
            .parse()
            .map_err(|source| PayloadError::Layer { index, source })
    });
    digests.collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    name: String,
    tag: String,
    #[serde(default)]
    architecture: String,
    fs_layers: Vec<Layer>,
    history: Vec<History>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outline {
    fs_layers: Option<Vec<Layer>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    blob_sum: String,
}

/// A configuration in the format of Docker's first registry, as a text that
/// only clients look into.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct History {
    #[serde(rename = "v1Compatibility")]
    _v1_compatibility: String,
}

/// Why a payload is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// It is no JSON, or a field is missing or has the wrong type.
    #[error("the signed part of the manifest cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// It cannot be told what it is.
    #[error("the signed part of the manifest: {0}")]
    Type(#[source] ManifestError),
    /// It is another kind of manifest.
    #[error("the signed part of the manifest is one of {got}, expected schemaVersion 1")]
    OtherType {
        /// What it is.
        got: ManifestType,
    },
    /// It has signatures of its own, so that it would be taken for another
    /// document when it is read again.
    #[error("the signed part of the manifest has the field signatures itself")]
    SignedTwice,
    /// There are no layers, or not as many entries of the history.
    #[error(
        "the manifest has {layers} fsLayers and {history} history entries, expected as many of both and at least one"
    )]
    Counts {
        /// How many layers there are.
        layers: usize,
        /// How many entries the history has.
        history: usize,
    },
    /// The repository cannot have that name.
    #[error("the manifest has the name {got:?}: {source}")]
    Name {
        /// What it says.
        got: String,
        /// What is wrong with it.
        source: NameError,
    },
    /// The tag cannot exist.
    #[error("the manifest has the tag {got:?}: {source}")]
    Tag {
        /// What it says.
        got: String,
        /// What is wrong with it.
        source: TagError,
    },
    /// A layer is not named by a digest.
    #[error("fsLayers[{index}].blobSum: {source}")]
    Layer {
        /// Which one, from 0.
        index: usize,
        /// What is wrong with it.
        source: DigestError,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn document() -> Value {
        serde_json::from_str(include_str!("testdata/payload.json")).unwrap()
    }

    fn parse(document: &Value) -> Result<Schema1Manifest, PayloadError> {
        Schema1Manifest::parse(document.to_string().as_bytes())
    }

    /// What is said of the payload with one field replaced.
    fn refused(field: &str, value: Value) -> String {
        let mut document = document();
        document[field] = value;
        parse(&document).unwrap_err().to_string()
    }

    #[test]
    fn says_what_it_is_of() {
        let manifest = parse(&document()).unwrap();
        assert_eq!(manifest.name().as_str(), "old/app");
        assert_eq!(manifest.tag().unwrap().as_str(), "v1");
        assert_eq!(manifest.architecture(), "amd64");
        let layer: Digest =
            "sha256:f191e625176e7514249870c60bc24622131b04927a418001d1969c9cecd260f1"
                .parse()
                .unwrap();
        assert_eq!(manifest.layers(), [layer]);
        let stored = document().to_string();
        assert_eq!(layers_of_stored(stored.as_bytes()).unwrap(), [layer]);
    }

    #[test]
    fn what_breaks_a_rule_is_named() {
        for (field, value, said) in [
            (
                "schemaVersion",
                json!(2),
                "image.manifest.v1+json, expected schemaVersion 1",
            ),
            ("schemaVersion", json!(3), "schemaVersion 3"),
            ("mediaType", json!(1), "cannot be read"),
            ("name", json!("Old/App"), "\"Old/App\""),
            ("name", json!("a".repeat(256)), "the name"),
            ("name", json!(null), "cannot be read"),
            ("tag", json!("-x"), "\"-x\""),
            ("fsLayers", json!([]), "0 fsLayers and 1 history"),
            ("history", json!([]), "1 fsLayers and 0 history"),
            ("history", json!([{}]), "v1Compatibility"),
            (
                "fsLayers",
                json!([{"blobSum": "tarsum.v1+sha256:00"}]),
                "fsLayers[0].blobSum",
            ),
            ("signatures", json!(null), "signatures itself"),
        ] {
            let message = refused(field, value);
            assert!(message.contains(said), "{field}: {message}");
        }
    }

    #[test]
    fn a_tag_may_be_empty() {
        let mut document = document();
        document["tag"] = json!("");
        assert_eq!(parse(&document).unwrap().tag(), None);
    }

    #[test]
    fn what_was_stored_by_others_still_has_its_layers() {
        let mut document = document();
        document["history"] = json!([]);
        document["name"] = json!("Old/App");
        assert!(parse(&document).is_err());
        let layers = layers_of_stored(document.to_string().as_bytes()).unwrap();
        assert_eq!(layers.len(), 1);
    }

    proptest! {
        #[test]
        fn never_panics(payload in ".{0,400}") {
            let _ = Schema1Manifest::parse(payload.as_bytes());
            let _ = layers_of_stored(payload.as_bytes());
        }

        #[test]
        fn counts_have_to_agree(layers in 0_usize..4, history in 0_usize..4) {
            let mut document = document();
            let (layer, entry) = (document["fsLayers"][0].clone(), document["history"][0].clone());
            document["fsLayers"] = vec![layer; layers].into();
            document["history"] = vec![entry; history].into();
            let accepted = parse(&document).map(|manifest| manifest.layers().len());
            prop_assert_eq!(accepted.ok(), (layers == history && layers > 0).then_some(layers));
        }
    }
}
