//! A YAML document as a tree in which everything knows where it comes from.

use std::fmt;
use std::ops::Range;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Location, Spanned};

/// A value, and who says it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tree {
    pub(crate) source: Source,
    pub(crate) value: Value,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Nothing,
    Truth(bool),
    /// A number as it is written, or nearly so.
    Number(String),
    Text(String),
    List(Vec<Tree>),
    /// In the order of the file.
    Mapping(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    /// Where the key stands.
    pub(crate) source: Source,
    pub(crate) tree: Tree,
}

/// Who says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The file, by bytes.
    File(Range<usize>),
    /// A variable of the environment, by its name.
    Variable(String),
}

/// Reads a document.
///
/// # Errors
/// Where and why it is not YAML.
pub(crate) fn read(text: &str) -> Result<Tree, (usize, String)> {
    let is_blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    if text.lines().all(is_blank) {
        return Ok(Tree::nothing(Source::File(0..0)));
    }
    let options = serde_saphyr::options! {
        // As the reader has it that this file was written for.
        duplicate_keys: DuplicateKeyPolicy::LastWins,
    };
    let read: Result<Spanned<Raw>, _> = serde_saphyr::from_str_with_options(text, options);
    match read {
        Ok(raw) => Ok(tree(raw, text)),
        Err(error) => {
            let at = error
                .location()
                .map_or(0, |location| range(text, &location).start);
            // What follows the first line shows the place, which is done here.
            let shown = error.without_snippet().to_string();
            let first = shown.lines().next().unwrap_or_default();
            Err((at, format!("it is not YAML: {first}")))
        }
    }
}

impl Tree {
    pub(crate) fn nothing(source: Source) -> Self {
        Self {
            source,
            value: Value::Nothing,
        }
    }

    /// Has everything in it come from a variable.
    pub(crate) fn said_by(mut self, variable: &str) -> Self {
        self.set_source(&Source::Variable(variable.to_owned()));
        self
    }

    fn set_source(&mut self, source: &Source) {
        self.source = source.clone();
        match &mut self.value {
            Value::List(items) => items.iter_mut().for_each(|item| item.set_source(source)),
            Value::Mapping(entries) => {
                for entry in entries {
                    entry.source = source.clone();
                    entry.tree.set_source(source);
                }
            }
            Value::Nothing | Value::Truth(_) | Value::Number(_) | Value::Text(_) => {}
        }
    }

    /// The entries of a mapping; none of what is no mapping.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The value of a key.
    #[cfg(test)]
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let entry = self.entries().iter().find(|entry| entry.key == key)?;
        Some(&entry.tree)
    }
}

impl Value {
    /// What it is called in a message.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Truth(_) => "a truth value",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Mapping(_) => "a mapping",
        }
    }

    /// A single value as text.
    pub(crate) fn as_text(&self) -> Option<String> {
        match self {
            Self::Truth(truth) => Some(truth.to_string()),
            Self::Number(text) | Self::Text(text) => Some(text.clone()),
            Self::Nothing | Self::List(_) | Self::Mapping(_) => None,
        }
    }
}

