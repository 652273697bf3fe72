//! The image of `config/examples/Containerfile`: made without a network, run by
//! a Docker daemon, pushed to and pulled from.

use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use fs_err as fs;

use crate::archive::Archive;
use crate::docker::{Docker, no_daemon};
use crate::harness::image::noise;
use crate::harness::{PASSWORD, USER, finish, up};
use crate::{MIB, missing};

/// Whom the image runs as.
const OWNER: u32 = 65532;

#[test]
fn the_image_is_built_and_serves() {
    if missing(&["docker", "sh", "ldd"]) || no_daemon() {
        return;
    }
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples");
    let scratch = tempfile::tempdir().unwrap();
    let context = scratch.path().join("image");
    let mut gather = Command::new("sh");
    gather
        .arg(examples.join("rootfs.sh"))
        .arg(env!("CARGO_BIN_EXE_tidegate"))
        .arg(&context);
    finish(gather, "").assert_ok();

    let docker = Docker::new();
    let containerfile = examples.join("Containerfile");
    let containerfile = containerfile.to_str().unwrap();
    let build = ["build", "-t", "tidegate-test", "-f", containerfile];
    docker
        .run(&[&build[..], &[context.to_str().unwrap()]].concat(), "")
        .assert_ok();

    let site = Site::make(scratch.path());
    let volume = |from: &Path, to: &str| format!("{}:{to}", from.display());
    let etc = volume(&site.etc, "/etc/tidegate:ro");
    let data = volume(&site.data, "/var/lib/registry");
    let run = ["run", "--detach", "--read-only", "--cap-drop", "ALL"];
    let mounts = ["--network", "host", "-v", &etc, "-v", &data];
    let started = docker.run(&[&run[..], &mounts, &["tidegate-test"]].concat(), "");
    started.assert_ok();
    let container = Container {
        docker: &docker,
        id: started.stdout.trim().to_owned(),
    };
    container.wait_until_healthy();

    let archive = Archive::of(&[noise(41, MIB), noise(42, 20)]);
    let image = format!("{}/team/app:v1", site.host);
    docker
        .run(&["load", "--input", &archive.path()], "")
        .assert_ok();
    docker.run(&["tag", archive.name(), &image], "").assert_ok();
    let login = ["login", "-u", USER, "--password-stdin", &site.host];
    docker.run(&login, PASSWORD).assert_ok();
    docker.run(&["push", &image], "").assert_ok();
    docker
        .run(&["rmi", "--force", &image, archive.name()], "")
        .assert_ok();
    docker.run(&["pull", &image], "").assert_ok();
    docker.run(&["rmi", "--force", &image], "").assert_ok();
    assert!(
        site.data
            .join("docker/registry/v2/repositories/team/app")
            .is_dir(),
        "the images are not where the host has the volume"
    );
    container.stop();
}

/// What the host mounts: a configuration with its files, and the data.
struct Site {
    etc: std::path::PathBuf,
    data: std::path::PathBuf,
    host: String,
}

impl Site {
    fn make(scratch: &Path) -> Self {
        // The files are those that `up` makes.
        let mut made = up().start();
        made.stop();
        let (etc, data) = (scratch.join("etc"), scratch.join("data"));
        fs::create_dir_all(&data).unwrap();
        for name in ["certs/site.crt", "certs/site.key", "auth/htpasswd"] {
            let copy = etc.join(name);
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::copy(made.dir.join(name), &copy).unwrap();
            chown(&copy, Some(OWNER), Some(OWNER)).unwrap();
        }
        chown(&data, Some(OWNER), Some(OWNER)).unwrap();
        let port = free_port();
        let text = format!(
            "[[listener]]\naddress = \"127.0.0.1:{port}\"\n\
             [[certificate]]\ncert = \"certs/site.crt\"\nkey = \"certs/site.key\"\nrenew = false\n\
             [auth]\nhtpasswd = \"auth/htpasswd\"\n[registry]\nroot = \"/var/lib/registry\"\n"
        );
        fs::write(etc.join("tidegate.toml"), text).unwrap();
        Self {
            etc,
            data,
            host: format!("127.0.0.1:{port}"),
        }
    }
}

/// One that nobody listens at right now.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A running container; removed when dropped.
struct Container<'a> {
    docker: &'a Docker,
    id: String,
}

impl Container<'_> {
    /// Asks as the image's health check does, until it is answered.
    fn wait_until_healthy(&self) {
        let ask = ["health", "-c", "/etc/tidegate/tidegate.toml"];
        let mut last = String::new();
        for _ in 0..60 {
            let check = ["exec", &self.id, "/usr/bin/tidegate"];
            let finished = self.docker.run(&[&check[..], &ask].concat(), "");
            if finished.code == Some(0) {
                return;
            }
            last = finished.stderr;
            std::thread::park_timeout(std::time::Duration::from_millis(250));
        }
        let log = self.docker.run(&["logs", &self.id], "");
        panic!("never healthy: {last}\n{}", log.stderr);
    }

    fn stop(self) {
        self.docker.run(&["stop", &self.id], "").assert_ok();
        let state = ["inspect", "--format", "{{.State.ExitCode}}", &self.id];
        let stopped = self.docker.run(&state, "");
        assert_eq!(stopped.stdout.trim(), "0", "SIGTERM ends it in order");
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        self.docker.run(&["rm", "--force", &self.id], "");
        self.docker.run(&["rmi", "--force", "tidegate-test"], "");
    }
}
