//! The client of those benchmarks that push many blobs.
//!
//! A load generator that makes each request anew in a script spends more on
//! its own memory than a server spends on the push, and has the same cores.
//! This one reads all blobs before the clock runs and copies them no more than
//! TLS does.
//!
//! It reads a [`Plan`] as JSON from the file that it is given, and writes
//! `pushed COUNT MICROSECONDS`.

mod plan;
mod push;

use std::error::Error as _;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::plan::Plan;

/// Why not all was pushed.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("usage: bench-client PLAN.json")]
    Usage,
    #[error("{} is no plan", file.display())]
    Plan {
        file: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{request}: no answer")]
    NoAnswer {
        request: &'static str,
        #[source]
        source: reqwest::Error,
    },
    #[error("{request}: status {got}, expected {expected}")]
    Status {
        request: &'static str,
        got: u16,
        expected: u16,
    },
    #[error("{at}: `{got}` is no URL to go on at")]
    Place { at: &'static str, got: String },
    #[error("cannot make a client with this authority and authorization")]
    Client(#[source] reqwest::Error),
    #[error("`{0}` is no value of a header")]
    Header(&'static str),
}

fn main() -> ExitCode {
    match run() {
        Ok(said) => {
            say(&mut io::stdout(), &said);
            ExitCode::SUCCESS
        }
        Err(error) => {
            let mut said = error.to_string();
            let mut cause = error.source();
            while let Some(because) = cause {
                said = format!("{said}: {because}");
                cause = because.source();
            }
            say(&mut io::stderr(), &said);
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String, Error> {
    let file = PathBuf::from(std::env::args_os().nth(1).ok_or(Error::Usage)?);
    let plan: Plan = serde_json::from_slice(&fs_err::read(&file)?)
        .map_err(|source| Error::Plan { file, source })?;
    let count = plan.blobs.len();
    let clients = push::clients(&plan)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let took = runtime.block_on(push::all(clients))?;
    Ok(format!("pushed {count} {}", took.as_micros()))
}

/// Nobody is left to be told where this fails.
fn say(to: &mut dyn io::Write, text: &str) {
    let _ = writeln!(to, "{text}");
}
