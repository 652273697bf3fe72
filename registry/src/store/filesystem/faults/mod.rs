//! What is there after any single step on disk failed, or was the last one.
//!
//! A [`Scenario`] is a list of calls, of pushes and of deletions. `sweep` runs
//! it with a fault at each step of each call; `crash` builds the disk that a
//! kill, or a loss of power, at each step would leave. Both then ask the same:
//! everything acknowledged is there, nothing is there in part, and what was
//! interrupted can be done again. `random` takes any calls in any order.

mod crash;
mod disk_model;
mod random;
mod sweep;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::TryStreamExt;

use super::Filesystem;
use crate::oci::{Algorithm, Digest, Manifest, RepoName, Tag};
use crate::store::{Maintain, NewManifest, Store, StoreError};

/// A call, or a few that belong together.
#[derive(Debug, Clone)]
enum Action {
    /// In two requests, as a client that resumes does.
    Push {
        repo: RepoName,
        content: &'static str,
        by: Algorithm,
    },
    Mount {
        from: RepoName,
        to: RepoName,
        content: &'static str,
    },
    Put {
        repo: RepoName,
        /// What the manifest has as its only layer.
        layer: &'static str,
        subject: Option<Digest>,
        by: Algorithm,
        tags: Vec<Tag>,
    },
    DeleteTag(RepoName, Tag),
    DeleteManifest(RepoName, Digest),
    DeleteBlob(RepoName, Digest),
    Cancel(RepoName),
    /// What a collector does when nothing is in use any more.
    Expire(RepoName, &'static str),
}

/// Where all of it happens.
const REPOSITORIES: [&str; 2] = ["a", "b/c"];

/// What a store has to answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct World {
    blobs: BTreeMap<(RepoName, Digest), &'static str>,
    manifests: BTreeMap<(RepoName, Digest), Bytes>,
    tags: BTreeMap<(RepoName, Tag), Digest>,
    referrers: BTreeSet<(RepoName, Digest, Digest)>,
}

/// Every kind of push and of deletion, once.
fn scenario() -> Vec<Action> {
    let (a, b) = (repo("a"), repo("b/c"));
    let put = |layer, subject, by, tags: &[&str]| Action::Put {
        repo: a.clone(),
        layer,
        subject,
        by,
        tags: tags.iter().map(|name| tag(name)).collect(),
    };
    let push = |content, by| Action::Push {
        repo: a.clone(),
        content,
        by,
    };
    use Algorithm::{Sha256, Sha512};
    let one = Sha256.digest(&manifest("layer one", None));
    let two = Sha512.digest(&manifest("layer two", None));
    vec![
        push("layer one", Sha256),
        push("layer two", Sha512),
        Action::Mount {
            from: a.clone(),
            to: b.clone(),
            content: "layer one",
        },
        put("layer one", None, Sha256, &["latest", "1.0"]),
        put("layer two", None, Sha512, &["latest"]),
        put("layer one", Some(two), Sha256, &[]),
        put("layer one", None, Sha256, &["latest"]),
        // Everything again: nothing changes.
        push("layer one", Sha256),
        put("layer one", None, Sha256, &["latest"]),
        Action::Cancel(a.clone()),
        Action::DeleteTag(a.clone(), tag("1.0")),
        Action::DeleteManifest(a.clone(), two),
        Action::DeleteManifest(a.clone(), one),
        Action::DeleteBlob(a.clone(), Sha256.digest(b"layer one")),
        Action::Expire(a, "layer two"),
        Action::Expire(b, "layer one"),
    ]
}

