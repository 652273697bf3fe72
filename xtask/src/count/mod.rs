//! `cargo xtask count`: how many instructions a request costs, beside what is
//! recorded.
//!
//! Times depend on the machine and on what else it does; instructions hardly
//! do. The server runs in callgrind, once for what every run begins with and
//! once more for each case, and the difference is the case's. What is counted
//! is the development build, which the tests have anyway: the figures say
//! nothing about speed, but work that was added shows.

mod load;
mod record;
mod run;

use crate::error::Error;
use crate::install::{self, Program};
use crate::workspace::Workspace;
use crate::{native, process, say};

use self::load::CASES;
use self::record::{Counts, Recorder};

/// The arguments of `count`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Record the counts as what is expected from now on.
    #[arg(long)]
    record: bool,
}

/// Counts every case; fails if one costs more than is recorded.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<(), Error> {
    native::ensure_build_tools()?;
    install::ensure(&PROGRAMS)?;
    process::run(workspace.cargo().args(BUILD))?;
    let binary = workspace.target_directory()?.join("debug/tidegate");

    say::title("counting instructions");
    let directory = tempfile::Builder::new().prefix("xtask-count").tempdir()?;
    let server = run::Server::prepare(&binary, directory.path())?;
    let base = server.count(None)?;
    let mut counts = Counts::default();
    for case in &CASES {
        let total = server.count(Some(case))?;
        let each = total.saturating_sub(base) / u64::from(case.requests);
        say::note(&format!("{each:>10}  {}", case.name));
        counts.insert(case.name.to_owned(), each);
    }

    let file = workspace.root().join("xtask/instructions.json");
    let recorder = Recorder::of(workspace)?;
    if args.record {
        record::write(&file, &recorder, &counts)?;
        say::note(&format!("written to {}", file.display()));
        return Ok(());
    }
    let findings = record::compare(&record::read(&file)?, &recorder, &counts);
    for note in findings.notes {
        say::note(&note);
    }
    if findings.excesses.is_empty() {
        return Ok(());
    }
    Err(Error::Instructions {
        excesses: findings.excesses,
    })
}

/// As the tests build it, so that `ci` builds nothing twice.
const BUILD: [&str; 5] = ["test", "--workspace", "--test", "push_pull", "--no-run"];

const PROGRAMS: [Program; 3] = [
    Program::in_debian("valgrind", &["valgrind"]),
    Program::in_debian("curl", &["curl"]),
    Program::in_debian("openssl", &["openssl"]),
];
