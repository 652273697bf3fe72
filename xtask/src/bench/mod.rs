//! `cargo xtask bench`: Tidegate beside the recipe that it replaces, nginx in
//! front of docker-registry, in one run on one machine.
//!
//! Both serve the same image under the same certificate and password file,
//! from the same file system, over loopback; so do, where that tells
//! something, nginx with plain files and docker-registry 3. Each round of a
//! case measures all of them, and the order changes from round to round, so
//! that a slow minute of the machine falls on all.
//!
//! To add a case: a file in `cases/` with a type that is a
//! [`Case`], and a line in `cases::all`.

mod args;
mod batch;
mod blob;
mod book;
mod bound;
mod cases;
mod client;
mod fixture;
mod h2load;
mod kind;
mod limits;
mod machine;
mod meter;
mod metric;
mod net;
mod nginx;
mod pace;
mod proc;
mod pusher;
mod recipe;
mod record;
mod registry3;
mod report;
mod runs;
pub(crate) mod server;
mod sizes;
mod small;
mod static_files;
mod stats;
mod tidegate;
mod wrk;

use std::path::Path;

pub(crate) use crate::bench::args::Args;
use crate::bench::args::Effort;
use crate::bench::book::Book;
use crate::bench::cases::Case;
use crate::bench::fixture::Fixture;
use crate::bench::kind::Kind;
use crate::bench::metric::Samples;
use crate::bench::record::{Entry, Run};
use crate::bench::server::Server;
use crate::error::Error;
use crate::install::{self, Program};
use crate::workspace::Workspace;
use crate::{native, process, say};

/// Builds and starts the servers, measures, and prints the report.
///
/// A case that fails is named at the end and keeps no other from being
/// measured. With `--write` every case is written down as soon as it is
/// measured, beside the last figures of the others.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<(), Error> {
    if args.rewrite {
        return book::rewrite(workspace);
    }
    let cases = cases::chosen(&args.only)?;
    let effort = args.effort();
    install::ensure(&PROGRAMS)?;
    native::ensure_build_tools()?;
    say::title("building");
    let (binary, pusher) = match &args.binary {
        Some(binary) => (
            binary.clone(),
            workspace.build_releases(&[PUSHER])?.join(PUSHER),
        ),
        None => {
            let built = workspace.build_releases(&["tidegate", PUSHER])?;
            (built.join("tidegate"), built.join(PUSHER))
        }
    };
    let registry3 = registry3::program(workspace, args.registry3.as_ref())?;

    say::title("starting the servers");
    // In the target directory rather than the system's temporary one, which
    // may be in memory: a registry's disk is part of what is measured.
    let directory = tempfile::Builder::new()
        .prefix("bench-")
        .tempdir_in(workspace.target_directory()?)?;
    let fixture = Fixture::create(directory.path(), args.sizes(), pusher)?;
    let servers = start(&binary, registry3.as_deref(), &fixture, &cases)?;
    for server in &servers {
        fixture.push_image(server)?;
    }

    let run = Run {
        machine: machine::describe(),
        versions: machine::versions(workspace, args, registry3.as_deref())?,
        limits: limits::measure(directory.path(), fixture.sizes.layer)?,
        command: args.command_line(),
    };
    let mut book = Book::open(workspace, args)?;
    let mut failed = Vec::new();
    // Each is dropped with what it started before the next one begins.
    for mut case in cases {
        let name = case.heading().name;
        let onlooker = machine::Onlooker::begin()?;
        match measure(case.as_mut(), &servers, &fixture, effort) {
            Ok(samples) => book.add(Entry {
                case: name.to_owned(),
                labels: labels(case.as_ref()),
                samples,
                others: onlooker.share_of_others()?,
                run: run.clone(),
            })?,
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => {
                say::error(&error);
                failed.push(name);
            }
        }
    }
    book.close();
    if failed.is_empty() {
        return Ok(());
    }
    Err(Error::Cases { failed })
}

/// The package and binary of what pushes many blobs.
const PUSHER: &str = "bench-client";

const PROGRAMS: [Program; 8] = [
    Program::in_debian("nginx", &["nginx-light"]),
    Program::in_debian("docker-registry", &["docker-registry"]),
    Program::in_debian("htpasswd", &["apache2-utils"]),
    Program::in_debian("curl", &["curl"]),
    Program::in_debian("openssl", &["openssl"]),
    Program::in_debian("wrk", &["wrk"]),
    Program::in_debian("h2load", &["nghttp2-client"]),
    Program::in_debian("tar", &["tar"]),
];

/// Starts those servers that one of `cases` measures.
fn start(
    binary: &Path,
    registry3: Option<&Path>,
    fixture: &Fixture,
    cases: &[Box<dyn Case>],
) -> Result<Vec<Server>, Error> {
    let wanted = |kind| cases.iter().any(|case| case.servers().contains(&kind));
    let tidegate = tidegate::start(binary, fixture)?;
    let site = tidegate.site.clone();
    let debian = process::find("docker-registry").unwrap_or_else(|| "docker-registry".into());
    let mut servers = vec![
        recipe::start(Kind::Recipe, &debian, &site, fixture)?,
        tidegate,
    ];
    if wanted(Kind::Static) {
        servers.push(static_files::start(&site, fixture)?);
    }
    if let Some(program) = registry3.filter(|_| wanted(Kind::Registry3)) {
        servers.push(recipe::start(Kind::Registry3, program, &site, fixture)?);
    }
    Ok(servers)
}

/// Starts another server like `server`, with nothing in it yet, on `fixture`'s
/// files.
fn start_another(server: &Server, fixture: &Fixture) -> Result<Server, Error> {
    let Server {
        kind,
        program,
        site,
        ..
    } = server;
    match kind {
        Kind::Tidegate => tidegate::start(program, fixture),
        Kind::Static => static_files::start(site, fixture),
        Kind::Recipe | Kind::Registry3 => recipe::start(*kind, program, site, fixture),
    }
}

fn measure(
    case: &mut dyn Case,
    servers: &[Server],
    fixture: &Fixture,
    effort: Effort,
) -> Result<Samples, Error> {
    let heading = case.heading();
    say::title(&format!("{}: {}", heading.name, heading.title));
    let servers: Vec<_> = servers
        .iter()
        .filter(|server| case.servers().contains(&server.kind))
        .collect();
    for server in &servers {
        case.prepare(server, fixture)?;
    }
    let mut samples = Samples::new();
    for round in 0..case.rounds(effort) {
        for turn in 0..servers.len() {
            let server = servers[(round + turn) % servers.len()];
            let sample = case.measure(server, fixture, effort)?;
            let line = report::sample_line(server.kind.name(), heading.metrics, &sample);
            say::note(&line);
            samples.entry(server.kind).or_default().push(sample);
        }
    }
    Ok(samples)
}

fn labels(case: &dyn Case) -> Vec<String> {
    let metrics = case.heading().metrics.iter();
    metrics.map(|metric| metric.label.to_owned()).collect()
}
