//! How a command fails: what the user reads, and the exit code.
//!
//! Every program of this workspace ends its commands this way: the error on
//! standard error, its causes, then a `hint:` line, and one of three exit codes.
//! Libraries implement [`Explain`] for the errors that a command may meet, and
//! `?` does the rest.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

/// Why a command ended without doing its work.
#[derive(Debug)]
pub struct Failure {
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
    exit: Exit,
}

/// The exit codes that `--help` promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Fixable = 1,
    Unexpected = 2,
}

impl Failure {
    /// Something that the user can mend.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            causes: vec![],
            hint: None,
            exit: Exit::Fixable,
        }
    }

    /// An error that a library reports, with the causes it names.
    #[must_use]
    pub fn of(error: &(dyn Error + 'static), hint: Option<String>) -> Self {
        let mut failure = Self::new(error.to_string());
        failure.hint = hint;
        failure.caused_by(error.source())
    }

    /// A command line that asks for what does not go together.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Unexpected,
            ..Self::new(message)
        }
    }

    /// What to do about it; takes the place of a hint given before.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Names what of the command line or of the surroundings is meant.
    #[must_use]
    pub fn concerning(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// Adds a cause and the causes behind it, each once.
    #[must_use]
    pub fn caused_by(mut self, mut cause: Option<&(dyn Error + 'static)>) -> Self {
        while let Some(error) = cause {
            let text = error.to_string();
            let said = self.causes.last().unwrap_or(&self.message);
            if !said.contains(&text) {
                self.causes.push(text);
            }
            cause = error.source();
        }
        self
    }

    /// Writes it to standard error.
    #[expect(clippy::print_stderr, reason = "this is where messages go")]
    pub fn report(&self) -> ExitCode {
        eprint!("{}", self.text());
        ExitCode::from(self.exit as u8)
    }

    fn text(&self) -> String {
        let mut text = format!("error: {}\n", self.message);
        for cause in &self.causes {
            let _ = writeln!(text, "  caused by: {cause}");
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(text, "hint: {hint}");
        }
        text
    }
}

/// Writes what a command has to tell to standard output.
///
/// Whoever closes it early, as `head` does, has read enough: the command goes on
/// with its work, and says no more.
#[expect(clippy::print_stderr, reason = "this is where messages go")]
pub fn print(text: &str) {
    let mut output = std::io::stdout().lock();
    let written = output.write_all(text.as_bytes());
    match written.and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("warning: standard output cannot be written: {error}");
        }
        _ => {}
    }
}

/// [`print()`] with the end of the line.
pub fn say(line: &str) {
    print(&format!("{line}\n"));
}

/// An error that may know its own remedy.
pub trait Explain: Error {
    /// What to do about it, where that is known.
    fn hint(&self) -> Option<String> {
        None
    }
}

impl<E: Explain + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::of(&error, error.hint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        #[source]
        cause: Option<Box<Layer>>,
    }

    fn layer(text: &'static str, cause: Option<Layer>) -> Layer {
        Layer {
            text,
            cause: cause.map(Box::new),
        }
    }

    #[test]
    fn the_whole_story_is_told_and_nothing_twice() {
        let error = layer(
            "cannot open the file: denied",
            Some(layer("denied", Some(layer("policy", None)))),
        );
        assert_eq!(
            Failure::of(&error, Some("ask root".to_owned())).text(),
            "error: cannot open the file: denied\n  caused by: policy\nhint: ask root\n"
        );
    }
}
