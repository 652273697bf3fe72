//! Clients trust through what `certs trust install` wrote; neither before it
//! nor after `remove`.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::archive::Archive;
use crate::harness::image::noise;
use crate::harness::{Finished, Lines, PASSWORD, Tidegate, USER, finish, run, up};
use crate::room::{self, ADDRESS};
use crate::skopeo::{Skopeo, skopeo};

const IMAGE: &str = "team/app:v1";

#[test]
fn skopeo_and_podman_trust_what_was_installed() {
    let programs = ["skopeo", "podman"];
    if !room::entered(
        "trust::skopeo_and_podman_trust_what_was_installed",
        &programs,
    ) {
        return;
    }
    let registry = Registry::start();
    let host = registry.host();
    let storage = tempfile::tempdir().unwrap();
    let credentials = format!("{USER}:{PASSWORD}");
    let reference = format!("docker://{host}/{IMAGE}");
    let clients = || {
        let mut inspect = skopeo();
        inspect.args(["inspect", "--creds", &credentials, &reference]);
        let mut pull = Command::new("podman");
        pull.arg("--root").arg(storage.path().join("root"));
        pull.arg("--runroot").arg(storage.path().join("run"));
        pull.args(["--storage-driver", "vfs", "pull", "--creds", &credentials]);
        pull.arg(&reference);
        [inspect, pull]
    };
    registry.trusted_only_while_installed("podman", || {
        clients().map(|client| finish(client, "")).into()
    });
}

#[test]
fn a_user_trusts_without_root() {
    if !room::entered("trust::a_user_trusts_without_root", &["skopeo"]) {
        return;
    }
    let registry = Registry::start();
    let home = Home::new();
    let credentials = format!("{USER}:{PASSWORD}");
    let reference = format!("docker://{}/{IMAGE}", registry.host());
    let inspect = || home.run("skopeo", &["inspect", "--creds", &credentials, &reference]);

    assert_unknown_authority(&inspect());
    home.trust(&registry, "install").assert_ok();
    inspect().assert_ok();
    home.trust(&registry, "remove").assert_ok();
    assert_unknown_authority(&inspect());
}

#[test]
fn docker_trusts_what_was_installed() {
    let programs = ["docker", "dockerd"];
    if !room::entered("trust::docker_trusts_what_was_installed", &programs) {
        return;
    }
    let registry = Registry::start();
    let daemon = Daemon::of_docker();
    let image = format!("{}/{IMAGE}", registry.host());
    let host = registry.host();
    registry.trusted_only_while_installed("docker", || {
        let login = daemon.docker(&["login", "-u", USER, "--password-stdin", &host], PASSWORD);
        let mut finished = vec![login];
        // Who is not logged in never comes to pulling.
        if finished[0].code == Some(0) {
            finished.push(daemon.docker(&["pull", &image], ""));
            finished.push(daemon.docker(&["rmi", &image], ""));
        }
        finished
    });
}

#[test]
fn containerd_trusts_what_was_installed() {
    let programs = ["containerd", "ctr"];
    if !room::entered("trust::containerd_trusts_what_was_installed", &programs) {
        return;
    }
    let registry = Registry::start();
    let daemon = Daemon::of_containerd();
    let image = format!("{}/{IMAGE}", registry.host());
    registry.trusted_only_while_installed("containerd", || {
        let mut pull = Command::new("ctr");
        pull.args(["--address", &daemon.socket, "images", "pull"])
            .args(["--hosts-dir", "/etc/containerd/certs.d"])
            .args(["--user", &format!("{USER}:{PASSWORD}")])
            .args(["--snapshotter", "native", &image]);
        vec![finish(pull, "")]
    });
}

#[test]
fn everything_on_the_system_trusts_what_was_installed() {
    let programs = ["update-ca-certificates", "curl"];
    let name = "trust::everything_on_the_system_trusts_what_was_installed";
    if !room::entered(name, &programs) {
        return;
    }
    let registry = Registry::start();
    registry.trusted_only_while_installed("system", || {
        let mut get = Command::new("curl");
        get.args(["--silent", "--show-error", "--fail"])
            .args(["--user", &format!("{USER}:{PASSWORD}")])
            .arg(registry.tidegate.url("/v2/"));
        vec![finish(get, "")]
    });
}

/// A registry at an address that is not loopback, with an image.
struct Registry {
    tidegate: Tidegate,
}

impl Registry {
    fn start() -> Self {
        let tidegate = up()
            .listen(&format!("{ADDRESS}:0"))
            .arg("--host")
            .arg(ADDRESS)
            .start();
        // Where skopeo is missing, nobody could push an image, and the tests
        // that need one have been skipped.
        if !crate::missing(&["skopeo"]) {
            Skopeo::trusting(&tidegate)
                .push(&Archive::of(&[noise(21, 1000)]).source(), IMAGE)
                .assert_ok();
        }
        Self { tidegate }
    }

    fn host(&self) -> String {
        self.tidegate.host()
    }

