//! `tidegate`: the private Docker/OCI registry in one binary.
//!
//! [`tidegate`] reads the command line and hands over to the room of that command;
//! what each command does stands in its own file. [`registry`] is the same for
//! those who have known it by that name.

mod allocator;
mod audit;
mod auth_config;
mod backend;
mod check;
mod checker;
mod collect;
mod debug;
mod doctor;
mod guards;
mod health;
mod htpasswd;
mod import;
mod inputs;
mod jwks;
mod logging;
mod password;
mod registry;
mod reload;
mod renewal;
mod scrub;
mod serve;
mod token;
mod token_server;
mod tokens;
mod up;
mod users;
mod webhook;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tidegate_failure::Failure;

/// The private Docker/OCI registry in one binary.
#[derive(Parser)]
#[command(
    name = "tidegate",
    version,
    after_help = "Exit codes: 0 ok, 1 something you can fix, 2 usage or unexpected."
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make what is missing for a registry, then serve it: CA, certificate,
    /// first user, storage, configuration
    Up(up::Arguments),
    /// Serve as tidegate.toml says, or the configuration of nginx and docker-registry
    Serve(serve::Arguments),
    /// Say what would be served, and what is wrong
    Check(check::Arguments),
    /// Give out tokens for registries elsewhere, as docker_auth does
    TokenServer(token_server::Arguments),
    /// Write the configuration of nginx and docker-registry as a tidegate.toml
    Import(import::Arguments),
    /// Say whether the server of a configuration answers; for health checks of
    /// containers
    Health(health::Arguments),
    /// Connect to a registry as a client would, and say what is wrong
    Doctor(doctor::Arguments),
    /// Make certificates, and have clients trust them
    #[command(subcommand)]
    Certs(certs_tool::cli::Command),
    /// Serve as docker-registry's configuration says, and keep a registry in
    /// order while it is served
    #[command(subcommand)]
    Registry(registry::Command),
    /// Add, change, verify or remove the users of a password file, with the
    /// flags of Apache's htpasswd
    Htpasswd(htpasswd::Arguments),
    /// Make, list and revoke passwords for programs, with rights of their own
    #[command(subcommand)]
    Token(token::Command),
}

/// `registry`: the commands of docker-registry.
#[derive(Parser)]
#[command(
    name = "registry",
    version,
    after_help = "Exit codes: 0 ok, 1 something you can fix, 2 usage or unexpected."
)]
struct RegistryCommandLine {
    #[command(subcommand)]
    command: registry::Command,
}

/// The program `tidegate`.
pub fn tidegate() -> ExitCode {
    install_provider();
    exit(match CommandLine::parse().command {
        Command::Up(arguments) => up::run(arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::TokenServer(arguments) => token_server::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Health(arguments) => health::run(&arguments),
        Command::Doctor(arguments) => doctor::run(arguments),
        Command::Certs(command) => certs_tool::cli::run(command),
        Command::Registry(command) => registry::run(command),
        Command::Htpasswd(arguments) => htpasswd::run(arguments),
        Command::Token(command) => token::run(command),
    })
}

/// The program `registry`, which takes the place of docker-registry's.
pub fn registry() -> ExitCode {
    install_provider();
    exit(registry::run(RegistryCommandLine::parse().command))
}

fn exit(done: Result<(), Failure>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn install_provider() {
    // Before anything makes a TLS configuration: with no default installed,
    // libraries that want one would bring a second provider.
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        unreachable!("nothing has run before main");
    }
}
