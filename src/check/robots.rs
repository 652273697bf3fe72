//! What a user's robots may do: the rules are not asked about them.

use std::fmt::Write as _;

use serde_json::{Value, json};
use tidegate_auth::robots::Robot;
use tidegate_config::access::Action;
use tidegate_registry::oci::RepoName;
use time::OffsetDateTime;

use crate::token::rfc3339;

/// One robot, and what it may do of what is asked.
pub(super) struct RobotAnswer {
    robot: Robot,
    is_expired: bool,
    actions: Vec<(Action, bool)>,
}

/// The answers for those of `robots` that go by the name of `user`.
pub(super) fn answers(
    robots: Vec<Robot>,
    user: &str,
    repository: Option<&RepoName>,
    actions: &[Action],
    now: OffsetDateTime,
) -> Vec<RobotAnswer> {
    let of_user = |robot: &Robot| robot.user().name() == user;
    let answer = |robot: Robot| {
        let is_expired = robot.is_expired(now);
        let allows = |action: Action| {
            // Which is about no repository.
            let repository = repository.filter(|_| action != Action::Catalog);
            let allowed = robot
                .limits()
                .allow(action, repository.map(RepoName::as_str));
            (action, allowed && !is_expired)
        };
        RobotAnswer {
            actions: actions.iter().copied().map(allows).collect(),
            is_expired,
            robot,
        }
    };
    robots.into_iter().filter(of_user).map(answer).collect()
}

impl RobotAnswer {
    pub(super) fn allows(&self, action: Action) -> bool {
        self.actions.contains(&(action, true))
    }

    /// Whose password it is, and a line for each action.
    pub(super) fn as_text(&self) -> String {
        let Self { robot, .. } = self;
        let until = match robot.expires() {
            Some(expires) if self.is_expired => format!("; expired {}", rfc3339(expires)),
            Some(expires) => format!("; until {}", rfc3339(expires)),
            None => String::new(),
        };
        let mut text = format!(
            "with the password of robot {}, made for {}{until}:\n",
            robot.id(),
            robot.limits()
        );
        for (action, allowed) in &self.actions {
            let says = match allowed {
                true => "allowed  it was made for that",
                false if self.is_expired => "refused  the password counts no longer",
                false => "refused  it was not made for that",
            };
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "  {:<8} {says}", action.as_str());
        }
        text
    }

    pub(super) fn as_json(&self) -> Value {
        let decisions = self
            .actions
            .iter()
            .map(|(action, allowed)| json!({ "action": action.as_str(), "allowed": allowed }));
        json!({
            "robot": self.robot.id().as_str(),
            "says": self.robot.limits().to_string(),
            "expires": self.robot.expires().map(rfc3339),
            "expired": self.is_expired,
            "decisions": decisions.collect::<Vec<_>>(),
        })
    }
}
