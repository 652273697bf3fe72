//! A robot, and what it may do.

use std::fmt;

use tidegate_config::access::{Action, Actions, Repositories};
use time::OffsetDateTime;

use super::password::{RobotId, StoredPassword};
use crate::attempt::Identity;

/// A password that was made for a program, with the rights it was made with.
/// The rules of the settings are not asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Robot {
    pub(super) id: RobotId,
    pub(super) user: Identity,
    pub(super) limits: Limits,
    pub(super) created: OffsetDateTime,
    pub(super) expires: Option<OffsetDateTime>,
    pub(super) description: String,
    pub(super) password: StoredPassword,
}

/// What a robot may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The repositories; one of them has to contain the name.
    pub repositories: Vec<Repositories>,
    /// What it may do there; with [`Action::Catalog`] it may list those of them
    /// that it may pull.
    pub actions: Actions,
}

impl Robot {
    /// The name of the password.
    #[must_use]
    pub fn id(&self) -> RobotId {
        self.id
    }

    /// The user name that goes with the password.
    #[must_use]
    pub fn user(&self) -> &Identity {
        &self.user
    }

    /// How tokens name it, as no user is named: `ci:abcdefgh`.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("{}:{}", self.user, self.id)
    }

    /// What it may do.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// When it was made.
    #[must_use]
    pub fn created(&self) -> OffsetDateTime {
        self.created
    }

    /// From when on the password is wrong. `None`: it stays.
    #[must_use]
    pub fn expires(&self) -> Option<OffsetDateTime> {
        self.expires
    }

    /// Whether the password is wrong by now.
    #[must_use]
    pub fn is_expired(&self, now: OffsetDateTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// What it is for; may be empty.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }
}

impl Limits {
    /// Whether an action is allowed on a repository; for [`Action::Catalog`],
    /// which is about none, without one.
    #[must_use]
    pub fn allow(&self, action: Action, repository: Option<&str>) -> bool {
        let is_there = match repository {
            Some(name) => self.repositories.iter().any(|some| some.contain(name)),
            None => action == Action::Catalog,
        };
        is_there && self.actions.contains(action)
    }

    /// Whether an action is allowed on every repository.
    #[must_use]
    pub fn allow_everywhere(&self, action: Action) -> bool {
        let is_all = |some: &Repositories| matches!(some, Repositories::Pattern(pattern) if pattern.as_str() == "**");
        self.actions.contains(action) && self.repositories.iter().any(is_all)
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in ", self.actions)?;
        let mut between = "";
        for repositories in &self.repositories {
            write!(f, "{between}{repositories}")?;
            between = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(repositories: &[&str], actions: &str) -> Limits {
        Limits {
            repositories: repositories.iter().map(|t| t.parse().unwrap()).collect(),
            actions: actions.parse().unwrap(),
        }
    }

    #[test]
    fn what_was_not_said_is_not_allowed() {
        use Action::{Catalog, Delete, Pull, Push};
        for (repositories, actions, action, name, allowed) in [
            (&["team/**"][..], "pull,push", Pull, Some("team/a/b"), true),
            (&["team/**"], "pull,push", Push, Some("team/a"), true),
            (&["team/**"], "pull,push", Delete, Some("team/a"), false),
            (&["team/**"], "pull,push", Pull, Some("teams/a"), false),
            (&["team/**"], "pull,push", Pull, Some("other"), false),
            (&["team/*"], "pull", Pull, Some("team/a/b"), false),
            (&["a", "b"], "pull", Pull, Some("b"), true),
            (&["~v[0-9]+"], "pull", Pull, Some("v12"), true),
            (&["~v[0-9]+"], "pull", Pull, Some("v12x"), false),
            (&["**"], "*", Delete, Some("anything/at/all"), true),
            (&["**"], "*", Catalog, None, true),
            (&["team/**"], "pull,catalog", Catalog, None, true),
            (&["**"], "pull", Catalog, None, false),
            // Without a repository there is nothing to pull.
            (&["**"], "*", Pull, None, false),
            (&[], "*", Pull, Some("a"), false),
        ] {
            let limits = limits(repositories, actions);
            assert_eq!(
                limits.allow(action, name),
                allowed,
                "{limits}, {action} {name:?}"
            );
        }
    }

    #[test]
    fn everywhere_is_said_by_two_stars_alone() {
        assert!(limits(&["a", "**"], "pull").allow_everywhere(Action::Pull));
        assert!(!limits(&["**"], "pull").allow_everywhere(Action::Push));
        for some in ["*", "**/*", "team/**", "~.*"] {
            assert!(
                !limits(&[some], "*").allow_everywhere(Action::Pull),
                "{some}"
            );
        }
    }
}
