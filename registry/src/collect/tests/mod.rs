//! Runs over small registries, in which everything has a name.

mod damage;
mod marking;
mod races;
mod removal;

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Event, MINIMUM_GRACE, Options, Report, collect, collect_at};
use crate::oci::{Algorithm, Digest, RepoName};
use crate::store::{Filesystem, Maintain, Memory, NewManifest};

const DAY: Duration = Duration::from_secs(86_400);
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A registry, and the names of what was put into it.
struct World {
    store: Arc<dyn Maintain>,
    names: Mutex<HashMap<Digest, String>>,
    directory: Option<tempfile::TempDir>,
}

/// A manifest to put.
#[derive(Default)]
struct Manifest<'a> {
    tag: Option<&'a str>,
    config: Option<&'a str>,
    layers: Vec<Digest>,
    children: Vec<Digest>,
    subject: Option<Digest>,
    by: Option<Algorithm>,
}

/// A manifest with a configuration and layers.
fn image_of<'a>(config: &'a str, layers: &[Digest]) -> Manifest<'a> {
    Manifest {
        config: Some(config),
        layers: layers.to_vec(),
        ..Manifest::default()
    }
}

/// An index of manifests.
fn index_of(children: &[Digest]) -> Manifest<'static> {
    Manifest {
        children: children.to_vec(),
        ..Manifest::default()
    }
}

impl<'a> Manifest<'a> {
    fn tagged(self, tag: impl Into<Option<&'a str>>) -> Self {
        Self {
            tag: tag.into(),
            ..self
        }
    }

    fn about(self, subject: Digest) -> Self {
        Self {
            subject: Some(subject),
            ..self
        }
    }

    fn by_sha512(self) -> Self {
        Self {
            by: Some(Algorithm::Sha512),
            ..self
        }
    }
}

