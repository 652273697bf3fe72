//! What keeping a store in order needs, beside serving from it: to see all
//! that is there, and to remove what nobody uses.

use std::time::SystemTime;

use async_trait::async_trait;

use super::{Blob, Page, Store, StoreError, UploadId};
use crate::oci::{Digest, RepoName, Tag};

/// A store that can be collected, checked and tidied while it is served.
///
/// # The contract
///
/// **Nothing in use is removed.** Every `expire_…` function removes a thing
/// only if it was last used before the given time, and finds that out in one
/// step with the removal: a claim (see [`Store`]) comes either before, and the
/// thing stays, or after, and is told that it is not there. This holds between
/// processes that share the store. A file system does it with a lock on the
/// file, an object store with a conditional delete of a record that every claim
/// writes anew, since the same bytes would have the same ETag.
///
/// **Order.** Content may be expired when no repository refers to it any more.
/// What refers to it is expired first, and the caller looks at the whole store
/// between the two.
///
/// **What was removed may come back** after a loss of power, as unused as it was,
/// until [`Maintain::tidy`] returns: layers and content; the rest does not. A
/// layer that comes back without its content is not there for whoever asks.
///
/// **Restarts.** Every function may be interrupted at any point, and called
/// again.
///
/// **Damage is reported, not met.** [`Maintain::inventory`] tells of what it
/// cannot read and goes on; it fails only if it cannot find out.
#[async_trait]
pub trait Maintain: Store {
    /// The repositories after `after`, in byte order, at most `limit` of them:
    /// also those that hold nothing but layers, uploads or empty places.
    async fn places(&self, after: Option<&str>, limit: usize)
    -> Result<Page<RepoName>, StoreError>;

    /// All that is recorded about a repository, in no order. One that is gone
    /// has an empty inventory.
    async fn inventory(&self, repo: &RepoName) -> Result<Inventory, StoreError>;

    /// Takes a blob from a repository if it was last used before `unused_since`.
    /// Returns whether it did.
    async fn expire_layer(
        &self,
        repo: &RepoName,
        digest: &Digest,
        unused_since: SystemTime,
    ) -> Result<bool, StoreError>;

    /// As [`Maintain::expire_layer`] for many blobs, with an answer for each.
    /// After an error it is not known which of them are gone.
    async fn expire_layers(
        &self,
        repo: &RepoName,
        digests: &[Digest],
        unused_since: SystemTime,
    ) -> Result<Vec<bool>, StoreError> {
        let mut gone = Vec::with_capacity(digests.len());
        for digest in digests {
            gone.push(self.expire_layer(repo, digest, unused_since).await?);
        }
        Ok(gone)
    }

    /// Removes a manifest from a repository, with its other digests and what
    /// says that it is a referrer, if it was last used before `unused_since`
    /// and no tag points at it. Returns whether it did.
    async fn expire_manifest(
        &self,
        repo: &RepoName,
        digest: &Digest,
        unused_since: SystemTime,
    ) -> Result<bool, StoreError>;

    /// Removes a tag if it still points at `target` and was last pushed and
    /// pulled before `unused_since`. Returns whether it did.
    async fn expire_tag(
        &self,
        repo: &RepoName,
        tag: &Tag,
        target: &Digest,
        unused_since: SystemTime,
    ) -> Result<bool, StoreError>;

    /// Removes an upload that nobody writes to and that nothing was written to
    /// since `idle_since`. Returns whether it did.
    async fn expire_upload(
        &self,
        repo: &RepoName,
        id: UploadId,
        idle_since: SystemTime,
    ) -> Result<bool, StoreError>;

    /// Removes what a repository, or without one the shared part of the store,
    /// holds without meaning anything, and what was so before `unused_since`:
    /// empty places, and what interrupted writes left. What this store removed
    /// before has gone for good then.
    async fn tidy(
        &self,
        repo: Option<&RepoName>,
        unused_since: SystemTime,
    ) -> Result<(), StoreError>;

