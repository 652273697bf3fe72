//! What goes into a check of a password, and what comes out of it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::audit::Shown;

/// One claim to be somebody.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    /// The user name that was sent.
    pub user: &'a str,
    /// The password that was sent.
    pub password: &'a str,
    /// The address of the client itself, not that of a trusted proxy before it.
    pub client: IpAddr,
}

impl fmt::Debug for Attempt<'_> {
    /// Leaves the password out; and the user, for people type the one into the
    /// field of the other.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

/// The answer to an [`Attempt`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The password is right.
    Accepted(Identity),
    /// The user is unknown, the password is wrong, or the stored hash cannot be
    /// checked: answer 401. Nothing tells these apart, the time taken included.
    Refused,
    /// Nothing was checked, because of too many failures or too many checks
    /// under way: answer 429.
    Throttled {
        /// When to try again; worth a `Retry-After` header, rounded up.
        retry_after: Duration,
    },
}

/// A user who was found to be it. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity(Arc<str>);

impl Identity {
    /// The name, as it stands in the htpasswd file, or wherever it was found.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// A user that something else vouches for, as a certificate.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }
}

/// A user who was found to be it before a request came to where it is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Who it is.
    pub user: Identity,
    /// What they showed for that: a password or a certificate.
    pub shown: Shown,
}

impl From<Identity> for Arc<str> {
    /// The name, without a copy.
    fn from(identity: Identity) -> Self {
        identity.0
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_credentials() {
        let attempt = Attempt {
            user: "alice",
            password: "hunter2",
            client: [192, 0, 2, 1].into(),
        };
        assert_eq!(format!("{attempt:?}"), "Attempt { client: 192.0.2.1, .. }");
    }
}
