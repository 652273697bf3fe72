//! `tidegate check --as USER --repo NAME`: what somebody may do, and which rule or
//! robot says so.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;

use clap::Args;
use serde_json::{Value, json};
use tidegate_auth::policy::{Decision, Policy, Reason, Request};
use tidegate_config::access::{AccessRules, Action};
use tidegate_config::{Backend, Settings};
use tidegate_failure::Failure;
use tidegate_registry::oci::RepoName;
use time::OffsetDateTime;

use super::robots::RobotAnswer;
use super::rules::described;
use crate::inputs;

/// What is asked of the rules.
#[derive(Debug, Args)]
pub(crate) struct Question {
    /// Say what this user may do, and which rule decides; `anonymous`, or
    /// nothing, is somebody who has not logged in
    #[arg(long = "as", value_name = "USER")]
    user: Option<String>,

    /// The repository that it is about; without one, it is about the list of them
    #[arg(long, value_name = "NAME", requires = "user")]
    repo: Option<String>,

    /// One action alone: pull, push, delete or catalog
    #[arg(long, value_name = "ACTION", requires = "user")]
    action: Option<String>,

    /// The address that the client comes from
    #[arg(long, value_name = "ADDRESS", requires = "user")]
    from: Option<IpAddr>,

    /// Say it as JSON
    #[arg(long, requires = "user")]
    json: bool,
}

/// A [`Question`] that can be answered.
pub(super) struct Asked<'a> {
    /// `None` for those who have not logged in.
    user: Option<&'a str>,
    repository: Option<RepoName>,
    actions: Vec<Action>,
    from: Option<IpAddr>,
    json: bool,
}

impl Question {
    /// What is asked, if anything is.
    ///
    /// # Errors
    /// It cannot be meant.
    pub(super) fn asked(&self) -> Result<Option<Asked<'_>>, Failure> {
        let Some(user) = &self.user else {
            return Ok(None);
        };
        let repository = self.repo.as_ref().map(|name| {
            let parsed = name.parse::<RepoName>();
            parsed.map_err(|e| {
                Failure::usage(format!("`{name}` is no repository: {e}"))
                    .with_hint("name it without host and tag, as `team/app`")
            })
        });
        let repository = repository.transpose()?;
        let actions = match &self.action {
            Some(action) => vec![action.parse().map_err(|_| {
                Failure::usage(format!("`{action}` is no action"))
                    .with_hint("one of pull, push, delete, catalog")
            })?],
            None if repository.is_some() => Action::ALL.to_vec(),
            None => vec![Action::Catalog],
        };
        if repository.is_none() && actions != [Action::Catalog] {
            return Err(Failure::usage("no repository to do that in").with_hint("add --repo NAME"));
        }
        Ok(Some(Asked {
            user: Some(&**user).filter(|user| !matches!(*user, "" | "anonymous")),
            repository,
            actions,
            from: self.from,
            json: self.json,
        }))
    }
}

/// Answers by the settings of a file.
pub(super) fn run(asked: &Asked<'_>, settings: &Settings, file: &Path) -> Result<(), Failure> {
    let Backend::Registry(registry) = &settings.backend else {
        return Err(
            Failure::new(format!("{}: there is no [registry] in it", file.display())).with_hint(
                "requests are forwarded, and the registry that they come to decides who may do what",
            ),
        );
    };
    if settings.auth_config.is_some() || (settings.access.is_none() && settings.token.is_some()) {
        let hint = "--as explains the rules of [access] alone";
        let who = match settings.auth_config {
            Some(_) => "docker_auth's rules decide",
            None => "tokens say what they are for",
        };
        return Err(Failure::new(format!("{}: {who}", file.display())).with_hint(hint));
    }
    let answers: Vec<Answer<'_>> = asked
        .actions
        .iter()
        .map(|action| answer(asked, settings, *action))
        .collect();
    let robots = match (&settings.robots, asked.user) {
        (Some(path), Some(user)) => super::robots::answers(
            tidegate_auth::robots::list(path)?,
            user,
            asked.repository.as_ref(),
            &asked.actions,
            OffsetDateTime::now_utc(),
        ),
        _ => Vec::new(),
    };
    let says_nothing_of_addresses = settings.access.as_ref().is_none_or(|access| {
        let mut rules = access.rules.iter();
        rules.all(|rule| rule.addresses.is_empty())
    });
    if asked.json {
        let mut text = asked_as_json(asked, &answers, file);
        if settings.robots.is_some() {
            text["robots"] = robots.iter().map(RobotAnswer::as_json).collect();
        }
        tidegate_failure::print(&format!("{text:#}\n"));
    } else {
        let robots = robots.iter().map(RobotAnswer::as_text);
        let text = as_text(asked, &answers, file) + &robots.collect::<String>();
        tidegate_failure::print(&text);
    }
    if asked.from.is_none() && !says_nothing_of_addresses {
        inputs::warn(
            "some rules name addresses, and no --from says where the client is: \
             only those that refuse are taken to be about it",
        );
    }
    let may = |action| {
        let mut answers = answers.iter();
        answers.any(|answer| answer.action == action && answer.allowed)
            || robots.iter().any(|robot| robot.allows(action))
    };
    if may(Action::Delete) && (!registry.delete || registry.read_only) {
        inputs::warn("nobody can delete: `registry.delete` or `registry.read_only` says so");
    }
    if may(Action::Push) && registry.read_only {
        inputs::warn("nobody can push: `registry.read_only` says so");
    }
    Ok(())
}

