mod live;
mod names;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use fs_err as fs;
use serde_json::json;

use super::*;
use crate::oci::{Algorithm, RepoName, Tag};
use crate::store::{Filesystem, NewManifest};

struct Registry {
    root: tempfile::TempDir,
    store: Arc<dyn Maintain>,
}

impl Registry {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let store = Arc::new(Filesystem::new(root.path()));
        Self { root, store }
    }

    fn file(&self, path: &str) -> PathBuf {
        self.root.path().join("docker/registry/v2").join(path)
    }

    fn content(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.file(&format!("blobs/sha256/{}/{hex}/data", &hex[..2]))
    }

    async fn push(&self, repo: &str, content: &str) -> Digest {
        push_to(&*self.store, repo, content).await
    }

    /// A manifest with one layer of five bytes.
    async fn put(&self, repo: &str, layer: &Digest, tag: &str) -> Digest {
        let tags = vec![tag.parse::<Tag>().unwrap()];
        self.put_bytes(repo, image(layer, 5), None, tags).await
    }

    async fn put_bytes(
        &self,
        repo: &str,
        bytes: Bytes,
        subject: Option<Digest>,
        tags: Vec<Tag>,
    ) -> Digest {
        let digest = Algorithm::Sha256.digest(&bytes);
        let manifest = NewManifest {
            digest,
            bytes,
            subject,
            tags,
        };
        self.store
            .put_manifest(&repo_of(repo), manifest)
            .await
            .unwrap();
        digest
    }

    async fn scrub(&self) -> Report {
        run(&self.store, &options(), &()).await.unwrap()
    }
}

async fn push_to(store: &dyn Maintain, repo: &str, content: &str) -> Digest {
    let digest = Algorithm::Sha256.digest(content.as_bytes());
    push_by(store, repo, content, &digest).await;
    digest
}

async fn push_by(store: &dyn Maintain, repo: &str, content: &str, digest: &Digest) {
    let mut upload = store.begin_upload(&repo_of(repo)).await.unwrap();
    let content = Bytes::copy_from_slice(content.as_bytes());
    upload.write(content).await.unwrap();
    upload.commit(digest).await.unwrap();
}

/// A manifest with one layer, which is its configuration as well.
fn image(layer: &Digest, size: u64) -> Bytes {
    let descriptor = json!({"mediaType": "x/y", "digest": layer, "size": size});
    let document = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor,
        "layers": [descriptor],
    });
    serde_json::to_vec(&document).unwrap().into()
}

fn repo_of(name: &str) -> RepoName {
    name.parse().unwrap()
}

fn options() -> Options {
    Options {
        quarantine: true,
        rate: None,
        threads: NonZeroUsize::new(2).unwrap(),
        state: None,
    }
}

fn said(report: &Report) -> Vec<(Kind, &str)> {
    let findings = report.findings.iter();
    findings
        .map(|finding| (finding.kind, finding.subject.as_str()))
        .collect()
}

#[tokio::test]
async fn a_healthy_registry_has_no_findings() {
    let registry = Registry::new();
    let layer = registry.push("a/b", "layer").await;
    registry.put("a/b", &layer, "v1").await;
    registry.push("c", "").await;
    let report = registry.scrub().await;
    assert_eq!(report.findings, []);
    assert_eq!((report.contents, report.repositories), (3, 2));
    assert!(report.complete && !report.resumed);
}

#[tokio::test]
async fn corrupt_content_is_moved_aside_and_its_images_are_named() {
    let registry = Registry::new();
    let layer = registry.push("a", "layer").await;
    let manifest = registry.put("a", &layer, "v1").await;
    registry.push("b", "other").await;
    fs::write(registry.content(&layer), b"Layer").unwrap();
    let report = registry.scrub().await;
    let image = format!("a@{manifest} (v1)");
    let expected = [
        (Kind::Corrupt, layer.to_string()),
        (Kind::Missing, format!("a@{layer}")),
        (Kind::Missing, image.clone()),
        (Kind::Missing, image),
    ];
    let findings = said(&report);
    assert_eq!(findings.len(), 3, "{findings:?}");
    for finding in findings {
        assert!(
            expected
                .iter()
                .any(|(kind, subject)| (*kind, subject.as_str()) == finding),
            "{finding:?}"
        );
    }
    // Nothing was deleted, and a push mends it.
    let aside = registry.file(&format!("_quarantine/sha256/{}", layer.hex()));
    assert_eq!(fs::read(aside).unwrap(), b"Layer");
    assert!(!registry.content(&layer).exists());
    registry.push("a", "layer").await;
    assert_eq!(registry.scrub().await.findings, []);
}

