//! `tidegate.toml`: the file that `tidegate up` writes and `tidegate serve` reads.
//!
//! [`file`] mirrors the file key by key, and [`whole`] checks what no single value
//! shows.

mod access;
mod check;
mod client_auth;
mod collect;
mod explain;
mod file;
mod mistake;
mod observe;
mod registry;
mod site;
mod token;
mod value;
mod whole;
mod write;

use std::path::Path;

use self::explain::explain;
pub use self::write::write;
use crate::diagnostic::Diagnostic;
use crate::settings::Settings;

/// Checks `text` as the content of a `tidegate.toml` at `path`.
///
/// # Errors
/// The first mistake in it, with its place and how to mend it.
pub fn parse(path: &Path, text: &str) -> Result<Settings, Box<Diagnostic>> {
    // Editors on Windows put a byte-order mark there.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let file: file::File = toml::from_str(text).map_err(|e| Box::new(explain(path, text, &e)))?;
    whole::settings(file, path, text)
}

#[cfg(test)]
mod tests;
