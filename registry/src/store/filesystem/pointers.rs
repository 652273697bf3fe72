//! What leads to the manifests of a repository, remembered while many of them
//! are being removed. Everything in here blocks.
//!
//! To find what leads to one manifest, all tags and aliases have to be read. A
//! collector removes thousands, and would read everything thousands of times.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::locks::RepoLock;
use super::{Shared, links, walk};
use crate::oci::{Digest, RepoName, Tag};
use crate::store::StoreError;

/// By how much the time of a use may be before the use: a claim that is so young
/// is not renewed, and a file's clock is a little behind.
const BEHIND: Duration = Duration::from_millis(1500);

/// What led to the manifests of a repository at one moment.
pub(super) struct Pointers {
    repo: RepoName,
    taken: SystemTime,
    tagged: HashSet<Digest>,
    /// The tags that have ever pointed at a manifest.
    history: HashMap<Digest, Vec<Tag>>,
    aliases: HashMap<Digest, Vec<Digest>>,
}

/// The pointers that were read last.
pub(super) type LastRead = Mutex<Option<Arc<Pointers>>>;

impl Pointers {
    /// What leads to a manifest of a repository that was not used since
    /// `unused_since`; `None` if a tag does. The repository is locked.
    ///
    /// What was read after that time will do: whatever has been made to lead to
    /// the manifest since then has used it. A tag may have gone since then.
    pub(super) fn of_untagged(
        shared: &Shared,
        repo: &RepoName,
        manifest: &Digest,
        unused_since: SystemTime,
        _held: &RepoLock<'_>,
    ) -> Result<Option<Arc<Self>>, StoreError> {
        let last = || {
            let last = shared.pointers.lock();
            last.unwrap_or_else(PoisonError::into_inner)
        };
        let is_fresh = |pointers: &Arc<Self>| {
            let since = pointers.taken.duration_since(unused_since);
            pointers.repo == *repo && since.is_ok_and(|since| since > BEHIND)
        };
        let remembered = last().clone().filter(is_fresh);
        let remembered = remembered.filter(|pointers| !pointers.tagged.contains(manifest));
        if remembered.is_some() {
            return Ok(remembered);
        }
        let pointers = Arc::new(Self::read(shared, repo)?);
        *last() = Some(Arc::clone(&pointers));
        Ok((!pointers.tagged.contains(manifest)).then_some(pointers))
    }

    fn read(shared: &Shared, repo: &RepoName) -> Result<Self, StoreError> {
        let layout = &shared.layout;
        let mut pointers = Self {
            repo: repo.clone(),
            taken: SystemTime::now(),
            tagged: HashSet::new(),
            history: HashMap::new(),
            aliases: HashMap::new(),
        };
        for tag in walk::tag_names(layout, repo)? {
            // One that is broken cannot be said to lead anywhere.
            if let Ok(Some(target)) = links::read_blocking(&layout.tag_current_link(repo, &tag)) {
                pointers.tagged.insert(target);
            }
            for target in walk::linked_digests(&layout.tag_history(repo, &tag))? {
                pointers
                    .history
                    .entry(target)
                    .or_default()
                    .push(tag.clone());
            }
        }
        for alias in walk::linked_digests(&layout.aliases(repo))? {
            if let Ok(Some(target)) = links::read_blocking(&layout.alias_link(repo, &alias)) {
                pointers.aliases.entry(target).or_default().push(alias);
            }
        }
        Ok(pointers)
    }

    /// The tags that had ever pointed at a manifest.
    pub(super) fn history(&self, manifest: &Digest) -> &[Tag] {
        self.history.get(manifest).map_or(&[], Vec::as_slice)
    }

    /// The other digests of a manifest.
    pub(super) fn aliases(&self, manifest: &Digest) -> &[Digest] {
        self.aliases.get(manifest).map_or(&[], Vec::as_slice)
    }
}
