//! What is wrong with a section as a whole, or with several that stand together.

use std::ops::Range;
use std::path::Path;

use crate::diagnostic::Diagnostic;

/// What is wrong, where, and how to mend it.
pub(super) struct Mistake {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) hint: String,
}

impl Mistake {
    pub(super) fn new(
        span: Range<usize>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            span,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// As it is shown to whoever wrote the file at `path` with this `text`.
    pub(super) fn shown(self, path: &Path, text: &str) -> Diagnostic {
        Diagnostic::new(path, text, self.span, self.message).with_hint(Some(self.hint))
    }
}
