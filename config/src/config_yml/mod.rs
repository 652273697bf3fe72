//! `config.yml`: the file that docker-registry reads, and the variables of the
//! environment that overrule it.
//!
//! A file becomes a [`Document`], which is a tree; the environment is laid over
//! it by distribution's rule; then the parts that mean something here are read.
//! Keys that mean nothing here are passed over, as distribution does.

mod overlay;
mod registry;
mod value;

use std::path::Path;

use serde_json::Value;

use crate::diagnostic::Diagnostic;

pub use self::value::Mistake;
use self::value::Node;

/// A `config.yml`, with what overrules it.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    root: Value,
    /// The variables that were laid over it, by the path of the key.
    overruled: Vec<(String, String)>,
}

/// Reads `text` as the content of a `config.yml` at `path`.
///
/// # Errors
/// It is not YAML, or no mapping.
pub(crate) fn parse(path: &Path, text: &str) -> Result<Document, Box<Diagnostic>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let wrong = |at, problem: String| Box::new(Diagnostic::new(path, text, at..at, problem));
    let root: Value = yaml(text).map_err(|(at, problem)| wrong(at, problem))?;
    if !root.is_object() {
        let hint = "it begins with `version: 0.1`; a file of ours is named *.toml".to_owned();
        let wrong = wrong(0, "this is no configuration of a registry".to_owned());
        return Err(Box::new(wrong.with_hint(Some(hint))));
    }
    Ok(Document {
        root,
        overruled: Vec::new(),
    })
}

impl Document {
    /// The whole of it.
    fn node(&self) -> Node<'_> {
        Node::root(&self.root, &self.overruled)
    }
}

/// The value that a text means, or where and why it means none.
fn yaml(text: &str) -> Result<Value, (usize, String)> {
    let is_blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    if text.lines().all(is_blank) {
        return Ok(Value::Null);
    }
    serde_saphyr::from_str(text).map_err(|error| {
        let at = error.location().map_or(0, |location| {
            let line = usize::try_from(location.line()).unwrap_or(1);
            let column = usize::try_from(location.column()).unwrap_or(1);
            offset(text, line.saturating_sub(1), column.saturating_sub(1))
        });
        // What follows the first line shows the place, which is done here.
        let shown = error.without_snippet().to_string();
        let first = shown.lines().next().unwrap_or_default();
        (at, format!("it is not YAML: {first}"))
    })
}

/// The byte at a line and a column, both counted from 0.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let Some(found) = text.split_inclusive('\n').nth(line) else {
        return text.len();
    };
    let before: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let within = found.char_indices().nth(column);
    before + within.map_or(found.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_mistake_is_shown_where_it_stands() {
        let text = "version: 0.1\nstorage: {filesystem\nhttp: 1\n";
        let error = parse(Path::new("config.yml"), text).unwrap_err();
        let shown = error.to_string();
        assert!(shown.starts_with("config.yml:"), "{shown}");
        assert!(shown.contains("it is not YAML"), "{shown}");
        assert!(error.location().line >= 2, "{shown}");
    }

    #[test]
    fn what_is_no_mapping_is_no_configuration() {
        for text in ["", "# nothing\n", "text", "- a\n- b\n"] {
            let error = parse(Path::new("config.yml"), text).unwrap_err();
            assert!(error.hint().unwrap().contains("version: 0.1"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-z:\\-\\n {}\\[\\]\"'&*!|>#]{0,80}") {
            let _ = parse(Path::new("config.yml"), &text);
        }
    }
}
