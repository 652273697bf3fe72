//! What an entry of the audit log tells, and how it is written.

use std::net::IpAddr;

use serde::Serialize;
use time::OffsetDateTime;

use crate::attempt::Identity;
use crate::log_line::{escaped, rfc3339};
use crate::robots::RobotId;

/// Something that somebody did, or tried to do.
#[derive(Debug, Clone)]
pub struct Event {
    /// What it was.
    pub deed: Deed,
    /// To what.
    pub object: Option<Object>,
    /// In which repository.
    pub repository: Option<String>,
    /// By which tag or digest.
    pub reference: Option<String>,
    /// What that was at the time.
    pub digest: Option<String>,
    /// The repository that a blob was mounted from.
    pub from: Option<String>,
    /// Who, if it is known: never a name that is in no file, for people type
    /// their password there.
    pub user: Option<Identity>,
    /// How they showed who they are.
    pub shown: Option<Shown>,
    /// The address of the client itself.
    pub client: Option<IpAddr>,
    /// What the client says it is.
    pub user_agent: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// The status of the answer. `None` if the client went before there was one.
    pub status: Option<u16>,
    /// The size of the content, in bytes.
    pub bytes: Option<u64>,
    /// What the request is called in the events of webhooks.
    pub request: Option<String>,
}

impl Event {
    /// Somebody who shows a password and is answered so.
    #[must_use]
    pub fn login(status: u16) -> Self {
        Self {
            deed: Deed::Login,
            object: None,
            repository: None,
            reference: None,
            digest: None,
            from: None,
            user: None,
            shown: Some(Shown::Password),
            client: None,
            user_agent: None,
            outcome: Outcome::of_status(status),
            status: Some(status),
            bytes: None,
            request: None,
        }
    }
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Deed {
    /// Shows a password and asks for nothing else.
    Login,
    /// Gets something.
    Pull,
    /// Stores something.
    Push,
    /// Takes a blob over from another repository.
    Mount,
    /// Removes something.
    Delete,
    /// Lists repositories.
    Catalog,
    /// Asks for a token.
    Token,
}

/// What it is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Object {
    /// A manifest, by tag or digest; or the tag alone.
    Manifest,
    /// A blob.
    Blob,
    /// A blob in the making.
    Upload,
    /// The tags of a repository.
    Tags,
    /// What refers to a manifest.
    Referrers,
}

/// By what somebody showed who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// By nothing.
    Nothing,
    /// By the password of a user.
    Password,
    /// By the password of a robot, this one if it is known.
    Robot(Option<RobotId>),
    /// By a certificate.
    Certificate,
    /// By a token.
    Token,
}

impl Shown {
    fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "anonymous",
            Self::Password => "password",
            Self::Robot(_) => "robot",
            Self::Certificate => "certificate",
            Self::Token => "token",
        }
    }
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    Allowed,
    /// Whoever it was may not do it.
    Denied,
    /// What was shown is wrong.
    Unauthorized,
    /// Nothing was looked at, since too much was wrong before.
    Throttled,
    /// It was allowed, and not done.
    Failed,
    /// The client went before it was answered: it may be done or not.
    Aborted,
}

impl Outcome {
    /// What an answer says of it.
    #[must_use]
    pub fn of_status(status: u16) -> Self {
        match status {
            ..=399 => Self::Allowed,
            401 => Self::Unauthorized,
            403 => Self::Denied,
            429 => Self::Throttled,
            _ => Self::Failed,
        }
    }
}

/// A line as it is written; the order of the fields is that of the file.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    action: Deed,
    object: Option<Object>,
    repository: Option<&'a str>,
    reference: Option<&'a str>,
    digest: Option<&'a str>,
    from: Option<&'a str>,
    user: Option<&'a str>,
    auth: Option<&'static str>,
    robot: Option<&'a str>,
    client: Option<IpAddr>,
    status: Option<u16>,
    outcome: Outcome,
    bytes: Option<u64>,
    user_agent: Option<&'a str>,
    request: Option<&'a str>,
}

/// Says that events are missing.
#[derive(Serialize)]
struct Gap {
    time: String,
    action: &'static str,
    events: u64,
}

/// The first characters of what a client says it is.
fn beginning(text: &str) -> &str {
    let end = text.char_indices().nth(LONGEST_USER_AGENT);
    &text[..end.map_or(text.len(), |(at, _)| at)]
}

/// As many characters are kept of what a client says it is.
const LONGEST_USER_AGENT: usize = 256;

