//! What one request may do.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tidegate_config::access::Action;

use crate::attempt::Identity;
use crate::challenge::{Challenge, TokenFault};
use crate::policy::{Policy, Request};

/// Who sends a request, and what it may do. Made once for each request, by
/// [`crate::Door`], and asked by whoever does what the request says.
#[derive(Clone)]
pub struct Permit {
    standing: Standing,
    client: IpAddr,
    policy: Arc<Policy>,
    challenge: Challenge,
}

#[derive(Clone)]
enum Standing {
    /// Nothing was shown.
    Stranger,
    /// This user has logged in.
    User(Identity),
    /// Something was shown that is wrong: its sender believes to be somebody,
    /// and is not taken for a stranger.
    Wrong(Option<TokenFault>),
    /// Nothing was checked, since too much was wrong before.
    Throttled(Duration),
}

/// Why something is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It might be to somebody who logs in: 401 with the challenge, and what is
    /// wrong with the token, if one came.
    LogIn(Option<TokenFault>),
    /// It is not to this caller: 403.
    Denied,
    /// Nothing was checked: 429.
    Throttled {
        /// When to try again.
        retry_after: Duration,
    },
}

/// What permits of one door have in common.
pub(crate) struct Terms {
    pub(crate) client: IpAddr,
    pub(crate) policy: Arc<Policy>,
    pub(crate) challenge: Challenge,
}

impl Permit {
    pub(crate) fn of_stranger(terms: Terms) -> Self {
        Self::new(Standing::Stranger, terms)
    }

    pub(crate) fn of_user(user: Identity, terms: Terms) -> Self {
        Self::new(Standing::User(user), terms)
    }

    pub(crate) fn of_nobody(fault: Option<TokenFault>, terms: Terms) -> Self {
        Self::new(Standing::Wrong(fault), terms)
    }

    pub(crate) fn throttled(retry_after: Duration, terms: Terms) -> Self {
        Self::new(Standing::Throttled(retry_after), terms)
    }

    fn new(standing: Standing, terms: Terms) -> Self {
        Self {
            standing,
            client: terms.client,
            policy: terms.policy,
            challenge: terms.challenge,
        }
    }

    /// Who has logged in.
    #[must_use]
    pub fn user(&self) -> Option<&Identity> {
        match &self.standing {
            Standing::User(user) => Some(user),
            _ => None,
        }
    }

    /// How a caller is asked to log in.
    #[must_use]
    pub fn challenge(&self) -> &Challenge {
        &self.challenge
    }

    /// Whether an action is allowed on a repository, or, without one, on the
    /// registry as a whole.
    ///
    /// # Errors
    /// Why it is not.
    pub fn judge(&self, action: Action, repository: Option<&str>) -> Result<(), Refused> {
        let (user, refused) = match &self.standing {
            Standing::Stranger => (None, Refused::LogIn(None)),
            Standing::User(user) => (Some(user.name()), Refused::Denied),
            Standing::Wrong(fault) => return Err(Refused::LogIn(*fault)),
            Standing::Throttled(wait) => {
                return Err(Refused::Throttled { retry_after: *wait });
            }
        };
        let request = Request {
            user,
            client: Some(self.client),
            repository,
            action,
        };
        if self.policy.decide(&request).allowed {
            Ok(())
        } else {
            Err(refused)
        }
    }

    /// Whether clients may be told that they have logged in: what they ask at
    /// `/v2/` before anything else.
    ///
    /// # Errors
    /// Why not.
    pub fn judge_ping(&self) -> Result<(), Refused> {
        match &self.standing {
            Standing::User(_) => Ok(()),
            Standing::Stranger => Err(Refused::LogIn(None)),
            Standing::Wrong(fault) => Err(Refused::LogIn(*fault)),
            Standing::Throttled(wait) => Err(Refused::Throttled { retry_after: *wait }),
        }
    }

    /// Whether an action is allowed on every repository, so that there is no
    /// need to ask for each.
    #[must_use]
    pub fn holds_everywhere(&self, action: Action) -> bool {
        self.policy.is_same_everywhere() && self.judge(action, None).is_ok()
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("user", &self.user())
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}
