//! `cargo xtask up`: from a fresh clone to a running registry.

use std::ffi::OsString;
use std::process::Command;

use crate::error::Error;
use crate::workspace::Workspace;
use crate::{native, process};

/// The arguments of `up`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Arguments of `tidegate up`, as --dir, --host, --listen, --user; after
    /// `--`, its own --help too.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) args: Vec<OsString>,
}

/// Builds a release and becomes it, so that signals and standard input reach
/// it as if it had been started directly. Returns only on failure.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<(), Error> {
    native::ensure_build_tools()?;
    let binary = workspace.build_release()?;
    Err(process::become_command(
        Command::new(binary).arg("up").args(&args.args),
    ))
}
