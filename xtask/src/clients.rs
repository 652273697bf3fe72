//! `cargo xtask clients`: the tests that drive the real clients, with a Docker
//! daemon of their own.

use std::time::Duration;

use tempfile::TempDir;

use crate::error::Error;
use crate::install::{self, Program};
use crate::service::Service;
use crate::workspace::Workspace;
use crate::{native, process, say};

/// How long the daemon may take to answer; it starts containerd first.
const DAEMON_LIMIT: Duration = Duration::from_secs(60);

/// Installs the clients, starts a daemon, and runs `tests/real_clients`
/// with every client required.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Error> {
    native::ensure_build_tools()?;
    install::ensure(&PROGRAMS)?;
    // Built first, so that the daemon need not wait for the compiler.
    process::run(workspace.cargo().args(TEST).arg("--no-run"))?;
    let daemon = Daemon::start()?;
    say::title("tests with real clients");
    let outcome = process::run(
        workspace
            .cargo()
            .args(TEST)
            .args(["--", "--nocapture"])
            .env("TIDEGATE_REQUIRE_CLIENTS", "1")
            .env("DOCKER_HOST", &daemon.address)
            // A context chosen by the user would win over the address.
            .env_remove("DOCKER_CONTEXT"),
    );
    if matches!(outcome, Err(Error::Command { .. })) {
        say::note(&format!(
            "the end of dockerd's log:\n{}",
            daemon.service.log_tail()
        ));
    }
    outcome
}

const TEST: [&str; 4] = ["test", "--workspace", "--test", "real_clients"];

const PROGRAMS: [Program; 13] = [
    Program::in_debian("docker", &["docker.io"]),
    Program::in_debian("dockerd", &["docker.io"]),
    Program::in_debian("containerd", &["containerd"]),
    Program::in_debian("runc", &["runc"]),
    Program::in_debian("skopeo", &["skopeo"]),
    Program::in_debian("podman", &["podman"]),
    Program::in_debian("ip", &["iproute2"]),
    Program::in_debian("update-ca-certificates", &["ca-certificates"]),
    Program::in_debian("docker-registry", &["docker-registry"]),
    Program::in_debian("nginx", &["nginx-light"]),
    Program::in_debian("htpasswd", &["apache2-utils"]),
    Program::in_debian("curl", &["curl"]),
    Program::in_debian("openssl", &["openssl"]),
];

/// A Docker daemon that shares nothing with the system's: its images, sockets
/// and configuration live in a temporary directory, and it leaves the network
/// alone.
struct Daemon {
    // Stopped before the directory is removed.
    service: Service,
    address: String,
    _directory: TempDir,
}

impl Daemon {
    fn start() -> Result<Self, Error> {
        if !install::is_root() {
            return Err(Error::NeedsRoot { program: "dockerd" });
        }
        // dockerd picks a storage driver by looking at the file system. Where
        // that choice fails (overlay on overlay), vfs works.
        Self::start_with(&[]).or_else(|error| match error {
            Error::Server { .. } => {
                say::note(&format!("{error}\ntrying again with --storage-driver=vfs"));
                Self::start_with(&["--storage-driver=vfs"])
            }
            other => Err(other),
        })
    }

    fn start_with(more: &[&str]) -> Result<Self, Error> {
        let directory = tempfile::Builder::new().prefix("xtask-docker").tempdir()?;
        let path = |name: &str| directory.path().join(name);
        // Given one of its own, the daemon does not read the system's.
        fs_err::write(path("daemon.json"), "{}")?;
        let address = format!("unix://{}", path("docker.sock").display());
        let mut command = process::command("dockerd");
        command
            .args(["--host", &address])
            .arg("--config-file")
            .arg(path("daemon.json"))
            .arg("--data-root")
            .arg(path("data"))
            .arg("--exec-root")
            .arg(path("exec"))
            .arg("--pidfile")
            .arg(path("docker.pid"))
            .args(["--bridge=none", "--iptables=false", "--ip6tables=false"])
            .args(["--ip-forward=false", "--ip-masq=false"])
            .arg("--log-level=warn")
            .args(more);
        say::title("starting dockerd");
        let mut service = Service::start("dockerd", &mut command, &path("dockerd.log"))?;
        service.wait_until(DAEMON_LIMIT, || {
            process::succeeds(process::command("docker").args(["--host", &address, "version"]))
        })?;
        Ok(Self {
            service,
            address,
            _directory: directory,
        })
    }
}
