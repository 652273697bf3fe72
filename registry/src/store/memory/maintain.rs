//! [`Maintain`] on an object store.

use std::time::SystemTime;

use async_trait::async_trait;

use super::session::{self, Session};
use super::{Memory, blobs, commit, contents, inventory, keys, lists, removal, tags, tidy};
use crate::oci::{Digest, RepoName, Tag};
use crate::store::{Blob, Content, Inventory, Maintain, Missing, Page, StoreError, UploadId};

#[async_trait]
impl Maintain for Memory {
    async fn places(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<RepoName>, StoreError> {
        lists::repositories(&self.bucket, &keys::TREES, after, limit).await
    }

    async fn inventory(&self, repo: &RepoName) -> Result<Inventory, StoreError> {
        inventory::of(&self.bucket, repo).await
    }

    async fn expire_layer(
        &self,
        repo: &RepoName,
        digest: &Digest,
        unused_since: SystemTime,
    ) -> Result<bool, StoreError> {
        blobs::expire(&self.bucket, repo, digest, unused_since).await
    }

    async fn expire_manifest(
        &self,
        repo: &RepoName,
        digest: &Digest,
        unused_since: SystemTime,
    ) -> Result<bool, StoreError> {
        let (repo, digest) = (repo.clone(), *digest);
        self.change(async move |bucket| {
            removal::expire(&bucket, &repo, &digest, unused_since).await
        })
        .await
    }

    async fn expire_tag(
        &self,
        repo: &RepoName,
        tag: &Tag,
        target: &Digest,
        unused_since: SystemTime,
    ) -> Result<bool, StoreError> {
        let (repo, tag, target) = (repo.clone(), tag.clone(), *target);
        self.change(async move |bucket| {
            tags::expire(&bucket, &repo, &tag, &target, unused_since).await
        })
        .await
    }

    async fn expire_upload(
        &self,
        repo: &RepoName,
        id: UploadId,
        idle_since: SystemTime,
    ) -> Result<bool, StoreError> {
        let repo = repo.clone();
        self.change(async move |bucket| {
            let Some(seen) = session::read(&bucket, &repo, id).await? else {
                return Ok(false);
            };
            if seen.written >= idle_since || seen.is_being_written(bucket.now()) {
                return Ok(false);
            }
            match Session::take(&bucket, &repo, id, seen).await? {
                Some(session) => commit::discard(&session).await.map(|()| true),
                None => Ok(false),
            }
        })
        .await
    }

    async fn tidy(
        &self,
        repo: Option<&RepoName>,
        unused_since: SystemTime,
    ) -> Result<(), StoreError> {
        let repo = repo.cloned();
        self.change(async move |bucket| match repo {
            Some(repo) => tidy::repository(&bucket, &repo, unused_since).await,
            None => tidy::shared(&bucket, unused_since).await,
        })
        .await
    }

    async fn contents(
        &self,
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Page<Content>, StoreError> {
        contents::list(&self.bucket, after, limit).await
    }

    async fn content(&self, digest: &Digest) -> Result<Box<dyn Blob>, StoreError> {
        match contents::open(&self.bucket, digest).await? {
            Some(blob) => Ok(Box::new(blob)),
            None => Err(StoreError::NotFound(Missing::Content(*digest))),
        }
    }

    async fn expire_content(
        &self,
        digest: &Digest,
        unused_since: SystemTime,
    ) -> Result<Option<u64>, StoreError> {
        let digest = *digest;
        self.change(async move |bucket| contents::expire(&bucket, &digest, unused_since).await)
            .await
    }

    async fn quarantine(&self, digest: &Digest) -> Result<Option<String>, StoreError> {
        let digest = *digest;
        self.change(async move |bucket| contents::quarantine(&bucket, &digest).await)
            .await
    }
}
