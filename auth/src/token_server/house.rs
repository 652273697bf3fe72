//! Whom the token server of a registry believes, and what it lets them do.

use std::net::IpAddr;
use std::sync::Arc;

use tidegate_config::access::Action;
use zeroize::Zeroizing;

use super::{Account, Login};
use crate::attempt::{Attempt, Outcome};
use crate::policy::{Request, SharedPolicy};
use crate::robots::{RobotLogin, Robots};
use crate::token::Scope;
use crate::verifier::Verifier;

/// The users and the rules of the registry in the same process.
pub struct House {
    passwords: Option<Arc<Verifier>>,
    robots: Option<Arc<Robots>>,
    policy: SharedPolicy,
}

impl House {
    /// Believes what a password file says, and grants what the rules allow.
    #[must_use]
    pub fn new(passwords: Option<Arc<Verifier>>, policy: SharedPolicy) -> Self {
        Self {
            passwords,
            robots: None,
            policy,
        }
    }

    /// Believes robots as well.
    #[must_use]
    pub fn with_robots(self, robots: Option<Arc<Robots>>) -> Self {
        Self { robots, ..self }
    }

    /// Those who show nothing, if there is anything that they may do.
    pub(super) fn stranger(&self) -> Option<Account> {
        let lets_in = self.policy.current().lets_strangers_in();
        lets_in.then(Account::default)
    }

    pub(super) async fn log_in(&self, user: &str, password: &str, client: IpAddr) -> Login {
        let Some(passwords) = &self.passwords else {
            return Login::Refused;
        };
        let attempt = Attempt {
            user,
            password,
            client,
        };
        if let Some(robots) = &self.robots
            && let Some(login) = robots.log_in(attempt, passwords).await
        {
            return match login {
                RobotLogin::Accepted(robot) => Login::Accepted(Account {
                    user: Some(robot.user().clone()),
                    robot: Some(robot),
                    ..Account::default()
                }),
                RobotLogin::Refused(_) => Login::Refused,
                RobotLogin::Throttled { retry_after, .. } => Login::Throttled { retry_after },
            };
        }
        match passwords.verify(attempt).await {
            Outcome::Accepted(identity) => Login::Accepted(Account {
                user: Some(identity),
                ..Account::default()
            }),
            Outcome::Refused => Login::Refused,
            Outcome::Throttled { retry_after } => Login::Throttled { retry_after },
        }
    }

    /// A user who proved to be one before.
    pub(super) fn account(&self, user: &str) -> Option<Account> {
        let user = self.passwords.as_ref()?.identity(user)?;
        Some(Account {
            user: Some(user),
            ..Account::default()
        })
    }

    /// How the password of a user is stored.
    pub(super) fn stored(&self, user: &str) -> Option<Zeroizing<String>> {
        self.passwords.as_ref()?.stored(user)
    }

    /// What is allowed of what is asked for, in the same order. Nobody who asks
    /// for something that there is not learns so: it is granted without actions.
    pub(super) fn grant(&self, account: &Account, client: IpAddr, scope: &Scope) -> Scope {
        let policy = self.policy.current();
        let user = account.user.as_ref().map(|user| user.name());
        let allowed = |action, repository| {
            if let Some(robot) = &account.robot {
                return robot.limits().allow(action, repository);
            }
            let request = Request {
                user,
                client: Some(client),
                repository,
                action,
            };
            policy.decide(&request).allowed
        };
        let in_repository = |action| allowed(action, Some(&*scope.name));
        let every = [Action::Pull, Action::Push, Action::Delete];
        let actions = match (scope.kind.as_str(), scope.name.as_str()) {
            ("registry", "catalog") => {
                let asked = |action: &&String| *action == "*" && allowed(Action::Catalog, None);
                scope.actions.iter().filter(asked).cloned().collect()
            }
            ("repository", _) => {
                let of_word = |word: &String| match word.as_str() {
                    // Not `*` itself, unless it is all that there is.
                    "*" if every.into_iter().all(in_repository) => vec!["*".to_owned()],
                    "*" => {
                        let each = every.into_iter().filter(|action| in_repository(*action));
                        each.map(|action| action.to_string()).collect()
                    }
                    word => {
                        let action = every.into_iter().find(|action| action.as_str() == word);
                        let granted = action.filter(|action| in_repository(*action));
                        granted
                            .map(|action| action.to_string())
                            .into_iter()
                            .collect()
                    }
                };
                scope.actions.iter().flat_map(of_word).collect()
            }
            _ => Vec::new(),
        };
        Scope {
            actions,
            ..scope.clone()
        }
    }
}
