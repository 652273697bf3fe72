//! A mapping that is read key by key, so that nothing in it goes unmentioned.

use std::cell::RefCell;
use std::time::Duration;

use super::report::{Problem, Report};
use super::schema;
use super::tree::{Entry, Source, Tree, Value};
use super::value;
use crate::finding::Verdict;

/// A mapping of the file, or the place where one would be.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    path: String,
    source: Option<&'a Source>,
    entries: &'a [Entry],
    asked: RefCell<Vec<String>>,
    report: &'a Report<'a>,
}

/// A key of a [`Section`] with its value, or the place where one would be.
#[derive(Debug, Clone)]
pub(crate) struct Field<'a> {
    path: String,
    entry: Option<&'a Entry>,
    report: &'a Report<'a>,
}

impl<'a> Section<'a> {
    /// Reads the whole file, and says of the keys that were not asked for that
    /// they are unknown.
    pub(crate) fn read_root<T>(
        root: &'a Tree,
        report: &'a Report<'a>,
        read: impl FnOnce(&Self) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        Self::of(String::new(), None, root.entries(), report).read(read)
    }

    fn of(
        path: String,
        source: Option<&'a Source>,
        entries: &'a [Entry],
        report: &'a Report<'a>,
    ) -> Self {
        Self {
            path,
            source,
            entries,
            asked: RefCell::default(),
            report,
        }
    }

    fn read<T>(self, read: impl FnOnce(&Self) -> Result<T, Problem>) -> Result<T, Problem> {
        let result = read(&self)?;
        let asked = self.asked.into_inner();
        for entry in self.entries {
            if !asked.contains(&entry.key) {
                let path = schema::join(&self.path, &entry.key);
                let nearest = self.report.schema().nearest(&self.path, &entry.key);
                self.report.record(&path, entry, &Verdict::Unknown(nearest));
            }
        }
        Ok(result)
    }

    /// Reads the mapping below a key; an empty one if there is none.
    pub(crate) fn section<T>(
        &self,
        key: &str,
        read: impl FnOnce(&Section<'a>) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let field = self.field(key);
        let Some(entry) = field.entry else {
            return Section::of(field.path, None, &[], self.report).read(read);
        };
        match &entry.tree.value {
            Value::Mapping(_) | Value::Nothing => {
                if entry.tree.entries().is_empty() {
                    field.harmless("it is empty");
                }
                let entries = entry.tree.entries();
                Section::of(field.path, Some(&entry.source), entries, self.report).read(read)
            }
            other => Err(field.expected("a mapping", other)),
        }
    }

    /// Reads each mapping of the list below a key.
    pub(crate) fn sections<T>(
        &self,
        key: &str,
        mut read: impl FnMut(&Section<'a>) -> Result<T, Problem>,
    ) -> Result<Vec<T>, Problem> {
        let field = self.field(key);
        let Some(entry) = field.entry else {
            return Ok(Vec::new());
        };
        let items = match &entry.tree.value {
            Value::List(items) => items,
            Value::Nothing => {
                field.harmless("it is empty");
                return Ok(Vec::new());
            }
            other => return Err(field.expected("a list", other)),
        };
        if items.is_empty() {
            field.harmless("it is empty");
        }
        let one = |item: &'a Tree| match &item.value {
            Value::Mapping(_) => {
                let path = field.path.clone();
                Section::of(path, Some(&item.source), item.entries(), self.report).read(&mut read)
            }
            other => Err(field.expected("a list of mappings", other)),
        };
        items.iter().map(one).collect()
    }

    /// Reads what stands below each key of a mapping whose keys are of its user's
    /// choice: their names as they are written, and what is below them.
    pub(crate) fn each<T>(
        &self,
        read: impl FnMut(String, Field<'a>) -> Result<T, Problem>,
    ) -> Result<Vec<T>, Problem> {
        let mut read = read;
        let one = |entry: &'a Entry| {
            let field = self.field(&entry.key);
            let written = self.report.as_written(&entry.source);
            read(written.unwrap_or(&entry.key).to_owned(), field)
        };
        self.entries.iter().map(one).collect()
    }

    /// The key that was most likely meant by one that is not known here.
    pub(crate) fn nearest(&self, key: &str) -> Option<String> {
        self.report.schema().nearest(&self.path, key)
    }

    /// The line on which it begins, from 1; 0 if it is not there.
    pub(crate) fn line(&self) -> usize {
        self.source.map_or(0, |source| self.report.line(source))
    }

    /// A key, of which the caller says what becomes of it.
    pub(crate) fn field(&self, key: &str) -> Field<'a> {
        self.asked.borrow_mut().push(key.to_owned());
        Field {
            path: schema::join(&self.path, key),
            entry: self.entries.iter().find(|entry| entry.key == key),
            report: self.report,
        }
    }

