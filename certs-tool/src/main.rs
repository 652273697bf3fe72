//! `certs-tool`: certificates for registries, and the trust of their clients.

use std::process::ExitCode;

use clap::Parser;

/// Certificates for registries, and the trust of their clients.
#[derive(Parser)]
#[command(
    name = "certs-tool",
    version,
    after_help = "Exit codes: 0 ok, 1 something you can fix, 2 usage or unexpected."
)]
struct CommandLine {
    #[command(subcommand)]
    command: certs_tool::cli::Command,
}

fn main() -> ExitCode {
    match certs_tool::cli::run(CommandLine::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