    /// The content after `after`, in the order of its digests, at most `limit`.
    async fn contents(
        &self,
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Page<Content>, StoreError>;

    /// Opens content by the digest that it is kept under.
    async fn content(&self, digest: &Digest) -> Result<Box<dyn Blob>, StoreError>;

    /// Removes content that was last used before `unused_since`, and returns
    /// how many bytes that freed; `None` if it is used, or gone. The caller
    /// knows that no repository refers to it.
    async fn expire_content(
        &self,
        digest: &Digest,
        unused_since: SystemTime,
    ) -> Result<Option<u64>, StoreError>;

    /// As [`Maintain::expire_content`] for much content, as
    /// [`Maintain::expire_layers`] is for blobs.
    async fn expire_contents(
        &self,
        digests: &[Digest],
        unused_since: SystemTime,
    ) -> Result<Vec<Option<u64>>, StoreError> {
        let mut freed = Vec::with_capacity(digests.len());
        for digest in digests {
            freed.push(self.expire_content(digest, unused_since).await?);
        }
        Ok(freed)
    }

    /// Moves content aside that is not what its digest says, so that it is not
    /// there for whoever asks and can still be looked at. Returns where it is.
    ///
    /// It is read once more, in one step with the move: content that is right,
    /// because a push has replaced what the caller saw, stays, and the answer
    /// is `None`. What was moved aside before is kept.
    async fn quarantine(&self, digest: &Digest) -> Result<Option<String>, StoreError>;
}

/// All that is recorded about one repository.
#[derive(Debug, Default)]
pub struct Inventory {
    /// Its manifests, each once.
    pub manifests: Vec<ManifestEntry>,
    /// Its blobs: one entry for each digest that they are known by.
    pub layers: Vec<LayerEntry>,
    /// Its tags.
    pub tags: Vec<TagEntry>,
    /// What says that manifests have a subject.
    pub referrers: Vec<ReferrerEntry>,
    /// Uploads that are neither committed nor cancelled.
    pub uploads: Vec<UploadEntry>,
    /// What cannot be read as what it is.
    pub damaged: Vec<Damage>,
}

/// A manifest that a repository has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestEntry {
    /// The SHA-256 digest, under which its content is kept.
    pub digest: Digest,
    /// Other digests by which it is known.
    pub aliases: Vec<Digest>,
    /// When it was last put or claimed.
    pub used: SystemTime,
}

/// A blob that a repository has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerEntry {
    /// The digest that it is asked for by.
    pub digest: Digest,
    /// The SHA-256 digest, under which its content is kept.
    pub content: Digest,
    /// When it was last committed, mounted or claimed.
    pub used: SystemTime,
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagEntry {
    /// Its name.
    pub tag: Tag,
    /// The SHA-256 digest of the manifest that it points at.
    pub target: Digest,
    /// When it was last pushed.
    pub pushed: SystemTime,
    /// When it was last pulled, as far as [`Store::note_pull`] was told.
    pub pulled: Option<SystemTime>,
}

/// A manifest that says something about another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferrerEntry {
    /// What it says something about, as it names it.
    pub subject: Digest,
    /// The digest of the referrer, as it was pushed by.
    pub referrer: Digest,
    /// When it was put.
    pub used: SystemTime,
}

/// An upload on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadEntry {
    /// What it is resumed by.
    pub id: UploadId,
    /// How many bytes have come.
    pub bytes: u64,
    /// When something came last.
    pub active: SystemTime,
}

/// Something that cannot be read as what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// What it should be.
    pub part: Part,
    /// The file or object.
    pub location: String,
    /// What is the matter with it.
    pub problem: String,
}

/// What a damaged file or object should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A blob of the repository.
    Layer(Digest),
    /// A manifest of the repository, by any of its digests.
    Manifest(Digest),
    /// A tag.
    Tag(Tag),
    /// A referrer of a subject.
    Referrer {
        /// What it says something about.
        subject: Digest,
        /// The referrer.
        referrer: Digest,
    },
    /// Something whose very name makes no sense where it lies.
    Unknown,
}

/// Content that is kept, whoever refers to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The digest that it is kept under.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// When it was last written or claimed.
    pub used: SystemTime,
}
