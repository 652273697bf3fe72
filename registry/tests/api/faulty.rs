//! A store of which one operation fails, and all others work.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tidegate_registry::oci::{Digest, RepoName, Tag};
use tidegate_registry::store::{
    Blob, NewManifest, Page, Store, StoreError, StoredManifest, TagPage, Upload, UploadId,
};

/// What of [`Store`] or [`Upload`] fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Blob,
    ClaimBlob,
    MountBlob,
    DeleteBlob,
    BeginUpload,
    ResumeUpload,
    UploadOffset,
    Manifest,
    Tagged,
    ClaimManifest,
    PutManifest,
    DeleteManifest,
    DeleteTag,
    NotePull,
    Referrers,
    Tags,
    Repositories,
    Write,
    Suspend,
    Commit,
    Cancel,
}

/// How it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The disk does not work.
    Broken,
    /// The disk has no room.
    Full,
    /// The disk works, and what is on it makes no sense.
    Damaged,
}

impl Fault {
    pub(crate) fn error(self) -> StoreError {
        match self {
            // What the kernel answers for a disk that does not.
            Self::Broken => io::Error::from_raw_os_error(5).into(),
            Self::Full => io::Error::from(io::ErrorKind::StorageFull).into(),
            Self::Damaged => StoreError::Damaged {
                location: "/var/lib/registry/secret/link".to_owned(),
                problem: "it is empty".to_owned(),
            },
        }
    }
}

#[derive(Clone)]
pub(crate) struct Faulty {
    store: Arc<dyn Store>,
    plan: Plan,
}

#[derive(Clone, Copy)]
struct Plan {
    operation: Operation,
    fault: Fault,
}

impl Plan {
    fn check(self, operation: Operation) -> Result<(), StoreError> {
        if self.operation == operation {
            Err(self.fault.error())
        } else {
            Ok(())
        }
    }
}

impl Faulty {
    pub(crate) fn new(store: Arc<dyn Store>, operation: Operation, fault: Fault) -> Self {
        let plan = Plan { operation, fault };
        Self { store, plan }
    }

    fn upload(&self, upload: Box<dyn Upload>) -> Box<dyn Upload> {
        let plan = self.plan;
        Box::new(FaultyUpload { upload, plan })
    }
}

#[async_trait]
impl Store for Faulty {
    async fn blob(&self, repo: &RepoName, digest: &Digest) -> Result<Box<dyn Blob>, StoreError> {
        self.plan.check(Operation::Blob)?;
        self.store.blob(repo, digest).await
    }

    async fn claim_blob(&self, repo: &RepoName, digest: &Digest) -> Result<u64, StoreError> {
        self.plan.check(Operation::ClaimBlob)?;
        self.store.claim_blob(repo, digest).await
    }

    async fn mount_blob(
        &self,
        from: Option<&RepoName>,
        to: &RepoName,
        digest: &Digest,
    ) -> Result<(), StoreError> {
        self.plan.check(Operation::MountBlob)?;
        self.store.mount_blob(from, to, digest).await
    }

    async fn delete_blob(&self, repo: &RepoName, digest: &Digest) -> Result<(), StoreError> {
        self.plan.check(Operation::DeleteBlob)?;
        self.store.delete_blob(repo, digest).await
    }

    async fn begin_upload(&self, repo: &RepoName) -> Result<Box<dyn Upload>, StoreError> {
        self.plan.check(Operation::BeginUpload)?;
        Ok(self.upload(self.store.begin_upload(repo).await?))
    }

    async fn resume_upload(
        &self,
        repo: &RepoName,
        id: UploadId,
    ) -> Result<Box<dyn Upload>, StoreError> {
        self.plan.check(Operation::ResumeUpload)?;
        Ok(self.upload(self.store.resume_upload(repo, id).await?))
    }

    async fn upload_offset(&self, repo: &RepoName, id: UploadId) -> Result<u64, StoreError> {
        self.plan.check(Operation::UploadOffset)?;
        self.store.upload_offset(repo, id).await
    }

    async fn manifest(
        &self,
        repo: &RepoName,
        digest: &Digest,
    ) -> Result<StoredManifest, StoreError> {
        self.plan.check(Operation::Manifest)?;
        self.store.manifest(repo, digest).await
    }

    async fn tagged(&self, repo: &RepoName, tag: &Tag) -> Result<Digest, StoreError> {
        self.plan.check(Operation::Tagged)?;
        self.store.tagged(repo, tag).await
    }

    async fn claim_manifest(&self, repo: &RepoName, digest: &Digest) -> Result<(), StoreError> {
        self.plan.check(Operation::ClaimManifest)?;
        self.store.claim_manifest(repo, digest).await
    }

    async fn put_manifest(&self, repo: &RepoName, manifest: NewManifest) -> Result<(), StoreError> {
        self.plan.check(Operation::PutManifest)?;
        self.store.put_manifest(repo, manifest).await
    }

    async fn delete_manifest(&self, repo: &RepoName, digest: &Digest) -> Result<(), StoreError> {
        self.plan.check(Operation::DeleteManifest)?;
        self.store.delete_manifest(repo, digest).await
    }

    async fn delete_tag(&self, repo: &RepoName, tag: &Tag) -> Result<(), StoreError> {
        self.plan.check(Operation::DeleteTag)?;
        self.store.delete_tag(repo, tag).await
    }

    async fn note_pull(&self, repo: &RepoName, tag: &Tag) -> Result<(), StoreError> {
        self.plan.check(Operation::NotePull)?;
        self.store.note_pull(repo, tag).await
    }

    async fn referrers(
        &self,
        repo: &RepoName,
        subject: &Digest,
    ) -> Result<Vec<Digest>, StoreError> {
        self.plan.check(Operation::Referrers)?;
        self.store.referrers(repo, subject).await
    }

    async fn tags(
        &self,
        repo: &RepoName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<TagPage, StoreError> {
        self.plan.check(Operation::Tags)?;
        self.store.tags(repo, after, limit).await
    }

    async fn repositories(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<RepoName>, StoreError> {
        self.plan.check(Operation::Repositories)?;
        self.store.repositories(after, limit).await
    }
}

struct FaultyUpload {
    upload: Box<dyn Upload>,
    plan: Plan,
}

#[async_trait]
impl Upload for FaultyUpload {
    fn id(&self) -> UploadId {
        self.upload.id()
    }

    fn offset(&self) -> u64 {
        self.upload.offset()
    }

    async fn write(&mut self, data: Bytes) -> Result<(), StoreError> {
        self.plan.check(Operation::Write)?;
        self.upload.write(data).await
    }

    async fn suspend(self: Box<Self>) -> Result<u64, StoreError> {
        self.plan.check(Operation::Suspend)?;
        self.upload.suspend().await
    }

    async fn commit(self: Box<Self>, digest: &Digest) -> Result<(), StoreError> {
        self.plan.check(Operation::Commit)?;
        self.upload.commit(digest).await
    }

    async fn cancel(self: Box<Self>) -> Result<(), StoreError> {
        self.plan.check(Operation::Cancel)?;
        self.upload.cancel().await
    }
}
