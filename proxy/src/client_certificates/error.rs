//! Why clients cannot be asked for certificates.

use std::io;
use std::path::{Path, PathBuf};

/// A file of CAs, or of revocation lists, that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientCaError {
    /// A file cannot be read; the error names it.
    #[error(transparent)]
    Read(io::Error),
    /// A file is not PEM.
    #[error("`{}` is not PEM: {reason}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What the PEM parser met.
        reason: String,
    },
    /// The file holds nothing of the kind.
    #[error("`{}` holds no {what} (expected `-----BEGIN {label}-----`)", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// What stands in its first line, in PEM.
        label: &'static str,
    },
    /// What stands between the PEM lines cannot be used.
    #[error("`{}`: {what} number {number} cannot be used: {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What it is to be.
        what: &'static str,
        /// Which of those in the file, from 1.
        number: usize,
        /// What is wrong with it.
        reason: String,
        /// What to do about it, where that is known.
        hint: Option<&'static str>,
    },
}

impl ClientCaError {
    /// What to do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Read(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Some("the file must be readable by the user that runs tidegate".to_owned())
            }
            Self::Unusable { hint, .. } => hint.map(str::to_owned),
            Self::Empty { .. } | Self::Pem { .. } | Self::Read(_) => None,
        }
    }
}

pub(super) fn not_pem(path: &Path, error: &rustls::pki_types::pem::Error) -> ClientCaError {
    ClientCaError::Pem {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}
