//! Tags that stay what they are.

use std::hash::{BuildHasher, RandomState};

use http::StatusCode;
use serde_json::json;
use tidegate_config::ImmutableRule;
use tokio::sync::{Mutex, MutexGuard};

use super::error::{ApiError, Code};
use super::pointing::{self, is_same};
use crate::oci::{Digest, Reference, RepoName, Tag};
use crate::store::{Store, StoreError};

/// The rules, and what keeps two changes apart that each of them may refuse.
///
/// Between looking where a tag points and pointing it elsewhere, nobody else of
/// this process changes the tags of the repository. Several processes over one
/// store may both create a tag at the same moment; the last one wins.
#[derive(Debug)]
pub(super) struct Immutable {
    rules: Vec<ImmutableRule>,
    hasher: RandomState,
    locks: [Mutex<()>; 16],
}

impl Immutable {
    pub(super) fn new(rules: &[ImmutableRule]) -> Self {
        Self {
            rules: rules.to_vec(),
            hasher: RandomState::new(),
            locks: [const { Mutex::const_new(()) }; 16],
        }
    }

    /// To be held while a change is checked and made. Repositories that no rule
    /// is about need nothing.
    pub(super) async fn hold(&self, repo: &RepoName) -> Option<MutexGuard<'_, ()>> {
        if !self.concerns(repo) {
            return None;
        }
        let index = self.hasher.hash_one(repo) as usize % self.locks.len();
        Some(self.locks[index].lock().await)
    }

    /// Refuses to point tags at another manifest: 409 `DENIED`.
    pub(super) async fn check_put(
        &self,
        store: &dyn Store,
        repo: &RepoName,
        tags: &[Tag],
        digest: &Digest,
    ) -> Result<(), ApiError> {
        for tag in tags.iter().filter(|tag| self.keeps(repo, tag)) {
            let current = match store.tagged(repo, tag).await {
                // One that is broken may be mended.
                Err(StoreError::NotFound(_) | StoreError::Damaged { .. }) => continue,
                result => result?,
            };
            if !is_same(store, repo, &current, digest).await? {
                return Err(denied(tag));
            }
        }
        Ok(())
    }

    /// Refuses to remove tags, be it with their manifest: 409 `DENIED`.
    pub(super) async fn check_delete(
        &self,
        store: &dyn Store,
        repo: &RepoName,
        reference: &Reference,
    ) -> Result<(), ApiError> {
        if !self.concerns(repo) {
            return Ok(());
        }
        let digest = match reference {
            Reference::Tag(tag) if self.keeps(repo, tag) => {
                // What is not there is not found, and not denied.
                store.tagged(repo, tag).await?;
                return Err(denied(tag));
            }
            Reference::Tag(_) => return Ok(()),
            Reference::Digest(digest) => digest,
        };
        let kept = pointing::tags_of(store, repo, digest, |tag| self.keeps(repo, tag)).await?;
        kept.first().map_or(Ok(()), |tag| Err(denied(tag)))
    }

    fn concerns(&self, repo: &RepoName) -> bool {
        let mut rules = self.rules.iter();
        rules.any(|rule| rule.repositories.matches(repo.as_str()))
    }

    fn keeps(&self, repo: &RepoName, tag: &Tag) -> bool {
        self.rules
            .iter()
            .any(|rule| rule.repositories.matches(repo.as_str()) && rule.tags.matches(tag.as_str()))
    }
}

fn denied(tag: &Tag) -> ApiError {
    ApiError::new(Code::Denied)
        .status(StatusCode::CONFLICT)
        .detail(json!({ "tag": tag.as_str(), "problem": "the tag is immutable" }))
}
