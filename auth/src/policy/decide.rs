//! Looking for the rule that decides.

use std::net::IpAddr;

use tidegate_config::access::{AccessRule, AccessRules, Action, Who};

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
#[derive(Debug, Default)]
pub struct Policy {
    rules: AccessRules,
}

impl Policy {
    /// Makes the rules ready.
    #[must_use]
    pub fn new(rules: AccessRules) -> Self {
        Self { rules }
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
        rules.all(|rule| rule.repositories.is_empty())
    }

    /// Decides one request: the first rule that is about it counts.
    #[must_use]
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        let mut rules = self.rules.rules.iter();
        if let Some(index) = rules.position(|rule| self.is_about(rule, request)) {
            return Decision {
                allowed: self.rules.rules[index].allows,
                reason: Reason::Rule(index),
            };
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

    fn is_about(&self, rule: &AccessRule, request: &Request<'_>) -> bool {
        rule.actions.contains(request.action)
            && rule.who.iter().any(|who| self.is(who, request.user))
            && is_about_address(rule, request.client)
            && is_about_repository(rule, request.repository)
    }

    fn is(&self, who: &Who, user: Option<&str>) -> bool {
        match (who, user) {
            (Who::Anonymous, user) => user.is_none(),
            (Who::Users(pattern), Some(user)) => pattern.as_str() == "*" || pattern.matches(user),
            (Who::Group(group), Some(user)) => {
                let users = self.rules.groups.get(group);
                users.is_some_and(|users| users.contains(user))
            }
            (Who::Users(_) | Who::Group(_), None) => false,
        }
    }
}

/// A client whose address is not known is at none that is named: a refusal is
/// then about it, so that nothing is allowed by not knowing.
fn is_about_address(rule: &AccessRule, client: Option<IpAddr>) -> bool {
    if rule.addresses.is_empty() {
        return true;
    }
    match client.map(|client| client.to_canonical()) {
        Some(client) => rule.addresses.iter().any(|net| net.contains(&client)),
        None => !rule.allows,
    }
}

/// The list of repositories holds those that the caller may pull, so that a
/// rule about some repositories that allows it gives away no other; one that
/// refuses them does not take the others away.
fn is_about_repository(rule: &AccessRule, repository: Option<&str>) -> bool {
    match repository {
        _ if rule.repositories.is_empty() => true,
        Some(name) => rule.repositories.iter().any(|some| some.contain(name)),
        None => rule.allows,
    }
}
