//! What was counted before, in a file of the repository.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::error::Error;
use crate::process;
use crate::workspace::Workspace;

/// Instructions for one request, by the name of the case.
pub(super) type Counts = BTreeMap<String, u64>;

/// What the counts depend on beside the code.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Recorder {
    /// As `rustc --version` says it.
    rustc: String,
    /// As `/proc/cpuinfo` says it: libraries choose their code by it.
    processor: String,
}

/// The recorded counts, and by what.
#[derive(Debug)]
pub(super) struct Recorded {
    recorder: Recorder,
    counts: Counts,
}

/// What a comparison gave.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Findings {
    /// Worth a line.
    pub(super) notes: Vec<String>,
    /// Cases that cost more than they may.
    pub(super) excesses: Vec<String>,
}

/// By how much a count may differ on the machine that recorded it, in percent:
/// what the scheduler and the timers make of a run.
const TOLERANCE: u64 = 8;
/// The same with another compiler, or on another processor.
const TOLERANCE_ELSEWHERE: u64 = 25;

impl Recorder {
    /// This machine and its compiler.
    pub(super) fn of(workspace: &Workspace) -> Result<Self, Error> {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut rustc = std::process::Command::new(rustc);
        rustc.current_dir(workspace.root()).arg("--version");
        let cpu = fs_err::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpu.lines().find(|line| line.starts_with("model name"));
        Ok(Self {
            rustc: process::output(&mut rustc)?.trim().to_owned(),
            processor: model
                .and_then(|line| line.split_once(": "))
                .map_or(std::env::consts::ARCH, |(_, name)| name)
                .to_owned(),
        })
    }
}

/// Reads what is recorded in `file`.
pub(super) fn read(file: &Path) -> Result<Recorded, Error> {
    let text = fs_err::read_to_string(file)?;
    parse(&text).ok_or_else(|| Error::File {
        path: file.to_owned(),
        got: text.chars().take(80).collect(),
        expected: "what `cargo xtask count --record` writes",
    })
}

fn parse(text: &str) -> Option<Recorded> {
    let json: Value = serde_json::from_str(text).ok()?;
    let word = |name: &str| Some(json["recorded by"][name].as_str()?.to_owned());
    let counts = json["instructions per request"].as_object()?.iter();
    Some(Recorded {
        recorder: Recorder {
            rustc: word("rustc")?,
            processor: word("processor")?,
        },
        counts: counts
            .map(|(name, count)| Some((name.clone(), count.as_u64()?)))
            .collect::<Option<_>>()?,
    })
}

/// Writes `counts` to `file`.
pub(super) fn write(file: &Path, recorder: &Recorder, counts: &Counts) -> Result<(), Error> {
    let mut text = serde_json::to_string_pretty(&json!({
        "recorded by": {"rustc": recorder.rustc, "processor": recorder.processor},
        "instructions per request": counts,
    }))
    .map_err(std::io::Error::from)?;
    text.push('\n');
    Ok(fs_err::write(file, text)?)
}

/// Compares what was counted with what is recorded.
pub(super) fn compare(recorded: &Recorded, recorder: &Recorder, counts: &Counts) -> Findings {
    let mut findings = Findings::default();
    let tolerance = if recorded.recorder == *recorder {
        TOLERANCE
    } else {
        findings.notes.push(format!(
            "recorded with {} on {}: here a count may differ by {TOLERANCE_ELSEWHERE} %",
            recorded.recorder.rustc, recorded.recorder.processor
        ));
        TOLERANCE_ELSEWHERE
    };
    for (name, &got) in counts {
        let Some(&expected) = recorded.counts.get(name) else {
            findings
                .excesses
                .push(format!("{name}: {got}, nothing is recorded"));
            continue;
        };
        if got * 100 > expected * (100 + tolerance) {
            findings.excesses.push(format!(
                "{name}: {got}, recorded {expected} and {tolerance} %"
            ));
        } else if got * 100 < expected * (100 - tolerance) {
            findings.notes.push(format!(
                "{name}: {got}, recorded {expected}: record what was gained"
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder(rustc: &str) -> Recorder {
        Recorder {
            rustc: rustc.to_owned(),
            processor: "p".to_owned(),
        }
    }

    fn compared(got: u64, rustc: &str) -> Findings {
        let recorded = Recorded {
            recorder: recorder("1.90"),
            counts: [("pull".to_owned(), 1000)].into(),
        };
        compare(
            &recorded,
            &recorder(rustc),
            &[("pull".to_owned(), got)].into(),
        )
    }

    #[test]
    fn what_costs_more_than_the_tolerance_is_found() {
        assert_eq!(compared(1080, "1.90"), Findings::default());
        assert_eq!(compared(920, "1.90"), Findings::default());
        assert_eq!(
            compared(1081, "1.90").excesses,
            ["pull: 1081, recorded 1000 and 8 %"]
        );
        assert_eq!(compared(919, "1.90").notes.len(), 1);
    }

    #[test]
    fn another_compiler_has_more_room() {
        assert!(compared(1250, "1.91").excesses.is_empty());
        assert_eq!(compared(1251, "1.91").excesses.len(), 1);
    }

    #[test]
    fn a_case_without_a_record_is_found() {
        let recorded = Recorded {
            recorder: recorder("1.90"),
            counts: Counts::new(),
        };
        let counts = [("push".to_owned(), 1)].into();
        let findings = compare(&recorded, &recorder("1.90"), &counts);
        assert_eq!(findings.excesses, ["push: 1, nothing is recorded"]);
    }

    #[test]
    fn what_is_written_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("counts.json");
        let counts: Counts = [("pull".to_owned(), 7)].into();
        write(&file, &recorder("1.90"), &counts).unwrap();
        let read = read(&file).unwrap();
        assert_eq!(read.counts, counts);
        assert_eq!(read.recorder, recorder("1.90"));
        fs_err::write(&file, r#"{"instructions per request": {"pull": "x"}}"#).unwrap();
        assert!(super::read(&file).is_err());
    }
}
