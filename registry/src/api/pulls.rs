//! Remembering when tags were pulled, where a rule of retention asks for it.

use std::time::Duration;

use moka::sync::Cache;
use tidegate_config::{Pattern, RetentionRule};

use crate::oci::{RepoName, Tag};
use crate::store::Store;

/// How exact the time of a pull is: the store keeps no more than a minute either.
const NOTED_EVERY: Duration = Duration::from_secs(60);

/// How many tags are remembered to have been noted.
const REMEMBERED: u64 = 16 * 1024;

/// The repositories whose pulls count.
#[derive(Debug)]
pub(super) struct Pulls {
    repositories: Vec<Pattern>,
    noted: Cache<(RepoName, Tag), ()>,
}

impl Pulls {
    pub(super) fn new(rules: &[RetentionRule]) -> Self {
        let counted = rules
            .iter()
            .filter(|rule| rule.keep_pulled_within.is_some());
        Self {
            repositories: counted.map(|rule| rule.repositories.clone()).collect(),
            noted: Cache::builder()
                .max_capacity(REMEMBERED)
                .time_to_live(NOTED_EVERY)
                .build(),
        }
    }

    /// Notes a pull. That it cannot be noted does not keep anybody from pulling.
    pub(super) async fn note(&self, store: &dyn Store, repo: &RepoName, tag: &Tag) {
        let counts = |pattern: &Pattern| pattern.matches(repo.as_str());
        if !self.repositories.iter().any(counts) {
            return;
        }
        let key = (repo.clone(), tag.clone());
        if self.noted.contains_key(&key) {
            return;
        }
        match store.note_pull(repo, tag).await {
            Ok(()) => self.noted.insert(key, ()),
            Err(error) => tracing::warn!(
                registry.repository = %repo,
                registry.tag = %tag,
                error = %error,
                hint = error.hint(),
                "a pull cannot be noted: the rules of retention will not know of it"
            ),
        }
    }
}
