//! Where tokens come from: `[token_server]`.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Tokens for the users of the registry in the same process. Clients ask for
/// them as soon as anything is allowed without logging in, since Docker sends no
/// password to a registry that has let it in without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenServer {
    /// The key that signs them, PEM.
    pub key: PathBuf,
    /// Its certificate, PEM: what other registries are given to trust.
    pub certificate: PathBuf,
    /// The tokens' `iss`.
    pub issuer: String,
    /// The tokens' `aud`, unless a client asks for another.
    pub service: String,
    /// How long a token counts, in whole seconds.
    pub expiry: Duration,
}

impl TokenServer {
    /// Who makes the tokens, and what they are for, unless it is said otherwise.
    pub const NAME: &'static str = "tidegate";

    /// How long tokens count unless it is said otherwise.
    pub const EXPIRY: Duration = Duration::from_secs(5 * 60);

    /// All defaults, with key and certificate in a directory.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self {
            key: directory.join("token.key"),
            certificate: directory.join("token.crt"),
            issuer: Self::NAME.to_owned(),
            service: Self::NAME.to_owned(),
            expiry: Self::EXPIRY,
        }
    }
}