/// Whether an action is allowed, and by what.
struct Answer<'a> {
    action: Action,
    allowed: bool,
    why: Why<'a>,
}

enum Why<'a> {
    /// This rule, at its index.
    Rule(usize, &'a AccessRules),
    /// What has no rule has a word for it, and a sentence.
    Else(&'static str, &'static str),
}

fn answer<'a>(asked: &Asked<'_>, settings: &'a Settings, action: Action) -> Answer<'a> {
    let Some(access) = &settings.access else {
        // Nobody is asked for a password, or the places of sites ask for it.
        let is_let_in = asked.user.is_some() || settings.auth.is_none();
        let why = if is_let_in {
            Why::Else(
                "no-access",
                "no [access]: whoever is let in may do everything",
            )
        } else {
            Why::Else(
                "no-access",
                "no [access]: who has not logged in may do nothing",
            )
        };
        return Answer {
            action,
            allowed: is_let_in,
            why,
        };
    };
    let request = Request {
        user: asked.user,
        client: asked.from,
        repository: asked
            .repository
            .as_ref()
            .filter(|_| action != Action::Catalog)
            .map(RepoName::as_str),
        action,
    };
    let Decision { allowed, reason } = Policy::new(access.clone()).decide(&request);
    let why = match reason {
        Reason::Rule(index) => Why::Rule(index, access),
        Reason::Anybody => Why::Else("anonymous", "access.anonymous: anybody may"),
        Reason::NoRule => Why::Else("no-rule", "no rule is about it"),
        Reason::LoggedIn => Why::Else("logged-in", "no rules: who has logged in may do everything"),
        Reason::NotLoggedIn => Why::Else(
            "not-logged-in",
            "no rules: who has not logged in may do nothing",
        ),
    };
    Answer {
        action,
        allowed,
        why,
    }
}

fn as_text(asked: &Asked<'_>, answers: &[Answer<'_>], file: &Path) -> String {
    let mut text = asked.user.unwrap_or("who has not logged in").to_owned();
    // Writing to a `String` cannot fail.
    if let Some(repository) = &asked.repository {
        let _ = write!(text, " in {repository}");
    }
    if let Some(from) = asked.from {
        let _ = write!(text, " from {from}");
    }
    text.push_str(":\n");
    for Answer {
        action,
        allowed,
        why,
    } in answers
    {
        let allowed = if *allowed { "allowed" } else { "refused" };
        let why = match why {
            Why::Rule(index, access) => {
                let rule = &access.rules[*index];
                let place = match rule.line {
                    Some(line) => format!("{}:{line}", file.display()),
                    None => format!("rule {}", index + 1),
                };
                format!("{place}: {}", described(rule))
            }
            Why::Else(_, sentence) => (*sentence).to_owned(),
        };
        let _ = writeln!(text, "  {:<8} {allowed}  {why}", action.as_str());
    }
    text
}

fn asked_as_json(asked: &Asked<'_>, answers: &[Answer<'_>], file: &Path) -> Value {
    let decisions = answers.iter().map(|answer| {
        let mut decision = json!({
            "action": answer.action.as_str(),
            "allowed": answer.allowed,
        });
        match &answer.why {
            Why::Rule(index, access) => {
                let rule = &access.rules[*index];
                decision["reason"] = json!("rule");
                decision["rule"] = json!({
                    "number": index + 1,
                    "file": file.display().to_string(),
                    "line": rule.line,
                    "says": described(rule),
                });
            }
            Why::Else(word, _) => decision["reason"] = json!(word),
        }
        decision
    });
    let decisions: Vec<Value> = decisions.collect();
    json!({
        "user": asked.user,
        "repository": asked.repository.as_ref().map(RepoName::as_str),
        "from": asked.from,
        "decisions": decisions,
    })
}
