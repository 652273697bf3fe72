//! What a run has done, at its end and while it goes on.

use std::fmt;
use std::time::Duration;

use crate::oci::{Digest, RepoName, Tag};
use crate::store::{Damage, StoreError, UploadId};

/// What a run has done; after a dry run, what it would have done.
#[derive(Debug, Default)]
pub struct Report {
    /// Whether nothing was removed.
    pub dry_run: bool,
    /// Repositories that were looked through.
    pub repositories: u64,
    /// Content that is in use: manifests and blobs.
    pub marked: u64,
    /// Tags that a rule let expire.
    pub tags: u64,
    /// Manifests that were taken from a repository.
    pub manifests: u64,
    /// Blobs that were taken from a repository.
    pub layers: u64,
    /// Content that was removed.
    pub blobs: u64,
    /// Bytes that were freed by that.
    pub bytes: u64,
    /// Content that nobody refers to, but that was used too short a time ago.
    pub resting_blobs: u64,
    /// Bytes of that.
    pub resting_bytes: u64,
    /// Uploads that were thrown away.
    pub uploads: u64,
    /// Bytes that had come in them.
    pub upload_bytes: u64,
    /// What cannot be read as what it is.
    pub damaged: Vec<Damaged>,
    /// How long it took.
    pub duration: Duration,
}

/// Something that cannot be read as what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// Where it belongs.
    pub repo: RepoName,
    /// What it is, and what is the matter with it.
    pub problem: String,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.repo, self.problem)
    }
}

impl Damaged {
    pub(super) fn part(repo: &RepoName, damage: &Damage) -> Self {
        Self {
            repo: repo.clone(),
            problem: format!("{}: {}", damage.location, damage.problem),
        }
    }

    pub(super) fn manifest(repo: &RepoName, digest: &Digest, error: &StoreError) -> Self {
        Self {
            repo: repo.clone(),
            problem: format!("manifest {digest} cannot be read: {error}"),
        }
    }
}

/// What a run does. In a dry run "goes" means "would go".
#[derive(Debug)]
pub enum Event<'a> {
    /// A repository is being looked through.
    Repository(&'a RepoName),
    /// A rule has looked at a tag.
    Tag {
        /// Its repository.
        repo: &'a RepoName,
        /// The tag.
        tag: &'a Tag,
        /// Whether it stays.
        stays: bool,
        /// Why.
        reason: &'a str,
    },
    /// A manifest stays.
    ManifestStays(&'a RepoName, &'a Digest),
    /// A manifest that stays refers to a blob.
    BlobStays(&'a RepoName, &'a Digest),
    /// A manifest goes.
    ManifestGoes(&'a RepoName, &'a Digest),
    /// A repository loses a blob that none of its manifests refers to.
    LayerGoes(&'a RepoName, &'a Digest),
    /// An upload goes.
    UploadGoes(&'a RepoName, UploadId),
    /// Something cannot be read.
    Damaged(&'a Damaged),
    /// All repositories have been looked through.
    Marked {
        /// How much content is in use.
        marked: u64,
        /// How much content goes.
        blobs: u64,
        /// How many manifests went.
        manifests: u64,
    },
    /// Content goes.
    ContentGoes(&'a Digest),
}
