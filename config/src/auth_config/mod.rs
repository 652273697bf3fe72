//! `auth_config.yml`: the file that docker_auth reads, the token server of the
//! usual recipe with passwords and rules.
//!
//! It is read unchanged, and means here what it means there; of every key it is
//! said what becomes of it. Variables of the environment play no part, as there.
//! Whom docker_auth asks besides, as LDAP, is refused by name: then only those who
//! stand in the file are known.

mod acl;
mod bcrypt_hash;
mod document;
mod glob;
mod go_regexp;
mod pattern;
mod real_ip;
mod schema;
mod server;
mod settings;
#[cfg(test)]
mod tests;
mod users;

use std::path::Path;

pub use bcrypt_hash::{BadBcryptHash, BcryptHash};
pub use glob::{BadGlob, Glob};
pub use go_regexp::{BadRegexp, GoRegexp};
pub use pattern::{AclPattern, Matcher};
pub use real_ip::RealIp;
pub use settings::{
    AclEntry, Actions, AuthConfig, Bind, Conditions, KeyId, Labels, Password, TlsVersion,
    TokenServer, TokenSettings, User,
};

use crate::finding::Adopted;
use crate::load::{self, LoadError};

/// Reads the `auth_config.yml` at `path`. Relative paths in it are left as they
/// are, for the directory that the process runs in.
///
/// What cannot be honoured is a finding: whoever serves decides whether to stop.
///
/// # Errors
/// The file cannot be read, or docker_auth would not start with it, or not answer.
pub fn load(path: &Path) -> Result<Adopted<AuthConfig>, LoadError> {
    parse(path, &load::read(path)?)
}

/// As [`load()`], of a file with this `text`.
///
/// # Errors
/// docker_auth would not start with it, or not answer.
pub fn parse(path: &Path, text: &str) -> Result<Adopted<AuthConfig>, LoadError> {
    document::read(path, text)
}
