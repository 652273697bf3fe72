//! One repository: what of it goes, and what is marked because it stays.

use std::collections::HashSet;
use std::time::Duration;

use super::graph::Graph;
use super::report::{Damaged, Event};
use super::{AT_ONCE, CollectError, Run, before, retention};
use crate::oci::{Digest, References, RepoName};
use crate::store::{Inventory, Part, StoreError, TagEntry};

/// Removes what may go and marks the rest.
pub(super) async fn collect(run: &mut Run<'_>, repo: &RepoName) -> Result<(), CollectError> {
    let visited = visit(run, repo).await;
    visited.map_err(|source| CollectError::Repository {
        repo: repo.clone(),
        source,
    })
}

async fn visit(run: &mut Run<'_>, repo: &RepoName) -> Result<(), StoreError> {
    run.tell(&Event::Repository(repo));
    let mut inventory = run.store.inventory(repo).await?;
    if run.options.uploads_only {
        return expire_uploads(run, repo, &inventory).await;
    }
    let mut unreadable = damage(run, repo, &inventory);
    expire_tags(run, repo, &mut inventory.tags).await?;
    let mut graph = Graph::default();
    unreadable.manifests |= !read_manifests(run, repo, &inventory, &mut graph).await?;
    expire_manifests(run, repo, &inventory, &mut graph, &unreadable).await?;
    let needed = mark_manifests(run, repo, &graph);
    let keeps_layers = unreadable.manifests || unreadable.layers;
    expire_layers(run, repo, &inventory, &needed, keeps_layers).await?;
    expire_uploads(run, repo, &inventory).await?;
    if !run.options.dry_run {
        run.store.tidy(Some(repo), run.unused_since).await?;
    }
    Ok(())
}

/// What of a repository is not known.
#[derive(Default)]
struct Unreadable {
    layers: bool,
    manifests: bool,
    tags: bool,
}

/// Reports what is damaged, and marks what it may be about.
fn damage(run: &mut Run<'_>, repo: &RepoName, inventory: &Inventory) -> Unreadable {
    let mut unreadable = Unreadable::default();
    for damage in &inventory.damaged {
        match &damage.part {
            Part::Layer(digest) => {
                unreadable.layers = true;
                run.marks.insert(digest);
            }
            Part::Manifest(digest) => {
                unreadable.manifests = true;
                run.marks.insert(digest);
            }
            Part::Tag(_) => unreadable.tags = true,
            Part::Referrer { .. } | Part::Unknown => {}
        }
        run.damaged(Damaged::part(repo, damage));
    }
    unreadable
}

/// Removes the tags that a rule lets expire, from the list as well.
async fn expire_tags(
    run: &mut Run<'_>,
    repo: &RepoName,
    tags: &mut Vec<TagEntry>,
) -> Result<(), StoreError> {
    let options = run.options;
    let Some(rule) = retention::rule_for(&options.retention, repo) else {
        return Ok(());
    };
    let verdicts = retention::judge(rule, &options.immutable, repo, tags, run.started);
    let mut kept = Vec::with_capacity(tags.len());
    for (entry, verdict) in std::mem::take(tags).into_iter().zip(verdicts) {
        run.pace.step().await;
        run.tell(&Event::Tag {
            repo,
            tag: &entry.tag,
            stays: verdict.stays,
            reason: &verdict.reason,
        });
        if verdict.notes_pull && !options.dry_run {
            run.store.note_pull(repo, &entry.tag).await?;
        }
        if !verdict.stays && expire_tag(run, repo, &entry).await? {
            run.report.tags += 1;
        } else {
            kept.push(entry);
        }
    }
    *tags = kept;
    Ok(())
}

/// Removes a tag, unless it was pushed or pulled since it was looked at.
async fn expire_tag(run: &Run<'_>, repo: &RepoName, entry: &TagEntry) -> Result<bool, StoreError> {
    if run.options.dry_run {
        return Ok(true);
    }
    let seen = entry
        .pulled
        .map_or(entry.pushed, |pulled| pulled.max(entry.pushed));
    let just_after = seen + Duration::from_nanos(1);
    run.store
        .expire_tag(repo, &entry.tag, &entry.target, just_after)
        .await
}

/// Reads every manifest. Returns whether all could be read.
async fn read_manifests(
    run: &mut Run<'_>,
    repo: &RepoName,
    inventory: &Inventory,
    graph: &mut Graph,
) -> Result<bool, StoreError> {
    let mut absent = Vec::new();
    let mut unread = Vec::new();
    for entry in &inventory.manifests {
        run.pace.step().await;
        match references(run, repo, &entry.digest).await {
            Ok(references) => graph.add(entry, &references),
            Err(StoreError::NotFound(_)) => absent.push(entry),
            Err(error) => unread.push((entry, error)),
        }
    }
    if !absent.is_empty() {
        // Deleted since, or without its content, or damaged since?
        let now = run.store.inventory(repo).await?;
        let damaged = now.damaged.iter().filter_map(|damage| match damage.part {
            Part::Manifest(digest) => Some(digest),
            _ => None,
        });
        let whole = now.manifests.iter().map(|entry| entry.digest);
        let there: HashSet<_> = whole.chain(damaged).collect();
        absent.retain(|entry| there.contains(&entry.digest));
    }
    for entry in absent {
        match references(run, repo, &entry.digest).await {
            Ok(references) => graph.add(entry, &references),
            Err(error) => unread.push((entry, error)),
        }
    }
    for (entry, error) in &unread {
        graph.add(entry, &References::default());
        run.damaged(Damaged::manifest(repo, &entry.digest, error));
    }
    Ok(unread.is_empty())
}

