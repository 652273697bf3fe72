//! `tidegate token`: passwords for programs, with rights of their own.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;
use tidegate_auth::htpasswd::UserName;
use tidegate_auth::robots::{self, Limits, NewRobot, Robot, RobotId};
use tidegate_config::access::{Action, Actions, Repositories};
use tidegate_failure::Failure;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a password for a program, and show it this once
    Create(Create),
    /// Show which there are, without their passwords
    List(List),
    /// Take them back: they are wrong from the next second on
    Revoke(Revoke),
}

#[derive(Args)]
struct Configuration {
    /// The configuration of the registry
    #[arg(short, long, value_name = "FILE", default_value = "tidegate.toml")]
    config: PathBuf,
}

#[derive(Args)]
pub(crate) struct Create {
    #[command(flatten)]
    configuration: Configuration,

    /// The user name that goes with the password in `docker login`; it need not
    /// be one of the password file
    #[arg(long)]
    user: UserName,

    /// A repository that it is for, or a pattern: `*` stops at a slash, `**` does
    /// not, and `~` begins a regular expression; may be given more than once
    #[arg(long = "repo", value_name = "PATTERN", required = true)]
    repositories: Vec<Repositories>,

    /// What it is for: pull, push, delete, catalog, with commas between them, or *
    #[arg(long)]
    actions: Actions,

    /// How long it is good for; without this, until it is revoked
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: Option<u32>,

    /// What to remember it by
    #[arg(long, default_value = "", hide_default_value = true)]
    description: String,

    /// Show password, id and rights as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct List {
    #[command(flatten)]
    configuration: Configuration,

    /// Show them as a JSON array
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    configuration: Configuration,

    /// As `tidegate token list` shows them, and as they stand in the password
    /// itself: tgr_ID_…
    #[arg(value_name = "ID", required = true)]
    ids: Vec<RobotId>,
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Create(arguments) => create(arguments),
        Command::List(arguments) => list(&arguments),
        Command::Revoke(arguments) => revoke(&arguments),
    }
}

impl Configuration {
    /// The file of robots.
    fn robots(&self) -> Result<PathBuf, Failure> {
        let settings = tidegate_config::load(&self.config)?;
        settings.robots.ok_or_else(|| {
            let config = self.config.display();
            Failure::new(format!("{config} does not say where robots are kept")).with_hint(
                "add `robots = \"auth/robots.json\"` to its [auth], and restart the server",
            )
        })
    }
}

fn create(arguments: Create) -> Result<(), Failure> {
    let path = arguments.configuration.robots()?;
    if arguments.description.contains(char::is_control) {
        return Err(Failure::usage("--description: a control character in it")
            .with_hint("write it on one line"));
    }
    let (robot, password) = robots::create(
        &path,
        NewRobot {
            user: arguments.user,
            limits: Limits {
                repositories: arguments.repositories,
                actions: arguments.actions,
            },
            expires: arguments.days.map(|days| start_of_second() + DAY * days),
            description: arguments.description,
        },
    )?;
    say(&format!(
        "made robot {} of user {}: {}; {}",
        robot.id(),
        robot.user(),
        robot.limits(),
        match robot.expires() {
            Some(expires) => format!("until {}", rfc3339(expires)),
            None => "until it is revoked".to_owned(),
        }
    ));
    let actions = robot.limits().actions;
    if actions.contains(Action::Push) && !actions.contains(Action::Pull) {
        crate::inputs::warn("docker asks what is there before it pushes: it needs pull as well");
    }
    if arguments.json {
        let mut shown = shown(&robot);
        shown["password"] = json!(*password);
        tidegate_failure::say(&shown.to_string());
    } else {
        say("this is its password; it is not shown again:");
        tidegate_failure::say(&password);
    }
    Ok(())
}

fn list(arguments: &List) -> Result<(), Failure> {
    let robots = robots::list(&arguments.configuration.robots()?)?;
    if arguments.json {
        let shown: Vec<_> = robots.iter().map(shown).collect();
        tidegate_failure::say(&json!(shown).to_string());
    } else if robots.is_empty() {
        say("no robots");
    } else {
        tidegate_failure::print(&table(&robots, OffsetDateTime::now_utc()));
    }
    Ok(())
}

fn revoke(arguments: &Revoke) -> Result<(), Failure> {
    let revoked = robots::revoke(&arguments.configuration.robots()?, &arguments.ids)?;
    for robot in revoked {
        say(&format!(
            "revoked robot {} of user {}",
            robot.id(),
            robot.user()
        ));
    }
    Ok(())
}

fn table(robots: &[Robot], now: OffsetDateTime) -> String {
    let heading = ["ID", "USER", "RIGHTS", "CREATED", "EXPIRES", "DESCRIPTION"];
    let mut rows = vec![heading.map(str::to_owned)];
    rows.extend(robots.iter().map(|robot| {
        [
            robot.id().to_string(),
            robot.user().to_string(),
            robot.limits().to_string(),
            robot.created().date().to_string(),
            match robot.expires() {
                Some(_) if robot.is_expired(now) => "expired".to_owned(),
                Some(expires) => expires.date().to_string(),
                None => "never".to_owned(),
            },
            robot.description().to_owned(),
        ]
    }));
    let width = |column: usize| {
        let lengths = rows.iter().map(|row| row[column].chars().count());
        lengths.max().unwrap_or_default()
    };
    let widths: [usize; 6] = std::array::from_fn(width);
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(widths);
        let cells: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn shown(robot: &Robot) -> serde_json::Value {
    let limits = robot.limits();
    let repositories: Vec<_> = limits
        .repositories
        .iter()
        .map(ToString::to_string)
        .collect();
    let actions: Vec<_> = limits.actions.iter().map(Action::as_str).collect();
    json!({
        "id": robot.id().as_str(),
        "user": robot.user().name(),
        "repositories": repositories,
        "actions": actions,
        "created": rfc3339(robot.created()),
        "expires": robot.expires().map(rfc3339),
        "description": robot.description(),
    })
}

fn start_of_second() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(0).unwrap_or(now)
}

/// A time to the second.
pub(crate) fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339)
        .expect("years of four digits can be written")
}

#[expect(clippy::print_stderr, reason = "this is where messages go")]
fn say(what: &str) {
    eprintln!("{what}");
}