impl Action {
    async fn run(&self, store: &Filesystem) -> Result<(), StoreError> {
        match self {
            Self::Push { repo, content, by } => {
                let (head, tail) = content.split_at(content.len() / 2);
                let mut upload = store.begin_upload(repo).await?;
                upload.write(Bytes::from_static(head.as_bytes())).await?;
                let id = upload.id();
                upload.suspend().await?;
                let mut upload = store.resume_upload(repo, id).await?;
                upload.write(Bytes::from_static(tail.as_bytes())).await?;
                upload.commit(&by.digest(content.as_bytes())).await
            }
            Self::Mount { from, to, content } => {
                let digest = Algorithm::Sha256.digest(content.as_bytes());
                store.mount_blob(Some(from), to, &digest).await
            }
            Self::Put {
                repo,
                layer,
                subject,
                by,
                tags,
            } => {
                let bytes = manifest(layer, *subject);
                let manifest = NewManifest {
                    digest: by.digest(&bytes),
                    bytes,
                    subject: *subject,
                    tags: tags.clone(),
                };
                store.put_manifest(repo, manifest).await
            }
            Self::DeleteTag(repo, tag) => store.delete_tag(repo, tag).await,
            Self::DeleteManifest(repo, digest) => store.delete_manifest(repo, digest).await,
            Self::DeleteBlob(repo, digest) => store.delete_blob(repo, digest).await,
            Self::Cancel(repo) => {
                let mut upload = store.begin_upload(repo).await?;
                upload.write(Bytes::from_static(b"never mind")).await?;
                upload.cancel().await
            }
            Self::Expire(repo, content) => {
                let any = SystemTime::now() + Duration::from_secs(3600);
                let content = Algorithm::Sha256.digest(content.as_bytes());
                // Under whichever digests it is still there: a loss of power may
                // have brought one back, and not another.
                let mut names = store.inventory(repo).await?.layers;
                names.retain(|layer| layer.content == content);
                for name in names {
                    store.expire_layer(repo, &name.digest, any).await?;
                }
                let mut is_used = false;
                for place in store.places(None, 10).await?.items {
                    let layers = store.inventory(&place).await?.layers;
                    is_used |= layers.iter().any(|layer| layer.content == content);
                }
                if !is_used {
                    store.expire_content(&content, any).await?;
                }
                store.tidy(Some(repo), any).await
            }
        }
    }

    /// What there is when it has been done.
    fn apply(&self, world: &mut World) {
        match self {
            Self::Push { repo, content, by } => {
                for algorithm in [Algorithm::Sha256, *by] {
                    let digest = algorithm.digest(content.as_bytes());
                    world.blobs.insert((repo.clone(), digest), content);
                }
            }
            Self::Mount { to, content, .. } => {
                let digest = Algorithm::Sha256.digest(content.as_bytes());
                world.blobs.insert((to.clone(), digest), content);
            }
            Self::Put {
                repo,
                layer,
                subject,
                by,
                tags,
            } => {
                let bytes = manifest(layer, *subject);
                let digest = by.digest(&bytes);
                for algorithm in [Algorithm::Sha256, *by] {
                    let name = (repo.clone(), algorithm.digest(&bytes));
                    world.manifests.insert(name, bytes.clone());
                }
                if let Some(subject) = subject {
                    world.referrers.insert((repo.clone(), *subject, digest));
                }
                for tag in tags {
                    world.tags.insert((repo.clone(), tag.clone()), digest);
                }
            }
            Self::DeleteTag(repo, tag) => {
                world.tags.remove(&(repo.clone(), tag.clone()));
            }
            Self::DeleteManifest(repo, digest) => {
                let bytes = world.manifests.get(&(repo.clone(), *digest)).cloned();
                let is_it = |digest: &Digest| {
                    bytes
                        .as_ref()
                        .is_some_and(|bytes| digest.algorithm().digest(bytes) == *digest)
                };
                world
                    .manifests
                    .retain(|(of, digest), _| of != repo || !is_it(digest));
                world
                    .tags
                    .retain(|(of, _), digest| of != repo || !is_it(digest));
                world
                    .referrers
                    .retain(|(of, _, referrer)| of != repo || !is_it(referrer));
            }
            Self::DeleteBlob(repo, digest) => {
                world.blobs.remove(&(repo.clone(), *digest));
            }
            Self::Cancel(_) => {}
            Self::Expire(repo, content) => {
                world
                    .blobs
                    .retain(|(of, _), other| of != repo || other != content);
            }
        }
    }

    /// Whether an error says that there is nothing left to do.
    fn is_done(&self, error: &StoreError) -> bool {
        let deletes = matches!(
            self,
            Self::DeleteTag(..) | Self::DeleteManifest(..) | Self::DeleteBlob(..)
        );
        deletes && matches!(error, StoreError::NotFound(_))
    }
}

