//! One change of a repository's manifests and tags at a time.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fs_err::File;

use super::Shared;
use super::claims;
use crate::oci::RepoName;
use crate::store::StoreError;

/// Keeps two changes of one repository's tags apart: while a manifest is
/// deleted, no tag may be pointed at it, and no tag that was just pointed
/// elsewhere may be removed.
#[derive(Debug)]
pub(super) struct RepoLocks {
    hasher: RandomState,
    /// Repositories share them by their hash. Within a process they are taken
    /// before the lock on disk, so that threads wait here and not in the kernel.
    locks: [Mutex<()>; 64],
}

/// The right to change a repository's manifests and tags. Blocks others, also
/// those of other processes, until it is dropped.
pub(super) struct RepoLock<'a> {
    _directory: File,
    _thread: MutexGuard<'a, ()>,
}

impl RepoLocks {
    pub(super) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            locks: [const { Mutex::new(()) }; 64],
        }
    }

    /// Waits for the lock of a repository in which there may not be a manifest
    /// yet. Blocks.
    pub(super) fn hold(
        &self,
        shared: &Shared,
        repo: &RepoName,
    ) -> Result<RepoLock<'_>, StoreError> {
        let held = self.acquire(shared, repo, true)?;
        Ok(held.expect("what is not there was made"))
    }

    /// Waits for the lock of a repository. `None` if it never had a manifest.
    /// Blocks.
    pub(super) fn hold_existing(
        &self,
        shared: &Shared,
        repo: &RepoName,
    ) -> Result<Option<RepoLock<'_>>, StoreError> {
        self.acquire(shared, repo, false)
    }

    fn acquire(
        &self,
        shared: &Shared,
        repo: &RepoName,
        create: bool,
    ) -> Result<Option<RepoLock<'_>>, StoreError> {
        let index = self.hasher.hash_one(repo) as usize % self.locks.len();
        // There is nothing behind the lock that a panic could leave half done
        // and that a crash could not as well.
        let thread = self.locks[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let path = shared.layout.manifests(repo);
        loop {
            if let Some(directory) = claims::lock_exclusively(&path)? {
                return Ok(Some(RepoLock {
                    _directory: directory,
                    _thread: thread,
                }));
            }
            if !create {
                return Ok(None);
            }
            // It may have been removed, because it was empty.
            shared.directories.ensure(&path)?;
        }
    }
}
