//! What several commands read and say.

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

/// Every text as a `T`.
pub(super) fn parse_all<T>(argument: &str, texts: &[String]) -> Result<Vec<T>, Failure>
where
    T: std::str::FromStr,
    T::Err: Explain + 'static,
{
    texts.iter().map(|text| parse(argument, text)).collect()
}

/// Says what was made: where, for whom, until when.
pub(super) fn made(path: &Path, certificate: &Certificate) {
    done("made", path, certificate);
}

/// Says what was done to the certificate in `path`.
pub(super) fn done(what: &str, path: &Path, certificate: &Certificate) {
    let mut whom: Vec<String> = certificate
        .names()
        .iter()
        .map(ToString::to_string)
        .collect();
    // Clients look for a server's names, and servers for a client's subject.
    if whom.is_empty() || !certificate.is_for_servers() {
        whom.insert(0, certificate.subject().to_owned());
    }
    let whom = printable(&whom.join(", "));
    tidegate_failure::say(&format!(
        "{what} {} for {whom}, until {}\n     SHA-256 {}",
        path.display(),
        certificate.not_after().date(),
        certificate.fingerprint_sha256()
    ));
}

/// Without what a terminal would obey: a request may have any subject.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| match c.is_control() {
            true => c.escape_default().collect::<Vec<_>>(),
            false => vec![c],
        })
        .collect()
}

/// Says it in the user's words.
pub(super) fn say(what: &str) {
    tidegate_failure::say(what);
}

/// Says what the user should know besides.
#[expect(clippy::print_stderr, reason = "warnings are messages")]
pub(super) fn warn(what: &str) {
    eprintln!("warning: {what}");
}

/// Says why a certificate is valid for fewer days than asked for.
pub(super) fn warn_if_shortened(shortened: bool) {
    if shortened {
        warn("it ends with its CA, sooner than asked for");
    }
}