/// Adds the line of an event.
pub(super) fn write(lines: &mut Vec<u8>, at: OffsetDateTime, event: &Event) {
    let user_agent = event.user_agent.as_deref();
    let robot = match &event.shown {
        Some(Shown::Robot(Some(id))) => Some(id.as_str()),
        _ => None,
    };
    write_line(
        lines,
        &Line {
            time: rfc3339(at),
            action: event.deed,
            object: event.object,
            repository: event.repository.as_deref(),
            reference: event.reference.as_deref(),
            digest: event.digest.as_deref(),
            from: event.from.as_deref(),
            user: event.user.as_ref().map(Identity::name),
            auth: event.shown.map(Shown::as_str),
            robot,
            client: event.client.map(|client| client.to_canonical()),
            status: event.status,
            outcome: event.outcome,
            bytes: event.bytes,
            user_agent: user_agent.map(beginning),
            request: event.request.as_deref(),
        },
    );
}

/// Adds the line that says how many are missing before it.
pub(super) fn write_gap(lines: &mut Vec<u8>, at: OffsetDateTime, events: u64) {
    write_line(
        lines,
        &Gap {
            time: rfc3339(at),
            action: "dropped",
            events,
        },
    );
}

/// In ASCII: what a terminal or another program takes for the end of a line, or
/// for a command, can be outside of it as well.
fn write_line(lines: &mut Vec<u8>, line: &impl Serialize) {
    let json = serde_json::to_string(line).expect("texts and numbers can be written as JSON");
    let ascii = escaped(json, |character| matches!(character, ' '..='~'));
    lines.extend_from_slice(ascii.as_bytes());
    lines.push(b'\n');
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    const AT: OffsetDateTime = datetime!(2026-06-01 12:00:00.25 UTC);

    pub(in crate::audit) fn event() -> Event {
        Event {
            deed: Deed::Pull,
            object: Some(Object::Manifest),
            repository: Some("team/app".to_owned()),
            reference: Some("v1".to_owned()),
            digest: Some("sha256:00".to_owned()),
            from: None,
            user: Some(Identity::new("ci")),
            shown: Some(Shown::Robot("abcdefgh".parse().ok())),
            client: Some("::ffff:192.0.2.1".parse().unwrap()),
            user_agent: Some("docker/27".to_owned()),
            outcome: Outcome::Allowed,
            status: Some(200),
            bytes: Some(1234),
            request: None,
        }
    }

    fn line(event: &Event) -> String {
        let mut lines = Vec::new();
        write(&mut lines, AT, event);
        String::from_utf8(lines).unwrap()
    }

    #[test]
    fn a_line_tells_who_did_what() {
        assert_eq!(
            line(&event()),
            "{\"time\":\"2026-06-01T12:00:00.250Z\",\"action\":\"pull\",\"object\":\"manifest\",\
             \"repository\":\"team/app\",\"reference\":\"v1\",\"digest\":\"sha256:00\",\
             \"from\":null,\"user\":\"ci\",\"auth\":\"robot\",\"robot\":\"abcdefgh\",\
             \"client\":\"192.0.2.1\",\"status\":200,\"outcome\":\"allowed\",\"bytes\":1234,\
             \"user_agent\":\"docker/27\",\"request\":null}\n"
        );
        let mut lines = Vec::new();
        write_gap(&mut lines, AT, 7);
        assert_eq!(
            String::from_utf8(lines).unwrap(),
            "{\"time\":\"2026-06-01T12:00:00.250Z\",\"action\":\"dropped\",\"events\":7}\n"
        );
    }

    #[test]
    fn the_status_tells_the_outcome() {
        for (status, outcome) in [
            (200, Outcome::Allowed),
            (201, Outcome::Allowed),
            (304, Outcome::Allowed),
            (400, Outcome::Failed),
            (401, Outcome::Unauthorized),
            (403, Outcome::Denied),
            (404, Outcome::Failed),
            (429, Outcome::Throttled),
            (500, Outcome::Failed),
        ] {
            assert_eq!(Outcome::of_status(status), outcome, "{status}");
        }
    }

    proptest! {
        #[test]
        fn a_line_is_one_line_whatever_a_client_sends(
            user in any::<String>(),
            repository in any::<String>(),
            reference in any::<String>(),
            user_agent in any::<String>(),
        ) {
            let hostile = Event {
                user: Some(Identity::new(&user)),
                repository: Some(repository.clone()),
                reference: Some(reference.clone()),
                user_agent: Some(user_agent.clone()),
                ..event()
            };
            let line = line(&hostile);
            let text = line.strip_suffix('\n').unwrap();
            prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{}", text);
            let read: serde_json::Value = serde_json::from_str(text).unwrap();
            prop_assert_eq!(read["user"].as_str().unwrap(), user);
            prop_assert_eq!(read["repository"].as_str().unwrap(), repository);
            prop_assert_eq!(read["reference"].as_str().unwrap(), reference);
            prop_assert!(user_agent.starts_with(read["user_agent"].as_str().unwrap()));
            prop_assert_eq!(&read["outcome"], "allowed");
        }
    }
}
