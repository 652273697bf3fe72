//! The project's own tasks, run as `cargo xtask …`.
//!
//! `up` and `test` are for whoever has just cloned the repository: they see to
//! the native build tools first. `ci`, `clients`, `bench`, `count` and `fuzz` are
//! for whoever changes it.

#[cfg(not(unix))]
compile_error!("Tidegate and its tasks run on Unix; on Windows, use WSL 2");

mod bench;
mod ci;
mod clients;
mod count;
mod daemon;
mod deny;
mod error;
mod fuzz;
mod install;
mod interrupt;
mod native;
mod process;
mod say;
mod service;
mod test;
mod up;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Tasks of the Tidegate workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Install missing build tools, build a release, and run `tidegate up`.
    Up(up::Args),
    /// Install missing build tools and run every test.
    Test(test::Args),
    /// Run the tests that drive real clients: docker, skopeo, curl.
    Clients,
    /// Run everything that a change must pass.
    Ci,
    /// Measure Tidegate beside nginx and docker-registry.
    Bench(bench::Args),
    /// Count the instructions that requests cost, beside what is recorded.
    Count(count::Args),
    /// Fuzz what parses bytes from the network or from a file.
    ///
    /// Needs Rust's nightly toolchain, and is no part of `ci` for that reason.
    /// Installs cargo-fuzz for this checkout where it is missing.
    Fuzz(fuzz::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let workspace = Workspace::locate();
    let result = interrupt::watch().and_then(|()| match cli.task {
        Task::Up(args) => up::run(&workspace, &args),
        Task::Test(args) => test::run(&workspace, &args),
        Task::Clients => clients::run(&workspace),
        Task::Ci => ci::run(&workspace),
        Task::Bench(args) => bench::run(&workspace, &args),
        Task::Count(args) => count::run(&workspace, &args),
        Task::Fuzz(args) => fuzz::run(&workspace, &args),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::error(&error);
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::{CommandFactory, Parser};

    use super::{Cli, Task};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn up_passes_its_arguments_on_with_and_without_a_separator() {
        for line in [
            &["cargo xtask", "up", "--dir", "D", "--host", "h"][..],
            &["cargo xtask", "up", "--", "--dir", "D", "--host", "h"][..],
        ] {
            let cli = Cli::try_parse_from(line).unwrap();
            let Task::Up(up) = cli.task else {
                panic!("{line:?} is not `up`");
            };
            assert_eq!(up.args, ["--dir", "D", "--host", "h"].map(OsString::from));
        }
    }

    #[test]
    fn test_keeps_the_separator_that_libtest_needs() {
        let cli = Cli::try_parse_from(["cargo xtask", "test", "-p", "xtask", "--", "--nocapture"]);
        let Task::Test(test) = cli.unwrap().task else {
            panic!("not `test`");
        };
        assert_eq!(
            test.args,
            ["-p", "xtask", "--", "--nocapture"].map(OsString::from)
        );
    }
}
