//! docker and `registry serve`, in plain HTTP on loopback, with a config.yml of
//! docker-registry, which serves the same file in turn.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::archive::Archive;
use crate::docker::{Docker, digest_in, no_daemon};
use crate::harness::image::noise;
use crate::harness::{Lines, PASSWORD, USER, run};
use crate::{MIB, missing};

#[test]
fn docker_pushes_to_registry_serve_and_pulls_from_docker_registry() {
    if missing(&["docker", "docker-registry"]) || no_daemon() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let host = {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().to_string()
    };
    let users = dir.path().join("htpasswd").display().to_string();
    run(["htpasswd", "-cbB", &users, USER, PASSWORD], "").assert_ok();
    let config = dir.path().join("config.yml");
    let text = format!(
        "version: 0.1\nlog:\n  fields:\n    service: registry\nstorage:\n  cache:\n    \
         blobdescriptor: inmemory\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {host}\n  \
         headers:\n    X-Content-Type-Options: [nosniff]\nauth:\n  htpasswd:\n    realm: Registry\n    \
         path: {users}\n",
        dir.path().join("data").display()
    );
    fs_err::write(&config, text).unwrap();

    let ours = Server::start(env!("CARGO_BIN_EXE_registry"), &config);
    let docker = Docker::new();
    let archive = Archive::of(&[noise(71, 30 * MIB), noise(72, 20)]);
    let image = format!("{host}/team/serve:v1");
    let load = ["load", "--input", &archive.path()];
    docker.run(&load, "").assert_ok();
    docker.run(&["tag", archive.name(), &image], "").assert_ok();
    let refused = docker.run(&["push", &image], "");
    assert_ne!(refused.code, Some(0), "nobody is logged in");
    let login = ["login", "-u", USER, "--password-stdin", &host];
    assert_ne!(docker.run(&login, "wrong").code, Some(0));
    docker.run(&login, PASSWORD).assert_ok();
    let pushed = docker.run(&["push", &image], "");
    pushed.assert_ok();
    let digest = digest_in(&pushed.stdout);

    let pull = |from: &str| {
        let all = ["rmi", "--force", &image, archive.name()];
        docker.run(&all, "").assert_ok();
        let pulled = docker.run(&["pull", &image], "");
        pulled.assert_ok();
        assert_eq!(digest_in(&pulled.stdout), digest, "{from}");
        docker.run(&["tag", &image, archive.name()], "").assert_ok();
    };
    pull("registry serve");
    drop(ours);
    let theirs = Server::start("docker-registry", &config);
    pull("docker-registry");
    drop(theirs);
    let all = ["rmi", "--force", &image, archive.name()];
    docker.run(&all, "").assert_ok();
}

/// `PROGRAM serve config.yml`, ended when dropped.
struct Server {
    child: Child,
    /// Read on, so that it never waits for its reader.
    _log: Lines,
}

impl Server {
    fn start(program: &str, config: &Path) -> Self {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("REGISTRY_") {
                command.env_remove(name);
            }
        }
        let mut child = command
            .arg("serve")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = Lines::of(child.stderr.take().expect("piped"));
        log.until("listening on");
        Self { child, _log: log }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
