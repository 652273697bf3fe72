//! Why a token, or the configuration of tokens, cannot be used.

use std::path::PathBuf;
use std::time::Duration;

use tidegate_config::token::Algorithm;
use tidegate_failure::Explain;

use super::public_key::KeyError;
use crate::challenge::TokenFault;

/// Why a token does not count. For the log: the client is told a
/// [`TokenError::fault`] and no more. The token itself is not part of it, but
/// what it says of itself may be, shortened and with its control characters
/// escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Nobody means it to be read.
    #[error("the token has {0} bytes, which is too long")]
    TooLong(usize),
    /// A JSON Web Token has three parts.
    #[error("the token is no JSON Web Token of three parts")]
    Parts,
    /// A part is not written as RFC 7515 section 2 says.
    #[error("the token's {0} is not base64url without padding")]
    Encoding(&'static str),
    /// A part is not the JSON that it has to be.
    #[error("the token's {part} cannot be read: {what}")]
    Json {
        /// Which part.
        part: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// The algorithm is not among those that are allowed.
    #[error("tokens signed with {0} are not accepted")]
    Algorithm(String),
    /// It says that it must not be read without knowing some extension (RFC
    /// 7515 section 4.1.11), and none is known.
    #[error("the token depends on extensions (`crit`), none of which is known")]
    Critical,
    /// It does not say who signed it.
    #[error("the token has neither `x5c` nor `jwk` nor `kid`: it does not say which key signed it")]
    NoKey,
    /// Nobody said that this key is to be believed.
    #[error("the token is signed by a key that is not trusted: {0}")]
    UntrustedKey(String),
    /// The key in the token is none that can be used.
    #[error("the key in the token cannot be used: {0}")]
    Key(#[from] KeyError),
    /// Keys of this kind do not sign that way.
    #[error("the token says {0}, which does not go with the key that it names")]
    KeyAlgorithm(Algorithm),
    /// A certificate in the token is none.
    #[error("certificate {index} in the token's `x5c` {what}")]
    Certificate {
        /// Counted from 1, the leaf.
        index: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The certificates do not lead to one that is trusted.
    #[error("the token's certificate is not trusted: {0}")]
    Chain(String),
    /// It was not signed by the key that it names, or it was changed.
    #[error("the token's signature is wrong")]
    Signature,
    /// It comes from somebody else.
    #[error("the token is of the issuer {got}, not of {expected}")]
    Issuer {
        /// Who made it.
        got: String,
        /// Who should have.
        expected: String,
    },
    /// It is for somebody else.
    #[error("the token is for {got}, not for {expected}")]
    Audience {
        /// For whom it is.
        got: String,
        /// What is served here.
        expected: String,
    },
    /// Its time is over.
    #[error("the token ended {} s ago", .0.as_secs())]
    Expired(Duration),
    /// Its time has not come.
    #[error("the token begins in {} s", .0.as_secs())]
    NotYet(Duration),
    /// The name of its user could not stand in a log or a header.
    #[error("the token's `sub` is too long or has control characters")]
    Subject,
}

impl TokenError {
    /// What the client is told.
    #[must_use]
    pub fn fault(&self) -> TokenFault {
        TokenFault::Invalid
    }

    pub(super) fn json(part: &'static str, error: &serde_json::Error) -> Self {
        // Its text may show what stands there.
        let what = match error.classify() {
            serde_json::error::Category::Data => {
                let text = error.to_string();
                let is_harmless = ["missing field", "duplicate field", "more than"]
                    .iter()
                    .any(|known| text.starts_with(known));
                if is_harmless {
                    text
                } else {
                    format!("something of the wrong type at column {}", error.column())
                }
            }
            _ => format!("no JSON at column {}", error.column()),
        };
        Self::Json { part, what }
    }
}

/// What a stranger wrote, as it may stand in a log.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 100;
    let mut start: String = text.chars().take(LONGEST).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    format!("{start:?}")
}

/// Why tokens cannot be verified at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenConfigError {
    /// A file could not be read; the source names it.
    #[error("the keys of the token server cannot be read")]
    Read(#[source] std::io::Error),
    /// A file has no certificate.
    #[error("{}: there is no certificate in it", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A certificate of a file is none.
    #[error("{}: certificate {index} cannot be read: {what}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        index: usize,
        /// What is wrong with it.
        what: String,
    },
    /// A key set is none.
    #[error("{origin}: it is no JSON Web Key Set: {what}")]
    KeySet {
        /// The file or the URL.
        origin: String,
        /// What is wrong with it.
        what: String,
    },
    /// A key set has no key that could be used.
    #[error("{origin}: there is no key in it that tokens could be checked with")]
    NoKey {
        /// The file or the URL.
        origin: String,
    },
    /// Neither certificates nor keys are named.
    #[error("no key of the token server is known: no token would be believed")]
    Nothing,
}

impl Explain for TokenConfigError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Read(_) => return None,
            Self::NoCertificate { .. } | Self::Certificate { .. } => {
                "it needs the token server's certificate, or that of the CA that signed it, in PEM"
            }
            Self::KeySet { .. } => "it is written as {\"keys\": [{\"kty\": …}, …]} (RFC 7517)",
            Self::NoKey { .. } => {
                "keys are RSA of at least 2048 bits, EC or Ed25519, for signatures"
            }
            Self::Nothing => "name a bundle of certificates or a JSON Web Key Set",
        };
        Some(hint.to_owned())
    }
}