    /// A key that does here what it does there.
    pub(crate) fn honoured(&self, key: &str) -> Field<'a> {
        let field = self.field(key);
        field.record(&Verdict::Honoured);
        field
    }

    /// A key on which nothing depends here, and why.
    pub(crate) fn harmless(&self, key: &str, why: &str) {
        self.field(key).harmless(why);
    }

    /// A key that cannot be honoured, and why.
    pub(crate) fn refused(&self, key: &str, why: &str) {
        self.field(key).refused(why);
    }

    /// The keys that are there.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.entries.iter().map(|entry| entry.key.as_str())
    }

    /// Whether there is something below a key.
    pub(crate) fn says(&self, key: &str) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.key == key && entry.tree.value != Value::Nothing)
    }

    /// Something is wrong with the section as a whole.
    pub(crate) fn problem(&self, what: &str, hint: &str) -> Problem {
        match self.source {
            Some(source) => self.report.problem(&self.path, source, what, Some(hint)),
            None => self.report.missing(&self.path, what, hint),
        }
    }
}

impl<'a> Field<'a> {
    /// Says what becomes of it, if it is there.
    pub(crate) fn record(&self, verdict: &Verdict) {
        if let Some(entry) = self.entry {
            self.report.record(&self.path, entry, verdict);
        }
    }

    pub(crate) fn honoured(&self) {
        self.record(&Verdict::Honoured);
    }

    pub(crate) fn harmless(&self, why: &str) {
        self.record(&Verdict::Harmless(why.to_owned()));
    }

    pub(crate) fn replaced(&self, by: &str) {
        self.record(&Verdict::Replaced(by.to_owned()));
    }

    pub(crate) fn refused(&self, why: &str) {
        self.record(&Verdict::Refused(why.to_owned()));
    }

    /// Says what becomes of it as a whole, if it is there.
    pub(crate) fn record_key(&self, verdict: &Verdict) {
        if let Some(entry) = self.entry {
            self.report.record_key(&self.path, &entry.source, verdict);
        }
    }

    /// Reads the mapping that it is.
    pub(crate) fn mapping<T>(
        &self,
        read: impl FnOnce(&Section<'a>) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let Some(entry) = self.entry else {
            return Section::of(self.path.clone(), None, &[], self.report).read(read);
        };
        match &entry.tree.value {
            Value::Mapping(entries) => {
                let source = Some(&entry.source);
                Section::of(self.path.clone(), source, entries, self.report).read(read)
            }
            other => Err(self.expected("a mapping", other)),
        }
    }

    /// Whether it is not there.
    pub(crate) fn is_missing(&self) -> bool {
        self.entry.is_none()
    }

    /// Whether it is there, and nothing follows it.
    pub(crate) fn is_nothing(&self) -> bool {
        self.entry.is_some() && self.value().is_none()
    }

    /// A single value as it is written, an empty one too; `None` if nothing
    /// follows the key.
    pub(crate) fn scalar(&self) -> Result<Option<String>, Problem> {
        let Some((entry, value)) = self.entry.zip(self.value()) else {
            return Ok(None);
        };
        let text = self.scalar_of(&entry.tree);
        text.map(Some).ok_or_else(|| self.expected("text", value))
    }

    /// A list of single values as they are written; one alone is no list. `None`
    /// if nothing follows the key.
    pub(crate) fn scalars(&self) -> Result<Option<Vec<String>>, Problem> {
        let Some(value) = self.value() else {
            return Ok(None);
        };
        let Value::List(items) = value else {
            return Err(self.expected("a list, in brackets", value));
        };
        let one = |item: &Tree| match &item.value {
            Value::Nothing => Ok(String::new()),
            other => {
                let text = self.scalar_of(item);
                text.ok_or_else(|| self.expected("a list of texts", other))
            }
        };
        items.iter().map(one).collect::<Result<_, _>>().map(Some)
    }