    fn trust(&self, what: &str, client: &str) -> Finished {
        let (host, ca) = (self.host(), self.tidegate.ca());
        let mut args = vec!["certs", "trust", what, &host, "--for", client];
        if what == "install" {
            args.extend(["--ca", ca.to_str().unwrap()]);
        }
        run(args, "")
    }

    /// The commands of `work` fail, succeed, and fail again.
    fn trusted_only_while_installed(&self, client: &str, work: impl Fn() -> Vec<Finished>) {
        let refused = |when: &str| {
            for finished in work() {
                assert_unknown_authority(&finished);
            }
            let check = self.trust("check", client);
            assert_eq!(check.code, Some(1), "{when}: {}", check.stdout);
        };
        refused("before");
        self.trust("install", client).assert_ok();
        for finished in work() {
            finished.assert_ok();
        }
        self.trust("check", client).assert_ok();
        self.trust("remove", client).assert_ok();
        refused("after");
    }
}

#[track_caller]
fn assert_unknown_authority(finished: &Finished) {
    assert_ne!(finished.code, Some(0), "{}", finished.stdout);
    assert!(
        finished.stderr.contains("unknown authority")
            // As curl puts it.
            || finished.stderr.contains("unable to get local issuer certificate"),
        "{}\n{}",
        finished.stdout,
        finished.stderr
    );
}

/// The home of somebody who is not root.
struct Home(TempDir);

impl Home {
    const NOBODY: u32 = 65534;

    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::os::unix::fs::chown(home.path(), Some(Self::NOBODY), Some(Self::NOBODY)).unwrap();
        Self(home)
    }

    fn run(&self, program: impl AsRef<std::ffi::OsStr>, args: &[&str]) -> Finished {
        use std::os::unix::process::CommandExt as _;

        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.0.path())
            .env("HOME", self.0.path())
            // Where these clients do not look.
            .env("XDG_CONFIG_HOME", self.0.path().join("elsewhere"))
            .env("XDG_RUNTIME_DIR", self.0.path())
            .uid(Self::NOBODY)
            .gid(Self::NOBODY);
        finish(command, "")
    }

    fn trust(&self, registry: &Registry, what: &str) -> Finished {
        // The build's directory may be closed to others.
        let (program, ca) = (
            self.own(Path::new(env!("CARGO_BIN_EXE_tidegate"))),
            self.own(&registry.tidegate.ca()),
        );
        let host = registry.host();
        let mut args = vec!["certs", "trust", what, &host, "--for", "podman"];
        if what == "install" {
            args.extend(["--ca", &ca]);
        }
        self.run(&program, &args)
    }

    /// A copy that its user may read.
    fn own(&self, file: &Path) -> String {
        let copy = self.0.path().join(file.file_name().unwrap());
        if !copy.exists() {
            fs_err::copy(file, &copy).unwrap();
        }
        copy.to_str().unwrap().to_owned()
    }
}

/// A daemon that shares nothing with the system's; stopped when dropped.
pub(crate) struct Daemon {
    child: Child,
    directory: TempDir,
    pub(crate) socket: String,
    /// Nobody reads it further, but it must not be closed.
    _log: Lines,
}

impl Daemon {
    pub(crate) fn of_docker() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let socket = path("docker.sock").to_str().unwrap().to_owned();
        let mut command = Command::new("dockerd");
        command
            .args(["--host", &format!("unix://{socket}")])
            .arg("--data-root")
            .arg(path("data"))
            .arg("--exec-root")
            .arg(path("exec"))
            .arg("--pidfile")
            .arg(path("docker.pid"))
            // The image is small; any file system will do.
            .args(["--storage-driver=vfs", "--bridge=none"])
            .args(["--iptables=false", "--ip6tables=false"])
            .args(["--ip-forward=false", "--ip-masq=false"]);
        Self::start(command, directory, socket, "API listen on")
    }

    pub(crate) fn of_containerd() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let socket = path("containerd.sock").to_str().unwrap().to_owned();
        let mut command = Command::new("containerd");
        command
            .args(["--address", &socket, "--config", "/dev/null"])
            .arg("--root")
            .arg(path("root"))
            .arg("--state")
            .arg(path("state"));
        Self::start(command, directory, socket, "successfully booted")
    }

    fn start(mut command: Command, directory: TempDir, socket: String, ready: &str) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = Lines::of(child.stderr.take().unwrap());
        log.until(ready);
        Self {
            child,
            directory,
            socket,
            _log: log,
        }
    }

    /// Docker's command, with a login of its own.
    pub(crate) fn docker(&self, args: &[&str], stdin: &str) -> Finished {
        let mut command = Command::new("docker");
        command
            .env("DOCKER_HOST", format!("unix://{}", self.socket))
            .env_remove("DOCKER_CONTEXT")
            .env("DOCKER_CONFIG", self.directory.path().join("config"))
            .args(args);
        finish(command, stdin)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Asked, not killed: it has children of its own to stop.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}
