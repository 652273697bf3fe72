//! Why a task stopped.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

/// Why a task stopped. Every message names the command, file or server meant.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A command could not be started at all.
    #[error("`{command}` could not be started")]
    Start {
        command: String,
        #[source]
        source: io::Error,
    },
    /// A command ran and failed.
    #[error("`{command}` failed: {status}{}", indented(.stderr))]
    Command {
        command: String,
        status: ExitStatus,
        /// What it wrote to standard error, if that was not shown already.
        stderr: String,
    },
    /// A command answered something that cannot be understood.
    #[error("`{command}` answered something unexpected: {got}; expected {expected}")]
    Answer {
        command: String,
        got: String,
        expected: String,
    },
    /// Programs are missing and may not be installed from here.
    #[error("missing: {}", .programs.join(", "))]
    Missing {
        programs: Vec<&'static str>,
        /// The line that installs them, where the system is known.
        install: Option<String>,
    },
    /// Programs are missing even though their packages were installed.
    #[error("still missing after `{install}`: {}", .programs.join(", "))]
    StillMissing {
        programs: Vec<&'static str>,
        install: String,
    },
    /// A program that a task starts works for root only.
    #[error("{program} must be started by root")]
    NeedsRoot { program: &'static str },
    /// A server that a task runs for itself did not come up, or went away.
    #[error("{name} {what}; the end of its log:{}", indented(.log))]
    Server {
        name: &'static str,
        what: String,
        log: String,
    },
    /// A server under test answered with another status than it must.
    #[error("{server}: {request} answered {got}, expected {expected}")]
    Status {
        server: &'static str,
        request: String,
        got: u16,
        expected: u16,
    },
    /// A load generator counted failures, so its figures mean nothing.
    #[error("{server}: {}", counted(*.failures, *.requests))]
    Failures {
        server: &'static str,
        failures: u64,
        requests: u64,
    },
    /// A file holds something that cannot be understood.
    #[error("{}: {got:?}; expected {expected}", .path.display())]
    File {
        path: PathBuf,
        got: String,
        expected: &'static str,
    },
    /// The user named a benchmark that does not exist.
    #[error("no such case: `{name}`; the cases are {known}")]
    UnknownCase { name: String, known: String },
    /// Some benchmarks could not be measured; why was said already.
    #[error("not measured: {}", .failed.join(", "))]
    Cases { failed: Vec<&'static str> },
    /// Requests cost more instructions than is recorded.
    #[error("more instructions than recorded:{}", indented(&.excesses.join("\n")))]
    Instructions { excesses: Vec<String> },
    /// A step of `ci` failed.
    #[error("step `{step}` failed")]
    Step {
        step: &'static str,
        #[source]
        source: Box<Error>,
    },
    /// SIGINT, SIGTERM or SIGHUP arrived; everything started was stopped.
    #[error("interrupted")]
    Interrupted,
    /// A file could not be read or written; the message names it.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Error {
    /// What to do about it, where that is known.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Missing {
                install: Some(line),
                ..
            } => Some(format!("run `{line}`")),
            Self::Missing { .. } => {
                Some("install them with this system's package manager".to_owned())
            }
            Self::NeedsRoot { .. } => {
                Some("run the same command with `sudo -E` before it".to_owned())
            }
            Self::Instructions { .. } => Some(
                "find what was added with `valgrind --tool=callgrind`; if it is meant, record it \
                 with `cargo xtask count --record`"
                    .to_owned(),
            ),
            Self::Step { source, .. } => source.hint(),
            _ => None,
        }
    }
}

fn counted(failures: u64, requests: u64) -> String {
    if requests == 0 {
        return "no request was answered in time".to_owned();
    }
    format!("{failures} of {requests} requests failed")
}

/// `text` on lines of its own below a message.
fn indented(text: &str) -> String {
    text.trim_end()
        .lines()
        .map(|line| format!("\n    {line}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn missing_programs_come_with_the_line_to_type() {
        let error = Error::Missing {
            programs: vec!["make", "cmake"],
            install: Some("sudo apk add make cmake".to_owned()),
        };
        assert_eq!(error.to_string(), "missing: make, cmake");
        assert_eq!(error.hint().unwrap(), "run `sudo apk add make cmake`");
    }

    #[test]
    fn a_failed_step_passes_its_hint_on() {
        let error = Error::Step {
            step: "clients",
            source: Box::new(Error::Missing {
                programs: vec!["skopeo"],
                install: None,
            }),
        };
        assert_eq!(error.to_string(), "step `clients` failed");
        assert!(error.hint().unwrap().contains("package manager"));
    }

    #[test]
    fn a_load_without_answers_is_not_called_zero_failures() {
        let error = |failures, requests| Error::Failures {
            server: "nginx",
            failures,
            requests,
        };
        assert_eq!(error(3, 7).to_string(), "nginx: 3 of 7 requests failed");
        assert_eq!(
            error(0, 0).to_string(),
            "nginx: no request was answered in time"
        );
    }

    #[test]
    fn a_log_stands_below_the_message() {
        let error = Error::Server {
            name: "dockerd",
            what: "stopped with exit status: 1".to_owned(),
            log: "first\nlast\n".to_owned(),
        };
        assert_eq!(
            error.to_string(),
            "dockerd stopped with exit status: 1; the end of its log:\n    first\n    last"
        );
    }
}
