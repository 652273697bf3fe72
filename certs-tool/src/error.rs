//! What can go wrong with certificates and keys, and what to do then.

use std::io;
use std::path::PathBuf;

use tidegate_failure::Explain;
use time::OffsetDateTime;

use crate::request::RequestProblem;
use crate::validity;

/// A certificate or key that cannot be read, used, made or written. Names the
/// file; never holds a key.
#[derive(Debug, thiserror::Error)]
pub enum CertsError {
    /// A file could not be read; the system's message names it.
    #[error("{0}")]
    Read(io::Error),
    /// A pair of files could not be written.
    #[error("cannot write `{}`: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A file is there already, and nothing is ever overwritten.
    #[error("`{}` exists already and is not overwritten", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Of a certificate and its key only one is there.
    #[error("`{}` is there, but `{}` is missing", present.display(), missing.display())]
    HalfPair {
        /// The file that is there.
        present: PathBuf,
        /// The file that is not.
        missing: PathBuf,
    },
    /// A file is not PEM, or holds nothing of the kind.
    #[error("`{}`: expected {expected} in PEM, found {found}", path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A certificate that is not one inside.
    #[error("`{}`: certificate {number} cannot be read: {reason}", path.display())]
    BadCertificate {
        /// The file.
        path: PathBuf,
        /// Which one in the file, from 1.
        number: usize,
        /// Why.
        reason: String,
    },
    /// A key that is protected by a passphrase.
    #[error("`{}`: the private key is encrypted", path.display())]
    EncryptedKey {
        /// The file.
        path: PathBuf,
    },
    /// A revocation list that cannot be used.
    #[error("`{}` cannot be used as the revocation list: {reason}", path.display())]
    BadRevocationList {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: &'static str,
    },
    /// A key that openssl encrypted as it did before PKCS#8.
    #[error("`{}`: the private key is encrypted in the old way of openssl (`Proc-Type: 4,ENCRYPTED`)", path.display())]
    OldEncryptedKey {
        /// The file.
        path: PathBuf,
    },
    /// A key that is encrypted in a way that is not supported.
    #[error("`{}`: the private key is encrypted in a way that is not supported: {reason}", path.display())]
    UnknownEncryption {
        /// The file.
        path: PathBuf,
        /// Which one.
        reason: String,
    },
    /// A passphrase of another key.
    #[error("`{}`: the passphrase is not that of the private key", path.display())]
    WrongPassphrase {
        /// The key's file.
        path: PathBuf,
    },
    /// A file that holds no passphrase.
    #[error("`{}`: the first line, the passphrase, is empty", path.display())]
    EmptyPassphrase {
        /// The file.
        path: PathBuf,
    },
    /// A key of a kind that is not supported, or damaged.
    #[error("`{}`: the private key cannot be used: expected {}, found another kind or a damaged one", path.display(), crate::KeyKind::READABLE)]
    BadKey {
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key do not belong together.
    #[error("`{}` is not the key of `{}`", key.display(), cert.display())]
    KeyMismatch {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// A certificate that may not sign others.
    #[error("`{}` cannot sign certificates: {reason}", path.display())]
    NotACa {
        /// The certificate's file.
        path: PathBuf,
        /// Which of its extensions says so.
        reason: &'static str,
    },
    /// A CA that is outside of its time.
    #[error("{certificate} is valid from {} to {} only", validity::show(*not_before), validity::show(*not_after))]
    NotValidNow {
        /// Its file, or what else it is called.
        certificate: String,
        /// Its first moment.
        not_before: OffsetDateTime,
        /// Its last moment.
        not_after: OffsetDateTime,
    },
    /// A CA whose name would come out changed in what it signs, so that clients
    /// would not find it.
    #[error("`{}` cannot be used as an issuer: its subject `{subject}` has {reason}, which cannot be written faithfully", path.display())]
    Issuer {
        /// The certificate's file.
        path: PathBuf,
        /// Its subject.
        subject: String,
        /// What is special about it.
        reason: &'static str,
    },
    /// A certificate that another CA signed.
    #[error("`{}` was not signed by the CA `{ca}`", cert.display())]
    NotIssuedBy {
        /// The certificate's file.
        cert: PathBuf,
        /// The CA's subject.
        ca: String,
    },
    /// A certificate that a new one could not be like.
    #[error("`{}` cannot be renewed: it has {reason}", path.display())]
    NotRenewable {
        /// The certificate's file.
        path: PathBuf,
        /// What is special about it.
        reason: &'static str,
    },
    /// A request that is not signed.
    #[error("`{}`: {problem}", path.display())]
    Request {
        /// The request's file.
        path: PathBuf,
        /// What is wrong with it.
        problem: RequestProblem,
    },
    /// A request that would take its key from a certificate.
    #[error("`{}` is there: with a new key at `{}` it would be of no use any more", cert.display(), key.display())]
    KeyInUse {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// A self-signed certificate whose name is too long to be its subject too.
    #[error("`{name}` is too long for a common name, and a CA has to have a subject")]
    NoSubject {
        /// The name.
        name: String,
    },
    /// A certificate for nobody.
    #[error("expected at least one DNS name or IP address for the certificate, found none")]
    NoNames,
    /// A lifetime out of range.
    #[error(
        "a certificate cannot be valid for {got} days; expected 1 to {}",
        validity::MAX_DAYS
    )]
    Days {
        /// What was asked for.
        got: u32,
    },
    /// The cryptographic library refused.
    #[error("cannot {what}: {reason}")]
    Crypto {
        /// What was being done.
        what: &'static str,
        /// What the library said.
        reason: String,
    },
}

impl Explain for CertsError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Read(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Some("run as the user who owns the file, or let this one read it".to_owned())
            }
            Self::HalfPair { present, missing } => Some(format!(
                "restore {}, or move {} away and a new pair is made",
                missing.display(),
                present.display()
            )),
            Self::EncryptedKey { path } => Some(format!(
                "give its passphrase with --passphrase-file, where a command takes that, or decrypt it: openssl pkey -in {0} -out {0}.plain",
                path.display()
            )),
            Self::OldEncryptedKey { path } | Self::UnknownEncryption { path, .. } => Some(format!(
                "convert it: openssl pkcs8 -topk8 -in {0} -out {0}.p8",
                path.display()
            )),
            Self::KeyMismatch { cert, key } => Some(format!(
                "restore the key that {} was made for, or move both away: {}",
                cert.display(),
                key.display()
            )),
            Self::BadRevocationList { path, .. } => Some(format!(
                "restore it, or move it away: without it, nothing counts as revoked so far ({})",
                path.display()
            )),
            Self::NotValidNow { .. } => Some(
                "see that the clock is right; if it is, move the CA's certificate and key away: a new CA is made, which clients have to trust anew".to_owned(),
            ),
            Self::Issuer { .. } => Some(
                "sign with openssl, or make a CA of its own for the registry".to_owned(),
            ),
            Self::NotPem { found, path, expected } if found.contains("DER") => {
                let command = match *expected {
                    "a certificate" => "x509",
                    "a private key" => "pkey",
                    _ => "req",
                };
                Some(format!(
                    "convert it: openssl {command} -inform der -in {0} -out {0}.pem",
                    path.display()
                ))
            }
            Self::NotRenewable { .. } => Some(
                "make a new one in its place, with the command that made it and --force".to_owned(),
            ),
            Self::NotIssuedBy { .. } => Some(
                "renew it where its own CA is; or have this one sign it with --force, if its clients trust this one".to_owned(),
            ),
            Self::Request { problem, .. } => problem.hint(),
            Self::KeyInUse { .. } => {
                Some("give the request another name than the certificate's".to_owned())
            }
            Self::NoSubject { .. } => Some("give one with --subject /CN=…".to_owned()),
            _ => None,
        }
    }
}

impl CertsError {
    pub(crate) fn crypto(what: &'static str) -> impl Fn(rcgen::Error) -> Self {
        move |error| Self::Crypto {
            what,
            reason: error.to_string(),
        }
    }
}
