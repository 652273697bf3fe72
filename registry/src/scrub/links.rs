//! Following everything that leads somewhere.

use std::collections::{HashMap, HashSet};

use super::{Finding, Kind, Observer, Report};
use crate::oci::{Descriptor, Digest, Manifest, RepoName};
use crate::schema1;
use crate::store::{Inventory, Maintain, Part, StoreError, StoredManifest};

/// How many repositories are asked for at once.
const PAGE: usize = 256;

/// Goes through all repositories.
pub(super) async fn follow_all(
    store: &dyn Maintain,
    observer: &dyn Observer,
    report: &mut Report,
) -> Result<(), StoreError> {
    let mut last: Option<RepoName> = None;
    let mut known = Known::default();
    loop {
        let page = store
            .places(last.as_ref().map(RepoName::as_str), PAGE)
            .await?;
        for repo in &page.items {
            let inventory = store.inventory(repo).await?;
            let mut follower = Follower {
                store,
                repo,
                known: &mut known,
                findings: Vec::new(),
            };
            follower.follow(&inventory).await?;
            for finding in follower.findings {
                observer.found(&finding);
                report.findings.push(finding);
            }
            report.repositories += 1;
            observer.followed(report.repositories);
            if observer.stops() {
                return Ok(());
            }
        }
        if !page.more {
            return Ok(());
        }
        last = page.items.into_iter().last();
    }
}

/// How large content is, if it is there, as far as it was looked for.
#[derive(Default)]
struct Known(HashMap<Digest, Option<u64>>);

/// Above this many, what is known is forgotten: about 50 MiB.
const REMEMBERED: usize = 500_000;

impl Known {
    async fn size(
        &mut self,
        store: &dyn Maintain,
        content: &Digest,
    ) -> Result<Option<u64>, StoreError> {
        if let Some(known) = self.0.get(content) {
            return Ok(*known);
        }
        let found = match store.content(content).await {
            Err(StoreError::NotFound(_)) => None,
            result => Some(result?.size()),
        };
        if self.0.len() >= REMEMBERED {
            self.0.clear();
        }
        self.0.insert(*content, found);
        Ok(found)
    }
}

struct Follower<'a> {
    store: &'a dyn Maintain,
    repo: &'a RepoName,
    known: &'a mut Known,
    findings: Vec<Finding>,
}

