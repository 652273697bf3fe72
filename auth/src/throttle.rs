//! Wrong passwords are counted, and who sends too many has to wait.
//!
//! Three counts, each over a window that begins with its first failure:
//!
//! - of a **client address** (IPv6: its /64), whatever the user: the limit is
//!   [`max_failures`](tidegate_config::Auth::max_failures);
//! - of a **user name**, whatever the address: ten times that limit. It slows
//!   down a search from many addresses. It is the higher one because it is the
//!   one that a stranger can use to keep a user out;
//! - of the **pair** of both. Once a user has sent the right password from an
//!   address, that pair is judged by its own count alone for a day: neither a
//!   search from elsewhere nor a neighbour behind the same address, such as a
//!   CI job with an old password, keeps out a user who is known there.
//!
//! A right password takes the pair's failures back out of the other two, so
//! typing errors leave no trace. Nobody can forgive what he tried with other
//! users' names by logging in under his own.
//!
//! Names that are in no file are counted like the others, or the throttle would
//! tell which ones exist.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::future::Cache;
use moka::policy::EvictionPolicy;
use tokio::time::Instant;

use crate::client::Client;

/// Counts failures.
pub(crate) struct Throttle {
    limits: Limits,
    names: RandomState,
    clients: Cache<Client, Arc<Count>>,
    users: Cache<Name, Arc<Count>>,
    pairs: Cache<(Client, Name), Arc<Pair>>,
}

/// The counts that an attempt is judged by.
#[derive(Clone)]
pub(crate) struct Account {
    limits: Limits,
    client: Arc<Count>,
    user: Arc<Count>,
    pair: Arc<Pair>,
}

/// Limits that a failure has just reached; reported once in each window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reached {
    Client,
    User,
    Pair,
}

/// A user name, hashed under a random key: names come from strangers and may be
/// of any length.
type Name = u64;

#[derive(Debug, Clone, Copy)]
struct Limits {
    failures: u32,
    window: Duration,
}

#[derive(Debug, Default)]
struct Count(Mutex<Failures>);

#[derive(Debug, Default)]
struct Pair {
    count: Count,
    known_until: Mutex<Option<Instant>>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Failures {
    first: Option<Instant>,
    number: u32,
}

impl Throttle {
    /// How many addresses, names and pairs are remembered; the least recently
    /// seen are forgotten first. A few MiB when full.
    const MOST: u64 = 10_000;
    const USER_FACTOR: u32 = 10;
    const KNOWN_FOR: Duration = Duration::from_secs(24 * 60 * 60);

    /// No limit if either is zero.
    pub(crate) fn new(max_failures: u32, window: Duration) -> Self {
        fn counts<K, V>(idle: Duration) -> Cache<K, Arc<V>>
        where
            K: std::hash::Hash + Eq + Send + Sync + 'static,
            V: Send + Sync + 'static,
        {
            Cache::builder()
                .max_capacity(Throttle::MOST)
                // By use, not by frequency: a new address must be counted even
                // if the others have been seen more often.
                .eviction_policy(EvictionPolicy::lru())
                .time_to_idle(idle)
                .build()
        }
        let window = window.min(Self::KNOWN_FOR);
        Self {
            limits: Limits {
                failures: if window.is_zero() { 0 } else { max_failures },
                window,
            },
            names: RandomState::new(),
            clients: counts(window.max(Duration::from_secs(1))),
            users: counts(window.max(Duration::from_secs(1))),
            pairs: counts(Self::KNOWN_FOR),
        }
    }

    /// The counts for one attempt.
    pub(crate) async fn account(&self, client: Client, user: &str) -> Account {
        let name = self.names.hash_one(user);
        Account {
            limits: self.limits,
            client: self
                .clients
                .get_with(client, async { Arc::default() })
                .await,
            user: self.users.get_with(name, async { Arc::default() }).await,
            pair: self
                .pairs
                .get_with((client, name), async { Arc::default() })
                .await,
        }
    }
}

impl Account {
    /// How long to wait, if the limit is reached.
    pub(crate) fn blocked(&self, now: Instant) -> Option<Duration> {
        let Limits { failures, window } = self.limits;
        if failures == 0 {
            return None;
        }
        if self.pair.is_known(now) {
            return self.pair.count.wait(now, failures, window);
        }
        let of_user = failures.saturating_mul(Throttle::USER_FACTOR);
        let client = self.client.wait(now, failures, window);
        client.max(self.user.wait(now, of_user, window))
    }

    /// Counts a wrong password, and tells which limits that has reached.
    pub(crate) fn failed(&self, now: Instant) -> Vec<Reached> {
        let Limits { failures, window } = self.limits;
        let of_pair = self.pair.count.add(now, window);
        let mut reached = Vec::new();
        if self.pair.is_known(now) {
            if of_pair == failures {
                reached.push(Reached::Pair);
            }
            return reached;
        }
        if self.client.add(now, window) == failures {
            reached.push(Reached::Client);
        }
        if self.user.add(now, window) == failures.saturating_mul(Throttle::USER_FACTOR) {
            reached.push(Reached::User);
        }
        reached
    }

    /// Forgives what the pair has failed before.
    pub(crate) fn succeeded(&self, now: Instant) {
        let forgiven = self.pair.count.take(now, self.limits.window);
        if !self.pair.is_known(now) {
            self.client.subtract(forgiven);
            self.user.subtract(forgiven);
        }
        *lock(&self.pair.known_until) = now.checked_add(Throttle::KNOWN_FOR);
    }
}

impl Pair {
    fn is_known(&self, now: Instant) -> bool {
        lock(&self.known_until).is_some_and(|until| now < until)
    }
}

impl Count {
    /// Until the window ends, if the limit is reached within it.
    fn wait(&self, now: Instant, limit: u32, window: Duration) -> Option<Duration> {
        let Failures { first, number } = *lock(&self.0);
        let left = window.checked_sub(now.saturating_duration_since(first?))?;
        (number >= limit && !left.is_zero()).then_some(left)
    }

    /// Adds one and returns the number within the window.
    fn add(&self, now: Instant, window: Duration) -> u32 {
        let mut failures = lock(&self.0);
        match failures.first {
            Some(first) if now.saturating_duration_since(first) < window => {
                failures.number = failures.number.saturating_add(1);
            }
            _ => {
                *failures = Failures {
                    first: Some(now),
                    number: 1,
                };
            }
        }
        failures.number
    }

    /// Empties the count and returns the number within the window.
    fn take(&self, now: Instant, window: Duration) -> u32 {
        let Failures { first, number } = std::mem::take(&mut *lock(&self.0));
        match first {
            Some(first) if now.saturating_duration_since(first) < window => number,
            _ => 0,
        }
    }

    fn subtract(&self, number: u32) {
        let mut failures = lock(&self.0);
        failures.number = failures.number.saturating_sub(number);
    }
}

/// Nothing panics while these locks are held, and counts stay true if it did.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
