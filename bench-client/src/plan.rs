//! What is to be pushed, and where.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::Deserialize;

/// What the bench asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    /// Where uploads begin: `https://HOST/v2/NAME/blobs/uploads/`.
    pub(crate) uploads: String,
    /// The certificate to trust, PEM.
    pub(crate) authority: PathBuf,
    /// The value of `Authorization`.
    pub(crate) authorization: String,
    /// How many push at once, each over a connection of its own.
    pub(crate) connections: NonZeroUsize,
    /// The blobs, each to be pushed once.
    pub(crate) blobs: Vec<Blob>,
}

/// A blob in a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Blob {
    /// Its bytes.
    pub(crate) file: PathBuf,
    /// `sha256:` and 64 hexadecimal digits.
    pub(crate) digest: String,
}

#[cfg(test)]
mod tests {
    use super::Plan;

    #[test]
    fn a_plan_says_all_and_nothing_else() {
        let plan = r#"{"uploads": "https://127.0.0.1:1/v2/a/blobs/uploads/", "authority": "/ca",
            "authorization": "Basic eA==", "connections": 8,
            "blobs": [{"file": "/b", "digest": "sha256:0"}]}"#;
        assert_eq!(serde_json::from_str::<Plan>(plan).unwrap().blobs.len(), 1);
        for (from, to) in [
            ("\"connections\": 8,", ""),
            ("\"connections\": 8,", "\"connections\": 0,"),
            ("\"connections\": 8,", "\"connections\": 8, \"other\": 1,"),
        ] {
            let wrong = plan.replace(from, to);
            assert!(serde_json::from_str::<Plan>(&wrong).is_err(), "{wrong}");
        }
    }
}
