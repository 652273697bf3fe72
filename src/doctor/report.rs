//! What the doctor has to say: one line for each check.

use std::fmt;

use serde::Serialize;

/// The whole report; with `--json`, this object is the output.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// What was examined, as an image reference begins: `host` or `host:port`.
    pub(super) registry: String,
    /// Whether no check failed. Unless `push_tried`, that says nothing about
    /// who may push.
    pub(super) ok: bool,
    /// Whether an upload was started.
    pub(super) push_tried: bool,
    /// Each check once, in the order in which a client meets them; `trust` once
    /// for `--ca`, and for each client that is found, and for the system's own
    /// store if it trusts the server or nobody else could.
    pub(super) checks: Vec<Check>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    /// What was looked at.
    pub(super) check: Subject,
    /// What came of it.
    pub(super) status: Status,
    /// What was seen, for people.
    pub(super) text: String,
    /// What to do about it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hint: Option<String>,
}

/// What a check looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Subject {
    /// The name leads to addresses.
    Resolve,
    /// Something accepts connections there.
    Port,
    /// TLS of a version that clients speak.
    Tls,
    /// The certificates that the server sends, and their order.
    Chain,
    /// The certificate is for the name.
    Name,
    /// The certificates are valid now, and for some time.
    Expiry,
    /// `--ca`, or a client of this machine, trusts the server.
    Trust,
    /// HTTP/2 works if the server offers it.
    Http2,
    /// `/v2/` answers as a registry does.
    Api,
    /// `Docker-Distribution-Api-Version` is there.
    ApiVersion,
    /// The server's clock and this one agree.
    Clock,
    /// A connection lives through a second without requests.
    Idle,
    /// How the registry asks for a password.
    Auth,
    /// The password is right.
    Credentials,
    /// An upload can be started.
    Upload,
    /// The registry sends clients back to where they came from.
    Location,
    /// A layer larger than what proxies let through by default.
    BodyLimit,
    /// A layer whose bytes pause for a second.
    SlowUpload,
    /// The upload is gone again.
    Cancel,
}

impl Subject {
    /// In the order of a report.
    const ALL: [Self; 19] = [
        Self::Resolve,
        Self::Port,
        Self::Tls,
        Self::Chain,
        Self::Name,
        Self::Expiry,
        Self::Trust,
        Self::Http2,
        Self::Api,
        Self::ApiVersion,
        Self::Clock,
        Self::Idle,
        Self::Auth,
        Self::Credentials,
        Self::Upload,
        Self::Location,
        Self::BodyLimit,
        Self::SlowUpload,
        Self::Cancel,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Port => "port",
            Self::Tls => "tls",
            Self::Chain => "chain",
            Self::Name => "name",
            Self::Expiry => "expiry",
            Self::Trust => "trust",
            Self::Http2 => "http2",
            Self::Api => "api",
            Self::ApiVersion => "api-version",
            Self::Clock => "clock",
            Self::Idle => "idle",
            Self::Auth => "auth",
            Self::Credentials => "credentials",
            Self::Upload => "upload",
            Self::Location => "location",
            Self::BodyLimit => "body-limit",
            Self::SlowUpload => "slow-upload",
            Self::Cancel => "cancel",
        }
    }
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Status {
    /// As it should be.
    Ok,
    /// A push works, but something should be looked at.
    Warn,
    /// It keeps clients from pushing.
    Fail,
    /// Not looked at; the text says why.
    Skipped,
}

impl Check {
    pub(super) fn ok(check: Subject, text: impl Into<String>) -> Self {
        Self::new(check, Status::Ok, text)
    }

    pub(super) fn warn(check: Subject, text: impl Into<String>) -> Self {
        Self::new(check, Status::Warn, text)
    }

    pub(super) fn fail(check: Subject, text: impl Into<String>) -> Self {
        Self::new(check, Status::Fail, text)
    }

