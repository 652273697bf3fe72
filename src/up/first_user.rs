//! The first user of a registry.

use tidegate_auth::hash::{Cost, StoredHash, hash_password};
use tidegate_auth::htpasswd::UserName;
use tidegate_failure::Failure;
use zeroize::Zeroizing;

use crate::password;

/// A name and a password that have been checked, and not yet stored.
pub(super) struct FirstUser {
    pub(super) name: UserName,
    pub(super) hash: StoredHash,
    /// Where it was made here and nobody knows it.
    made: Option<Zeroizing<String>>,
}

impl FirstUser {
    pub(super) fn new(name: &str, password_stdin: bool) -> Result<Self, Failure> {
        let name =
            UserName::parse(name).map_err(|e| Failure::new(format!("--user {name}: {e}")))?;
        let password = if password_stdin {
            password::from_stdin().map_err(|failure| failure.concerning("--password-stdin"))?
        } else {
            password::random()
        };
        let hash = hash_password(&password, Cost::DEFAULT)
            .map_err(|e| Failure::from(e).concerning("the first user's password"))?;
        Ok(Self {
            name,
            hash,
            made: (!password_stdin).then_some(password),
        })
    }

    /// Shows a password that was made, the only time that it is. To be called
    /// before the hash is stored: if the process is killed in between, a
    /// password was shown that opens nothing, and the next start makes another.
    /// The other way round, nobody would know the one that does.
    pub(super) fn show(&self) {
        if let Some(password) = &self.made {
            tidegate_failure::say(&format!(
                "user {}, password {} (shown only this once)",
                self.name.as_str(),
                password.as_str()
            ));
        }
    }
}
