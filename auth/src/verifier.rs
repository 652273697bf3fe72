//! Checks passwords against an htpasswd file, quickly and at a bounded price.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tidegate_config::{Auth, FileStamp};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::attempt::{Attempt, Identity, Outcome};
use crate::client::Client;
use crate::htpasswd::{HtpasswdError, Problem, User, Users, WeakHashes};
use crate::pool::Pool;
use crate::throttle::{Reached, Throttle};
use crate::verified::Verified;

/// Checks passwords against an htpasswd file that may change at any time.
///
/// Credentials that were right a moment ago cost a MAC and a look into a cache,
/// about a microsecond; they are not throttled. All others are hashed, a few at
/// a time beside the requests, unless the client or the user has failed too
/// often: then nothing is hashed. An unknown user takes the same path with the
/// same work as a known one, also where the file mixes notations.
///
/// # Throttling
/// [`Auth::max_failures`] within [`Auth::failure_window`] is the limit for a
/// client address (IPv6: its /64), and ten times as many for a user name from
/// all addresses together. The latter is what strangers could use to keep a user
/// out, so it does not hold where the user is known: an address from which the
/// right password came within the last day has a count of its own for that user,
/// and neither searches from elsewhere nor neighbours behind the same address
/// weigh on it. A right password forgives the user's own failures from there,
/// and nobody else's. Either setting at zero means no limit.
pub struct Verifier {
    /// `None` where whoever holds it hands in the users.
    file: Option<PasswordFile>,
    realm: Box<str>,
    users: ArcSwap<Users>,
    verified: Option<Verified>,
    throttle: Throttle,
    pool: Pool,
    hashed: Arc<AtomicU64>,
}

/// Where the users are read from.
struct PasswordFile {
    path: PathBuf,
    weak: WeakHashes,
    stamp: Mutex<FileStamp>,
}

/// What a reload found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// How many users can log in.
    pub users: usize,
    /// The entries that do not count.
    pub problems: Vec<Problem>,
}

/// Why credentials were not accepted.
#[derive(Debug, Clone, Copy)]
enum Failure {
    Wrong,
    Throttled(Duration),
}

impl Verifier {
    /// Reads the file. Entries that do not count, and those that should not,
    /// are logged as warnings.
    ///
    /// # Errors
    /// If the file cannot be read, is no htpasswd file, or has no user who can
    /// log in.
    pub fn open(settings: &Auth) -> Result<Self, HtpasswdError> {
        let path = settings.htpasswd.clone();
        // Before the file is read: what changes meanwhile is then seen as a
        // change afterwards.
        let stamp = FileStamp::of(&path);
        let weak = if settings.allow_weak_hashes {
            WeakHashes::Allowed
        } else {
            WeakHashes::Refused
        };
        let users = Users::read(&path, weak)?;
        warn_of(&path, &users);
        let stamp = Mutex::new(stamp);
        let file = PasswordFile { path, weak, stamp };
        let throttle = Throttle::new(settings.max_failures, settings.failure_window);
        Ok(Self {
            file: Some(file),
            realm: settings.realm.as_str().into(),
            ..Self::of(users, settings.cache_ttl, throttle)
        })
    }

    /// Checks passwords of users who are in no htpasswd file. `cache_ttl` is how
    /// long they need not be hashed again.
    pub(crate) fn of(users: Users, cache_ttl: Duration, throttle: Throttle) -> Self {
        Self {
            file: None,
            realm: Box::default(),
            users: ArcSwap::from_pointee(users),
            verified: Verified::new(cache_ttl),
            throttle,
            pool: Pool::for_this_machine(),
            hashed: Arc::default(),
        }
    }

    /// Puts others in the place of the users. Those who are the same as before do
    /// not notice.
    pub(crate) fn replace(&self, users: Users) {
        self.users.store(Arc::new(users));
    }

    /// Judges one claim to be somebody.
    ///
    /// Safe to drop at any point: a hash that runs is finished and counted.
    pub async fn verify(&self, attempt: Attempt<'_>) -> Outcome {
        if let Some(identity) = self.find(attempt).await {
            return Outcome::Accepted(identity);
        }
        // Boxed, or the future of every request would be as large as this one.
        match Box::pin(self.check_once(attempt)).await {
            Ok(identity) => Outcome::Accepted(identity),
            Err(Failure::Wrong) => Outcome::Refused,
            Err(Failure::Throttled(retry_after)) => Outcome::Throttled { retry_after },
        }
    }

    /// Counts a wrong password of a robot, which was not hashed here.
    pub(crate) async fn count_wrong_robot(&self, client: IpAddr) -> Outcome {
        let client = Client::from(client);
        match self.throttle.failed_from(client, Instant::now()).await {
            Ok(reached) => {
                if reached {
                    warn_of_limits(&[Reached::Client], client, None);
                }
                Outcome::Refused
            }
            Err(retry_after) => Outcome::Throttled { retry_after },
        }
    }

    /// A user who can log in.
    #[must_use]
    pub fn identity(&self, user: &str) -> Option<Identity> {
        let users = self.users.load();
        let (user, is_known) = users.find_or_decoy(user);
        is_known.then(|| user.identity().clone())
    }

    /// How the password of a user is stored.
    pub(crate) fn stored(&self, user: &str) -> Option<Zeroizing<String>> {
        let users = self.users.load();
        let (user, is_known) = users.find_or_decoy(user);
        is_known.then(|| user.hash().as_str().to_owned().into())
    }