impl World {
    fn on_disk() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Filesystem::new(directory.path());
        store.prepare().unwrap();
        Self {
            store: Arc::new(store),
            names: Mutex::default(),
            directory: Some(directory),
        }
    }

    fn in_memory() -> Self {
        Self {
            store: Arc::new(Memory::default()),
            names: Mutex::default(),
            directory: None,
        }
    }

    /// One of each kind.
    fn each() -> [Self; 2] {
        [Self::on_disk(), Self::in_memory()]
    }

    /// The directory of the registry on disk.
    fn root(&self) -> PathBuf {
        let directory = self.directory.as_ref().expect("it is on disk");
        directory.path().join("docker/registry/v2")
    }

    async fn blob(&self, repo: &str, content: &str) -> Digest {
        self.blob_by(Algorithm::Sha256, repo, content).await
    }

    async fn blob_by(&self, algorithm: Algorithm, repo: &str, content: &str) -> Digest {
        let mut upload = self.store.begin_upload(&name(repo)).await.unwrap();
        upload
            .write(Bytes::copy_from_slice(content.as_bytes()))
            .await
            .unwrap();
        let digest = algorithm.digest(content.as_bytes());
        upload.commit(&digest).await.unwrap();
        self.call(content.as_bytes(), content);
        digest
    }

    /// Puts a manifest that is known by `known`, and the config that it has.
    async fn put(&self, repo: &str, known: &str, manifest: Manifest<'_>) -> Digest {
        let descriptor =
            |kind: &str, digest: &Digest| json!({"mediaType": kind, "digest": digest, "size": 1});
        let list = |kind: &str, digests: &[Digest]| -> Vec<Value> {
            digests
                .iter()
                .map(|digest| descriptor(kind, digest))
                .collect()
        };
        let mut document = json!({"schemaVersion": 2, "annotations": {"known": known}});
        if let Some(subject) = &manifest.subject {
            document["subject"] = descriptor(OCI_MANIFEST, subject);
        }
        if let Some(config) = manifest.config {
            let config = self.blob(repo, config).await;
            document["mediaType"] = json!(OCI_MANIFEST);
            document["config"] = descriptor("config", &config);
            document["layers"] = json!(list("layer", &manifest.layers));
        } else {
            document["mediaType"] = json!(OCI_INDEX);
            document["manifests"] = json!(list(OCI_MANIFEST, &manifest.children));
        }
        let bytes = serde_json::to_vec(&document).unwrap();
        self.call(&bytes, known);
        let digest = manifest.by.unwrap_or(Algorithm::Sha256).digest(&bytes);
        let new = NewManifest {
            digest,
            bytes: bytes.into(),
            subject: manifest.subject,
            tags: manifest
                .tag
                .iter()
                .map(|tag| tag.parse().unwrap())
                .collect(),
        };
        self.store.put_manifest(&name(repo), new).await.unwrap();
        digest
    }

    /// Gives a name to content, by each of its digests.
    fn call(&self, content: &[u8], known: &str) {
        let mut names = self.names.lock().unwrap();
        names.insert(Algorithm::Sha256.digest(content), known.to_owned());
        names.insert(
            Algorithm::Sha512.digest(content),
            format!("{known} by sha512"),
        );
    }

    fn named(&self, digest: &Digest) -> String {
        let names = self.names.lock().unwrap();
        names
            .get(digest)
            .cloned()
            .unwrap_or_else(|| digest.to_string())
    }

    /// The digest under which the content of that name is kept.
    fn named_content(&self, known: &str) -> Digest {
        let names = self.names.lock().unwrap();
        let mut all = names.iter().filter(|(_, name)| *name == known);
        *all.next().expect("it was put").0
    }

    /// All that there is, one text for each thing.
    async fn all(&self) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        for repo in self.store.places(None, 100).await.unwrap().items {
            let inventory = self.store.inventory(&repo).await.unwrap();
            all.extend(
                inventory
                    .manifests
                    .iter()
                    .map(|entry| format!("{repo} has manifest {}", self.named(&entry.digest))),
            );
            all.extend(
                inventory
                    .layers
                    .iter()
                    .map(|entry| format!("{repo} has blob {}", self.named(&entry.digest))),
            );
            all.extend(
                inventory
                    .tags
                    .iter()
                    .map(|entry| format!("{repo} has tag {}", entry.tag)),
            );
            all.extend(
                inventory
                    .uploads
                    .iter()
                    .map(|_| format!("{repo} has an upload")),
            );
            let referrers = inventory.referrers.iter();
            all.extend(
                referrers
                    .map(|entry| format!("{repo} has referrer {}", self.named(&entry.referrer))),
            );
        }
        let contents = self.store.contents(None, 1000).await.unwrap();
        assert!(!contents.more);
        all.extend(
            contents
                .items
                .iter()
                .map(|content| format!("content {}", self.named(&content.digest))),
        );
        all
    }

    /// What a run in ten days removes, when nothing has been used for long.
    async fn gone_later(&self, options: &Options) -> Vec<String> {
        self.gone(async {
            let later = SystemTime::now() + 10 * DAY;
            collect_at(&*self.store, options, &|_| {}, later)
                .await
                .unwrap()
        })
        .await
        .0
    }

    /// What is not there any more after a run.
    async fn gone(&self, run: impl Future<Output = Report>) -> (Vec<String>, Report) {
        let before = self.all().await;
        let report = run.await;
        let after = self.all().await;
        assert!(after.is_subset(&before), "nothing is made");
        let gone: Vec<_> = before.difference(&after).cloned().collect();
        let counted = |what: &str| gone.iter().filter(|gone| gone.contains(what)).count() as u64;
        assert_eq!(report.blobs, counted("content "), "{gone:?}");
        assert_eq!(report.manifests, counted(" has manifest "), "{gone:?}");
        assert_eq!(report.layers, counted(" has blob "), "{gone:?}");
        assert_eq!(report.tags, counted(" has tag "), "{gone:?}");
        assert_eq!(report.uploads, counted(" has an upload"), "{gone:?}");
        (gone, report)
    }

    /// Lets everything on disk have been used ten days ago.
    fn age(&self) {
        age(&self.root(), SystemTime::now() - 10 * DAY);
    }

    /// A run as of now that does things besides: `meanwhile` is told of every
    /// event, and what it does is done before the run goes on.
    async fn gone_meanwhile(
        &self,
        options: Options,
        meanwhile: impl Fn(&Event<'_>) + Send + Sync,
    ) -> BTreeSet<String> {
        let before = self.all().await;
        collect(&*self.store, &options, &meanwhile).await.unwrap();
        let after = self.all().await;
        before.difference(&after).cloned().collect()
    }
}

fn options() -> Options {
    Options {
        grace: DAY,
        delete_untagged: false,
        uploads_after: None,
        uploads_only: false,
        retention: Vec::new(),
        immutable: Vec::new(),
        dry_run: false,
        gentle: false,
    }
}

fn deleting_untagged() -> Options {
    Options {
        delete_untagged: true,
        ..options()
    }
}

fn name(text: &str) -> RepoName {
    text.parse().unwrap()
}

fn age(directory: &Path, time: SystemTime) {
    for path in below(directory) {
        let file = fs_err::File::open(&path).unwrap();
        file.into_parts().0.set_modified(time).unwrap();
    }
}

/// The files and directories below a directory.
fn below(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs_err::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(below(&path));
        }
        all.push(path);
    }
    all
}