impl Follower<'_> {
    async fn follow(&mut self, inventory: &Inventory) -> Result<(), StoreError> {
        self.damage(inventory);
        let layers: HashMap<Digest, Digest> = inventory
            .layers
            .iter()
            .map(|layer| (layer.digest, layer.content))
            .collect();
        let manifests: HashSet<Digest> = inventory
            .manifests
            .iter()
            .flat_map(|manifest| manifest.aliases.iter().chain([&manifest.digest]))
            .copied()
            .collect();

        for layer in &inventory.layers {
            let size = self.known.size(self.store, &layer.content).await?;
            if size.is_none() {
                let name = format!("{}@{}", self.repo, layer.digest);
                let problem = format!("the blob's content {} is not there", layer.content);
                self.missing(name, problem, "push an image that has it again");
            }
        }
        for tag in &inventory.tags {
            if !manifests.contains(&tag.target) {
                let name = format!("{}:{}", self.repo, tag.tag);
                let problem = format!("the tag points at {}, which is not there", tag.target);
                self.missing(name, problem, "push the tag again, or delete it");
            }
        }
        for manifest in &inventory.manifests {
            let tags: Vec<&str> = inventory
                .tags
                .iter()
                .filter(|tag| tag.target == manifest.digest)
                .map(|tag| tag.tag.as_str())
                .collect();
            let mut name = format!("{}@{}", self.repo, manifest.digest);
            if !tags.is_empty() {
                name = format!("{name} ({})", tags.join(", "));
            }
            self.manifest(&manifest.digest, name, &layers, &manifests)
                .await?;
        }
        for entry in &inventory.referrers {
            if !manifests.contains(&entry.referrer) {
                let name = format!("{}@{}", self.repo, entry.referrer);
                let problem = format!(
                    "is listed as a referrer of {} and is not there",
                    entry.subject
                );
                self.missing(
                    name,
                    problem,
                    "nothing: a garbage collection removes the entry",
                );
            }
        }
        Ok(())
    }

    async fn manifest(
        &mut self,
        digest: &Digest,
        name: String,
        layers: &HashMap<Digest, Digest>,
        manifests: &HashSet<Digest>,
    ) -> Result<(), StoreError> {
        let manifest = match self.store.manifest(self.repo, digest).await {
            Ok(manifest) => manifest,
            Err(StoreError::NotFound(_)) => {
                // Unless the manifest was deleted meanwhile.
                if self.known.size(self.store, digest).await?.is_none() {
                    let problem = "the manifest's content is not there".to_owned();
                    self.missing(name, problem, "push the image again, or delete it");
                }
                return Ok(());
            }
            Err(StoreError::Damaged { location, problem }) => {
                self.findings.push(Finding {
                    kind: Kind::Corrupt,
                    subject: name,
                    problem: format!("{location}: {problem}"),
                    mend: "push the image again".to_owned(),
                });
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let (blobs, children) = references(&manifest);
        let mut seen = HashSet::new();
        for blob in blobs {
            // The configuration may be a layer as well.
            if !seen.insert(blob.digest) {
                continue;
            }
            let size = match layers.get(&blob.digest) {
                Some(content) => self.known.size(self.store, content).await?,
                None => None,
            };
            let digest = blob.digest;
            match (size, blob.size) {
                (None, _) => {
                    let problem = format!("the layer or configuration {digest} is not there");
                    self.missing(name.clone(), problem, "push the image again");
                }
                (Some(got), Some(said)) if got != said => self.findings.push(Finding {
                    kind: Kind::Corrupt,
                    subject: name.clone(),
                    problem: format!("{digest} has {got} bytes, and the manifest says {said}"),
                    mend: "build and push the image again".to_owned(),
                }),
                _ => {}
            }
        }
        for child in children {
            if !manifests.contains(&child) && !layers.contains_key(&child) {
                let problem = format!("the manifest {child}, which it lists, is not there");
                let mend = "push the image again, with all its platforms";
                self.missing(name.clone(), problem, mend);
            }
        }
        Ok(())
    }

    fn damage(&mut self, inventory: &Inventory) {
        for damage in &inventory.damaged {
            let repo = self.repo;
            let (subject, mend) = match &damage.part {
                Part::Layer(digest) => (
                    format!("{repo}@{digest}"),
                    "push an image that has it again",
                ),
                Part::Manifest(digest) => (format!("{repo}@{digest}"), "push the image again"),
                Part::Tag(tag) => (format!("{repo}:{tag}"), "push the tag again, or delete it"),
                Part::Referrer { referrer, .. } => {
                    (format!("{repo}@{referrer}"), "push the referrer again")
                }
                Part::Unknown => (
                    repo.to_string(),
                    "nothing: it is in nobody's way, and can be removed",
                ),
            };
            self.findings.push(Finding {
                kind: Kind::BrokenLink,
                subject,
                problem: format!("{}: {}", damage.location, damage.problem),
                mend: mend.to_owned(),
            });
        }
    }

    fn missing(&mut self, subject: String, problem: String, mend: &str) {
        self.findings.push(Finding {
            kind: Kind::Missing,
            subject,
            problem,
            mend: mend.to_owned(),
        });
    }
}

/// A blob that a manifest names, and its size, if the manifest has that.
struct Named {
    digest: Digest,
    size: Option<u64>,
}

impl From<&Descriptor> for Named {
    fn from(descriptor: &Descriptor) -> Self {
        Self {
            digest: descriptor.digest,
            size: Some(descriptor.size),
        }
    }
}

/// The blobs and the manifests that have to be there for a pull. What is no
/// manifest by today's rules was stored by somebody else, and is not judged.
fn references(stored: &StoredManifest) -> (Vec<Named>, Vec<Digest>) {
    if let Ok(manifest) = Manifest::parse(stored.bytes(), Some(stored.media_type())) {
        let blobs = manifest.blobs().map(Named::from).collect();
        let children = manifest.children().map(|child| child.digest).collect();
        return (blobs, children);
    }
    let layers = schema1::layers_of_stored(stored.bytes()).unwrap_or_default();
    let named = layers
        .into_iter()
        .map(|digest| Named { digest, size: None });
    (named.collect(), Vec::new())
}
