//! What can go wrong in a store.

use std::fmt;
use std::io;
use std::path::Path;

use super::UploadId;
use crate::oci::{Digest, RepoName, Tag};

/// Why a store did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It is not there: the one error that is a client's business.
    #[error("{0} is not there")]
    NotFound(Missing),
    /// Another request writes to the upload.
    #[error("upload {0} is being written by another request")]
    UploadBusy(UploadId),
    /// The bytes are not what they were said to be.
    #[error("the content has digest {actual}, expected {expected}")]
    DigestMismatch {
        /// What the client said.
        expected: Box<Digest>,
        /// What the bytes have, by the same algorithm.
        actual: Box<Digest>,
    },
    /// Something that the store wrote can no longer be read as what it was.
    #[error("{location}: {problem}")]
    Damaged {
        /// The file or object.
        location: String,
        /// What is the matter with it.
        problem: String,
    },
    /// Reading or writing failed. The error names what was tried on which file
    /// or object.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl StoreError {
    /// The digests are boxed: an error is returned from every function, and
    /// two SHA-512 digests would be most of its size.
    pub(crate) fn mismatch(expected: Digest, actual: Digest) -> Self {
        Self::DigestMismatch {
            expected: expected.into(),
            actual: actual.into(),
        }
    }

    /// Something that the store wrote can no longer be read as what it was.
    pub(super) fn damaged(location: &Path, problem: impl Into<String>) -> Self {
        Self::Damaged {
            location: location.display().to_string(),
            problem: problem.into(),
        }
    }

    /// Whether there is no room for what was to be written.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Io(error) if is_full(error))
    }

    /// What the operator can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Damaged { .. } => "push the image again: that writes the file anew",
            Self::Io(error) if is_full(error) => {
                "make room on the file system that holds the registry"
            }
            Self::Io(error) => match error.kind() {
                io::ErrorKind::PermissionDenied => {
                    "give the registry's directory to the user that the server runs as"
                }
                io::ErrorKind::ReadOnlyFilesystem => {
                    "mount the file system for writing, or set registry.read_only"
                }
                _ => return None,
            },
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// Whether an error means that there is no room: the disk's or the user's.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// What is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// A repository.
    Repository(RepoName),
    /// A blob of a repository.
    Blob(RepoName, Digest),
    /// An upload of a repository.
    Upload(RepoName, UploadId),
    /// A manifest of a repository.
    Manifest(RepoName, Digest),
    /// A tag of a repository.
    Tag(RepoName, Tag),
    /// Content, whoever refers to it.
    Content(Digest),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository(repo) => write!(f, "repository {repo}"),
            Self::Blob(repo, digest) => write!(f, "blob {repo}@{digest}"),
            Self::Upload(repo, id) => write!(f, "upload {id} of {repo}"),
            Self::Manifest(repo, digest) => write!(f, "manifest {repo}@{digest}"),
            Self::Tag(repo, tag) => write!(f, "tag {repo}:{tag}"),
            Self::Content(digest) => write!(f, "content {digest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_comes_with_a_hint() {
        let error = StoreError::from(io::Error::from(io::ErrorKind::StorageFull));
        assert!(error.hint().unwrap().contains("make room"));
    }

    #[test]
    fn what_is_missing_is_named_as_on_a_command_line() {
        let tag = Missing::Tag("library/alpine".parse().unwrap(), "3.20".parse().unwrap());
        assert_eq!(
            StoreError::NotFound(tag).to_string(),
            "tag library/alpine:3.20 is not there"
        );
    }
}
