//! What the user sees: messages on standard error, results on standard output.

use std::io::{self, Write as _};

use crate::error::Error;

/// A line about what happens now.
pub(crate) fn note(text: &str) {
    to_stderr(text);
}

/// The start of a part of the work.
pub(crate) fn title(text: &str) {
    to_stderr(&format!("\n==> {text}"));
}

/// A failure, its causes, and what to do about it.
pub(crate) fn error(error: &Error) {
    to_stderr(&format!("error: {error}"));
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        to_stderr(&format!("  caused by: {error}"));
        cause = error.source();
    }
    if let Some(hint) = error.hint() {
        to_stderr(&format!("hint: {hint}"));
    }
}

/// What a program would read.
pub(crate) fn result(text: &str) {
    // Nobody is left to read it if standard output is closed.
    let _ = writeln!(io::stdout(), "{text}");
}

fn to_stderr(text: &str) {
    // There is no better place to report that standard error is closed.
    let _ = writeln!(io::stderr(), "{text}");
}