/// What serde sees, with places in lines and columns.
enum Raw {
    Nothing,
    Truth(bool),
    Number(String),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Mapping(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Nothing)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Raw, E> {
        Ok(Raw::Truth(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Raw, E> {
        Ok(Raw::Number(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Raw, E> {
        Ok(Raw::Number(number.to_string()))
    }

    fn visit_i128<E>(self, number: i128) -> Result<Raw, E> {
        Ok(Raw::Number(number.to_string()))
    }

    fn visit_u128<E>(self, number: u128) -> Result<Raw, E> {
        Ok(Raw::Number(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Raw, E> {
        Ok(Raw::Number(number.to_string()))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Raw, E> {
        Ok(Raw::Text(String::from_utf8_lossy(bytes).into_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut mapping = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            mapping.push(entry);
        }
        Ok(Raw::Mapping(mapping))
    }
}

fn tree(raw: Spanned<Raw>, text: &str) -> Tree {
    let source = Source::File(range(text, &raw.referenced));
    let value = match raw.value {
        Raw::Nothing => Value::Nothing,
        Raw::Truth(truth) => Value::Truth(truth),
        Raw::Number(number) => Value::Number(number),
        Raw::Text(text) => Value::Text(text),
        Raw::List(items) => Value::List(items.into_iter().map(|item| tree(item, text)).collect()),
        Raw::Mapping(entries) => mapping(entries, text),
    };
    Tree { source, value }
}

/// Of several entries with one key the last counts. Keys that are no single
/// values name nothing here, nor in the program that the file was written for.
fn mapping(raw: Vec<(Spanned<Raw>, Spanned<Raw>)>, text: &str) -> Value {
    let mut entries: Vec<Entry> = Vec::with_capacity(raw.len());
    for (key, value) in raw {
        let key = tree(key, text);
        let Some(name) = key.value.as_text() else {
            continue;
        };
        entries.retain(|entry| entry.key != name);
        entries.push(Entry {
            key: name,
            source: key.source,
            tree: tree(value, text),
        });
    }
    Value::Mapping(entries)
}

/// The bytes of a place.
fn range(text: &str, place: &Location) -> Range<usize> {
    let small = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let line = small(place.line()).saturating_sub(1);
    let Some(found) = text.split_inclusive('\n').nth(line) else {
        return text.len()..text.len();
    };
    let before: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let byte_of = |column: usize| {
        let place = found.char_indices().nth(column);
        before + place.map_or(found.len(), |(at, _)| at)
    };
    let column = small(place.column()).saturating_sub(1);
    let length = small(place.span().len());
    byte_of(column)..byte_of(column.saturating_add(length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place<'a>(text: &'a str, source: &Source) -> &'a str {
        match source {
            Source::File(range) => &text[range.clone()],
            Source::Variable(_) => "",
        }
    }

    #[test]
    fn everything_knows_where_it_stands() {
        let text = "# é\nversion: 0.1\nhttp:\n  headers:\n    X-é: [\"nosniff\", b]\n  addr: ':5000'\n  n: 17\nlast:\n";
        let tree = read(text).unwrap();
        let keys: Vec<_> = tree
            .entries()
            .iter()
            .map(|e| place(text, &e.source))
            .collect();
        assert_eq!(keys, ["version", "http", "last"]);
        let http = tree.get("http").unwrap();
        let keys: Vec<_> = http
            .entries()
            .iter()
            .map(|e| place(text, &e.source))
            .collect();
        assert_eq!(keys, ["headers", "addr", "n"]);
        let addr = http.get("addr").unwrap();
        assert_eq!(addr.value, Value::Text(":5000".to_owned()));
        assert_eq!(place(text, &addr.source), "':5000'");
        assert_eq!(
            tree.get("version").unwrap().value,
            Value::Number("0.1".to_owned())
        );
        assert_eq!(tree.get("last").unwrap().value, Value::Nothing);
        let Value::List(items) = &http.get("headers").unwrap().get("X-é").unwrap().value else {
            panic!("a list");
        };
        assert_eq!(place(text, &items[1].source), "b");
    }

    #[test]
    fn aliases_merges_and_repeated_keys_are_as_their_writer_meant_them() {
        let text = "a: &a {x: 1, z: 2}\nb:\n  <<: *a\n  z: 3\nc: *a\nd: 1\nd: 2\n";
        let tree = read(text).unwrap();
        let number =
            |key: &str, below: &str| tree.get(key).unwrap().get(below).unwrap().value.clone();
        assert_eq!(number("b", "x"), Value::Number("1".to_owned()));
        assert_eq!(number("b", "z"), Value::Number("3".to_owned()));
        assert_eq!(number("c", "z"), Value::Number("2".to_owned()));
        assert_eq!(tree.get("d").unwrap().value, Value::Number("2".to_owned()));
    }

    #[test]
    fn what_a_variable_says_is_said_by_it_throughout() {
        let tree = read("{a: [1, {b: 2}]}").unwrap().said_by("REGISTRY_X");
        let variable = Source::Variable("REGISTRY_X".to_owned());
        let Value::List(items) = &tree.get("a").unwrap().value else {
            panic!("a list");
        };
        assert_eq!(items[1].get("b").unwrap().source, variable);
    }

    proptest! {
        #[test]
        fn every_place_is_in_the_text(text in "[a-c:\\-\\n é{}\\[\\],\"'&*!|>#<0-9]{0,80}") {
            fn check(tree: &Tree, text: &str) {
                if let Source::File(range) = &tree.source {
                    assert!(text.get(range.clone()).is_some(), "{range:?}");
                }
                match &tree.value {
                    Value::List(items) => items.iter().for_each(|item| check(item, text)),
                    _ => tree.entries().iter().for_each(|entry| check(&entry.tree, text)),
                }
            }
            if let Ok(tree) = read(&text) {
                check(&tree, &text);
            }
        }
    }
}
