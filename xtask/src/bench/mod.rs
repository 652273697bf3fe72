//! `cargo xtask bench`: Tidegate beside the recipe that it replaces, nginx in
//! front of docker-registry, in one run on one machine.
//!
//! Both serve the same image under the same certificate and password file,
//! from the same file system, over loopback. Each round of a case measures
//! both, and the order changes from round to round, so that a slow minute of
//! the machine falls on both.
//!
//! To add a case: a file in `cases/` with a type that is a
//! [`Case`], and a line in `cases::all`.

mod cases;
mod client;
mod fixture;
mod machine;
mod proc;
mod recipe;
mod report;
mod server;
mod stats;
mod tidegate;
mod wrk;

use std::time::Duration;

use crate::bench::cases::Case;
use crate::bench::fixture::Fixture;
use crate::bench::report::{Outcome, Report};
use crate::bench::server::Server;
use crate::error::Error;
use crate::install::{self, Program};
use crate::workspace::Workspace;
use crate::{native, say};

/// The arguments of `bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Two short rounds of each case in place of five: a look, not a result.
    #[arg(long)]
    quick: bool,
    /// Measure this case only; may be repeated.
    #[arg(long, value_name = "CASE")]
    only: Vec<String>,
    /// Write the report to docs/BENCHMARKS.md too.
    #[arg(long)]
    write: bool,
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// How often each server is measured in each case.
    pub(crate) rounds: usize,
    /// How long a load generator runs each time.
    pub(crate) load: Duration,
}

impl Effort {
    const FULL: Self = Self {
        rounds: 5,
        load: Duration::from_secs(5),
    };
    const QUICK: Self = Self {
        rounds: 2,
        load: Duration::from_secs(2),
    };
}

/// Builds and starts both servers, measures, and prints the report.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<(), Error> {
    let mut cases = cases::chosen(&args.only)?;
    let effort = if args.quick {
        Effort::QUICK
    } else {
        Effort::FULL
    };
    native::ensure_build_tools()?;
    install::ensure(&PROGRAMS)?;
    say::title("building");
    let binary = workspace.build_release()?;

    say::title("starting both servers");
    // In the target directory rather than the system's temporary one, which
    // may be in memory: a registry's disk is part of what is measured.
    let directory = tempfile::Builder::new()
        .prefix("bench-")
        .tempdir_in(workspace.target_directory()?)?;
    let fixture = Fixture::create(directory.path())?;
    let (tidegate, site) = tidegate::start(&binary, &fixture)?;
    let recipe = recipe::start(&site, &fixture)?;
    let servers = [recipe, tidegate];
    for server in &servers {
        fixture.push_image(server)?;
    }

    let onlooker = machine::Onlooker::begin()?;
    let mut outcomes = Vec::new();
    for case in &mut cases {
        outcomes.push(measure(case.as_mut(), &servers, &fixture, effort)?);
    }
    let report = Report {
        machine: machine::describe(),
        others: onlooker.share_of_others()?,
        versions: machine::versions(workspace)?,
        command: command_line(args),
        rounds: effort.rounds,
        outcomes,
    };
    let text = report.to_string();
    say::result(&text);
    if args.write {
        let file = workspace.root().join("docs/BENCHMARKS.md");
        fs_err::write(&file, text)?;
        say::note(&format!("written to {}", file.display()));
    }
    Ok(())
}

const PROGRAMS: [Program; 6] = [
    Program::in_debian("nginx", &["nginx-light"]),
    Program::in_debian("docker-registry", &["docker-registry"]),
    Program::in_debian("htpasswd", &["apache2-utils"]),
    Program::in_debian("curl", &["curl"]),
    Program::in_debian("openssl", &["openssl"]),
    Program::in_debian("wrk", &["wrk"]),
];

fn measure(
    case: &mut dyn Case,
    servers: &[Server; 2],
    fixture: &Fixture,
    effort: Effort,
) -> Result<Outcome, Error> {
    say::title(case.title());
    for server in servers {
        case.prepare(server, fixture)?;
    }
    let metrics = case.metrics();
    let mut samples = [Vec::new(), Vec::new()];
    for round in 0..case.rounds(effort) {
        for turn in 0..servers.len() {
            let index = (round + turn) % servers.len();
            let server = &servers[index];
            let sample = case.measure(server, fixture, effort)?;
            say::note(&report::sample_line(server.name, metrics, &sample));
            samples[index].push(sample);
        }
    }
    let [recipe, tidegate] = samples;
    Ok(Outcome {
        title: case.title(),
        metrics,
        recipe,
        tidegate,
    })
}

/// The command that gives such a report again.
fn command_line(args: &Args) -> String {
    let mut words = vec!["cargo xtask bench".to_owned()];
    if args.quick {
        words.push("--quick".to_owned());
    }
    words.extend(args.only.iter().map(|case| format!("--only {case}")));
    words.join(" ")
}