    pub(super) fn skipped(check: Subject, text: impl Into<String>) -> Self {
        Self::new(check, Status::Skipped, text)
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A failure that keeps nobody from pushing in what was asked.
    pub(super) fn softened(mut self) -> Self {
        if self.failed() {
            self.status = Status::Warn;
        }
        self
    }

    pub(super) fn failed(&self) -> bool {
        self.status == Status::Fail
    }

    fn new(check: Subject, status: Status, text: impl Into<String>) -> Self {
        Self {
            check,
            status,
            text: text.into(),
            hint: None,
        }
    }
}

impl Report {
    pub(super) fn new(registry: impl fmt::Display) -> Self {
        Self {
            registry: registry.to_string(),
            ok: true,
            push_tried: false,
            checks: vec![],
        }
    }

    /// Adds a check.
    pub(super) fn say(&mut self, check: Check) {
        self.ok &= !check.failed();
        self.checks.push(check);
    }

    /// Adds what was not reached, so that every report names every check.
    pub(super) fn finish(mut self, why: &str) -> Self {
        for subject in Subject::ALL {
            if !self.checks.iter().any(|check| check.check == subject) {
                self.say(Check::skipped(subject, why));
            }
        }
        self.checks
            .sort_by_key(|check| Subject::ALL.iter().position(|s| *s == check.check));
        self
    }

    pub(super) fn failures(&self) -> usize {
        self.checks.iter().filter(|check| check.failed()).count()
    }
}

/// As people read it: a line for each check, its hint on the next one. What was
/// skipped for one reason is one line.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alike = |a: &Check, b: &Check| {
            a.status == Status::Skipped && b.status == Status::Skipped && a.text == b.text
        };
        for checks in self.checks.chunk_by(alike) {
            let Some(first) = checks.first() else {
                continue;
            };
            let status = match first.status {
                Status::Ok => "ok  ",
                Status::Warn => "warn",
                Status::Fail => "FAIL",
                Status::Skipped => "skip",
            };
            let names: Vec<_> = checks.iter().map(|check| check.check.name()).collect();
            let separator = if names.len() == 1 { "  " } else { ": " };
            writeln!(
                f,
                "{status}  {:<11}{separator}{}",
                names.join(", "),
                first.text
            )?;
            if let Some(hint) = &first.hint {
                writeln!(f, "hint: {hint}")?;
            }
        }
        Ok(())
    }
}

/// What a server wrote, fit for a line on a terminal.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 120;
    let line = text.lines().next().unwrap_or_default().trim();
    let mut shown: String = line.chars().take(LONGEST).collect();
    if shown.len() < line.len() {
        shown.push('…');
    }
    shown.escape_debug().to_string().replace("\\\"", "\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_every_check_in_order() {
        let mut report = Report::new("registry.lan");
        report.say(Check::fail(Subject::Api, "no").hint("mend it"));
        report.say(Check::ok(Subject::Resolve, "yes"));
        let report = report.finish("there is no answer");
        let names: Vec<_> = report.checks.iter().map(|c| c.check).collect();
        assert_eq!(names, Subject::ALL);
        assert!(!report.ok);
        assert_eq!(report.failures(), 1);

        let text = report.to_string();
        assert_eq!(
            text,
            "ok    resolve      yes\n\
             skip  port, tls, chain, name, expiry, trust, http2: there is no answer\n\
             FAIL  api          no\n\
             hint: mend it\n\
             skip  api-version, clock, idle, auth, credentials, upload, location, \
             body-limit, slow-upload, cancel: there is no answer\n"
        );
    }

    #[test]
    fn json_has_the_names_that_people_read() {
        for subject in Subject::ALL {
            let json = serde_json::to_value(Check::ok(subject, "x")).unwrap();
            assert_eq!(
                json,
                serde_json::json!({"check": subject.name(), "status": "ok", "text": "x"})
            );
        }
    }

    #[test]
    fn what_servers_say_cannot_touch_the_terminal() {
        assert_eq!(shown("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb");
        assert_eq!(shown("Basic realm=\"x\""), "Basic realm=\"x\"");
        assert_eq!(shown(&"é".repeat(200)).chars().count(), 121);
    }
}
