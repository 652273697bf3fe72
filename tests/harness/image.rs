//! Small images, made here so that the tests need nothing from outside.

use bytes::Bytes;
use http::StatusCode;
use sha2::{Digest as _, Sha256};

use super::client::Client;

pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

pub fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// Bytes that no compression shrinks and that repeat from run to run.
pub fn noise(seed: u64, len: usize) -> Bytes {
    // Neither zero, which would stay zero, nor the same for two small seeds.
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        // xorshift64: good enough to look random to a compressor.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes.into()
}

/// An image of one configuration and some layers.
pub struct Image {
    pub manifest: Bytes,
    pub digest: String,
    pub blobs: Vec<Bytes>,
}

impl Image {
    pub fn of(layers: Vec<Bytes>) -> Self {
        let config = Bytes::from_static(
            br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#,
        );
        let descriptor = |media_type: &str, bytes: &Bytes| {
            serde_json::json!({
                "mediaType": media_type,
                "digest": sha256(bytes),
                "size": bytes.len(),
            })
        };
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
            "layers": layers
                .iter()
                .map(|layer| descriptor("application/vnd.oci.image.layer.v1.tar", layer))
                .collect::<Vec<_>>(),
        });
        let manifest = Bytes::from(manifest.to_string());
        let mut blobs = vec![config];
        blobs.extend(layers);
        Self {
            digest: sha256(&manifest),
            manifest,
            blobs,
        }
    }

    /// Pushes it as a client does: POST, PATCH, PUT for each blob, then the manifest.
    pub async fn push(&self, client: &Client, repository: &str, tag: &str) {
        for blob in &self.blobs {
            push_blob(client, repository, blob.clone()).await;
        }
        let answer = client
            .clone()
            .header("content-type", OCI_MANIFEST)
            .put(
                &format!("/v2/{repository}/manifests/{tag}"),
                self.manifest.clone(),
            )
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        assert_eq!(answer.header("docker-content-digest"), self.digest);
    }

    /// Pulls it by tag and compares every byte.
    pub async fn assert_pulls(&self, client: &Client, repository: &str, tag: &str) {
        let answer = client
            .get(&format!("/v2/{repository}/manifests/{tag}"))
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
        assert_eq!(answer.header("docker-content-digest"), self.digest);
        assert_eq!(answer.header("content-type"), OCI_MANIFEST);
        assert_eq!(answer.body, self.manifest);
        for blob in &self.blobs {
            let digest = sha256(blob);
            let answer = client
                .get(&format!("/v2/{repository}/blobs/{digest}"))
                .await;
            assert_eq!(answer.status, StatusCode::OK);
            assert_eq!(answer.body, *blob);
        }
    }
}

pub async fn push_blob(client: &Client, repository: &str, bytes: Bytes) -> String {
    let digest = sha256(&bytes);
    let answer = client
        .post(&format!("/v2/{repository}/blobs/uploads/"))
        .await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{:?}", answer.body);
    let answer = client.patch(answer.header("location"), bytes).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{:?}", answer.body);
    let location = with_digest(answer.header("location"), &digest);
    let answer = client.put(&location, "").await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
    assert_eq!(answer.header("docker-content-digest"), digest);
    digest
}

/// An upload's `Location` with the digest that closes it.
pub fn with_digest(location: &str, digest: &str) -> String {
    let joint = if location.contains('?') { '&' } else { '?' };
    format!("{location}{joint}digest={digest}")
}

/// A location as another process at the same store would be asked for it.
pub fn path_of(location: &str) -> String {
    let at = location.find("/v2/").expect("a location of the API");
    location[at..].to_owned()
}
