//! The store on an object store, and an object store in memory to try it on.
//!
//! It shows that [`Store`] and [`Maintain`] need neither rename nor
//! directories nor locks, and it serves the tests that look at no file. Any
//! number of instances share a [`Bucket`], as replicas share a service.
//!
//! - `bucket`: the object store
//! - `keys`, `records`: where everything lies, and how it is written down
//! - `contents`, `blobs`: bytes, and the repositories that have them
//! - `manifests`, `tags`, `removal`: how a tag never leads to what is gone
//! - `session`, `writer`, `commit`, `closing`: how a blob comes in
//! - `lists`, `inventory`, `maintain`: what there is, and how it goes
//!
//! # What holds, and what it rests on
//!
//! A change of more than one object goes on to its end also if whoever asked
//! for it has gone: it runs in a task of its own. If the process dies in the
//! middle, whoever comes next finishes it or finds nothing of it.
//!
//! Whatever can be claimed is a small record that is written anew to claim it,
//! so that a removal, which deletes the record that was seen, and a claim
//! exclude each other. No clock decides that. Clocks decide how long something
//! was not used, which is the service's clock alone, and for how long a writer
//! keeps an upload (see `session`).
//!
//! A blob that was opened can be read for as long as its content is kept: also
//! after it was deleted from its repository, and until a collector removes the
//! content. A reader that is slower than that gets an error.
//!
//! An upload whose writer has gone is waited for within its own process.
//! Another process is told that the upload is busy, until what was written is
//! kept, or, if the writer's process has died, until its lease ends.

mod blobs;
mod bucket;
mod closing;
mod commit;
mod contents;
mod inventory;
mod keys;
mod lists;
mod maintain;
mod manifests;
mod records;
mod removal;
mod session;
mod tags;
#[cfg(test)]
mod tests;
mod tidy;
mod writer;

use std::io;
use std::sync::Arc;

use async_trait::async_trait;

pub use self::bucket::{Bucket, BucketOptions, Fault, Gate};
use self::closing::Closing;
use self::session::Session;
use self::writer::BucketUpload;
#[cfg(doc)]
use super::Maintain;
use super::{
    Blob, NewManifest, Page, Store, StoreError, StoredManifest, TagPage, Upload, UploadId,
};
use crate::oci::{Digest, RepoName, Tag};

/// A registry's data in an object store in memory.
///
/// Clones are one instance. Instances over one [`Bucket`] are as processes
/// that share a service.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    bucket: Bucket,
    closing: Arc<Closing>,
}

impl Memory {
    /// An instance over a bucket, with nothing in memory of its own.
    pub fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            closing: Arc::default(),
        }
    }

    async fn change<T: Send + 'static, F>(
        &self,
        work: impl FnOnce(Bucket) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        detached(work(self.bucket.clone())).await
    }
}

/// Goes on with what was begun also if whoever waits for it is dropped.
async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::spawn(work).await {
        Ok(result) => result,
        Err(failure) => Err(StoreError::Io(io::Error::other(failure))),
    }
}

#[async_trait]
impl Store for Memory {
    async fn blob(&self, repo: &RepoName, digest: &Digest) -> Result<Box<dyn Blob>, StoreError> {
        Ok(Box::new(blobs::open(&self.bucket, repo, digest).await?))
    }

    async fn claim_blob(&self, repo: &RepoName, digest: &Digest) -> Result<u64, StoreError> {
        blobs::claim(&self.bucket, repo, digest).await
    }

    async fn mount_blob(
        &self,
        from: Option<&RepoName>,
        to: &RepoName,
        digest: &Digest,
    ) -> Result<(), StoreError> {
        let (from, to, digest) = (from.cloned(), to.clone(), *digest);
        self.change(async move |bucket| blobs::mount(&bucket, from.as_ref(), &to, &digest).await)
            .await
    }

    async fn delete_blob(&self, repo: &RepoName, digest: &Digest) -> Result<(), StoreError> {
        blobs::delete(&self.bucket, repo, digest).await
    }

    async fn begin_upload(&self, repo: &RepoName) -> Result<Box<dyn Upload>, StoreError> {
        let (repo, closing) = (repo.clone(), Arc::clone(&self.closing));
        self.change(async move |bucket| {
            let session = Session::begin(bucket, repo).await?;
            Ok(Box::new(BucketUpload::new(closing, session)) as Box<dyn Upload>)
        })
        .await
    }

    async fn resume_upload(
        &self,
        repo: &RepoName,
        id: UploadId,
    ) -> Result<Box<dyn Upload>, StoreError> {
        let (repo, closing) = (repo.clone(), Arc::clone(&self.closing));
        self.change(async move |bucket| {
            closing.wait(id).await;
            let session = Session::resume(bucket, repo, id).await?;
            Ok(Box::new(BucketUpload::new(closing, session)) as Box<dyn Upload>)
        })
        .await
    }

    async fn upload_offset(&self, repo: &RepoName, id: UploadId) -> Result<u64, StoreError> {
        let seen = session::read(&self.bucket, repo, id).await?;
        Ok(seen.ok_or_else(|| session::missing(repo, id))?.offset())
    }

    async fn manifest(
        &self,
        repo: &RepoName,
        digest: &Digest,
    ) -> Result<StoredManifest, StoreError> {
        manifests::read(&self.bucket, repo, digest).await
    }

    async fn tagged(&self, repo: &RepoName, tag: &Tag) -> Result<Digest, StoreError> {
        tags::target(&self.bucket, repo, tag).await
    }

    async fn claim_manifest(&self, repo: &RepoName, digest: &Digest) -> Result<(), StoreError> {
        manifests::claim(&self.bucket, repo, digest).await
    }

    async fn put_manifest(&self, repo: &RepoName, manifest: NewManifest) -> Result<(), StoreError> {
        let repo = repo.clone();
        self.change(async move |bucket| manifests::put(&bucket, &repo, &manifest).await)
            .await
    }

    async fn delete_manifest(&self, repo: &RepoName, digest: &Digest) -> Result<(), StoreError> {
        let (repo, digest) = (repo.clone(), *digest);
        self.change(async move |bucket| removal::delete(&bucket, &repo, &digest).await)
            .await
    }

    async fn delete_tag(&self, repo: &RepoName, tag: &Tag) -> Result<(), StoreError> {
        let (repo, tag) = (repo.clone(), tag.clone());
        self.change(async move |bucket| tags::delete(&bucket, &repo, &tag).await)
            .await
    }

    async fn note_pull(&self, repo: &RepoName, tag: &Tag) -> Result<(), StoreError> {
        tags::note_pull(&self.bucket, repo, tag).await
    }

    async fn referrers(
        &self,
        repo: &RepoName,
        subject: &Digest,
    ) -> Result<Vec<Digest>, StoreError> {
        manifests::referrers(&self.bucket, repo, subject).await
    }

    async fn tags(
        &self,
        repo: &RepoName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<TagPage, StoreError> {
        lists::tags(&self.bucket, repo, after, limit).await
    }

    async fn repositories(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<RepoName>, StoreError> {
        lists::repositories(&self.bucket, &[keys::CATALOG], after, limit).await
    }
}
