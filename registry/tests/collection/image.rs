//! Images that have much in common: how they are pushed, pulled and deleted.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use tidegate_registry::oci::{Algorithm, Digest};

use super::client::{Answer, Client};
use super::{GRACE, REPOSITORIES, disk};

/// How many different layers and sub-images there are.
///
/// So many that most of them rest for a while before somebody uses them again:
/// some until they are collected, some until just before.
const LAYERS: u64 = 150;
const PARTS: u64 = 20;

/// How often a push is tried: what took longer than the grace is begun anew.
const ATTEMPTS: usize = 20;

/// For how long a claim holds at least: it may be a second old when it is made,
/// and what was claimed is looked at a little later.
const CLAIMED: Duration = GRACE.checked_sub(Duration::from_millis(1500)).unwrap();

/// An index of sub-images that others have too, or an image of its own, and
/// perhaps a signature of it.
pub(crate) struct Image {
    blobs: Vec<Bytes>,
    parts: Vec<Part>,
    manifest: Bytes,
    /// The one that the manifest is pushed by.
    digest: Digest,
    signature: Option<Part>,
}

/// A manifest without a tag, and its blobs.
struct Part {
    blobs: Vec<Bytes>,
    manifest: Bytes,
}

impl Part {
    fn of(config: &str, layers: Vec<Bytes>, subject: Option<Value>) -> Self {
        let mut blobs = vec![Bytes::from(config.to_owned())];
        blobs.extend(layers);
        let mut document = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor("application/vnd.oci.image.config.v1+json", &blobs[0]),
            "layers": blobs[1..].iter().map(|layer| descriptor("layer", layer)).collect::<Vec<_>>(),
        });
        if let Some(subject) = subject {
            document["subject"] = subject;
        }
        Self {
            manifest: document.to_string().into(),
            blobs,
        }
    }

    /// One that others push as well.
    fn shared(number: u64) -> Self {
        let layers = vec![layer(number), layer(number + 1)];
        Self::of(&format!("the config of part {number}"), layers, None)
    }

    fn digest(&self) -> Digest {
        Algorithm::Sha256.digest(&self.manifest)
    }

    async fn push(&self, client: &Client, repo: &str, random: &mut Random) {
        let path = format!("/v2/{repo}/manifests/{}", self.digest());
        for _ in 0..ATTEMPTS {
            let begun = Instant::now();
            for blob in &self.blobs {
                push_blob(client, repo, blob, random).await;
            }
            let put = client.put(&path, self.manifest.clone()).await;
            if is_made(&put, begun) {
                return;
            }
        }
        panic!("a push did not come to its end in {ATTEMPTS} attempts");
    }

    async fn assert_pulls(&self, client: &Client, repo: &str) {
        assert_manifest(client, repo, &self.digest().to_string(), &self.manifest).await;
        assert_blobs(client, repo, &self.blobs).await;
    }

    fn expect(&self, repo: &str, left: &mut disk::Left) {
        left.manifest(repo, &self.manifest);
        left.blobs(repo, &self.blobs);
    }
}

impl Image {
    pub(crate) fn random(random: &mut Random) -> Self {
        let about = random.next();
        let by = *random.one_of(&[Algorithm::Sha256, Algorithm::Sha256, Algorithm::Sha512]);
        let (blobs, parts, manifest) = if random.below(3) == 0 {
            let parts: Vec<_> = (0..2).map(|_| Part::shared(random.below(PARTS))).collect();
            let listed = parts.iter().map(|part| {
                descriptor("application/vnd.oci.image.manifest.v1+json", &part.manifest)
            });
            let document = json!({
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "manifests": listed.collect::<Vec<_>>(),
                "annotations": {"about": about.to_string()},
            });
            (Vec::new(), parts, document.to_string().into())
        } else {
            let layers = (0..3).map(|_| layer(random.below(LAYERS))).collect();
            let part = Part::of(&format!("the config of {about}"), layers, None);
            (part.blobs, Vec::new(), part.manifest)
        };
        let signature = (random.below(4) == 0).then(|| {
            let subject = descriptor("application/vnd.oci.image.manifest.v1+json", &manifest);
            Part::of(&format!("signature {about}"), Vec::new(), Some(subject))
        });
        Self {
            digest: by.digest(&manifest),
            blobs,
            parts,
            manifest,
            signature,
        }
    }

    /// Pushes everything but the manifest, as over a slow line. Returns when it
    /// began.
    pub(crate) async fn push(&self, client: &Client, repo: &str, random: &mut Random) -> Instant {
        let begun = Instant::now();
        for blob in &self.blobs {
            push_blob(client, repo, blob, random).await;
        }
        for part in &self.parts {
            part.push(client, repo, random).await;
        }
        tokio::time::sleep(Duration::from_millis(random.below(1500))).await;
        begun
    }

