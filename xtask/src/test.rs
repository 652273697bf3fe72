//! `cargo xtask test`: every test of the workspace.

use std::ffi::OsString;

use crate::error::Error;
use crate::workspace::Workspace;
use crate::{native, process};

/// The arguments of `test`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Arguments of `cargo test`, as --package, a test's name, or `--` and the
    /// arguments of the test binaries.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) args: Vec<OsString>,
}

/// Runs `cargo test --workspace` with what it needs installed.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<(), Error> {
    native::ensure_build_tools()?;
    process::run(
        workspace
            .cargo()
            .args(["test", "--workspace"])
            .args(&args.args),
    )
}
