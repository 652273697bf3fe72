//! docker and its daemon: log in, push, remove, pull, log out.

use std::process::Command;

use tempfile::TempDir;

use crate::archive::Archive;
use crate::harness::image::noise;
use crate::harness::{Finished, PASSWORD, USER, finish, up};
use crate::{MIB, missing, skip};

#[test]
fn docker_logs_in_pushes_and_pulls() {
    if missing(&["docker"]) || no_daemon() {
        return;
    }
    let tidegate = up().start();
    let docker = Docker::new();
    let archive = Archive::of(&[
        noise(5, 220 * MIB),
        noise(6, 2 * MIB),
        noise(7, 2 * MIB),
        noise(8, 20),
    ]);
    let host = tidegate.host();
    let image = format!("{host}/team/docker-app:v1");

    docker
        .run(&["load", "--input", &archive.path()], "")
        .assert_ok();
    docker.run(&["tag", archive.name(), &image], "").assert_ok();

    let wrong = docker.run(&["login", "-u", USER, "--password-stdin", &host], "wrong");
    assert_ne!(wrong.code, Some(0));
    assert!(
        wrong.stderr.to_lowercase().contains("unauthorized"),
        "{}",
        wrong.stderr
    );
    let refused = docker.run(&["push", &image], "");
    assert_ne!(refused.code, Some(0), "nobody is logged in");

    docker
        .run(&["login", "-u", USER, "--password-stdin", &host], PASSWORD)
        .assert_ok();
    let pushed = docker.run(&["push", &image], "");
    pushed.assert_ok();
    let digest = digest_in(&pushed.stdout);
    let id = docker.id_of(&image);

    docker
        .run(&["rmi", "--force", &image, archive.name()], "")
        .assert_ok();
    let pulled = docker.run(&["pull", &image], "");
    pulled.assert_ok();
    assert_eq!(digest_in(&pulled.stdout), digest);
    assert_eq!(docker.id_of(&image), id);

    // The same again is found to be there.
    let again = docker.run(&["push", &image], "");
    again.assert_ok();
    assert_eq!(digest_in(&again.stdout), digest);
    assert!(
        again.stdout.contains("Layer already exists"),
        "{}",
        again.stdout
    );

    docker.run(&["logout", &host], "").assert_ok();
    let refused = docker.run(&["push", &image], "");
    assert_ne!(refused.code, Some(0));
    assert!(
        refused.stderr.contains("no basic auth credentials")
            || refused.stderr.contains("unauthorized"),
        "{}",
        refused.stderr
    );
    docker.run(&["rmi", "--force", &image], "").assert_ok();
}

/// docker with a login of its own.
pub(crate) struct Docker(TempDir);

impl Docker {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn run(&self, args: &[&str], stdin: &str) -> Finished {
        let mut command = Command::new("docker");
        command.env("DOCKER_CONFIG", self.0.path()).args(args);
        finish(command, stdin)
    }

    fn id_of(&self, image: &str) -> String {
        let found = self.run(&["image", "inspect", "--format", "{{.Id}}", image], "");
        found.assert_ok();
        found.stdout.trim().to_owned()
    }
}

pub(crate) fn digest_in(output: &str) -> String {
    let at = output
        .find("sha256:")
        .unwrap_or_else(|| panic!("no digest in {output}"));
    output[at..at + 71].to_owned()
}

pub(crate) fn no_daemon() -> bool {
    let finished = Docker::new().run(&["version"], "");
    finished.code != Some(0) && skip("a Docker daemon not found")
}
