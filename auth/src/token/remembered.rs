//! Tokens that were verified a moment ago.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use hmac::{Hmac, KeyInit, Mac};
use moka::Expiry;
use moka::sync::Cache;
use sha2::Sha256;

use super::claims::Claims;

/// Remembers what tokens say by a MAC of the token, under a key that is random
/// for each process. Nothing of the token itself is kept, so that who reads the
/// memory finds nothing to log in with.
pub(super) struct Remembered {
    mac: Hmac<Sha256>,
    cache: Cache<[u8; 32], Entry>,
}

#[derive(Clone)]
struct Entry {
    claims: Arc<Claims>,
    /// Which keys it was verified with.
    generation: u64,
    /// Roughly what its claims take, in bytes.
    size: u32,
    /// How long it counted when it was verified.
    left: Duration,
}

/// The name under which a token is remembered.
pub(super) type Name = [u8; 32];

impl Remembered {
    /// How many bytes of claims are kept.
    const MOST: u64 = 16 * 1024 * 1024;
    /// moka refuses to count in millennia.
    const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
    /// What an entry takes beside its claims.
    const ENTRY: usize = 256;

    pub(super) fn new() -> Self {
        let mut key = [0; 64];
        rand::fill(&mut key[..]);
        Self {
            mac: Hmac::new(&key.into()),
            cache: Cache::builder()
                .max_capacity(Self::MOST)
                .weigher(|_, entry: &Entry| entry.size)
                .expire_after(UntilItEnds)
                .build(),
        }
    }

    pub(super) fn name(&self, token: &str) -> Name {
        let mut mac = self.mac.clone();
        mac.update(token.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// What the token says, if it was verified with the keys of this generation
    /// and has not ended.
    pub(super) fn find(
        &self,
        name: &Name,
        generation: u64,
        now: SystemTime,
    ) -> Option<Arc<Claims>> {
        let entry = self.cache.get(name)?;
        let counts = entry.generation == generation
            && now < entry.claims.expires
            && entry.claims.check_time(now).is_ok();
        counts.then_some(entry.claims)
    }

    /// Remembers what a token of this length says until it ends. One that is
    /// within its leeway is verified each time.
    pub(super) fn remember(
        &self,
        name: Name,
        generation: u64,
        claims: &Arc<Claims>,
        length: usize,
        now: SystemTime,
    ) {
        let Ok(left) = claims.expires.duration_since(now) else {
            return;
        };
        let entry = Entry {
            claims: Arc::clone(claims),
            generation,
            size: u32::try_from(length + Self::ENTRY).unwrap_or(u32::MAX),
            left: left.min(Self::LONGEST),
        };
        self.cache.insert(name, entry);
    }
}

struct UntilItEnds;

impl Expiry<Name, Entry> for UntilItEnds {
    fn expire_after_create(&self, _: &Name, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.left)
    }

    fn expire_after_update(
        &self,
        _: &Name,
        entry: &Entry,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.left)
    }
}