    fn scalar_of(&self, tree: &Tree) -> Option<String> {
        let written = match tree.value {
            Value::Truth(_) | Value::Number(_) => self.report.as_written(&tree.source),
            _ => None,
        };
        written.map(str::to_owned).or_else(|| tree.value.as_text())
    }

    /// The value, unless it is nothing.
    fn value(&self) -> Option<&'a Value> {
        let value = &self.entry?.tree.value;
        (*value != Value::Nothing).then_some(value)
    }

    /// Text; a number or a truth value as it is written. An empty text is none.
    pub(crate) fn text(&self) -> Result<Option<String>, Problem> {
        let Some(value) = self.value() else {
            return Ok(None);
        };
        match value.as_text() {
            Some(text) => Ok(Some(text).filter(|text| !text.is_empty())),
            None => Err(self.expected("text", value)),
        }
    }

    /// A truth value, also by the words that YAML 1.1 has for it.
    pub(crate) fn truth(&self) -> Result<Option<bool>, Problem> {
        match self.value() {
            None => Ok(None),
            Some(Value::Truth(truth)) => Ok(Some(*truth)),
            Some(other) => match other
                .as_text()
                .map(|text| text.to_ascii_lowercase())
                .as_deref()
            {
                Some("true" | "yes" | "on" | "y") => Ok(Some(true)),
                Some("false" | "no" | "off" | "n") => Ok(Some(false)),
                _ => Err(self.expected("true or false", other)),
            },
        }
    }

    /// Whether it is `true`.
    pub(crate) fn is_true(&self) -> Result<bool, Problem> {
        Ok(self.truth()? == Some(true))
    }

    /// A time as Go writes it: `168h`, `1h30m`.
    pub(crate) fn duration(&self) -> Result<Option<Duration>, Problem> {
        let Some(text) = self.text()? else {
            return Ok(None);
        };
        let duration = value::duration(&text);
        let wrong = || {
            self.problem(
                &format!("`{text}` is no duration"),
                "write it as 168h or 1h30m",
            )
        };
        duration.map(Some).ok_or_else(wrong)
    }

    /// A number that is not negative.
    pub(crate) fn number(&self) -> Result<Option<u64>, Problem> {
        let Some(value) = self.value() else {
            return Ok(None);
        };
        let number = value.as_text().and_then(|text| text.parse().ok());
        number
            .map(Some)
            .ok_or_else(|| self.expected("a number", value))
    }

    /// A list of texts; a text alone is a list of one.
    pub(crate) fn texts(&self) -> Result<Vec<String>, Problem> {
        let Some(value) = self.value() else {
            return Ok(Vec::new());
        };
        let items = match value {
            Value::List(items) => items.iter().map(|item| &item.value).collect(),
            single => vec![single],
        };
        let text = |value: &Value| {
            let text = value.as_text();
            text.ok_or_else(|| self.expected("a list of texts", value))
        };
        items.into_iter().map(text).collect()
    }

    /// The keys of a mapping with a list of texts, or a text, each.
    pub(crate) fn named_texts(&self) -> Result<Vec<(String, Vec<String>)>, Problem> {
        let Some(value) = self.value() else {
            return Ok(Vec::new());
        };
        let Value::Mapping(entries) = value else {
            return Err(self.expected("a mapping", value));
        };
        let named = |entry: &'a Entry| {
            let below = Field {
                path: schema::join(&self.path, &entry.key),
                entry: Some(entry),
                report: self.report,
            };
            Ok((entry.key.clone(), below.texts()?))
        };
        entries.iter().map(named).collect()
    }

    /// Something is wrong with it.
    pub(crate) fn problem(&self, what: &str, hint: &str) -> Problem {
        self.wrong(what, Some(hint))
    }

    fn expected(&self, what: &str, got: &Value) -> Problem {
        self.wrong(&format!("expected {what}, got {}", got.kind()), None)
    }

    fn wrong(&self, what: &str, hint: Option<&str>) -> Problem {
        let Some(entry) = self.entry else {
            let hint = hint.unwrap_or_default();
            return self.report.missing(&self.path, what, hint);
        };
        // Of what takes several lines, the key is shown.
        let source = match entry.tree.value {
            Value::List(_) | Value::Mapping(_) | Value::Nothing => &entry.source,
            _ => &entry.tree.source,
        };
        self.report.problem(&self.path, source, what, hint)
    }
}
