//! The file: JSON, as `tidegate token` writes it and the server reads it.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use fs_err as fs;
use serde::{Deserialize, Serialize};
use tidegate_config::access::Actions;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::error::RobotsError;
use super::password::StoredPassword;
use super::robot::{Limits, Robot};
use crate::attempt::Identity;
use crate::htpasswd::UserName;

/// The only version so far. A later one may limit robots in ways that this
/// program knows nothing of, and is refused.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    robots: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    user: String,
    repositories: Vec<String>,
    actions: String,
    created: String,
    expires: Option<String>,
    description: String,
    sha256: String,
}

/// Reads a file. One that is not there has no robots.
pub(super) fn read(path: &Path) -> Result<Vec<Robot>, RobotsError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(RobotsError::Read {
                path: path.to_owned(),
                error,
            });
        }
    };
    parse(&bytes).map_err(|what| RobotsError::Content {
        path: path.to_owned(),
        what,
    })
}

/// What a file says; or what is wrong with it, and never what is secret in it.
fn parse(bytes: &[u8]) -> Result<Vec<Robot>, String> {
    let document: Document = serde_json::from_slice(bytes).map_err(|error| describe(&error))?;
    if document.version != VERSION {
        let version = document.version;
        return Err(format!("version {version}; this program knows {VERSION}"));
    }
    let mut ids = HashSet::new();
    let mut robots = Vec::with_capacity(document.robots.len());
    for (index, entry) in document.robots.iter().enumerate() {
        let number = index + 1;
        let robot = entry
            .read()
            .map_err(|what| format!("robot {number}: {what}"))?;
        if !ids.insert(robot.id) {
            return Err(format!("robot {number}: {} is there already", robot.id));
        }
        robots.push(robot);
    }
    Ok(robots)
}

/// serde's own words may quote a value, which may be a secret in the wrong place.
fn describe(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "it ends in the middle",
        serde_json::error::Category::Data => "a key is missing, unknown or of the wrong kind",
        _ => "it is no JSON",
    };
    format!(
        "{what}, at line {}, column {}",
        error.line(),
        error.column()
    )
}

/// What a file with these robots holds.
pub(super) fn text(robots: &[Robot]) -> String {
    let document = Document {
        version: VERSION,
        robots: robots.iter().map(Entry::of).collect(),
    };
    let text = serde_json::to_string_pretty(&document);
    text.expect("strings and numbers can be written as JSON") + "\n"
}

impl Entry {
    fn of(robot: &Robot) -> Self {
        let limits = &robot.limits;
        Self {
            id: robot.id.to_string(),
            user: robot.user.name().to_owned(),
            repositories: limits
                .repositories
                .iter()
                .map(ToString::to_string)
                .collect(),
            actions: limits.actions.to_string(),
            created: rfc3339(robot.created),
            expires: robot.expires.map(rfc3339),
            description: robot.description.clone(),
            sha256: robot.password.to_hex(),
        }
    }

    fn read(&self) -> Result<Robot, String> {
        let id = self.id.parse().map_err(|_| "`id` is none".to_owned())?;
        let at = |what: &str| format!("{id}: {what}");
        let user = UserName::parse(&self.user).map_err(|e| at(&e.to_string()))?;
        let repositories = self.repositories.iter().map(|text| text.parse());
        let repositories: Vec<_> = repositories
            .collect::<Result<_, _>>()
            .map_err(|e: tidegate_config::access::RepositoriesError| at(&e.to_string()))?;
        let actions: Actions = self
            .actions
            .parse()
            .map_err(|_| at("`actions` names one that is not known"))?;
        if repositories.is_empty() || actions.is_empty() {
            return Err(at("it may do nothing"));
        }
        let time = |text: &str| {
            OffsetDateTime::parse(text, &Rfc3339).map_err(|_| at("a time is not as in RFC 3339"))
        };
        Ok(Robot {
            id,
            user: Identity::new(user.as_str()),
            limits: Limits {
                repositories,
                actions,
            },
            created: time(&self.created)?,
            expires: self.expires.as_deref().map(time).transpose()?,
            description: self.description.clone(),
            password: StoredPassword::from_hex(&self.sha256)
                .ok_or_else(|| at("`sha256` is none"))?,
        })
    }
}

fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339)
        .expect("years of four digits can be written")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ENTRY: &str = r#"{
        "id": "abcdefgh", "user": "ci", "repositories": ["team/**", "~v[0-9]"],
        "actions": "pull,push", "created": "2026-01-01T00:00:00Z", "expires": null,
        "description": "nightly \"builds\"",
        "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    }"#;

    fn file(entries: &str) -> String {
        format!("{{\"version\": 1, \"robots\": [{entries}]}}")
    }

    fn refused(text: &str) -> String {
        parse(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let robots = parse(file(ENTRY).as_bytes()).unwrap();
        assert_eq!(robots.len(), 1);
        assert_eq!(robots[0].user().name(), "ci");
        assert_eq!(
            robots[0].limits().to_string(),
            "pull,push in team/**, ~v[0-9]"
        );
        assert_eq!(parse(text(&robots).as_bytes()).unwrap(), robots);
        assert_eq!(parse(text(&[]).as_bytes()).unwrap(), []);
    }

    #[test]
    fn a_robot_that_is_not_understood_is_not_believed() {
        let changed = |from: &str, to: &str| {
            assert!(ENTRY.contains(from), "{from}");
            refused(&file(&ENTRY.replace(from, to)))
        };
        for (from, to, said) in [
            ("\"abcdefgh\"", "\"abc\"", "robot 1: `id` is none"),
            (
                "\"ci\"",
                "\"c:i\"",
                "robot 1: abcdefgh: the user name contains `:`",
            ),
            ("team/**", "team/", "robot 1: abcdefgh: "),
            (
                "~v[0-9]",
                "~(",
                "robot 1: abcdefgh: `~(` is no regular expression",
            ),
            ("pull,push", "read", "robot 1: abcdefgh: `actions`"),
            (
                "\"team/**\", \"~v[0-9]\"",
                "",
                "robot 1: abcdefgh: it may do nothing",
            ),
            ("2026-01-01T", "yesterday ", "robot 1: abcdefgh: a time"),
            ("null", "\"soon\"", "robot 1: abcdefgh: a time"),
            ("e3b0", "", "robot 1: abcdefgh: `sha256` is none"),
            (
                "\"user\"",
                "\"only_from\": [], \"user\"",
                "a key is missing, unknown",
            ),
        ] {
            let message = changed(from, to);
            assert!(message.starts_with(said), "{message}");
        }
        let twice = refused(&file(&format!("{ENTRY},{ENTRY}")));
        assert_eq!(twice, "robot 2: abcdefgh is there already");
        assert_eq!(
            refused("{\"version\": 2, \"robots\": []}"),
            "version 2; this program knows 1"
        );
        assert_eq!(refused("{"), "it ends in the middle, at line 1, column 1");
        assert_eq!(refused(""), "it ends in the middle, at line 1, column 0");
        assert!(refused("hunter2").starts_with("it is no JSON"));
    }

    #[test]
    fn no_message_quotes_what_may_be_secret() {
        let secret = "tgr_abcdefgh_secretsecretsecret";
        for text in [
            format!("\"{secret}\""),
            format!("{{\"version\": \"{secret}\"}}"),
            format!("{{\"{secret}\": 1}}"),
            file(&ENTRY.replace("e3b0", secret)),
            file(&ENTRY.replace("abcdefgh", secret)),
        ] {
            assert!(
                !refused(&text).contains("secretsecret"),
                "{}",
                refused(&text)
            );
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in any::<Vec<u8>>(), at in 0usize..400, put in "\\PC{0,4}") {
            let _ = parse(&bytes);
            let mut text = file(ENTRY);
            let at = text.floor_char_boundary(at);
            text.replace_range(at..at, &put);
            let _ = parse(text.as_bytes());
        }
    }
}