/// Asserts that a store answers what it has to: everything in both worlds, and
/// of what is in one of them, nothing in part.
async fn assert_between(store: &Filesystem, before: &World, after: &World, place: &str) {
    for (name, content) in union(&before.blobs, &after.blobs) {
        let (repo, digest) = name;
        match store.blob(repo, digest).await {
            Ok(blob) => {
                let bytes = blob.read(0..blob.size()).try_collect::<Vec<_>>().await;
                assert_eq!(bytes.unwrap().concat(), content.as_bytes(), "{place}");
                assert!(store.claim_blob(repo, digest).await.is_ok(), "{place}");
            }
            Err(error) => {
                let may_be_absent = !(before.blobs.contains_key(name)
                    && after.blobs.contains_key(name))
                    && matches!(error, StoreError::NotFound(_));
                assert!(may_be_absent, "{place}: {repo}@{digest}: {error}");
            }
        }
    }
    for (name, bytes) in union(&before.manifests, &after.manifests) {
        let (repo, digest) = name;
        match store.manifest(repo, digest).await {
            Ok(manifest) => assert_eq!(manifest.bytes(), bytes, "{place}"),
            Err(error) => {
                let may_be_absent = !(before.manifests.contains_key(name)
                    && after.manifests.contains_key(name))
                    && matches!(error, StoreError::NotFound(_));
                assert!(may_be_absent, "{place}: {repo}@{digest}: {error}");
            }
        }
    }
    for (name, _) in union(&before.tags, &after.tags) {
        let (repo, tag) = name;
        let (old, new) = (before.tags.get(name), after.tags.get(name));
        match store.tagged(repo, tag).await {
            Ok(target) => {
                // Of a tag that is put by another digest of the same manifest,
                // either may be seen.
                let bytes = store.manifest(repo, &target).await.unwrap_or_else(|error| {
                    panic!("{place}: {repo}:{tag} leads to {target}, and {error}")
                });
                let is_target =
                    |digest: &&Digest| digest.algorithm().digest(bytes.bytes()) == **digest;
                assert!(
                    old.iter().chain(&new).any(is_target),
                    "{place}: {repo}:{tag} is {target}, was {old:?}, becomes {new:?}"
                );
            }
            Err(error) => assert!(
                (old.is_none() || new.is_none()) && matches!(error, StoreError::NotFound(_)),
                "{place}: {repo}:{tag}: {error}"
            ),
        }
    }
    for (repo, subject, referrer) in before.referrers.intersection(&after.referrers) {
        let listed = store.referrers(repo, subject).await.unwrap();
        assert!(listed.contains(referrer), "{place}");
    }
    for repo in REPOSITORIES.map(repo) {
        let inventory = store.inventory(&repo).await.unwrap();
        assert_eq!(inventory.damaged, [], "{place}");
        let tags = inventory.tags.into_iter().map(|entry| entry.tag).collect();
        assert_eq!(listed(store, &repo).await, tags, "{place}");
    }
}

/// What the list of tags says, of which some may have been kept in memory.
async fn listed(store: &Filesystem, repo: &RepoName) -> BTreeSet<Tag> {
    match store.tags(repo, None, usize::MAX).await {
        Err(StoreError::NotFound(_)) => BTreeSet::new(),
        page => page.unwrap().items.to_vec().into_iter().collect(),
    }
}

/// Asserts that a store has exactly what it has to.
async fn assert_is(store: &Filesystem, world: &World, place: &str) {
    assert_between(store, world, world, place).await;
    for repo in REPOSITORIES.map(repo) {
        let inventory = store.inventory(&repo).await.unwrap();
        let listed: BTreeSet<_> = inventory.layers.iter().map(|layer| layer.digest).collect();
        let names = world.blobs.keys().filter(|(of, _)| *of == repo);
        assert_eq!(
            listed,
            names.map(|(_, digest)| *digest).collect(),
            "{place}"
        );
        let listed: BTreeSet<_> = inventory.tags.into_iter().map(|entry| entry.tag).collect();
        let names = world.tags.keys().filter(|(of, _)| *of == repo);
        assert_eq!(
            listed,
            names.map(|(_, tag)| tag.clone()).collect(),
            "{place}"
        );
        let listed = inventory.manifests.iter();
        let listed: BTreeSet<_> = listed
            .flat_map(|entry| entry.aliases.iter().chain([&entry.digest]))
            .collect();
        let names = world.manifests.keys().filter(|(of, _)| *of == repo);
        assert_eq!(listed, names.map(|(_, digest)| digest).collect(), "{place}");
    }
}

fn union<'a, K: Ord, V>(
    one: &'a BTreeMap<K, V>,
    other: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = (&'a K, &'a V)> {
    let more = other.iter().filter(|(key, _)| !one.contains_key(key));
    one.iter().chain(more)
}

/// A manifest with one layer, which is its configuration as well.
fn manifest(layer: &str, subject: Option<Digest>) -> Bytes {
    let digest = Algorithm::Sha256.digest(layer.as_bytes());
    let size = layer.len();
    let descriptor = |media_type: &str, digest: Digest| serde_json::json!({"mediaType": media_type, "digest": digest, "size": size});
    let mut document = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", digest),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", digest)],
    });
    if let Some(subject) = subject {
        document["subject"] = descriptor("application/vnd.oci.image.manifest.v1+json", subject);
    }
    let bytes = serde_json::to_vec(&document).unwrap();
    Manifest::parse(&bytes, None).unwrap();
    bytes.into()
}

/// A directory for one run: in memory if there is such a place, since there
/// are thousands of runs.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

fn repo(name: &str) -> RepoName {
    name.parse().unwrap()
}

fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}
