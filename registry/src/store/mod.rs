//! Where the registry keeps things: the contract, and the stores that keep it.
//!
//! A store knows repositories, blobs, uploads, manifests and tags. It knows
//! nothing of HTTP, and of manifests only what they are.

#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod error;
mod filesystem;
mod maintain;
mod manifest;
#[cfg(any(test, feature = "memory"))]
pub mod memory;
mod names;
mod tags;

use std::fmt;
use std::io;
use std::ops::Range;
use std::str::FromStr;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use uuid::Uuid;

use crate::oci::{Digest, RepoName, Tag};

pub(crate) use error::is_full;
pub use error::{Missing, StoreError};
pub use filesystem::{CacheUse, Filesystem};
pub use maintain::{
    Content, Damage, Inventory, LayerEntry, Maintain, ManifestEntry, Part, ReferrerEntry, TagEntry,
    UploadEntry,
};
pub use manifest::{NewManifest, StoredManifest};
#[cfg(any(test, feature = "memory"))]
pub use memory::Memory;
pub use tags::{TagPage, Tags};

/// A place for repositories.
///
/// # The contract
///
/// Every implementation keeps these rules, and `store::contract` checks them.
/// They ask for neither a rename nor directories, so that an object store can
/// keep them with staged objects and conditional puts.
///
/// **Atomic.** Whoever reads sees a thing whole or not at all. A blob becomes
/// visible in [`Upload::commit`] only, after its digest has been checked. A
/// tag points at the old manifest or at the new one, and at no time at a
/// manifest that is not there.
///
/// **Durable.** When [`Upload::commit`], [`Store::mount_blob`],
/// [`Store::put_manifest`] or a deletion has returned `Ok`, what it did
/// survives a crash and the loss of power. What [`Upload::suspend`] has
/// acknowledged survives a crash of the process; after a loss of power an
/// upload may be shorter or gone.
///
/// **Ordered.** A manifest is written in the order content, revision,
/// referrer, tag. A crash in between leaves something that nobody can reach,
/// never a tag that leads nowhere.
///
/// **Cancellation.** Every future may be dropped at any time. The operation
/// has then happened entirely or not at all, and it may still happen shortly
/// after the drop. [`Upload`] says what becomes of a dropped upload.
///
/// **Concurrency.** Everything may be called at the same time from many tasks,
/// and from several processes that share the store. Two commits of the same
/// content both succeed. Of two writers of one tag, one wins. One upload has
/// one writer: a second one is refused with [`StoreError::UploadBusy`].
///
/// **Continuation.** An upload is known by its repository and identifier
/// alone, so that another process can continue it, also after a restart.
///
/// **Claims.** A push asks for what is there already, and sends the rest: what
/// it was told is there must not be collected before its manifest comes. So
/// content that a repository is given ([`Upload::commit`],
/// [`Store::mount_blob`], [`Store::put_manifest`]) or that is claimed
/// ([`Store::claim_blob`], [`Store::claim_manifest`]) is used from then on for
/// as long as a collector grants, and [`Maintain`] removes nothing that is
/// used. Explicit deletions heed no claim.
///
/// **Digests.** Content has one name by which it is kept, its SHA-256 digest,
/// and may have others. What was pushed by another digest is found by both; a
/// tag that was put with it answers with it.
///
/// **Not found.** [`StoreError::NotFound`] means that the thing is not there,
/// and that it is right to send it again. A failure to find out is another
/// error. Content that is plainly not what its name promises, such as an empty
/// file in the place of a layer, counts as not there, since sending it again
/// mends it.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Opens a blob that the repository has. The digest may be of any
    /// algorithm under which the blob was committed.
    async fn blob(&self, repo: &RepoName, digest: &Digest) -> Result<Box<dyn Blob>, StoreError>;

    /// Says that a push relies on a blob of the repository, and how large it
    /// is: see "Claims".
    async fn claim_blob(&self, repo: &RepoName, digest: &Digest) -> Result<u64, StoreError>;

    /// Makes a blob of one repository a blob of another, without a copy.
    /// Without `from` any content of the store will do; what is known by
    /// another digest than SHA-256 may then not be found.
    async fn mount_blob(
        &self,
        from: Option<&RepoName>,
        to: &RepoName,
        digest: &Digest,
    ) -> Result<(), StoreError>;

    /// Removes a blob from one repository. Other repositories keep it.
    async fn delete_blob(&self, repo: &RepoName, digest: &Digest) -> Result<(), StoreError>;

    /// Starts an upload of which nothing has come yet.
    async fn begin_upload(&self, repo: &RepoName) -> Result<Box<dyn Upload>, StoreError>;

    /// Takes up an upload where it was left.
    async fn resume_upload(
        &self,
        repo: &RepoName,
        id: UploadId,
    ) -> Result<Box<dyn Upload>, StoreError>;

    /// How many bytes of an upload have been kept. While another task writes,
    /// the answer is a lower bound.
    async fn upload_offset(&self, repo: &RepoName, id: UploadId) -> Result<u64, StoreError>;

    /// Reads a manifest that the repository has.
    async fn manifest(
        &self,
        repo: &RepoName,
        digest: &Digest,
    ) -> Result<StoredManifest, StoreError>;

    /// The manifest that a tag points at. Whether it is still there, only
    /// [`Store::manifest`] tells.
    async fn tagged(&self, repo: &RepoName, tag: &Tag) -> Result<Digest, StoreError>;

    /// Says that a push relies on a manifest of the repository: see "Claims".
    async fn claim_manifest(&self, repo: &RepoName, digest: &Digest) -> Result<(), StoreError>;

    /// Stores a manifest, and points tags at it, one after the other in the
    /// order given. The caller has checked the digest, and has claimed all that
    /// the manifest names.
    async fn put_manifest(&self, repo: &RepoName, manifest: NewManifest) -> Result<(), StoreError>;

    /// Removes a manifest from the repository, and before it every tag that
    /// points at it.
    async fn delete_manifest(&self, repo: &RepoName, digest: &Digest) -> Result<(), StoreError>;

    /// Removes a tag. The manifest stays.
    async fn delete_tag(&self, repo: &RepoName, tag: &Tag) -> Result<(), StoreError>;

    /// Remembers that a tag was pulled now, for rules that keep what is in use.
    /// The time is exact to a minute or so. Not durable: a crash may lose it.
    async fn note_pull(&self, repo: &RepoName, tag: &Tag) -> Result<(), StoreError>;

    /// The manifests of the repository that were put with this subject, in the
    /// order of their digests. None is no error. A digest may be listed whose
    /// manifest is gone.
    async fn referrers(&self, repo: &RepoName, subject: &Digest)
    -> Result<Vec<Digest>, StoreError>;

    /// The tags after `after`, in byte order, at most `limit` of them. `after`
    /// need not be a tag. A repository in which no manifest was ever put is
    /// not found; one whose manifests are all deleted may be found empty.
    async fn tags(
        &self,
        repo: &RepoName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<TagPage, StoreError>;

    /// The repositories after `after`, in byte order, at most `limit` of them:
    /// those that have a manifest or a tag.
    async fn repositories(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<RepoName>, StoreError>;
}

/// A blob that can be read, also after it was deleted in the meantime. Where
/// nothing can be held open, as on an object store, that is so for as long as
/// [`Maintain`] does not remove the content; after that, an error comes.
pub trait Blob: Send + Sync {
    /// Its length in bytes.
    fn size(&self) -> u64;

    /// The bytes of a range that lies within the size. The stream gives
    /// exactly as many bytes as the range has, or else ends with an error:
    /// never short and without one.
    fn read(&self, range: Range<u64>) -> ByteStream;
}

/// The bytes of a blob, piece by piece.
pub type ByteStream = BoxStream<'static, io::Result<Bytes>>;

/// An upload that is being written, by this value alone.
///
/// When it is dropped, the upload goes on to exist: all that was written and
/// perhaps has not reached the disk follows in the background, and a
/// [`Store::resume_upload`] right after waits for that; in another process it
/// may be told [`StoreError::UploadBusy`] until then. After an error from
/// [`Upload::write`] the value is of no use any more; what was kept is found
/// by resuming.
#[async_trait]
pub trait Upload: Send {
    /// What to resume it by.
    fn id(&self) -> UploadId;

    /// How many bytes were taken so far, in this session and before.
    fn offset(&self) -> u64;

    /// Takes the next bytes. They may still be in memory when this returns.
    async fn write(&mut self, data: Bytes) -> Result<(), StoreError>;

    /// Waits until all that was written is kept, and gives the upload up to
    /// whoever resumes it. Returns the offset to go on from.
    async fn suspend(self: Box<Self>) -> Result<u64, StoreError>;

    /// Makes the bytes a blob of the repository, if they have this digest.
    /// The upload is then gone. It is gone too after
    /// [`StoreError::DigestMismatch`], since nothing can be added to make it
    /// right; after any other error, and after a crash, it is there with all
    /// its bytes or gone.
    async fn commit(self: Box<Self>, digest: &Digest) -> Result<(), StoreError>;

    /// Throws the upload away.
    async fn cancel(self: Box<Self>) -> Result<(), StoreError>;
}

/// What an upload is known by: random, so that it cannot be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct UploadId(Uuid);

impl UploadId {
    pub(crate) fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl FromStr for UploadId {
    type Err = UploadIdError;

    /// Takes the spelling that [`fmt::Display`] gives, and no other.
    fn from_str(text: &str) -> Result<Self, UploadIdError> {
        let id = Self(Uuid::from_str(text).map_err(|_| UploadIdError)?);
        if id.to_string() == text {
            Ok(id)
        } else {
            Err(UploadIdError)
        }
    }
}

/// A text is not an [`UploadId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an upload is known by a UUID in lower case, with hyphens")]
pub struct UploadIdError;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries, in byte order.
    pub items: Vec<T>,
    /// Whether more come after them.
    pub more: bool,
}
