//! Looking for the rule that decides.

use std::fmt;
use std::net::IpAddr;

use tidegate_config::access::{AccessRule, AccessRules, Action, Who};

use super::prepared::Prepared;
use super::remembered::Remembered;

/// What is asked of a [`Policy`].
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The user; `None` for those who have not logged in.
    pub user: Option<&'a str>,
    /// The address of the client itself, if it is known.
    pub client: Option<IpAddr>,
    /// The repository; `None` where the action is about none
    /// ([`Action::Catalog`]).
    pub repository: Option<&'a str>,
    /// What is to be done.
    pub action: Action,
}

/// Whether something is allowed, and by what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether it is.
    pub allowed: bool,
    /// Why.
    pub reason: Reason,
}

/// What decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The rule at this index.
    Rule(usize),
    /// What anybody may do (`access.anonymous`).
    Anybody,
    /// No rule is about it, and there are rules.
    NoRule,
    /// There are no rules, and the caller has logged in.
    LoggedIn,
    /// There are no rules, and the caller has not logged in.
    NotLoggedIn,
}

/// The rules of `[access]`, ready to be asked.
pub struct Policy {
    rules: AccessRules,
    /// Those about each action, in the order of [`Action::ALL`].
    prepared: [Prepared; Action::ALL.len()],
    remembered: Remembered,
}

impl Policy {
    /// Makes the rules ready.
    #[must_use]
    pub fn new(rules: AccessRules) -> Self {
        Self {
            prepared: Action::ALL.map(|action| Prepared::new(&rules, action)),
            remembered: Remembered::default(),
            rules,
        }
    }

    /// The rules as they were given.
    #[must_use]
    pub fn rules(&self) -> &AccessRules {
        &self.rules
    }

    /// Whether somebody may do anything without logging in: then clients have
    /// to be told so in a way that they understand.
    #[must_use]
    pub fn lets_strangers_in(&self) -> bool {
        let mut rules = self.rules.rules.iter();
        !self.rules.anonymous.is_empty()
            || rules.any(|rule| rule.allows && rule.who.contains(&Who::Anonymous))
    }

    /// Whether all repositories are treated alike.
    #[must_use]
    pub fn is_same_everywhere(&self) -> bool {
        let mut rules = self.rules.rules.iter();
        rules.all(AccessRule::is_about_all_repositories)
    }

    /// Decides one request: the first rule that is about it counts.
    ///
    /// What was decided before is remembered, where there are many rules.
    #[must_use]
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        let rules = self.prepared(request.action);
        if rules.are_few_for(request.user) {
            return self.decide_anew(request);
        }
        let names_addresses = rules.name_addresses();
        let decide = || self.decide_anew(request);
        self.remembered.or_decide(request, names_addresses, decide)
    }

    /// Decides without looking at what was decided before.
    pub(super) fn decide_anew(&self, request: &Request<'_>) -> Decision {
        let rules = self.prepared(request.action);
        if let Some((index, allowed)) = rules.first_about(request) {
            let reason = Reason::Rule(index);
            return Decision { allowed, reason };
        }
        let (allowed, reason) = if self.rules.anonymous.contains(request.action) {
            (true, Reason::Anybody)
        } else if !self.rules.rules.is_empty() {
            (false, Reason::NoRule)
        } else if request.user.is_some() {
            (true, Reason::LoggedIn)
        } else {
            (false, Reason::NotLoggedIn)
        };
        Decision { allowed, reason }
    }

    fn prepared(&self, action: Action) -> &Prepared {
        match action {
            Action::Pull => &self.prepared[0],
            Action::Push => &self.prepared[1],
            Action::Delete => &self.prepared[2],
            Action::Catalog => &self.prepared[3],
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new(AccessRules::default())
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Policy");
        shown.field("rules", &self.rules).finish_non_exhaustive()
    }
}
