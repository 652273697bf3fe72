//! Why a run ended early.

use tidegate_failure::Explain;

use crate::oci::RepoName;
use crate::store::StoreError;

/// Why a run ended before it was done. What it removed until then was nobody's.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The repositories cannot be listed.
    #[error("the repositories cannot be listed: {source}")]
    Places {
        /// Why not.
        source: StoreError,
    },
    /// A repository cannot be looked through: what it needs is not known.
    #[error("repository {repo}: {source}")]
    Repository {
        /// The repository.
        repo: RepoName,
        /// Why not.
        source: StoreError,
    },
    /// Content cannot be listed or removed.
    #[error("the content of the store: {source}")]
    Content {
        /// Why not.
        source: StoreError,
    },
}

impl Explain for CollectError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Places { source }
            | Self::Repository { source, .. }
            | Self::Content { source } => source.hint(),
        }
    }
}
