//! `registry`: the commands that keep a registry in order.

use std::process::ExitCode;

use clap::Parser;

/// Keeps a Docker/OCI registry in order.
#[derive(Parser)]
#[command(
    name = "registry",
    version,
    after_help = "Exit codes: 0 ok, 1 something you can fix, 2 usage or unexpected."
)]
struct CommandLine {
    #[command(subcommand)]
    command: tidegate_registry::cli::Command,
}

fn main() -> ExitCode {
    match tidegate_registry::cli::run(CommandLine::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
