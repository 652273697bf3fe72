//! docker-registry 3, which Debian does not have.

use std::path::PathBuf;

use crate::error::Error;
use crate::workspace::Workspace;
use crate::{process, say};

const MODULE: &str = "github.com/distribution/distribution/v3/cmd/registry@v3.0.0";

/// The program that the user asked for: the one named, or one built with Go;
/// `None` if the user did not ask.
pub(crate) fn program(
    workspace: &Workspace,
    asked: Option<&Option<PathBuf>>,
) -> Result<Option<PathBuf>, Error> {
    match asked {
        None => Ok(None),
        Some(Some(named)) => Ok(Some(named.clone())),
        Some(None) => build(workspace).map(Some),
    }
}

fn build(workspace: &Workspace) -> Result<PathBuf, Error> {
    let directory = workspace.target_directory()?.join("registry3");
    let program = directory.join("registry");
    if program.exists() {
        return Ok(program);
    }
    let go = process::find("go")
        .or_else(|| process::find("/usr/local/go/bin/go"))
        .ok_or(Error::Missing {
            programs: vec!["go"],
            install: None,
        })?;
    say::title("building docker-registry 3");
    process::run(
        std::process::Command::new(go)
            .args(["install", MODULE])
            .env("GOBIN", &directory),
    )?;
    Ok(program)
}
