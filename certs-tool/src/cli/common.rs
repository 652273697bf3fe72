//! What several commands take and say.

use std::path::Path;

use tidegate_failure::{Explain, Failure};

use crate::Certificate;

/// The text as a `T`; a mistake names the argument.
pub(super) fn parse<T>(argument: &str, text: &str) -> Result<T, Failure>
where
    T: std::str::FromStr,
    T::Err: Explain + 'static,
{
    text.parse()
        .map_err(|error| Failure::from(error).concerning(argument))
}

/// Says what was made: where, for whom, until when.
#[expect(clippy::print_stdout, reason = "this is the commands' output")]
pub(super) fn made(path: &Path, certificate: &Certificate) {
    let names: Vec<String> = certificate
        .names()
        .iter()
        .map(ToString::to_string)
        .collect();
    let whom = if names.is_empty() {
        certificate.subject().to_owned()
    } else {
        names.join(", ")
    };
    println!(
        "made {} for {whom}, until {}\n     SHA-256 {}",
        path.display(),
        certificate.not_after().date(),
        certificate.fingerprint_sha256()
    );
}

/// Says what the user should know besides.
#[expect(clippy::print_stderr, reason = "warnings are messages")]
pub(super) fn warn(what: &str) {
    eprintln!("warning: {what}");
}
