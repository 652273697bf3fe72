//! `cargo deny`, in one known version, installed beside the workspace's
//! products so that nothing outside the checkout changes.

use std::path::PathBuf;
use std::process::Command;

use crate::error::Error;
use crate::workspace::Workspace;
use crate::{process, say};

/// The version whose checks `deny.toml` is written for.
const VERSION: &str = "0.20.2";

/// Checks bans, licenses and sources, all of which the lock file and the
/// downloaded crates answer.
pub(crate) fn check(workspace: &Workspace) -> Result<(), Error> {
    let deny = ready(workspace)?;
    process::run(
        Command::new(deny)
            .current_dir(workspace.root())
            .args(["--offline", "--workspace", "check"])
            .args(["bans", "licenses", "sources"]),
    )?;
    say::note(
        "advisories were not checked: their database needs the network; run `cargo deny check advisories`",
    );
    Ok(())
}

/// The binary in the right version, installed if need be.
fn ready(workspace: &Workspace) -> Result<PathBuf, Error> {
    let root = workspace.target_directory()?.join("tools");
    let own = root.join("bin/cargo-deny");
    let candidates = [Some(own.clone()), process::find("cargo-deny")];
    if let Some(found) = candidates.into_iter().flatten().find(is_right_version) {
        return Ok(found);
    }
    say::note(&format!(
        "installing cargo-deny {VERSION} for this checkout"
    ));
    process::run(
        workspace
            .cargo()
            .args(["install", "--locked", "--force", "cargo-deny"])
            .args(["--version", VERSION])
            // Its checks are quick in any profile; its compilation is not.
            .args(["--debug", "--no-default-features"])
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .arg("--root")
            .arg(&root)
            .arg("--target-dir")
            .arg(root.join("build")),
    )?;
    Ok(own)
}

fn is_right_version(binary: &PathBuf) -> bool {
    process::output(Command::new(binary).arg("--version"))
        .is_ok_and(|answer| answer.split_whitespace().nth(1) == Some(VERSION))
}
