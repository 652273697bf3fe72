//! How a command fails: what the user reads, and the exit code.

use std::error::Error;
use std::fmt::Write as _;
use std::process::ExitCode;

/// Why a command ended without doing its work.
#[derive(Debug)]
pub(crate) struct Failure {
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
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            causes: vec![],
            hint: None,
            exit: Exit::Fixable,
        }
    }

    /// An error that a library reports, with the causes it names.
    pub(crate) fn of(error: &(dyn Error + 'static), hint: Option<String>) -> Self {
        let mut failure = Self::new(error.to_string());
        failure.hint = hint;
        failure.caused_by(error.source())
    }

    /// A command line that asks for what does not go together.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Unexpected,
            ..Self::new(message)
        }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Names what of the command line or of the surroundings is meant.
    pub(crate) fn concerning(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// Adds a cause and the causes behind it, each once.
    pub(crate) fn caused_by(mut self, mut cause: Option<&(dyn Error + 'static)>) -> Self {
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
    pub(crate) fn report(&self) -> ExitCode {
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

/// Makes `?` turn the errors of our crates into failures, hints kept.
macro_rules! failure_from {
    ($($error:ty),+ $(,)?) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::of(&error, error.hint())
            }
        }
    )+};
}

failure_from!(
    tidegate_config::LoadError,
    tidegate_auth::HtpasswdError,
    tidegate_proxy::BindError,
    tidegate_registry::OpenError,
    certs_tool::CertsError,
);

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
