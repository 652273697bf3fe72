//! What a stored manifest refers to, whatever its type.

use serde::Deserialize;

use super::digest::Digest;
use super::manifest::ManifestError;

/// Everything that a stored manifest names.
///
/// [`super::Manifest`] is strict, since it decides what may be pushed. This is
/// lenient, since it decides what is kept: other programs and older versions
/// wrote manifests too, and whatever one of them names is named. That includes
/// layers that may be elsewhere, and those of schema 1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// Configurations, layers and other blobs, in the order of the document;
    /// one may be named more than once.
    pub blobs: Vec<Digest>,
    /// What an index lists. Usually manifests; an index of BuildKit's cache
    /// lists layers.
    pub children: Vec<Digest>,
    /// The manifest that this one says something about.
    pub subject: Option<Digest>,
}

impl References {
    /// Reads the bytes of a manifest that was stored.
    ///
    /// Digests of algorithms that are unknown here are left out: content is not
    /// kept under them.
    ///
    /// # Errors
    ///
    /// It is no JSON, or a field that names content has another form.
    pub fn of_stored(bytes: &[u8]) -> Result<Self, ManifestError> {
        let document: Document = serde_json::from_slice(bytes).map_err(ManifestError::Json)?;
        let Document {
            config,
            layers,
            blobs,
            fs_layers,
            manifests,
            subject,
        } = document;
        let schema1 = fs_layers.into_iter().flatten().map(|layer| layer.blob_sum);
        let named = config
            .into_iter()
            .chain(layers.into_iter().flatten())
            .chain(blobs.into_iter().flatten())
            .map(|descriptor| descriptor.digest);
        Ok(Self {
            blobs: known(named.chain(schema1)),
            children: known(manifests.into_iter().flatten().map(|child| child.digest)),
            subject: subject.and_then(|subject| subject.digest.parse().ok()),
        })
    }
}

fn known(texts: impl Iterator<Item = String>) -> Vec<Digest> {
    texts.filter_map(|text| text.parse().ok()).collect()
}

/// All fields by which a manifest of any type names content.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    config: Option<Named>,
    layers: Option<Vec<Named>>,
    /// Of the artifact manifest that OCI 1.1 had for a while.
    blobs: Option<Vec<Named>>,
    fs_layers: Option<Vec<FsLayer>>,
    manifests: Option<Vec<Named>>,
    subject: Option<Named>,
}

/// A descriptor, of which only the digest matters.
#[derive(Deserialize)]
struct Named {
    digest: String,
}

/// A layer of schema 1.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FsLayer {
    blob_sum: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::oci::Algorithm;

    fn digest(of: &str) -> Digest {
        Algorithm::Sha256.digest(of.as_bytes())
    }

    fn of(document: &Value) -> Result<References, ManifestError> {
        References::of_stored(&serde_json::to_vec(document).unwrap())
    }

    #[test]
    fn every_field_that_names_content_counts() {
        let named = |of: &str| json!({"mediaType": "x", "digest": digest(of), "size": 1});
        let foreign = json!({
            "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            "digest": digest("foreign"), "size": 1, "urls": ["https://example.com/layer"],
        });
        let long = Algorithm::Sha512.digest(b"long");
        let document = json!({
            "config": named("config"),
            "layers": [named("layer"), foreign, {"digest": long}, named("layer")],
            "blobs": [named("blob")],
            "fsLayers": [{"blobSum": digest("old")}],
            "manifests": [named("child")],
            "subject": named("subject"),
            "annotations": {"digest": "no descriptor"},
        });
        assert_eq!(
            of(&document).unwrap(),
            References {
                blobs: [
                    digest("config"),
                    digest("layer"),
                    digest("foreign"),
                    long,
                    digest("layer"),
                    digest("blob"),
                    digest("old"),
                ]
                .to_vec(),
                children: vec![digest("child")],
                subject: Some(digest("subject")),
            }
        );
    }

    #[test]
    fn what_is_not_there_names_nothing() {
        let nothing = References::default();
        for document in [
            json!({}),
            json!({"config": null, "layers": null, "manifests": [], "subject": null}),
            json!({"layers": [{"digest": "md5:d41d8cd98f00b204e9800998ecf8427e"}]}),
        ] {
            assert_eq!(of(&document).unwrap(), nothing, "{document}");
        }
    }

    #[test]
    fn what_might_name_something_is_an_error() {
        for document in [
            json!([]),
            json!({"layers": {}}),
            json!({"layers": [{"size": 1}]}),
            json!({"manifests": [{"digest": 1}]}),
            json!({"fsLayers": ["sha256:"]}),
            json!({"subject": "sha256:"}),
        ] {
            assert!(of(&document).is_err(), "{document}");
        }
        assert!(References::of_stored(b"{\"layers\":[],\"layers\":[]}").is_err());
        assert!(References::of_stored(b"").is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = References::of_stored(&bytes);
        }

        /// Whatever can be pushed can be kept.
        #[test]
        fn all_that_a_pushed_manifest_names_is_found(
            layers in proptest::collection::vec("[a-z]{1,3}", 0..6),
            is_index: bool,
        ) {
            let named: Vec<_> = layers
                .iter()
                .map(|of| json!({"mediaType": "x", "digest": digest(of), "size": 1}))
                .collect();
            let document = if is_index {
                json!({"schemaVersion": 2, "manifests": named, "subject": named.first()})
            } else {
                json!({"schemaVersion": 2, "config": {"mediaType": "x", "digest": digest("c"), "size": 1}, "layers": named})
            };
            let bytes = serde_json::to_vec(&document).unwrap();
            let strict = crate::oci::Manifest::parse(&bytes, None).unwrap();
            let lenient = References::of_stored(&bytes).unwrap();
            let blobs: Vec<_> = strict.blobs().map(|blob| blob.digest).collect();
            let children: Vec<_> = strict.children().map(|child| child.digest).collect();
            prop_assert_eq!(lenient.blobs, blobs);
            prop_assert_eq!(lenient.children, children);
            prop_assert_eq!(lenient.subject, strict.subject().map(|subject| subject.digest));
        }
    }
}