    /// What a client shows when it asks for the password.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// How many passwords have been hashed so far.
    #[must_use]
    pub fn hashed(&self) -> u64 {
        self.hashed.load(Ordering::Acquire)
    }

    /// Reads the file again if it has changed since it was last read, or tried.
    /// `None` if not. Costs one `stat`; meant to be called each second.
    pub fn reload_if_changed(&self) -> Option<Result<Reloaded, HtpasswdError>> {
        let file = self.file.as_ref()?;
        let mut stamp = file.lock_stamp();
        let present = FileStamp::of(&file.path);
        if *stamp == present {
            return None;
        }
        *stamp = present;
        Some(self.read_again(file))
    }

    /// Reads the file again. Users whose line is gone or has changed have to
    /// log in anew, the others do not notice. Entries that do not count are
    /// logged as warnings.
    ///
    /// # Errors
    /// As [`Verifier::open`]; the users from before stay.
    pub fn reload(&self) -> Result<Reloaded, HtpasswdError> {
        let Some(file) = &self.file else {
            return Ok(Reloaded::of(&self.users.load()));
        };
        let mut stamp = file.lock_stamp();
        *stamp = FileStamp::of(&file.path);
        self.read_again(file)
    }

    /// To be called with `stamp` locked, so that of two reloads the later wins.
    fn read_again(&self, file: &PasswordFile) -> Result<Reloaded, HtpasswdError> {
        let users = Users::read(&file.path, file.weak)?;
        let reloaded = Reloaded::of(&users);
        warn_of(&file.path, &users);
        self.replace(users);
        Ok(reloaded)
    }

    /// The path of nearly every request: credentials that were right before.
    async fn find(&self, attempt: Attempt<'_>) -> Option<Identity> {
        let verified = self.verified.as_ref()?;
        let credentials = {
            let users = self.users.load();
            let (user, _) = users.find_or_decoy(attempt.user);
            verified.credentials(attempt.user, attempt.password, user.hash())
        };
        verified.find(&credentials).await
    }

    /// Checks credentials once for all who send them at the same time.
    async fn check_once(&self, attempt: Attempt<'_>) -> Result<Identity, Failure> {
        let (user, is_known) = {
            let users = self.users.load();
            let (user, is_known) = users.find_or_decoy(attempt.user);
            (Arc::clone(user), is_known)
        };
        match &self.verified {
            None => self.check(attempt, user, is_known).await,
            Some(verified) => {
                let credentials = verified.credentials(attempt.user, attempt.password, user.hash());
                let check = self.check(attempt, user, is_known);
                let result = verified.find_or_check(credentials, check).await;
                result.map_err(|failure| *failure)
            }
        }
    }

    async fn check(
        &self,
        attempt: Attempt<'_>,
        user: Arc<User>,
        is_known: bool,
    ) -> Result<Identity, Failure> {
        let client = Client::from(attempt.client);
        let account = self.throttle.account(client, attempt.user).await;
        let blocked = || {
            account
                .blocked(Instant::now())
                .map_or(Ok(()), |wait| Err(Failure::Throttled(wait)))
        };
        blocked()?;
        let seat = self.pool.enter(client).await.map_err(|_| BUSY)?;
        // The guesses before this one may have reached the limit meanwhile.
        blocked()?;

        let password = Zeroizing::new(attempt.password.as_bytes().to_vec());
        let hashed = Arc::clone(&self.hashed);
        let account = account.clone();
        // Counted where it is hashed: who hangs up before the answer has still
        // tried.
        let check = tokio::task::spawn_blocking(move || {
            let _seat = seat;
            let is_right = user.hash().matches(&password) && is_known;
            let result = if is_right {
                account.succeeded(Instant::now());
                Ok(user.identity().clone())
            } else {
                let reached = account.failed(Instant::now());
                warn_of_limits(&reached, client, is_known.then(|| user.identity()));
                Err(Failure::Wrong)
            };
            hashed.fetch_add(1, Ordering::Release);
            result
        });
        check.await.unwrap_or_else(|error| {
            tracing::error!(error = %error, "a password could not be checked");
            Err(BUSY)
        })
    }
}

impl PasswordFile {
    fn lock_stamp(&self) -> MutexGuard<'_, FileStamp> {
        self.stamp.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reloaded {
    fn of(users: &Users) -> Self {
        Self {
            users: users.len(),
            problems: users.problems().to_vec(),
        }
    }
}

/// The queue moves on by tens of hashes a second.
const BUSY: Failure = Failure::Throttled(Duration::from_secs(1));

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("path", &self.file.as_ref().map(|file| &file.path))
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

fn warn_of(path: &Path, users: &Users) {
    for problem in users.problems() {
        tracing::warn!(htpasswd.path = %path.display(), hint = problem.hint(), "{problem}");
    }
    for weakness in users.weaknesses() {
        tracing::warn!(htpasswd.path = %path.display(), hint = weakness.hint(), "{weakness}");
    }
}

/// Names that are in no file stay out of the log: people type passwords there.
fn warn_of_limits(reached: &[Reached], client: Client, user: Option<&Identity>) {
    let user = user.map_or("(unknown)", Identity::name);
    for limit in reached {
        match limit {
            Reached::Client => {
                tracing::warn!(client.address = %client, "too many wrong passwords from this address: throttled")
            }
            Reached::User => tracing::warn!(
                auth.user = user,
                "too many wrong passwords for this user: throttled, save from where the user is known"
            ),
            Reached::Pair => {
                tracing::warn!(client.address = %client, auth.user = user, "too many wrong passwords for this user from this address: throttled")
            }
        }
    }
}

#[cfg(test)]
mod tests;
