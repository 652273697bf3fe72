//! Why a certificate cannot be used.

use std::io;
use std::path::PathBuf;

/// A certificate or key file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
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
    /// The certificate file holds none.
    #[error("`{}` holds no certificate (expected `-----BEGIN CERTIFICATE-----`)", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// What stands between the PEM lines is not a certificate.
    #[error("`{}`: the first certificate cannot be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the parser met.
        reason: String,
    },
    /// The key file holds none.
    #[error(
        "`{}` holds no private key (expected PKCS#8, PKCS#1 or SEC1: `-----BEGIN … PRIVATE KEY-----`)",
        path.display()
    )]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The key is protected with a passphrase.
    #[error("`{}` is encrypted; a server's key must not be", path.display())]
    EncryptedKey {
        /// The file.
        path: PathBuf,
    },
    /// The key is of a kind that is not supported, or broken.
    #[error("`{}` cannot be used as a private key: {reason}", path.display())]
    UnusableKey {
        /// The file.
        path: PathBuf,
        /// What the key loader met.
        reason: String,
    },
    /// Both files are good, but not for each other.
    #[error(
        "the key `{}` does not belong to the first certificate in `{}`",
        key.display(),
        cert.display()
    )]
    Mismatch {
        /// The certificate file.
        cert: PathBuf,
        /// The key file.
        key: PathBuf,
        /// Whether the key belongs to a later certificate of the same file.
        leaf_is_further_down: bool,
    },
}

impl CertificateError {
    /// What to do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Read(error) => match error.kind() {
                io::ErrorKind::NotFound => {
                    Some("`tidegate up` makes a certificate where there is none".to_owned())
                }
                io::ErrorKind::PermissionDenied => {
                    Some("the file must be readable by the user that runs tidegate".to_owned())
                }
                _ => None,
            },
            Self::EncryptedKey { path } => {
                let path = path.display();
                Some(format!(
                    "decrypt it once: openssl pkey -in {path} -out {path}.plain"
                ))
            }
            Self::Mismatch {
                cert,
                leaf_is_further_down: true,
                ..
            } => Some(format!(
                "in `{}`, put the server's own certificate first and the intermediates after it",
                cert.display()
            )),
            Self::Mismatch { .. } => {
                Some("if a renewal has replaced only one of the two files, replace both".to_owned())
            }
            Self::Pem { .. }
            | Self::NoCertificate { .. }
            | Self::Unreadable { .. }
            | Self::NoKey { .. }
            | Self::UnusableKey { .. } => None,
        }
    }
}
