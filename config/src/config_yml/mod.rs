//! `config.yml`: the file that docker-registry reads, and the variables of the
//! environment that overrule it.
//!
//! A file becomes a [`Document`], which is a tree whose parts know where they
//! stand; the environment is laid over it by distribution's rule; then its
//! sections are read, one file of this directory for each kind, and of every key
//! it is said what becomes of it. A key that is not known is a finding and no
//! mistake: distribution passes over it as well.

mod access;
mod document;
mod http;
mod overlay;
mod schema;
mod storage;
#[cfg(test)]
mod tests;
mod token;
mod watching;

use std::path::Path;

use crate::diagnostic::Diagnostic;
use crate::finding::Verdict;
pub(crate) use crate::yaml::report::Problem;
use crate::yaml::tree::{Source, Tree, Value};
pub use crate::yaml::value::Mistake;
use crate::yaml::{report, section, tree, value};

/// A `config.yml`, with what overrules it.
#[derive(Debug, Clone)]
pub(crate) struct Document<'a> {
    path: &'a Path,
    text: &'a str,
    root: Tree,
    overruled: Vec<Overruled>,
    /// Variables that lead nowhere, and what becomes of them.
    strangers: Vec<(String, Verdict)>,
}

/// A key of the file in whose place a variable stands.
#[derive(Debug, Clone)]
struct Overruled {
    path: String,
    key: Source,
    value: Tree,
    variable: String,
}

/// Reads `text` as the content of a `config.yml` at `path`.
///
/// # Errors
/// It is not YAML, or no mapping.
pub(crate) fn parse<'a>(path: &'a Path, text: &'a str) -> Result<Document<'a>, Box<Diagnostic>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let wrong = |at, problem: String| Box::new(Diagnostic::new(path, text, at..at, problem));
    let root = tree::read(text).map_err(|(at, problem)| wrong(at, problem))?;
    if !matches!(root.value, Value::Mapping(_)) {
        let hint = "it begins with `version: 0.1`; a file of ours is named *.toml".to_owned();
        let wrong = wrong(0, "this is no configuration of a registry".to_owned());
        return Err(Box::new(wrong.with_hint(Some(hint))));
    }
    Ok(Document {
        path,
        text,
        root,
        overruled: Vec::new(),
        strangers: Vec::new(),
    })
}
