//! What one request may do.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tidegate_config::access::Action;

use crate::attempt::Identity;
use crate::audit::Shown;
use crate::challenge::{Challenge, TokenFault};
use crate::policy::{Policy, Request};
use crate::robots::{Limits, Robot};
use crate::token::Claims;

/// Who sends a request, and what it may do. Made once for each request, by
/// [`crate::Door`], and asked by whoever does what the request says.
#[derive(Clone)]
pub struct Permit {
    standing: Standing,
    client: IpAddr,
    /// The rules, where there are any: see [`Permit::allows_by_rules`].
    policy: Option<Arc<Policy>>,
    challenge: Challenge,
    shown: Shown,
    /// Of those who showed something wrong: whom they believe to be.
    claimed: Option<Identity>,
}

#[derive(Clone)]
enum Standing {
    /// Nothing was shown.
    Stranger,
    /// This user has logged in.
    User(Identity),
    /// A token was shown: its bearer may do what it says, and no more than that.
    Bearer {
        user: Option<Identity>,
        claims: Arc<Claims>,
    },
    /// A robot's password was shown, or a token that one got for it: it may do
    /// what it was made for, and the rules are not asked.
    Robot {
        robot: Arc<Robot>,
        claims: Option<Arc<Claims>>,
    },
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
    pub(crate) policy: Option<Arc<Policy>>,
    pub(crate) challenge: Challenge,
}

impl Permit {
    pub(crate) fn of_stranger(terms: Terms) -> Self {
        Self::new(Standing::Stranger, terms)
    }

    pub(crate) fn of_user(user: Identity, terms: Terms) -> Self {
        Self::new(Standing::User(user), terms)
    }

    pub(crate) fn of_bearer(user: Option<Identity>, claims: Arc<Claims>, terms: Terms) -> Self {
        Self::new(Standing::Bearer { user, claims }, terms)
    }

    pub(crate) fn of_robot(robot: Arc<Robot>, claims: Option<Arc<Claims>>, terms: Terms) -> Self {
        Self::new(Standing::Robot { robot, claims }, terms)
    }

    pub(crate) fn of_nobody(fault: Option<TokenFault>, terms: Terms) -> Self {
        Self::new(Standing::Wrong(fault), terms)
    }

    pub(crate) fn throttled(retry_after: Duration, terms: Terms) -> Self {
        Self::new(Standing::Throttled(retry_after), terms)
    }

    /// By what its sender showed who they are, and for those who showed something
    /// wrong, whom they believe to be, if there is such a user.
    pub(crate) fn showing(self, shown: Shown, claimed: Option<Identity>) -> Self {
        Self {
            shown,
            claimed,
            ..self
        }
    }

    fn new(standing: Standing, terms: Terms) -> Self {
        let shown = match &standing {
            Standing::Stranger => Shown::Nothing,
            Standing::User(_) | Standing::Wrong(None) | Standing::Throttled(_) => Shown::Password,
            Standing::Robot { robot, .. } => Shown::Robot(Some(robot.id())),
            Standing::Bearer { .. } | Standing::Wrong(Some(_)) => Shown::Token,
        };
        Self {
            shown,
            claimed: None,
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
            Standing::Bearer { user, .. } => user.as_ref(),
            Standing::Robot { robot, .. } => Some(robot.user()),
            Standing::Stranger | Standing::Wrong(_) | Standing::Throttled(_) => None,
        }
    }

    /// By what the caller showed who they are; for the audit log.
    #[must_use]
    pub fn shown(&self) -> Shown {
        self.shown
    }

    /// Whom the caller believes to be, also if what they showed is wrong; for the
    /// audit log. Never a name that is in no file.
    #[must_use]
    pub fn claimed(&self) -> Option<&Identity> {
        self.user().or(self.claimed.as_ref())
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
        self.judge_shown()?;
        if !self.allows_by_rules(action, repository) {
            return Err(match self.user() {
                Some(_) => Refused::Denied,
                None => Refused::LogIn(None),
            });
        }
        match &self.standing {
            Standing::Bearer { claims, .. }
            | Standing::Robot {
                claims: Some(claims),
                ..
            } if !says(claims, action, repository) => {
                Err(Refused::LogIn(Some(TokenFault::InsufficientScope)))
            }
            _ => Ok(()),
        }
    }

