//! A mistake in a file, shown where it stands.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A place in a file. Lines and columns count from 1; columns are characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file as the user named it.
    pub file: PathBuf,
    /// The line.
    pub line: usize,
    /// The column of the first character meant.
    pub column: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

/// What is wrong with a file, where, and how to mend it.
///
/// `Display` gives the message with its place, the line itself, and carets
/// under the part that is meant; the hint is for the caller to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    location: Location,
    message: String,
    hint: Option<String>,
    /// `None` where it may hold a secret.
    line: Option<String>,
    width: usize,
}

impl Diagnostic {
    /// A diagnostic about the bytes `span` of `source`, the text of `file`.
    pub(crate) fn new(file: &Path, source: &str, span: Range<usize>, message: String) -> Self {
        let start = floor_char_boundary(source, span.start);
        let before = &source[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = source[line_start..].lines().next().unwrap_or_default();
        let marked_end =
            floor_char_boundary(source, span.end.max(start)).min(line_start + line.len());
        let width = source
            .get(start..marked_end)
            .map_or(0, |marked| marked.chars().count());
        Self {
            location: Location {
                file: file.to_owned(),
                line: before.matches('\n').count() + 1,
                column: before[line_start..].chars().count() + 1,
            },
            message,
            hint: None,
            line: Some(line.to_owned()),
            width: width.max(1),
        }
    }

    pub(crate) fn with_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    /// Leaves out the line itself.
    pub(crate) fn without_line(mut self) -> Self {
        self.line = None;
        self
    }

    /// Where the mistake stands.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// What is wrong, without its place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How to mend it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(line) = &self.line else {
            return write!(f, "{}: {}", self.location, self.message);
        };
        let number = self.location.line.to_string();
        let gutter = " ".repeat(number.len());
        // Tabs are kept in front of the carets, so that they line up.
        let indent: String = line
            .chars()
            .take(self.location.column - 1)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        writeln!(f, "{}: {}", self.location, self.message)?;
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{number} | {line}")?;
        write!(f, "{gutter} | {indent}{}", "^".repeat(self.width))
    }
}

impl std::error::Error for Diagnostic {}

fn floor_char_boundary(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_place_is_shown_with_carets() {
        let source = "[log]\nlevel = \"ünfo\"\n";
        let start = source.find("\"ü").unwrap();
        let shown = Diagnostic::new(
            Path::new("t.toml"),
            source,
            start..start + "\"ünfo\"".len(),
            "no such level".to_owned(),
        )
        .to_string();
        assert_eq!(
            shown,
            "t.toml:2:9: no such level\n  |\n2 | level = \"ünfo\"\n  |         ^^^^^^"
        );
    }

    proptest! {
        #[test]
        fn any_span_of_any_text_can_be_shown(source: String, start in 0usize..100, len in 0usize..100) {
            let shown = Diagnostic::new(Path::new("f"), &source, start..start + len, "m".to_owned());
            prop_assert!(shown.to_string().contains('^'));
        }
    }
}
