//! Where the workspace and its products are.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::process;

/// The workspace that this crate belongs to.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// Finds the workspace: the parent of this crate's directory, as Cargo
    /// tells it at run time, so that a moved checkout is found too.
    pub(crate) fn locate() -> Self {
        let own = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        Self {
            root: own.parent().unwrap_or(&own).to_owned(),
        }
    }

    /// The directory of the workspace's `Cargo.toml`.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// `cargo` in the workspace's directory.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.root);
        cargo
    }

    /// Where Cargo puts what it builds, whatever sets it: the default, an
    /// environment variable, or a configuration file.
    pub(crate) fn target_directory(&self) -> Result<PathBuf, Error> {
        let mut command = self.cargo();
        command.args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ]);
        let answer = process::output(&mut command)?;
        target_directory_in(&answer).ok_or_else(|| Error::Answer {
            command: process::shown(&command),
            got: answer.chars().take(80).collect(),
            expected: "JSON with `target_directory`".to_owned(),
        })
    }

    /// Builds the release binary of the bundle and returns where it is.
    pub(crate) fn build_release(&self) -> Result<PathBuf, Error> {
        Ok(self.build_releases(&["tidegate"])?.join("tidegate"))
    }

    /// Builds the release binaries of these packages, each named as its
    /// package, in one go, and returns the directory that they are in.
    pub(crate) fn build_releases(&self, packages: &[&str]) -> Result<PathBuf, Error> {
        let mut cargo = self.cargo();
        cargo.args(["build", "--release"]);
        for package in packages {
            // Not its other binaries: each is linked for minutes.
            cargo.args(["--package", package, "--bin", package]);
        }
        process::run(&mut cargo)?;
        Ok(self.target_directory()?.join("release"))
    }
}

fn target_directory_in(metadata: &str) -> Option<PathBuf> {
    let metadata: serde_json::Value = serde_json::from_str(metadata).ok()?;
    metadata["target_directory"].as_str().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Workspace, target_directory_in};

    #[test]
    fn the_workspace_is_where_its_manifest_is() {
        let manifest = Workspace::locate().root().join("Cargo.toml");
        let text = fs_err::read_to_string(manifest).unwrap();
        assert!(text.contains("[workspace]"));
    }

    #[test]
    fn cargo_tells_where_it_builds() {
        let here = Workspace::locate().target_directory().unwrap();
        assert!(here.is_absolute(), "{}", here.display());
    }

    #[test]
    fn other_answers_are_refused() {
        assert_eq!(
            target_directory_in(r#"{"target_directory":"/t"}"#).as_deref(),
            Some(Path::new("/t"))
        );
        assert_eq!(target_directory_in("{}"), None);
        assert_eq!(target_directory_in("error"), None);
    }
}
