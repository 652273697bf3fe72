//! What is found in a file, and what is wrong with it.

use std::cell::RefCell;
use std::ops::Range;
use std::path::Path;

use super::schema::{self, Schema};
use super::tree::{Entry, Source, Tree, Value};
use super::value::Mistake;
use crate::diagnostic::Diagnostic;
use crate::finding::{Finding, Verdict};

/// A key or value that is shown has no more characters than this.
const SHOWN: usize = 100;

/// What stops the reading: a mistake in the file, or in a variable over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// In the file.
    File(Box<Diagnostic>),
    /// In a variable, or in the file as a whole.
    Key(Mistake),
}

/// The findings about a file and the variables over it, as they come.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    file: &'a Path,
    text: &'a str,
    schema: &'static Schema,
    findings: RefCell<Vec<(Source, Finding)>>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(file: &'a Path, text: &'a str, schema: &'static Schema) -> Self {
        Self {
            file,
            text,
            schema,
            findings: RefCell::default(),
        }
    }

    /// Says of a key, and of all that is below it, what becomes of it.
    pub(crate) fn record(&self, path: &str, entry: &Entry, verdict: &Verdict) {
        self.record_tree(path, &entry.source, &entry.tree, verdict);
    }

    /// Says of a value, and of all that is below it, what becomes of it.
    pub(crate) fn record_tree(&self, path: &str, key: &Source, tree: &Tree, verdict: &Verdict) {
        match &tree.value {
            Value::Mapping(entries) if !entries.is_empty() => {
                for entry in entries {
                    self.record(&schema::join(path, &entry.key), entry, verdict);
                }
            }
            Value::List(items) if items.iter().any(|item| !item.entries().is_empty()) => {
                for item in items {
                    self.record_tree(path, &item.source, item, verdict);
                }
            }
            value => self.add(key, self.subject(path, value, verdict), verdict.clone()),
        }
    }

    /// Says what becomes of a variable that is about no key.
    pub(crate) fn record_variable(&self, name: &str, verdict: Verdict) {
        self.add(&Source::Variable(name.to_owned()), name.to_owned(), verdict);
    }

    fn add(&self, source: &Source, mut subject: String, verdict: Verdict) {
        let location = match source {
            Source::File(range) => {
                let place = self.diagnostic(range.clone(), String::new());
                Some(place.location().clone())
            }
            Source::Variable(name) => {
                if *name != subject {
                    subject = format!("{subject} ({name})");
                }
                None
            }
        };
        let finding = Finding {
            location,
            subject,
            verdict,
        };
        self.findings.borrow_mut().push((source.clone(), finding));
    }

    /// Something is wrong with a value.
    pub(crate) fn problem(
        &self,
        path: &str,
        source: &Source,
        what: &str,
        hint: Option<&str>,
    ) -> Problem {
        match source {
            Source::File(range) => {
                let message = format!("`{}`: {what}", shown(path));
                let diagnostic = self
                    .diagnostic(range.clone(), message)
                    .with_hint(hint.map(str::to_owned));
                Problem::File(Box::new(if self.schema.is_secret(path) {
                    diagnostic.without_line()
                } else {
                    diagnostic
                }))
            }
            Source::Variable(name) => Problem::Key(Mistake::new(path, what, Some(name), hint)),
        }
    }

    /// Something is wrong that stands nowhere.
    pub(crate) fn missing(&self, path: &str, what: &str, hint: &str) -> Problem {
        Problem::Key(Mistake::new(path, what, None, Some(hint)))
    }

    /// Says of a key as a whole what becomes of it, whatever is below it.
    pub(crate) fn record_key(&self, path: &str, key: &Source, verdict: &Verdict) {
        self.add(key, shown(path), verdict.clone());
    }

    /// The text of a single value as it stands in the file, where it stands there
    /// without quotes: `007` and `yes` are texts to who asks for one.
    pub(crate) fn as_written(&self, source: &Source) -> Option<&'a str> {
        let Source::File(range) = source else {
            return None;
        };
        let text = self.text.get(range.clone())?;
        let is_plain = text.starts_with(|c: char| c.is_alphanumeric() || "+-.~_".contains(c));
        (is_plain && !text.contains('\n')).then_some(text)
    }

    /// The line on which something stands, from 1.
    pub(crate) fn line(&self, source: &Source) -> usize {
        match source {
            Source::File(range) => {
                let place = self.diagnostic(range.clone(), String::new());
                place.location().line
            }
            Source::Variable(_) => 0,
        }
    }

    /// The format that is read.
    pub(crate) fn schema(&self) -> &'static Schema {
        self.schema
    }

    /// The first thing that cannot be honoured, as a mistake.
    pub(crate) fn first_refusal(&self) -> Option<Problem> {
        let findings = self.findings.borrow();
        findings.iter().find_map(|(source, finding)| {
            let Verdict::Refused(why) = &finding.verdict else {
                return None;
            };
            let key = finding.subject.split(':').next().unwrap_or_default();
            Some(self.problem(key, source, why, None))
        })
    }

    /// All findings, in the order of the file, and then those about variables.
    pub(crate) fn into_findings(self) -> Vec<Finding> {
        let mut findings = self.findings.into_inner();
        findings.sort_by_key(|(source, _)| match source {
            Source::File(range) => range.start,
            Source::Variable(_) => usize::MAX,
        });
        findings.into_iter().map(|(_, finding)| finding).collect()
    }

    /// A key and, unless it may be a secret or is unknown, its value.
    fn subject(&self, path: &str, value: &Value, verdict: &Verdict) -> String {
        let may_show = !self.schema.is_secret(path) && !matches!(verdict, Verdict::Unknown(_));
        match value.as_text().filter(|_| may_show) {
            Some(text) => format!("{}: {}", shown(path), shown(&text)),
            None => shown(path),
        }
    }

    fn diagnostic(&self, range: Range<usize>, message: String) -> Diagnostic {
        Diagnostic::new(self.file, self.text, range, message)
    }
}

/// Text as it may be printed: not too long, and in one line.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown.escape_debug().to_string()
}
