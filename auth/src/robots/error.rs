//! What can be wrong with a file of robots.

use std::io;
use std::path::PathBuf;

use tidegate_failure::Explain;

use super::password::RobotId;

/// A file that cannot be used, or could not be written. Never holds a hash.
#[derive(Debug, thiserror::Error)]
pub enum RobotsError {
    /// The file could not be read.
    #[error("cannot read the file of robots: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said; names the file.
        error: io::Error,
    },
    /// The file could not be written; the old one is as it was.
    #[error("cannot write the file of robots `{}`: {error}", path.display())]
    Write {
        /// The file, behind any symbolic links.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file is not what `tidegate token` writes.
    #[error("file of robots `{}`: {what}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        what: String,
    },
    /// There is no such robot; nothing was changed.
    #[error("`{}` has no robot {id}", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The one that is not there.
        id: RobotId,
    },
}

impl Explain for RobotsError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Read { path, error } | Self::Write { path, error }
                if error.kind() == io::ErrorKind::PermissionDenied =>
            {
                Some(format!(
                    "see who may use it, and as which user this runs: ls -l {}; id",
                    path.display()
                ))
            }
            Self::Write { path, error } if error.kind() == io::ErrorKind::NotFound => {
                Some(format!(
                    "make the directory first: mkdir -p {}",
                    crate::staged::directory_of(path).display()
                ))
            }
            Self::Content { path, .. } => Some(format!(
                "put back a copy of it, or remove it and make its robots anew: rm {}",
                path.display()
            )),
            Self::Unknown { .. } => Some("tidegate token list".to_owned()),
            Self::Read { .. } | Self::Write { .. } => None,
        }
    }
}