/// What a manifest refers to.
pub(super) async fn references(
    run: &Run<'_>,
    repo: &RepoName,
    digest: &Digest,
) -> Result<References, StoreError> {
    let manifest = run.store.manifest(repo, digest).await?;
    References::of_stored(manifest.bytes()).map_err(|error| StoreError::Damaged {
        location: digest.to_string(),
        problem: error.to_string(),
    })
}

/// Decides of each manifest whether it stays, and removes the others.
async fn expire_manifests(
    run: &mut Run<'_>,
    repo: &RepoName,
    inventory: &Inventory,
    graph: &mut Graph,
    unreadable: &Unreadable,
) -> Result<(), StoreError> {
    // What cannot be read may be an index, and may list any of them.
    if !run.options.delete_untagged || unreadable.manifests || unreadable.tags {
        graph.keep_all();
        return Ok(());
    }
    let tagged = inventory.tags.iter().map(|entry| entry.target);
    let used = inventory
        .manifests
        .iter()
        .filter(|entry| entry.used >= run.unused_since);
    for digest in tagged.chain(used.map(|entry| entry.digest)) {
        if let Some(node) = graph.find(&digest) {
            graph.keep(node);
        }
    }
    for node in graph.undecided() {
        // One that could not be removed may have saved it.
        if !graph.is_undecided(node) {
            continue;
        }
        run.pace.step().await;
        let digest = *graph.digest(node);
        let goes = run.options.dry_run
            || run
                .store
                .expire_manifest(repo, &digest, run.unused_since)
                .await?;
        if goes {
            graph.gone(node);
            run.report.manifests += 1;
            run.tell(&Event::ManifestGoes(repo, &digest));
        } else {
            graph.keep(node);
        }
    }
    Ok(())
}

/// Marks the manifests that stay and their blobs, and returns by which digests
/// the repository's blobs are referred to.
fn mark_manifests(run: &mut Run<'_>, repo: &RepoName, graph: &Graph) -> HashSet<Digest> {
    let mut needed = HashSet::new();
    for node in graph.staying() {
        let digest = graph.digest(node);
        run.marks.insert(digest);
        run.tell(&Event::ManifestStays(repo, digest));
        for blob in graph.blobs(node) {
            run.marks.insert(blob);
            run.tell(&Event::BlobStays(repo, blob));
            needed.insert(*blob);
        }
    }
    needed
}

/// Takes blobs from the repository that no manifest refers to, and marks the
/// content of the others.
async fn expire_layers(
    run: &mut Run<'_>,
    repo: &RepoName,
    inventory: &Inventory,
    needed: &HashSet<Digest>,
    keeps_all: bool,
) -> Result<(), StoreError> {
    // A blob that was pushed by another digest has two links. Both stay as
    // long as one of them is referred to.
    let is_named = |entry: &&crate::store::LayerEntry| needed.contains(&entry.digest);
    let content: HashSet<_> = inventory
        .layers
        .iter()
        .filter(is_named)
        .map(|entry| entry.content)
        .collect();
    let mut unneeded = Vec::new();
    for entry in &inventory.layers {
        let stays = keeps_all
            || needed.contains(&entry.digest)
            || content.contains(&entry.content)
            || entry.used >= run.unused_since;
        if stays {
            run.marks.insert(&entry.content);
        } else {
            unneeded.push(entry);
        }
    }
    for some in unneeded.chunks(AT_ONCE) {
        run.pace.step().await;
        let gone = if run.options.dry_run {
            vec![true; some.len()]
        } else {
            let digests: Vec<_> = some.iter().map(|entry| entry.digest).collect();
            run.store
                .expire_layers(repo, &digests, run.unused_since)
                .await?
        };
        for (entry, gone) in some.iter().zip(gone) {
            if gone {
                run.report.layers += 1;
                run.tell(&Event::LayerGoes(repo, &entry.digest));
            } else {
                run.marks.insert(&entry.content);
            }
        }
    }
    Ok(())
}

async fn expire_uploads(
    run: &mut Run<'_>,
    repo: &RepoName,
    inventory: &Inventory,
) -> Result<(), StoreError> {
    let Some(after) = run.options.uploads_after else {
        return Ok(());
    };
    let idle_since = before(run.started, after);
    for upload in inventory
        .uploads
        .iter()
        .filter(|upload| upload.active < idle_since)
    {
        run.pace.step().await;
        let goes =
            run.options.dry_run || run.store.expire_upload(repo, upload.id, idle_since).await?;
        if goes {
            run.report.uploads += 1;
            run.report.upload_bytes += upload.bytes;
            run.tell(&Event::UploadGoes(repo, upload.id));
        }
    }
    Ok(())
}
