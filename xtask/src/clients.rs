//! `cargo xtask clients`: the tests that drive the real clients, with a Docker
//! daemon of their own.

use crate::daemon::{self, Daemon};
use crate::error::Error;
use crate::install::{self, Program};
use crate::workspace::Workspace;
use crate::{native, process, say};

/// Installs the clients, starts a daemon, and runs `tests/real_clients`
/// with every client required.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Error> {
    native::ensure_build_tools()?;
    install::ensure(&[daemon::PROGRAMS.as_slice(), &PROGRAMS].concat())?;
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

const PROGRAMS: [Program; 11] = [
    Program::in_debian("ctr", &["containerd"]),
    Program::in_debian("skopeo", &["skopeo"]),
    Program::in_debian("podman", &["podman"]),
    Program::in_debian("ip", &["iproute2"]),
    Program::in_debian("update-ca-certificates", &["ca-certificates"]),
    Program::in_debian("docker-registry", &["docker-registry"]),
    Program::in_debian("docker-compose", &["docker-compose"]),
    Program::in_debian("nginx", &["nginx-light"]),
    Program::in_debian("htpasswd", &["apache2-utils"]),
    Program::in_debian("curl", &["curl"]),
    Program::in_debian("openssl", &["openssl"]),
];
