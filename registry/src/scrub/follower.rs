//! Following what one repository's inventory says.

use std::collections::{HashMap, HashSet};

use super::known::{Known, State};
use super::{Finding, Kind};
use crate::oci::{Descriptor, Digest, Manifest, RepoName};
use crate::schema1;
use crate::store::{
    Damage, Inventory, Maintain, ManifestEntry, Part, ReferrerEntry, StoreError, StoredManifest,
};

const PUSH_BLOB: &str = "push an image that has it again";
const PUSH_IMAGE: &str = "push the image again";

/// Goes through an inventory.
pub(super) struct Follower<'a> {
    store: &'a dyn Maintain,
    repo: &'a RepoName,
    known: &'a mut Known,
    inventory: &'a Inventory,
    /// Where blobs and manifests are kept, by each digest that they have.
    blobs: HashMap<Digest, Digest>,
    manifests: HashMap<Digest, Digest>,
    /// What referrers are listed under, by each digest that they are listed by.
    listed: HashMap<Digest, Vec<Digest>>,
    tags: HashMap<Digest, Vec<&'a str>>,
    findings: Vec<Finding>,
}

impl<'a> Follower<'a> {
    pub(super) fn new(
        store: &'a dyn Maintain,
        repo: &'a RepoName,
        known: &'a mut Known,
        inventory: &'a Inventory,
    ) -> Self {
        let blobs = inventory.layers.iter();
        let manifests = inventory.manifests.iter().flat_map(|manifest| {
            let names = manifest.aliases.iter().chain([&manifest.digest]);
            names.map(|name| (*name, manifest.digest))
        });
        let mut tags: HashMap<_, Vec<_>> = HashMap::new();
        for tag in &inventory.tags {
            tags.entry(tag.target).or_default().push(tag.tag.as_str());
        }
        let mut listed: HashMap<_, Vec<_>> = HashMap::new();
        for entry in &inventory.referrers {
            listed
                .entry(entry.referrer)
                .or_default()
                .push(entry.subject);
        }
        Self {
            store,
            repo,
            known,
            inventory,
            blobs: blobs.map(|blob| (blob.digest, blob.content)).collect(),
            manifests: manifests.collect(),
            listed,
            tags,
            findings: Vec::new(),
        }
    }

    /// Says all that is wrong.
    pub(super) async fn follow(mut self) -> Result<Vec<Finding>, StoreError> {
        for damage in &self.inventory.damaged {
            self.damage(damage);
        }
        for blob in &self.inventory.layers {
            self.blob(&blob.digest, &blob.content).await?;
        }
        for tag in &self.inventory.tags {
            if !self.manifests.contains_key(&tag.target) {
                let name = format!("{}:{}", self.repo, tag.tag);
                let problem = format!("the tag points at {}, which is not there", tag.target);
                self.missing(name, problem, "push the tag again, or delete it");
            }
        }
        for manifest in &self.inventory.manifests {
            self.manifest(manifest).await?;
        }
        for entry in &self.inventory.referrers {
            self.referrer(entry);
        }
        Ok(self.findings)
    }

    fn damage(&mut self, damage: &Damage) {
        let repo = self.repo;
        let (subject, mend) = match &damage.part {
            Part::Layer(digest) => (format!("{repo}@{digest}"), PUSH_BLOB),
            Part::Manifest(digest) => (format!("{repo}@{digest}"), PUSH_IMAGE),
            Part::Tag(tag) => (format!("{repo}:{tag}"), "push the tag again, or delete it"),
            Part::Referrer { referrer, .. } => {
                (format!("{repo}@{referrer}"), "push the referrer again")
            }
            Part::Unknown => (
                repo.to_string(),
                "nothing: it is in nobody's way, and can be removed",
            ),
        };
        let problem = format!("{}: {}", damage.location, damage.problem);
        self.say(Kind::BrokenLink, subject, problem, mend);
    }

    async fn blob(&mut self, digest: &Digest, content: &Digest) -> Result<(), StoreError> {
        let name = format!("{}@{digest}", self.repo);
        match self.known.state(content).await? {
            State::Absent => {
                let problem = format!("the blob's content {content} is not there");
                self.missing(name, problem, PUSH_BLOB);
            }
            // The content itself has been named, and the images will be.
            State::Corrupt => {}
            State::There(_) if digest == content => {}
            State::There(_) => {
                let other = self.known.other_digest(content, digest.algorithm()).await?;
                if let Some(actual) = other.filter(|actual| actual != digest) {
                    let problem = format!("leads to content that has digest {actual}");
                    self.say(Kind::BrokenLink, name, problem, PUSH_BLOB);
                }
            }
        }
        Ok(())
    }

