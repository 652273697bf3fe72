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

    /// Counts a failure that is about nobody's name, and tells whether that has
    /// reached the limit of the address.
    ///
    /// # Errors
    /// How long to wait, if it was reached before; then nothing is counted.
    pub(crate) async fn failed_from(&self, client: Client, now: Instant) -> Result<bool, Duration> {
        let Limits { failures, window } = self.limits;
        if failures == 0 {
            return Ok(false);
        }
        let count = self
            .clients
            .get_with(client, async { Arc::default() })
            .await;
        match count.wait(now, failures, window) {
            Some(wait) => Err(wait),
            None => Ok(count.add(now, window) == failures),
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

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    fn client(last: u8) -> Client {
        IpAddr::from([192, 0, 2, last]).into()
    }

    async fn fail(throttle: &Throttle, client: Client, user: &str, now: Instant) -> Vec<Reached> {
        throttle.account(client, user).await.failed(now)
    }

    async fn blocked(
        throttle: &Throttle,
        client: Client,
        user: &str,
        now: Instant,
    ) -> Option<Duration> {
        throttle.account(client, user).await.blocked(now)
    }

    #[tokio::test]
    async fn an_address_waits_for_the_end_of_its_window_whatever_the_user() {
        let throttle = Throttle::new(3, WINDOW);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(fail(&throttle, client(1), "a", at(0)).await, []);
        assert_eq!(fail(&throttle, client(1), "b", at(10)).await, []);
        assert_eq!(blocked(&throttle, client(1), "c", at(10)).await, None);
        // Reported when it is reached, and only then.
        assert_eq!(
            fail(&throttle, client(1), "c", at(20)).await,
            [Reached::Client]
        );
        assert_eq!(fail(&throttle, client(1), "c", at(20)).await, []);

        let wait = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(blocked(&throttle, client(1), "d", at(20)).await, wait(40));
        assert_eq!(blocked(&throttle, client(1), "d", at(59)).await, wait(1));
        assert_eq!(blocked(&throttle, client(1), "d", at(60)).await, None);
        assert_eq!(blocked(&throttle, client(2), "a", at(20)).await, None);
        // The next window starts empty.
        assert_eq!(fail(&throttle, client(1), "a", at(60)).await, []);
        assert_eq!(blocked(&throttle, client(1), "a", at(60)).await, None);
    }

    #[tokio::test]
    async fn a_user_searched_from_many_addresses_waits_unless_known_there() {
        let throttle = Throttle::new(2, WINDOW);
        let now = Instant::now();
        let home = client(200);
        throttle.account(home, "alice").await.succeeded(now);
        let mut reached = Vec::new();
        for last in 0..20 {
            reached.extend(fail(&throttle, client(last), "alice", now).await);
        }
        assert_eq!(reached, [Reached::User]);
        assert_eq!(
            blocked(&throttle, client(99), "alice", now).await,
            Some(WINDOW)
        );
        assert_eq!(blocked(&throttle, client(99), "bob", now).await, None);
        assert_eq!(blocked(&throttle, home, "alice", now).await, None);
        // Known for a day, not for ever.
        let much_later = now + Throttle::KNOWN_FOR;
        fail(&throttle, home, "alice", much_later).await;
        fail(&throttle, home, "alice", much_later).await;
        assert_eq!(
            blocked(&throttle, home, "bob", much_later).await,
            Some(WINDOW)
        );
    }

    #[tokio::test]
    async fn a_neighbour_who_fails_does_not_keep_out_who_is_known() {
        let throttle = Throttle::new(2, WINDOW);
        let now = Instant::now();
        throttle.account(client(1), "alice").await.succeeded(now);
        throttle.account(client(1), "ci").await.succeeded(now);
        // A job whose user is known there, with a password of yesterday.
        assert_eq!(fail(&throttle, client(1), "ci", now).await, []);
        assert_eq!(fail(&throttle, client(1), "ci", now).await, [Reached::Pair]);
        assert_eq!(blocked(&throttle, client(1), "ci", now).await, Some(WINDOW));
        assert_eq!(blocked(&throttle, client(1), "newcomer", now).await, None);
        // A stranger behind the same address.
        fail(&throttle, client(1), "root", now).await;
        fail(&throttle, client(1), "root", now).await;
        assert_eq!(
            blocked(&throttle, client(1), "newcomer", now).await,
            Some(WINDOW)
        );
        assert_eq!(blocked(&throttle, client(1), "alice", now).await, None);
    }

    #[tokio::test]
    async fn a_right_password_forgives_ones_own_failures_only() {
        let throttle = Throttle::new(3, WINDOW);
        let now = Instant::now();
        fail(&throttle, client(1), "alice", now).await;
        fail(&throttle, client(1), "alice", now).await;
        throttle.account(client(1), "alice").await.succeeded(now);
        fail(&throttle, client(1), "bob", now).await;
        fail(&throttle, client(1), "bob", now).await;
        assert_eq!(blocked(&throttle, client(1), "bob", now).await, None);
        throttle.account(client(1), "alice").await.succeeded(now);
        fail(&throttle, client(1), "bob", now).await;
        assert_eq!(
            blocked(&throttle, client(1), "bob", now).await,
            Some(WINDOW)
        );
    }

    #[tokio::test]
    async fn zero_means_no_limit() {
        let now = Instant::now();
        for throttle in [Throttle::new(0, WINDOW), Throttle::new(1, Duration::ZERO)] {
            assert_eq!(fail(&throttle, client(1), "a", now).await, []);
            assert_eq!(fail(&throttle, client(1), "a", now).await, []);
            assert_eq!(blocked(&throttle, client(1), "a", now).await, None);
        }
    }
}
