//! A Docker daemon for a task, beside the system's.

use std::time::Duration;

use tempfile::TempDir;

use crate::error::Error;
use crate::install::{self, Program};
use crate::service::Service;
use crate::{process, say};

/// How long the daemon may take to answer; it starts containerd first.
const DAEMON_LIMIT: Duration = Duration::from_secs(60);

/// What it needs.
pub(crate) const PROGRAMS: [Program; 4] = [
    Program::in_debian("docker", &["docker.io"]),
    Program::in_debian("dockerd", &["docker.io"]),
    Program::in_debian("containerd", &["containerd"]),
    Program::in_debian("runc", &["runc"]),
];

/// A Docker daemon that shares nothing with the system's: its images, sockets
/// and configuration live in a temporary directory, and it leaves the network
/// alone.
pub(crate) struct Daemon {
    // Stopped before the directory is removed.
    pub(crate) service: Service,
    /// What `DOCKER_HOST` must be.
    pub(crate) address: String,
    _directory: TempDir,
}

impl Daemon {
    /// Starts it and waits until it answers. Only root may.
    pub(crate) fn start() -> Result<Self, Error> {
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
