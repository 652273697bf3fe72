//! The store on a file system, in distribution's layout.
//!
//! - `layout`: where everything lies
//! - `disk`, `durable`, `links`: what is changed, and how it is made to last
//! - `claims`, `locks`: how what is in use stays, and changes keep apart
//! - `base`, `quick`, `frames`: how bytes are read without waiting in a thread
//! - `blobs`, `manifests`, `aliases`: what is stored
//! - `walk`, `listing`, `opened`: lists of it
//! - `uploads`, `leases`, `staged`, `writer`, `commit`: how a blob comes in
//! - `maintain`, `inventory`, `tidy`: how what nobody uses goes

mod aliases;
mod base;
mod blobs;
mod claims;
mod commit;
mod disk;
mod durable;
#[cfg(test)]
mod faults;
mod frames;
mod inventory;
mod layout;
mod leases;
mod links;
mod listing;
mod locks;
mod maintain;
mod manifests;
mod opened;
mod pointers;
mod pool;
mod quick;
mod staged;
#[cfg(test)]
mod tests;
mod tidy;
mod uploads;
mod walk;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use moka::future::Cache;

use self::base::Base;
use self::durable::{Changed, Directories};
use self::frames::Pool;
use self::layout::Layout;
use self::leases::Leases;
use self::listing::Listings;
use self::locks::RepoLocks;
pub use self::manifests::CacheUse;
use self::pool::blocking;
use self::walk::Witnesses;
use super::{
    Blob, NewManifest, Page, Store, StoreError, StoredManifest, TagPage, Upload, UploadId,
};
use crate::oci::{Digest, RepoName, Tag};

/// A registry's data below one directory, as distribution keeps it.
///
/// Clones share everything. Several processes may use one directory; changes
/// of one repository's tags are kept apart within a process only.
#[derive(Clone)]
pub struct Filesystem {
    shared: Arc<Shared>,
}

/// What all operations of a store have in common.
struct Shared {
    layout: Layout,
    base: Base,
    directories: Directories,
    changed: Changed,
    leases: Leases,
    locks: RepoLocks,
    manifests: Cache<Digest, StoredManifest>,
    /// How often `manifests` had what was asked for.
    cache_use: CacheUse,
    listings: Listings,
    witnesses: Witnesses,
    pointers: pointers::LastRead,
    frames: Arc<Pool>,
}

impl Filesystem {
    /// Opens what lies below `root`, the directory that distribution calls
    /// `rootdirectory`. Nothing is read or made.
    pub fn new(root: &Path) -> Self {
        let layout = Layout::new(root);
        Self {
            shared: Arc::new(Shared {
                base: Base::new(layout.base(), layout::ALIASED),
                layout,
                directories: Directories::default(),
                changed: Changed::default(),
                leases: Leases::default(),
                locks: RepoLocks::new(),
                manifests: manifests::new_cache(),
                cache_use: CacheUse::default(),
                listings: Listings::new(),
                witnesses: Witnesses::default(),
                pointers: pointers::LastRead::default(),
                frames: Arc::default(),
            }),
        }
    }

    /// Makes the directories that every registry has, and returns them. Blocks.
    ///
    /// # Errors
    ///
    /// If they cannot be made.
    pub fn prepare(&self) -> io::Result<[PathBuf; 2]> {
        let Shared {
            directories,
            layout,
            ..
        } = &*self.shared;
        let made = [layout.blobs(), layout.repositories()];
        for directory in &made {
            directories.ensure(directory)?;
        }
        Ok(made)
    }

    /// How often manifests were in memory that were asked for.
    pub fn cache_use(&self) -> &CacheUse {
        &self.shared.cache_use
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        blocking(move || work(&shared)).await
    }
}

#[async_trait]
impl Store for Filesystem {
    async fn blob(&self, repo: &RepoName, digest: &Digest) -> Result<Box<dyn Blob>, StoreError> {
        Ok(Box::new(blobs::open(&self.shared, repo, digest).await?))
    }

    async fn claim_blob(&self, repo: &RepoName, digest: &Digest) -> Result<u64, StoreError> {
        blobs::claim(&self.shared, repo, digest).await
    }

    async fn mount_blob(
        &self,
        from: Option<&RepoName>,
        to: &RepoName,
        digest: &Digest,
    ) -> Result<(), StoreError> {
        blobs::mount(&self.shared, from, to, digest).await
    }

    async fn delete_blob(&self, repo: &RepoName, digest: &Digest) -> Result<(), StoreError> {
        let (repo, digest) = (repo.clone(), *digest);
        self.blocking(move |shared| blobs::delete(shared, &repo, &digest))
            .await
    }

    async fn begin_upload(&self, repo: &RepoName) -> Result<Box<dyn Upload>, StoreError> {
        Ok(Box::new(uploads::begin(&self.shared, repo).await?))
    }

    async fn resume_upload(
        &self,
        repo: &RepoName,
        id: UploadId,
    ) -> Result<Box<dyn Upload>, StoreError> {
        Ok(Box::new(uploads::resume(&self.shared, repo, id).await?))
    }

    async fn upload_offset(&self, repo: &RepoName, id: UploadId) -> Result<u64, StoreError> {
        uploads::offset(&self.shared, repo, id).await
    }

    async fn manifest(
        &self,
        repo: &RepoName,
        digest: &Digest,
    ) -> Result<StoredManifest, StoreError> {
        manifests::read(&self.shared, repo, digest).await
    }

    async fn tagged(&self, repo: &RepoName, tag: &Tag) -> Result<Digest, StoreError> {
        manifests::tagged(&self.shared, repo, tag).await
    }

    async fn claim_manifest(&self, repo: &RepoName, digest: &Digest) -> Result<(), StoreError> {
        manifests::claim(&self.shared, repo, digest).await
    }

    async fn put_manifest(&self, repo: &RepoName, manifest: NewManifest) -> Result<(), StoreError> {
        let repo = repo.clone();
        self.blocking(move |shared| manifests::put(shared, &repo, &manifest))
            .await
    }

    async fn delete_manifest(&self, repo: &RepoName, digest: &Digest) -> Result<(), StoreError> {
        let (repo, digest) = (repo.clone(), *digest);
        self.blocking(move |shared| manifests::delete(shared, &repo, &digest))
            .await
    }

    async fn delete_tag(&self, repo: &RepoName, tag: &Tag) -> Result<(), StoreError> {
        let (repo, tag) = (repo.clone(), tag.clone());
        self.blocking(move |shared| manifests::delete_tag(shared, &repo, &tag))
            .await
    }

    async fn note_pull(&self, repo: &RepoName, tag: &Tag) -> Result<(), StoreError> {
        let (repo, tag) = (repo.clone(), tag.clone());
        self.blocking(move |shared| manifests::note_pull(shared, &repo, &tag))
            .await
    }

    async fn referrers(
        &self,
        repo: &RepoName,
        subject: &Digest,
    ) -> Result<Vec<Digest>, StoreError> {
        let directory = self.shared.layout.referrers(repo, subject);
        blocking(move || walk::linked_digests(&directory)).await
    }

    async fn tags(
        &self,
        repo: &RepoName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<TagPage, StoreError> {
        let (repo, after) = (repo.clone(), after.map(str::to_owned));
        self.blocking(move |shared| walk::tags(shared, &repo, after.as_deref(), limit))
            .await
    }

    async fn repositories(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<RepoName>, StoreError> {
        let after = after.map(str::to_owned);
        self.blocking(move |shared| walk::repositories(shared, after.as_deref(), limit))
            .await
    }
}
