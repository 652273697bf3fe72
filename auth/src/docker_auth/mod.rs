//! docker_auth's answers: who somebody is by the users of an `auth_config.yml`,
//! and what they may do by its rules.
//!
//! [`DockerAuth`] is what a token server holds. It asks no network and no program:
//! [`DockerAuth::authenticate`] says whether somebody comes in and with which
//! labels, [`DockerAuth::authorize`] what of the actions that a token is asked for
//! it gets.

mod acl;
mod error;
mod placeholders;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tidegate_config::auth_config::{self, AuthConfig, Labels, Password};
use tidegate_config::{Adopted, FileStamp, Finding};
use zeroize::Zeroizing;

use self::acl::Acl;
pub use self::error::DockerAuthError;
use crate::attempt::{Attempt, Outcome};
use crate::hash::StoredHash;
use crate::htpasswd::Users;
use crate::throttle::Throttle;
use crate::verifier::Verifier;

/// How long a right password need not be hashed again.
const CACHE_TTL: Duration = Duration::from_secs(5 * 60);
/// How many wrong passwords an address may send within [`FAILURE_WINDOW`].
const MOST_FAILURES: u32 = 10;
const FAILURE_WINDOW: Duration = Duration::from_secs(60);

/// The users and the rules of an `auth_config.yml` that may change at any time.
pub struct DockerAuth {
    path: PathBuf,
    refusals: Refusals,
    stamp: Mutex<FileStamp>,
    state: ArcSwap<State>,
    passwords: Verifier,
}

/// What is to be done about a file of which something cannot be honoured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusals {
    /// It is not served.
    Stop,
    /// It is served without: whom only LDAP knows does not come in.
    Pass,
}

/// What was read.
struct State {
    config: Arc<AuthConfig>,
    acl: Acl,
    findings: Vec<Finding>,
}

/// The answer to an [`Attempt`] to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authenticated {
    /// It is who they say.
    Granted {
        /// What the rules may ask of them: [`AuthRequest::labels`].
        labels: Labels,
    },
    /// The password is wrong: answer 401.
    Refused,
    /// There is nobody of that name: answer 401, and nothing that tells it from
    /// [`Self::Refused`]. The time taken does not, either.
    NoMatch,
    /// Nothing was checked, because of too many failures or too many checks under
    /// way: answer 429.
    Throttled {
        /// When to try again.
        retry_after: Duration,
    },
}

/// What a token is asked for, with all that rules may ask of it.
#[derive(Debug, Clone, Copy)]
pub struct AuthRequest<'a> {
    /// The name of who asks; empty for those who send none.
    pub account: &'a str,
    /// The type of the scope, without its class: `repository`, `registry`.
    pub kind: &'a str,
    /// The name of the scope.
    pub name: &'a str,
    /// The service that the token is for.
    pub service: &'a str,
    /// The address of the client. Rules that ask for one do not match without.
    pub ip: Option<IpAddr>,
    /// The actions of the scope, in any order.
    pub actions: &'a [String],
    /// The labels of who asks.
    pub labels: &'a Labels,
}

/// What a reload found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// How many users there are.
    pub users: usize,
    /// How many rules there are.
    pub rules: usize,
}

impl DockerAuth {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, docker_auth would not start with it, or something in it
    /// cannot be honoured and is not to be passed over.
    pub fn open(path: &Path, refusals: Refusals) -> Result<Self, DockerAuthError> {
        // Before the file is read: what changes meanwhile is then seen as a
        // change afterwards.
        let stamp = FileStamp::of(path);
        let state = State::read(path, refusals)?;
        let throttle = Throttle::new(MOST_FAILURES, FAILURE_WINDOW);
        Ok(Self {
            path: path.to_owned(),
            refusals,
            stamp: Mutex::new(stamp),
            passwords: Verifier::of(state.users(), CACHE_TTL, throttle),
            state: ArcSwap::from_pointee(state),
        })
    }

