//! Content that a descriptor carries with it (OCI image-spec, "Content
//! Descriptors": `data`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::{Manifest, ManifestError};
use crate::oci::Digest;

impl Manifest {
    /// Checks that what descriptors carry is what their digest and size say:
    /// some clients use it instead of asking for the blob.
    ///
    /// This is apart from [`Manifest::parse`], since what was stored before,
    /// also by another registry, has to stay readable.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Data`] for the first that is wrong.
    pub fn check_embedded(bytes: &[u8]) -> Result<(), ManifestError> {
        let document: Document = serde_json::from_slice(bytes).map_err(ManifestError::Json)?;
        let lists = [document.layers, document.manifests];
        let single = [document.config, document.subject];
        let mut carriers = single
            .into_iter()
            .flatten()
            .chain(lists.into_iter().flatten().flatten());
        carriers.try_for_each(|carrier| carrier.check())
    }
}

#[derive(Deserialize)]
struct Document {
    config: Option<Carrier>,
    layers: Option<Vec<Carrier>>,
    manifests: Option<Vec<Carrier>>,
    subject: Option<Carrier>,
}

/// A descriptor, as far as it matters here.
#[derive(Deserialize)]
struct Carrier {
    digest: Digest,
    size: u64,
    data: Option<String>,
}

impl Carrier {
    fn check(&self) -> Result<(), ManifestError> {
        let Some(data) = &self.data else {
            return Ok(());
        };
        let wrong = |problem: String| ManifestError::Data {
            digest: self.digest.into(),
            problem,
        };
        let content = STANDARD
            .decode(data)
            .map_err(|error| wrong(format!("cannot be decoded from base64: {error}")))?;
        if content.len() as u64 != self.size {
            let got = content.len();
            return Err(wrong(format!("has {got} bytes, expected {}", self.size)));
        }
        let actual = self.digest.algorithm().digest(&content);
        if actual != self.digest {
            return Err(wrong(format!("has digest {actual}")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::oci::Algorithm;

    fn carrying(content: &[u8], digest: Digest, size: u64) -> Value {
        json!({"mediaType": "a/b", "digest": digest, "size": size, "data": STANDARD.encode(content)})
    }

    fn check(document: &Value) -> Result<(), String> {
        Manifest::check_embedded(&serde_json::to_vec(document).unwrap())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn content_that_is_carried_has_to_be_the_content() {
        let digest = Algorithm::Sha256.digest(b"{}");
        let right = carrying(b"{}", digest, 2);
        let mut unreadable = right.clone();
        unreadable["data"] = json!("e30");
        for (wrong, problem) in [
            (carrying(b"[]", digest, 2), "has digest sha256:"),
            (carrying(b"{}", digest, 3), "has 2 bytes, expected 3"),
            (unreadable, "cannot be decoded from base64"),
        ] {
            for place in ["config", "subject"] {
                assert_eq!(check(&json!({ place: right })), Ok(()));
                let error = check(&json!({ place: wrong })).unwrap_err();
                assert!(error.contains(problem), "{error}");
                assert!(error.contains(&digest.to_string()), "{error}");
            }
            for place in ["layers", "manifests"] {
                assert_eq!(check(&json!({ place: [right, right] })), Ok(()));
                assert!(check(&json!({ place: [right, wrong] })).is_err());
            }
        }
        assert_eq!(check(&json!({"layers": null, "config": null})), Ok(()));
    }

    proptest! {
        #[test]
        fn any_content_can_be_carried(content: Vec<u8>, long: bool) {
            let algorithm = if long { Algorithm::Sha512 } else { Algorithm::Sha256 };
            let right = carrying(&content, algorithm.digest(&content), content.len() as u64);
            prop_assert_eq!(check(&json!({"layers": [right]})), Ok(()));
        }

        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = Manifest::check_embedded(&bytes);
        }
    }
}
