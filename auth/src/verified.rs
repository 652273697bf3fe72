//! Credentials that were right a moment ago.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use moka::future::Cache;
use sha2::Sha256;

use crate::attempt::Identity;
use crate::hash::StoredHash;

/// Remembers credentials by a MAC of user, password and stored hash, under a
/// key that is random for each process: who reads the memory finds nothing that
/// could be searched for without that key.
///
/// The stored hash is part of the MAC, so an entry can no longer be found once
/// the user's line has changed or gone, and whoever else stands in the file
/// need not be hashed again because of it.
///
/// Entries go some time after their last use, and not after the check: hashes are
/// throttled while somebody guesses, and a client at work must not need one then.
pub(crate) struct Verified {
    mac: Hmac<Sha256>,
    cache: Cache<Credentials, Identity>,
}

/// The MAC of user, password and stored hash.
pub(crate) type Credentials = [u8; 32];

impl Verified {
    /// More clients than a registry has users, in a few MiB.
    const MOST: u64 = 10_000;
    /// moka refuses to count in millennia.
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

    /// `None` if nothing is to be remembered.
    pub(crate) fn new(ttl: Duration) -> Option<Self> {
        if ttl.is_zero() {
            return None;
        }
        let mut key = [0; 64];
        rand::fill(&mut key[..]);
        Some(Self {
            mac: Hmac::new(&key.into()),
            cache: Cache::builder()
                .max_capacity(Self::MOST)
                .time_to_idle(ttl.min(Self::LONGEST))
                .build(),
        })
    }

    /// The name under which credentials are remembered.
    pub(crate) fn credentials(&self, user: &str, password: &str, hash: &StoredHash) -> Credentials {
        let mut mac = self.mac.clone();
        // With their lengths, so that no two triples make the same text.
        for part in [user, password, hash.as_str()] {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }

    pub(crate) async fn find(&self, credentials: &Credentials) -> Option<Identity> {
        self.cache.get(credentials).await
    }

    /// Finds credentials or checks them. Callers with the same credentials at
    /// the same time wait for one check and share its result; only success is
    /// remembered.
    pub(crate) async fn find_or_check<E>(
        &self,
        credentials: Credentials,
        check: impl Future<Output = Result<Identity, E>>,
    ) -> Result<Identity, Arc<E>>
    where
        E: Send + Sync + 'static,
    {
        self.cache.try_get_with(credentials, check).await
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hash::{Method, hash_password};

    fn hash() -> StoredHash {
        hash_password("secret", Method::Apr1).unwrap()
    }

    #[test]
    fn zero_remembers_nothing() {
        assert!(Verified::new(Duration::ZERO).is_none());
        assert!(Verified::new(Duration::MAX).is_some());
    }

    #[test]
    fn who_keeps_coming_is_not_forgotten() {
        let policy = |ttl| Verified::new(ttl).unwrap().cache.policy();
        let ttl = Duration::from_secs(300);
        assert_eq!(policy(ttl).time_to_idle(), Some(ttl));
        assert_eq!(policy(ttl).time_to_live(), None);
        assert_eq!(
            policy(Duration::MAX).time_to_idle(),
            Some(Verified::LONGEST)
        );
    }

    #[test]
    fn every_part_counts() {
        let verified = Verified::new(Duration::from_secs(1)).unwrap();
        let (hash, other) = (hash(), hash());
        let credentials = verified.credentials("alice", "secret", &hash);
        assert_eq!(credentials, verified.credentials("alice", "secret", &hash));
        assert_ne!(credentials, verified.credentials("alice", "secret", &other));
        assert_ne!(credentials, verified.credentials("alices", "ecret", &hash));
        let restarted = Verified::new(Duration::from_secs(1)).unwrap();
        assert_ne!(credentials, restarted.credentials("alice", "secret", &hash));
    }

    proptest! {
        #[test]
        fn the_border_of_user_and_password_counts(text in "\\PC{1,40}", a in 0usize..40, b in 0usize..40) {
            let verified = Verified::new(Duration::from_secs(1)).unwrap();
            let hash = hash();
            let cut = |at: usize| {
                let at = text.floor_char_boundary(at);
                (at, verified.credentials(&text[..at], &text[at..], &hash))
            };
            let ((a, left), (b, right)) = (cut(a), cut(b));
            prop_assert_eq!(a == b, left == right);
        }
    }
}
