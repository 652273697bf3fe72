//! The clients that people have, and the registry that they had: docker,
//! containerd, skopeo, curl, openssl, docker-registry.
//!
//! Each test says "skipped: … not found" where its program is missing, unless
//! `TIDEGATE_REQUIRE_CLIENTS` is set: then that is a failure. `cargo xtask
//! clients` installs them and starts a Docker daemon.
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

#[path = "../harness/mod.rs"]
mod harness;

mod access;
mod archive;
mod beside_nginx;
mod bootstrap;
mod both_ways;
mod client_certificates;
mod compose;
mod containerd;
mod docker;
mod docker_registry;
mod image;
mod kinds;
mod migrating;
mod recipe;
mod registry_serve;
mod room;
mod schema1;
mod skopeo;
mod tls;
mod trust;

use std::io::Write as _;
use std::path::PathBuf;

use harness::Finished;

const MIB: usize = 1 << 20;

impl Finished {
    #[track_caller]
    fn assert_ok(&self) {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stdout, self.stderr);
    }
}

/// Whether a program is missing; then the test is skipped, or fails where it
/// must not be.
fn missing(programs: &[&str]) -> bool {
    for program in programs {
        let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .map(|dir: PathBuf| dir.join(program))
            .any(|path| path.is_file());
        if !found {
            return skip(&format!("{program} not found"));
        }
    }
    false
}

fn skip(why: &str) -> bool {
    assert!(
        std::env::var_os("TIDEGATE_REQUIRE_CLIENTS").is_none(),
        "{why}, and TIDEGATE_REQUIRE_CLIENTS is set"
    );
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
    true
}
