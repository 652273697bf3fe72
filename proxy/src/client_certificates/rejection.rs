//! What is wrong with a certificate that a client showed, in words that help
//! whoever uses it.

use std::fmt;

use rustls::pki_types::UnixTime;
use time::OffsetDateTime;

/// Why a client may not come in with the certificate that it showed, or without
/// one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// It showed none.
    Missing,
    /// It, or a CA above it, has ended.
    Expired(UnixTime),
    /// It, or a CA above it, has not begun.
    NotYetValid(UnixTime),
    /// It, or a CA above it, stands on a revocation list.
    Revoked,
    /// There is no list of its CA.
    RevocationUnknown,
    /// The list of its CA has ended.
    ListEnded(UnixTime),
    /// Nobody trusted signed it.
    UnknownIssuer,
    /// It is a CA's own.
    OfCa,
    /// It is for other uses.
    NotForClients,
    /// More CAs are above it than may be.
    TooDeep,
    /// Something else.
    Other(String),
}

impl Rejection {
    pub(super) fn of(error: webpki::Error) -> Self {
        use webpki::Error;
        match error {
            Error::CertExpired { not_after, .. } => Self::Expired(not_after),
            Error::CertNotValidYet { not_before, .. } => Self::NotYetValid(not_before),
            Error::CertRevoked => Self::Revoked,
            Error::UnknownRevocationStatus => Self::RevocationUnknown,
            Error::CrlExpired { next_update, .. } => Self::ListEnded(next_update),
            // A CA of the same name with another key is another CA.
            Error::UnknownIssuer | Error::InvalidSignatureForPublicKey => Self::UnknownIssuer,
            Error::CaUsedAsEndEntity => Self::OfCa,
            Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => Self::NotForClients,
            Error::MaximumPathDepthExceeded => Self::TooDeep,
            other => Self::Other(other.to_string()),
        }
    }

    /// nginx's `$ssl_client_verify`, as OpenSSL calls it.
    pub(crate) fn openssl(&self) -> &str {
        match self {
            Self::Missing => "no certificate",
            Self::Expired(_) => "certificate has expired",
            Self::NotYetValid(_) => "certificate is not yet valid",
            Self::Revoked => "certificate revoked",
            Self::RevocationUnknown => "unable to get certificate CRL",
            Self::ListEnded(_) => "CRL has expired",
            Self::UnknownIssuer => "unable to verify the first certificate",
            Self::OfCa => "self-signed certificate",
            Self::NotForClients => "unsupported certificate purpose",
            Self::TooDeep => "certificate chain too long",
            Self::Other(reason) => reason,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("none was sent"),
            Self::Expired(at) => write!(f, "it, or its CA, ended on {}", day(*at)),
            Self::NotYetValid(at) => write!(f, "it, or its CA, is valid from {} on", day(*at)),
            Self::Revoked => f.write_str("it was revoked"),
            Self::RevocationUnknown => {
                f.write_str("there is no revocation list of the CA that signed it")
            }
            Self::ListEnded(at) => {
                write!(f, "the revocation list of its CA ended on {}", day(*at))
            }
            Self::UnknownIssuer => f.write_str("no CA that is trusted here signed it"),
            Self::OfCa => f.write_str("it is the certificate of a CA, not of a client"),
            Self::NotForClients => {
                f.write_str("it is not for clients (its extended key usage lacks clientAuth)")
            }
            Self::TooDeep => f.write_str("too many CAs stand between it and a trusted one"),
            Self::Other(reason) => f.write_str(reason),
        }
    }
}

/// The day in UTC.
fn day(at: UnixTime) -> String {
    let seconds = i64::try_from(at.as_secs()).ok();
    let at = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    at.map_or_else(|| "an unknown day".to_owned(), |at| at.date().to_string())
}