    /// Judges one claim to be somebody. Who sends no credentials is the user with
    /// the empty name, with an empty password.
    ///
    /// Passwords are hashed beside the requests, once for some minutes, and who
    /// sends too many wrong ones is throttled: see [`Verifier`]. Safe to drop at
    /// any point.
    pub async fn authenticate(&self, attempt: Attempt<'_>) -> Authenticated {
        let labels = || {
            let state = self.state.load();
            let user = state.config.users.get(attempt.user);
            user.map(|user| user.labels.clone())
        };
        let granted = || match labels() {
            Some(labels) => Authenticated::Granted { labels },
            // Since a moment ago.
            None => Authenticated::NoMatch,
        };
        let is_known = {
            let state = self.state.load();
            let user = state.config.users.get(attempt.user);
            if user.is_some_and(|user| user.password == Password::Any) {
                return granted();
            }
            user.is_some()
        };
        if !is_known && attempt.user.is_empty() && attempt.password.is_empty() {
            // Clients ask so before they ask their user: that is no guess.
            return Authenticated::NoMatch;
        }
        match self.passwords.verify(attempt).await {
            Outcome::Accepted(_) => granted(),
            Outcome::Refused if is_known => Authenticated::Refused,
            Outcome::Refused => Authenticated::NoMatch,
            Outcome::Throttled { retry_after } => Authenticated::Throttled { retry_after },
        }
    }

    /// The labels of a user who proved to be one before, as by a token that gets
    /// others. `None` if there is nobody of that name.
    #[must_use]
    pub fn labels(&self, account: &str) -> Option<Labels> {
        let state = self.state.load();
        state
            .config
            .users
            .get(account)
            .map(|user| user.labels.clone())
    }

    /// How the password of a user is stored: what changes when it does. A secret.
    /// `None` for who has none.
    #[must_use]
    pub fn stored(&self, account: &str) -> Option<Zeroizing<String>> {
        let state = self.state.load();
        match &state.config.users.get(account)?.password {
            Password::Hash(hash) => Some(hash.as_str().to_owned().into()),
            Password::Any | Password::Nothing => None,
        }
    }

    /// What is granted of the actions that are asked for, in the order of their
    /// bytes: what the first rule says that matches, and without one nothing.
    #[must_use]
    pub fn authorize(&self, request: &AuthRequest<'_>) -> Vec<String> {
        self.state.load().acl.authorize(request)
    }

    /// The line of the rule that decides, if one does.
    #[must_use]
    pub fn deciding_line(&self, request: &AuthRequest<'_>) -> Option<usize> {
        let state = self.state.load();
        state.acl.deciding(request).map(|entry| entry.line)
    }

    /// What the file says, as it was last read.
    #[must_use]
    pub fn config(&self) -> Arc<AuthConfig> {
        Arc::clone(&self.state.load().config)
    }

    /// What becomes of each line of the file, as it was last read.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        self.state.load().findings.clone()
    }

    /// Reads the file again if it has changed since it was last read, or tried.
    /// `None` if not. Costs one `stat`; meant to be called each second.
    pub fn reload_if_changed(&self) -> Option<Result<Reloaded, DockerAuthError>> {
        let mut stamp = self.lock_stamp();
        let present = FileStamp::of(&self.path);
        if *stamp == present {
            return None;
        }
        *stamp = present;
        Some(self.read_again())
    }

    /// Reads the file again. Of the server and of how tokens are made, only
    /// [`Self::config`] tells what is new.
    ///
    /// # Errors
    /// As [`Self::open`]; users and rules from before stay.
    pub fn reload(&self) -> Result<Reloaded, DockerAuthError> {
        let mut stamp = self.lock_stamp();
        *stamp = FileStamp::of(&self.path);
        self.read_again()
    }

    /// To be called with `stamp` locked, so that of two reloads the later wins.
    fn read_again(&self) -> Result<Reloaded, DockerAuthError> {
        let state = State::read(&self.path, self.refusals)?;
        let reloaded = Reloaded {
            users: state.config.users.len(),
            rules: state.config.acl.len(),
        };
        let users = state.users();
        self.state.store(Arc::new(state));
        self.passwords.replace(users);
        Ok(reloaded)
    }

    fn lock_stamp(&self) -> MutexGuard<'_, FileStamp> {
        self.stamp.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn read(path: &Path, refusals: Refusals) -> Result<Self, DockerAuthError> {
        let Adopted { settings, findings } = auth_config::load(path)?;
        if refusals == Refusals::Stop {
            DockerAuthError::of_refusals(&findings)?;
        }
        Ok(Self {
            acl: Acl::new(&settings.acl),
            config: Arc::new(settings),
            findings,
        })
    }

    /// Those who have a password.
    fn users(&self) -> Users {
        let hashed = |(name, user): (&String, &auth_config::User)| {
            let Password::Hash(hash) = &user.password else {
                return None;
            };
            match StoredHash::parse(hash.as_str()) {
                Ok(hash) => Some((name.clone(), hash)),
                Err(error) => {
                    tracing::warn!(auth.user = name, %error, "nobody can log in as this user");
                    None
                }
            }
        };
        Users::of_hashes(self.config.users.iter().filter_map(hashed))
    }
}

impl fmt::Debug for DockerAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DockerAuth")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