#[tokio::test]
async fn without_quarantine_nothing_is_touched() {
    let registry = Registry::new();
    let layer = registry.push("a", "layer").await;
    fs::write(registry.content(&layer), b"").unwrap();
    let options = Options {
        quarantine: false,
        ..options()
    };
    let report = run(&registry.store, &options, &()).await.unwrap();
    assert_eq!(
        said(&report)[0],
        (Kind::Corrupt, layer.to_string().as_str())
    );
    assert!(registry.content(&layer).exists());
}

#[tokio::test]
async fn what_leads_nowhere_is_named() {
    let registry = Registry::new();
    let layer = registry.push("a", "layer").await;
    let manifest = registry.put("a", &layer, "v1").await;
    registry.put("a", &layer, "torn").await;
    let repository = registry.file("repositories/a");
    fs::write(repository.join("_manifests/tags/torn/current/link"), b"").unwrap();
    fs::remove_file(repository.join(format!("_layers/sha256/{}/link", layer.hex()))).unwrap();
    fs::create_dir_all(repository.join("_uploads/not-an-upload")).unwrap();
    let other = registry.push("b", "other").await;
    fs::remove_file(registry.content(&other)).unwrap();
    let gone = registry.put("c", &other, "v2").await;
    fs::remove_file(registry.content(&gone)).unwrap();

    let report = registry.scrub().await;
    let findings = said(&report);
    let image = format!("a@{manifest} (v1)");
    let (blob, lost) = (format!("b@{other}"), format!("c@{gone} (v2)"));
    for expected in [
        (Kind::BrokenLink, "a:torn"),
        (Kind::BrokenLink, "a"),
        (Kind::Missing, image.as_str()),
        (Kind::Missing, blob.as_str()),
        (Kind::Missing, lost.as_str()),
    ] {
        assert!(findings.contains(&expected), "{expected:?}: {findings:?}");
    }
}

#[tokio::test]
async fn a_wrong_size_in_a_manifest_is_named() {
    let registry = Registry::new();
    let layer = registry.push("a", "seven b").await;
    registry.put("a", &layer, "v1").await;
    let report = registry.scrub().await;
    assert!(report.findings[0].problem.contains("7 bytes"), "{report:?}");
}

/// Stops after some content, and knows what was hashed.
#[derive(Default)]
struct Watcher {
    stops_after: u64,
    hashed: AtomicU64,
    seen: Mutex<Vec<Digest>>,
}

impl Observer for Watcher {
    fn hashed(&self, last: &Digest, _: u64, _: u64) {
        self.hashed.fetch_add(1, Ordering::Relaxed);
        self.seen.lock().unwrap().push(*last);
    }

    fn stops(&self) -> bool {
        self.hashed.load(Ordering::Relaxed) >= self.stops_after
    }
}

#[tokio::test]
async fn it_goes_on_where_it_was_interrupted() {
    let registry = Registry::new();
    let mut digests = Vec::new();
    for number in 0..10 {
        digests.push(registry.push("a", &format!("content {number}")).await);
    }
    digests.sort();
    fs::write(registry.content(&digests[1]), b"corrupt").unwrap();
    let options = Options {
        state: Some(registry.root.path().join("state/scrub.json")),
        ..options()
    };
    let first = Watcher {
        stops_after: 4,
        ..Watcher::default()
    };
    let report = run(&registry.store, &options, &first).await.unwrap();
    assert!(!report.complete);
    let second = Watcher {
        stops_after: u64::MAX,
        ..Watcher::default()
    };
    let report = run(&registry.store, &options, &second).await.unwrap();
    assert!(report.complete && report.resumed);
    assert_eq!(report.contents, 10);
    // What the first run found is not forgotten.
    assert_eq!(report.findings[0].subject, digests[1].to_string());
    let seen = [first.seen, second.seen].map(|seen| seen.into_inner().unwrap());
    assert_eq!(seen.concat(), digests);
    let last = last_run(&options.state.unwrap()).unwrap();
    assert!(last.completed.unwrap().elapsed().is_ok());
    assert!(!last.interrupted);
}
