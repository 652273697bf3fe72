//! The content that all repositories share: what is nobody's goes.

use std::collections::BTreeMap;

use super::report::Event;
use super::repository::references;
use super::{AT_ONCE, CollectError, PAGE, Run, places};
use crate::oci::{Digest, RepoName};
use crate::store::StoreError;

/// Content that nobody refers to, with its size in bytes, by its SHA-256.
#[derive(Default)]
struct Candidates(BTreeMap<[u8; 32], u64>);

impl Candidates {
    fn save(&mut self, digest: &Digest) -> bool {
        let bytes = digest.sha256_bytes();
        bytes.is_some_and(|bytes| self.0.remove(&bytes).is_some())
    }
}

/// Removes the content that is not marked. All repositories have been visited.
pub(super) async fn sweep(run: &mut Run<'_>) -> Result<(), CollectError> {
    let mut candidates = candidates(run).await.map_err(of_content)?;
    // After a dry run everything is still referred to.
    if !run.options.dry_run && !candidates.0.is_empty() {
        look_again(run, &mut candidates).await?;
    }
    run.report.marked = run.marks.len() as u64;
    run.tell(&Event::Marked {
        marked: run.report.marked,
        blobs: candidates.0.len() as u64,
        manifests: run.report.manifests,
    });
    remove(run, candidates).await.map_err(of_content)
}

/// The content that is not marked and rests long enough.
async fn candidates(run: &mut Run<'_>) -> Result<Candidates, StoreError> {
    let mut candidates = Candidates::default();
    let mut after: Option<Digest> = None;
    loop {
        run.pace.step().await;
        let page = run.store.contents(after.as_ref(), PAGE).await?;
        for content in &page.items {
            let Some(bytes) = content.digest.sha256_bytes() else {
                continue;
            };
            if run.marks.contains(&content.digest) {
                continue;
            }
            if content.used < run.unused_since {
                candidates.0.insert(bytes, content.size);
            } else {
                run.report.resting_blobs += 1;
                run.report.resting_bytes += content.size;
            }
        }
        match page.items.last() {
            Some(last) if page.more => after = Some(last.digest),
            _ => return Ok(candidates),
        }
    }
}

/// Takes from the candidates what a repository refers to now.
async fn look_again(run: &mut Run<'_>, candidates: &mut Candidates) -> Result<(), CollectError> {
    let mut after: Option<RepoName> = None;
    loop {
        let places = places(run.store, after.as_ref()).await?;
        for repo in &places.items {
            save(run, repo, candidates)
                .await
                .map_err(|source| CollectError::Repository {
                    repo: repo.clone(),
                    source,
                })?;
        }
        match places.items.into_iter().next_back() {
            Some(last) if places.more => after = Some(last),
            _ => return Ok(()),
        }
    }
}

async fn save(
    run: &mut Run<'_>,
    repo: &RepoName,
    candidates: &mut Candidates,
) -> Result<(), StoreError> {
    run.pace.step().await;
    let inventory = run.store.inventory(repo).await?;
    for layer in &inventory.layers {
        candidates.save(&layer.content);
    }
    for entry in &inventory.manifests {
        candidates.save(&entry.digest);
        // What a marked manifest refers to is marked as well.
        if run.marks.contains(&entry.digest) {
            continue;
        }
        run.pace.step().await;
        // One that cannot be read leads nowhere; its blobs are saved by their
        // links.
        if let Ok(references) = references(run, repo, &entry.digest).await {
            for digest in references.blobs.iter().chain(&references.children) {
                candidates.save(digest);
            }
        }
    }
    Ok(())
}

async fn remove(run: &mut Run<'_>, candidates: Candidates) -> Result<(), StoreError> {
    let candidates: Vec<_> = candidates.0.into_iter().collect();
    for some in candidates.chunks(AT_ONCE) {
        run.pace.step().await;
        let digests: Vec<_> = some
            .iter()
            .map(|(bytes, _)| Digest::from_sha256_bytes(*bytes))
            .collect();
        let freed = if run.options.dry_run {
            some.iter().map(|(_, size)| Some(*size)).collect()
        } else {
            run.store
                .expire_contents(&digests, run.unused_since)
                .await?
        };
        for (digest, freed) in digests.iter().zip(freed) {
            if let Some(freed) = freed {
                run.report.blobs += 1;
                run.report.bytes += freed;
                run.tell(&Event::ContentGoes(digest));
            }
        }
    }
    if !run.options.dry_run {
        run.store.tidy(None, run.unused_since).await?;
    }
    Ok(())
}

fn of_content(source: StoreError) -> CollectError {
    CollectError::Content { source }
}
