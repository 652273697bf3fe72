//! Why a request is not signed.

/// What is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestProblem {
    /// It is no request inside.
    #[error("the request cannot be read: {reason}")]
    Damaged {
        /// Why.
        reason: String,
    },
    /// Its maker does not have the key.
    #[error("the request is not signed with its own key")]
    Signature,
    /// Whether its maker has the key cannot be told.
    #[error(
        "the request's signature ({found}) cannot be checked; expected one of SHA-256 or stronger"
    )]
    SignatureKind {
        /// The algorithm.
        found: String,
    },
    /// Its key is of a kind that is not supported, or too weak.
    #[error(
        "the request's key is {found}; expected ECDSA (P-256, P-384), RSA (2048 bits or more) or Ed25519"
    )]
    Key {
        /// What it is.
        found: String,
    },
    /// It asks for a CA's certificate.
    #[error("the request asks for the rights of a CA (CA:TRUE), which are not given")]
    Ca,
    /// It says for whom it is in no way that clients look at.
    #[error("the request names no DNS name or IP address (it has no subjectAltName)")]
    NoNames,
    /// It asks for a name that cannot be given.
    #[error("the request asks for the name `{name}`: {reason}")]
    Name {
        /// The name.
        name: String,
        /// Why not.
        reason: String,
    },
    /// Its subject would not come out as it is.
    #[error("the request has {reason}, which cannot be written faithfully")]
    Subject {
        /// What is special about it.
        reason: &'static str,
    },
}

impl RequestProblem {
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Signature | Self::Damaged { .. } => "have it made again: openssl req -new …",
            Self::SignatureKind { .. } => "have it made again: openssl req -new -sha256 …",
            Self::Key { .. } => {
                "have it made again with a key such as: openssl ecparam -name prime256v1 -genkey"
            }
            Self::Ca => "have it made again without basicConstraints",
            Self::NoNames => "say with --san for which host it is",
            Self::Name { .. } => "say with --san for which names it is to be, in place of those",
            Self::Subject { .. } => "give another one with --subject",
        };
        Some(hint.to_owned())
    }
}