    /// Pushes the manifest with a tag, and its signature. False if what it
    /// refers to is not there any more.
    pub(crate) async fn tag(&self, client: &Client, repo: &str, tag: &str, begun: Instant) -> bool {
        let path = format!("/v2/{repo}/manifests/{}?tag={tag}", self.digest);
        let put = client.put(&path, self.manifest.clone()).await;
        if !is_made(&put, begun) {
            return false;
        }
        if let Some(signature) = &self.signature {
            signature.push(client, repo, &mut Random::new(7)).await;
        }
        true
    }

    pub(crate) async fn delete(&self, client: &Client, repo: &str, tag: &str, random: &mut Random) {
        let reference = match random.below(2) {
            0 => tag.to_owned(),
            _ => self.digest.to_string(),
        };
        let status = client
            .delete(&format!("/v2/{repo}/manifests/{reference}"))
            .await;
        assert_eq!(status, StatusCode::ACCEPTED, "{repo}:{reference}");
    }

    pub(crate) async fn assert_pulls(&self, client: &Client, repo: &str, tag: &str) {
        assert_manifest(client, repo, tag, &self.manifest).await;
        assert_manifest(client, repo, &self.digest.to_string(), &self.manifest).await;
        assert_blobs(client, repo, &self.blobs).await;
        for part in &self.parts {
            part.assert_pulls(client, repo).await;
        }
        if let Some(signature) = &self.signature {
            let subject = Algorithm::Sha256.digest(&self.manifest);
            let listed = client.get(&format!("/v2/{repo}/referrers/{subject}")).await;
            let listed: Value = serde_json::from_slice(&listed.body).unwrap();
            assert_eq!(
                listed["manifests"][0]["digest"],
                json!(signature.digest()),
                "{repo}:{tag}"
            );
            signature.assert_pulls(client, repo).await;
        }
    }

    /// What has to be on disk, and nothing else.
    pub(crate) fn expect(&self, repo: &str, tag: &str, left: &mut disk::Left) {
        left.tag(repo, tag);
        left.manifest(repo, &self.manifest);
        left.blobs(repo, &self.blobs);
        for part in self.parts.iter().chain(&self.signature) {
            part.expect(repo, left);
        }
    }
}

pub(crate) async fn assert_absent(client: &Client, repo: &str, tag: &str) {
    let status = client.head(&format!("/v2/{repo}/manifests/{tag}")).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{repo}:{tag}");
}

/// Sends a blob if it is not there, as clients do: by a mount where another
/// repository may have it, or whole.
async fn push_blob(client: &Client, repo: &str, blob: &Bytes, random: &mut Random) {
    let digest = Algorithm::Sha256.digest(blob);
    if client.head(&format!("/v2/{repo}/blobs/{digest}")).await == StatusCode::OK {
        return;
    }
    let uploads = format!("/v2/{repo}/blobs/uploads/");
    let from = random.one_of(&REPOSITORIES);
    let mount = format!("{uploads}?mount={digest}&from={from}");
    if random.below(2) == 0 && client.post(&mount, Bytes::new()).await == StatusCode::CREATED {
        return;
    }
    let whole = format!("{uploads}?digest={digest}");
    assert_eq!(client.post(&whole, blob.clone()).await, StatusCode::CREATED);
}

/// Whether a manifest was taken. If it was not, something that it refers to has
/// been collected, because the push took longer than a claim holds.
fn is_made(answer: &Answer, begun: Instant) -> bool {
    let took = begun.elapsed();
    if answer.status == StatusCode::CREATED {
        return true;
    }
    let said = String::from_utf8_lossy(&answer.body);
    assert!(said.contains("MANIFEST_BLOB_UNKNOWN"), "{said}");
    assert!(
        took >= CLAIMED,
        "what was there {took:?} ago is gone: {said}"
    );
    false
}

async fn assert_manifest(client: &Client, repo: &str, reference: &str, manifest: &Bytes) {
    let answer = client
        .get(&format!("/v2/{repo}/manifests/{reference}"))
        .await;
    assert_eq!(
        answer.status,
        StatusCode::OK,
        "{repo} {reference}: {answer:?}"
    );
    assert_eq!(answer.body, manifest, "{repo} {reference}");
}

async fn assert_blobs(client: &Client, repo: &str, blobs: &[Bytes]) {
    for blob in blobs {
        let digest = Algorithm::Sha256.digest(blob);
        let answer = client.get(&format!("/v2/{repo}/blobs/{digest}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{repo}@{digest}: {answer:?}");
        assert_eq!(answer.body, blob);
    }
}

fn layer(number: u64) -> Bytes {
    format!("layer {number}\n").repeat(100).into()
}

fn descriptor(media_type: &str, content: &Bytes) -> Value {
    json!({
        "mediaType": media_type,
        "digest": Algorithm::Sha256.digest(content),
        "size": content.len(),
    })
}

/// Numbers that are the same in every run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len() as u64) as usize]
    }
}
