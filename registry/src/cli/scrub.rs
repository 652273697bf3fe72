//! `registry scrub`: reads everything again, and says what is wrong.

use std::io::IsTerminal;
use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tidegate_failure::Failure;

use super::common::{Configuration, Lines, block_on, count, size};
use crate::oci::Digest;
use crate::scrub::{Finding, Observer, Options, Report, run as scrub, state_file};
use crate::store::Maintain;

/// The arguments of `registry scrub`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Leave corrupt content where it is; without, it is moved aside, so that
    /// nobody gets it and a push can mend it
    #[arg(long)]
    no_quarantine: bool,

    /// Begin anew, and do not go on where an earlier run was interrupted
    #[arg(long)]
    restart: bool,

    /// Read no more than so many bytes in a second, such as 20MiB
    #[arg(long, value_name = "BYTES", value_parser = rate)]
    rate: Option<NonZeroU64>,

    /// How many threads read and hash; the default is one for each processor
    #[arg(long, value_name = "NUMBER")]
    threads: Option<NonZeroUsize>,

    /// Say it as one JSON document
    #[arg(long)]
    json: bool,

    /// Show no progress
    #[arg(short, long)]
    quiet: bool,

    #[command(flatten)]
    configuration: Configuration,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let settings = arguments.configuration.load()?;
    let store: Arc<dyn Maintain> = crate::open_existing_store(&settings)?;
    let state = state_file(&settings.root);
    if arguments.restart {
        crate::scrub::forget(&state)?;
    }
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let options = Options {
        quarantine: !arguments.no_quarantine && !settings.read_only,
        rate: arguments.rate,
        threads: arguments.threads.unwrap_or(threads),
        state: Some(state),
    };
    let progress = Progress::new(arguments);
    let report = block_on(async {
        tokio::select! {
            report = scrub(&store, &options, &progress) => report,
            _ = tokio::signal::ctrl_c() => {
                // Dropping the scrub keeps what it wrote down last.
                progress.stopped.store(true, Ordering::Relaxed);
                Ok(Report::default())
            }
        }
    })?;
    progress.bar.finish_and_clear();
    let report = report?;
    if progress.stopped.load(Ordering::Relaxed) {
        return Err(Failure::new("stopped before the end")
            .with_hint("run it again: it goes on where it was"));
    }
    say(arguments, &report);
    if report.findings.is_empty() {
        return Ok(());
    }
    let number = count(report.findings.len() as u64, "thing");
    Err(Failure::new(format!("{number} wrong")))
}

fn say(arguments: &Arguments, report: &Report) {
    let lines = Lines::default();
    if arguments.json {
        let document = Document {
            contents: report.contents,
            bytes: report.bytes,
            repositories: report.repositories,
            findings: &report.findings,
        };
        let json = serde_json::to_string_pretty(&document);
        lines.say(&json.expect("texts and numbers have a JSON form"));
    } else {
        for finding in &report.findings {
            lines.say(&format!("{finding}\n    to mend it: {}", finding.mend));
        }
        lines.say(&format!(
            "checked {} of {} in {}{}",
            size(report.bytes),
            count(report.contents, "blob"),
            match report.repositories {
                1 => "1 repository".to_owned(),
                number => format!("{number} repositories"),
            },
            match (report.resumed, report.findings.is_empty()) {
                (true, true) => ", with what an earlier run had checked: all is well",
                (true, false) => ", with what an earlier run had checked",
                (false, true) => ": all is well",
                (false, false) => "",
            }
        ));
    }
    lines.flush();
}

#[derive(Serialize)]
struct Document<'a> {
    contents: u64,
    bytes: u64,
    repositories: u64,
    findings: &'a [Finding],
}

/// A bar on a terminal, and nothing elsewhere.
struct Progress {
    bar: ProgressBar,
    stopped: AtomicBool,
}

/// How finely the bar moves: digests are spread evenly, so that the first two
/// bytes of the last one say how far it has come.
const STEPS: u64 = 1 << 16;

impl Progress {
    fn new(arguments: &Arguments) -> Self {
        let is_shown = !arguments.quiet && !arguments.json && std::io::stderr().is_terminal();
        let bar = if is_shown {
            ProgressBar::new(STEPS)
        } else {
            ProgressBar::hidden()
        };
        let style = ProgressStyle::with_template("{bar:40} {percent:>3}%  {msg}  {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self {
            bar,
            stopped: AtomicBool::new(false),
        }
    }
}

impl Observer for Progress {
    fn hashed(&self, last: &Digest, contents: u64, bytes: u64) {
        let position = u64::from_str_radix(&last.hex()[..4], 16).unwrap_or(0);
        self.bar.set_position(position);
        self.bar
            .set_message(format!("{} in {}", size(bytes), count(contents, "blob")));
    }

    fn followed(&self, repositories: u64) {
        self.bar.set_position(STEPS);
        self.bar
            .set_message(format!("following links: {repositories} repositories"));
    }
}

/// A number of bytes that is not zero.
fn rate(text: &str) -> Result<NonZeroU64, String> {
    let bytes: ByteSize = text.parse()?;
    NonZeroU64::new(bytes.as_u64()).ok_or_else(|| "expected more than nothing".to_owned())
}