    /// Whether clients may be told that they have logged in: what they ask at
    /// `/v2/` before anything else. A token says so of those who have not, too.
    ///
    /// # Errors
    /// Why not.
    pub fn judge_ping(&self) -> Result<(), Refused> {
        self.judge_shown()?;
        match &self.standing {
            Standing::Stranger => Err(Refused::LogIn(None)),
            _ => Ok(()),
        }
    }

    /// Whether a repository is there for the caller. A token that lists them says
    /// nothing of each: then the rules alone count.
    #[must_use]
    pub fn sees(&self, repository: &str) -> bool {
        self.judge_shown().is_ok() && self.allows_by_rules(Action::Pull, Some(repository))
    }

    /// Whether all repositories are there for the caller, so that there is no
    /// need to ask for each.
    #[must_use]
    pub fn sees_everything(&self) -> bool {
        if let Some(limits) = self.limits() {
            return limits.allow_everywhere(Action::Pull);
        }
        let mut policy = self.policy.iter();
        policy.all(|policy| policy.is_same_everywhere())
            && self.judge_shown().is_ok()
            && self.allows_by_rules(Action::Pull, None)
    }

    /// Whether the caller may pull from every repository.
    #[must_use]
    pub fn pulls_everything(&self) -> bool {
        let has_token = matches!(
            self.standing,
            Standing::Bearer { .. }
                | Standing::Robot {
                    claims: Some(_),
                    ..
                }
        );
        !has_token && self.sees_everything()
    }

    /// Whether the caller may hear that there is nothing at a path: who has come in,
    /// and strangers where anything is there for them.
    ///
    /// # Errors
    /// Why not.
    pub fn judge_nowhere(&self) -> Result<(), Refused> {
        self.judge_shown()?;
        let policy = self.policy.as_ref();
        let is_open = policy.is_some_and(|policy| policy.lets_strangers_in());
        match &self.standing {
            Standing::Stranger if !is_open => Err(Refused::LogIn(None)),
            _ => Ok(()),
        }
    }

    /// Whether what was shown, if anything was, counts.
    fn judge_shown(&self) -> Result<(), Refused> {
        match &self.standing {
            Standing::Wrong(fault) => Err(Refused::LogIn(*fault)),
            Standing::Throttled(wait) => Err(Refused::Throttled { retry_after: *wait }),
            Standing::Stranger
            | Standing::User(_)
            | Standing::Bearer { .. }
            | Standing::Robot { .. } => Ok(()),
        }
    }

    /// What the caller may do, if that is not said by the rules.
    fn limits(&self) -> Option<&Limits> {
        match &self.standing {
            Standing::Robot { robot, .. } => Some(robot.limits()),
            _ => None,
        }
    }

    /// What the rules say of the caller. Without any, who has come in may do
    /// everything, and a stranger nothing.
    fn allows_by_rules(&self, action: Action, repository: Option<&str>) -> bool {
        if let Some(limits) = self.limits() {
            return limits.allow(action, repository);
        }
        match &self.policy {
            None => !matches!(self.standing, Standing::Stranger),
            Some(policy) => {
                let request = Request {
                    user: self.user().map(Identity::name),
                    client: Some(self.client),
                    repository,
                    action,
                };
                policy.decide(&request).allowed
            }
        }
    }
}

/// Whether a token grants an action, by distribution's words for it.
fn says(claims: &Claims, action: Action, repository: Option<&str>) -> bool {
    match repository {
        Some(name) => claims.access.allows("repository", name, action.as_str()),
        None => claims.access.allows("registry", "catalog", "*"),
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
