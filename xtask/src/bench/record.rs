//! The figures of all runs, kept in a file, so that one case can be measured
//! again without the others.

use std::path::Path;

use serde_json::{Value, json};

use crate::bench::kind::Kind;
use crate::bench::limits::Limit;
use crate::bench::metric::Samples;
use crate::error::Error;

/// What was measured, and where and how.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Record {
    /// In the order in which they were first measured.
    pub(crate) cases: Vec<Entry>,
}

/// The last measurement of a case.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// What `--only` calls the case.
    pub(crate) case: String,
    /// The labels of its metrics then.
    pub(crate) labels: Vec<String>,
    /// The figures.
    pub(crate) samples: Samples,
    /// The share of CPU time that had nothing to do with it.
    pub(crate) others: f64,
    /// Where and with what.
    pub(crate) run: Run,
}

/// Where and with what cases were measured.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Run {
    /// Processor, memory, kernel.
    pub(crate) machine: String,
    /// Every program that took part.
    pub(crate) versions: Vec<String>,
    /// What the machine can do without any server.
    pub(crate) limits: Vec<Limit>,
    /// The command that measures the same again.
    pub(crate) command: String,
}

impl Record {
    /// Reads the file; a missing one holds nothing.
    pub(crate) fn read(file: &Path) -> Result<Self, Error> {
        if !file.exists() {
            return Ok(Self::default());
        }
        let text = fs_err::read_to_string(file)?;
        Self::parse(&text).ok_or_else(|| Error::File {
            path: file.to_owned(),
            got: text.chars().take(80).collect(),
            expected: "figures that `cargo xtask bench --write` has written",
        })
    }

    /// Writes the file, with a line for each case, so that a case measured
    /// again is one line of a change.
    pub(crate) fn write(&self, file: &Path) -> Result<(), Error> {
        let lines = self.cases.iter().map(|entry| entry.to_json().to_string());
        let lines: Vec<_> = lines.collect();
        let text = format!("{{\"cases\": [\n{}\n]}}\n", lines.join(",\n"));
        Ok(fs_err::write(file, text)?)
    }

    /// Puts `entry` in the place of the last measurement of its case.
    pub(crate) fn put(&mut self, entry: Entry) {
        match self.cases.iter_mut().find(|old| old.case == entry.case) {
            Some(old) => *old = entry,
            None => self.cases.push(entry),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let cases = value["cases"].as_array()?;
        let cases = cases.iter().map(Entry::from_json).collect::<Option<_>>()?;
        Some(Self { cases })
    }
}

impl Entry {
    fn to_json(&self) -> Value {
        let samples: serde_json::Map<_, _> = self
            .samples
            .iter()
            .map(|(kind, rows)| (kind.key().to_owned(), json!(rows)))
            .collect();
        let limits: Vec<_> = self.run.limits.iter().map(Limit::to_string).collect();
        json!({
            "case": self.case,
            "metrics": self.labels,
            "samples": samples,
            "others": self.others,
            "machine": self.run.machine,
            "versions": self.run.versions,
            "limits": limits,
            "command": self.run.command,
        })
    }

    fn from_json(value: &Value) -> Option<Self> {
        let mut samples = Samples::new();
        for (key, rows) in value["samples"].as_object()? {
            let kind = Kind::ALL.iter().find(|kind| kind.key() == key)?;
            let rows = rows.as_array()?;
            samples.insert(*kind, rows.iter().map(numbers).collect::<Option<_>>()?);
        }
        Some(Self {
            case: text(&value["case"])?,
            labels: texts(&value["metrics"])?,
            samples,
            others: value["others"].as_f64()?,
            run: Run {
                machine: text(&value["machine"])?,
                versions: texts(&value["versions"])?,
                limits: texts(&value["limits"])?
                    .iter()
                    .map(|line| Limit::parse(line))
                    .collect::<Option<_>>()?,
                command: text(&value["command"])?,
            },
        })
    }
}

fn numbers(row: &Value) -> Option<Vec<f64>> {
    row.as_array()?.iter().map(Value::as_f64).collect()
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(text).collect()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Entry, Record, Run};
    use crate::bench::kind::Kind;
    use crate::bench::limits::Limit;
    use crate::bench::metric::Samples;

    fn entry(case: &str, figure: f64) -> Entry {
        Entry {
            case: case.to_owned(),
            labels: vec!["requests/s".to_owned()],
            samples: Samples::from([
                (Kind::Recipe, vec![vec![figure], vec![2.5]]),
                (Kind::Tidegate, vec![vec![3.0]]),
            ]),
            others: 0.01,
            run: Run {
                machine: "a machine".to_owned(),
                versions: vec!["a 1".to_owned()],
                limits: vec![Limit::parse("memcpy 5.75 GiB/s on one core").unwrap()],
                command: "cargo xtask bench".to_owned(),
            },
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("figures.json");
        assert_eq!(Record::read(&file).unwrap(), Record::default());
        let mut record = Record::default();
        record.put(entry("manifest", 1.25));
        record.put(entry("pull", 7.0));
        record.write(&file).unwrap();
        assert_eq!(Record::read(&file).unwrap(), record);
        let text = fs_err::read_to_string(&file).unwrap();
        assert_eq!(text.lines().count(), 4, "{text}");
    }

    #[test]
    fn a_case_measured_again_leaves_the_others() {
        let mut record = Record::default();
        record.put(entry("manifest", 1.0));
        record.put(entry("pull", 2.0));
        record.put(entry("manifest", 3.0));
        assert_eq!(record.cases, [entry("manifest", 3.0), entry("pull", 2.0)]);
    }

    #[test]
    fn another_file_is_refused_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("figures.json");
        fs_err::write(&file, r#"{"cases":[{"case":"pull"}]}"#).unwrap();
        let error = Record::read(&file).unwrap_err().to_string();
        assert!(error.contains("figures.json"), "{error}");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(?s).*", kind in "[a-z]*") {
            let _ = Record::parse(&text);
            let _ = Record::parse(&format!(r#"{{"cases":[{{"samples":{{"{kind}":[[1]]}}}}]}}"#));
        }
    }
}