    async fn manifest(&mut self, entry: &ManifestEntry) -> Result<(), StoreError> {
        let mut name = format!("{}@{}", self.repo, entry.digest);
        if let Some(tags) = self.tags.get(&entry.digest) {
            name = format!("{name} ({})", tags.join(", "));
        }
        // Whether it is on the disk, and not what is remembered of it.
        if self.known.state(&entry.digest).await? == State::Absent {
            let problem = "the manifest's content is not there".to_owned();
            self.missing(name, problem, "push the image again, or delete it");
            return Ok(());
        }
        let manifest = match self.store.manifest(self.repo, &entry.digest).await {
            Ok(manifest) => manifest,
            // It was deleted meanwhile.
            Err(StoreError::NotFound(_)) => return Ok(()),
            Err(StoreError::Damaged { location, problem }) => {
                let problem = format!("{location}: {problem}");
                self.say(Kind::Corrupt, name, problem, PUSH_IMAGE);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for alias in &entry.aliases {
            let actual = alias.algorithm().digest(manifest.bytes());
            if actual != *alias {
                let problem = format!("is known as {alias} as well, and has digest {actual}");
                self.say(Kind::BrokenLink, name.clone(), problem, PUSH_IMAGE);
            }
        }
        let references = References::of(&manifest);
        self.subject(entry, &name, references.subject);
        let mut seen = HashSet::new();
        for blob in references.blobs {
            // The configuration may be a layer as well.
            if seen.insert(blob.digest) {
                let content = self.blobs.get(&blob.digest).copied();
                let what = format!("the layer or configuration {}", blob.digest);
                self.named(&name, what, content, blob.size, PUSH_IMAGE)
                    .await?;
            }
        }
        for child in references.children {
            // Other registries take an index of blobs, too.
            let content = self.manifests.get(&child.digest);
            let content = content.or_else(|| self.blobs.get(&child.digest)).copied();
            let what = format!("the manifest {}, which it lists,", child.digest);
            let mend = "push the image again, with all its platforms";
            self.named(&name, what, content, child.size, mend).await?;
        }
        Ok(())
    }

    /// Looks at something that a manifest names.
    async fn named(
        &mut self,
        name: &str,
        what: String,
        content: Option<Digest>,
        said: Option<u64>,
        mend: &str,
    ) -> Result<(), StoreError> {
        let state = match &content {
            Some(content) => self.known.state(content).await?,
            None => State::Absent,
        };
        match (state, said) {
            (State::Absent, _) => {
                self.missing(name.to_owned(), format!("{what} is not there"), mend);
            }
            (State::Corrupt, _) => {
                let problem = format!("{what} is corrupt: whoever pulls it refuses it");
                self.say(Kind::Corrupt, name.to_owned(), problem, mend);
            }
            (State::There(got), Some(said)) if got != said => {
                let problem = format!("{what} has {got} bytes, and the manifest says {said}");
                let mend = "build and push the image again";
                self.say(Kind::Corrupt, name.to_owned(), problem, mend);
            }
            (State::There(_), _) => {}
        }
        Ok(())
    }

    /// Looks at what a manifest is listed under as a referrer.
    fn subject(&mut self, entry: &ManifestEntry, name: &str, subject: Option<Digest>) {
        let mut wrong: Vec<Digest> = Vec::new();
        for digest in entry.aliases.iter().chain([&entry.digest]) {
            let listed = self.listed.get(digest).into_iter().flatten();
            wrong.extend(listed.filter(|listed| Some(**listed) != subject));
        }
        for listed in wrong {
            let actual = subject.map_or("none".to_owned(), |subject| subject.to_string());
            let problem = format!(
                "is listed as a referrer of {listed}, and the subject it names is {actual}"
            );
            self.say(Kind::BrokenLink, name.to_owned(), problem, PUSH_IMAGE);
        }
    }

    fn referrer(&mut self, entry: &ReferrerEntry) {
        if !self.manifests.contains_key(&entry.referrer) {
            let name = format!("{}@{}", self.repo, entry.referrer);
            let problem = format!(
                "is listed as a referrer of {} and is not there",
                entry.subject
            );
            let mend = "nothing: a garbage collection removes the entry";
            self.missing(name, problem, mend);
        }
    }

    fn missing(&mut self, subject: String, problem: String, mend: &str) {
        self.say(Kind::Missing, subject, problem, mend);
    }

    fn say(&mut self, kind: Kind, subject: String, problem: String, mend: &str) {
        self.findings.push(Finding {
            kind,
            subject,
            problem,
            mend: mend.to_owned(),
        });
    }
}

/// What a manifest names, and what has to be there for a pull.
#[derive(Default)]
struct References {
    blobs: Vec<Named>,
    children: Vec<Named>,
    subject: Option<Digest>,
}

/// A digest, and how many bytes it has, if the manifest says that.
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

impl References {
    /// What is no manifest by today's rules was stored by somebody else, and
    /// is not judged.
    fn of(stored: &StoredManifest) -> Self {
        if let Ok(manifest) = Manifest::parse(stored.bytes(), Some(stored.media_type())) {
            return Self {
                blobs: manifest.blobs().map(Named::from).collect(),
                children: manifest.children().map(Named::from).collect(),
                subject: manifest.subject().map(|subject| subject.digest),
            };
        }
        let layers = schema1::layers_of_stored(stored.bytes()).unwrap_or_default();
        let named = layers
            .into_iter()
            .map(|digest| Named { digest, size: None });
        Self {
            blobs: named.collect(),
            ..Self::default()
        }
    }
}
