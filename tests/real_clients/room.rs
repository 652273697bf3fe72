//! A room of its own for a test that changes `/etc` or needs an address that is
//! not loopback: the test runs itself again in namespaces where both are its
//! own, and whatever it starts ends with it.

use std::process::Command;

use crate::harness::finish;
use crate::{missing, skip};

/// An address of the room's own (RFC 5737). Docker's daemon verifies nobody's
/// certificate on 127.0.0.0/8.
pub(crate) const ADDRESS: &str = "192.0.2.10";

/// Set for a test that runs in a room.
const MARK: &str = "TIDEGATE_TEST_ROOM";

/// Makes the machine's configuration the room's own: what is written here is
/// gone with the room.
const FURNISH: &str = r#"
    ip link set lo up
    ip address add "$0/32" dev lo
    own() {
        [ -d "$1" ] || return 0
        mount -t tmpfs tmpfs /mnt
        cp -a "$1/." /mnt
        mount --move /mnt "$1"
    }
    own /etc
    own /usr/local/share/ca-certificates
    rm -rf /etc/docker /etc/containerd /etc/containers/certs.d
    exec "$@"
"#;

/// Whether the test may go on: it is in a room. Elsewhere it has been run in
/// one by the time this returns, or skipped where `programs` or rights are
/// missing.
///
/// # Panics
/// If the test failed in its room.
pub(crate) fn entered(test: &str, programs: &[&str]) -> bool {
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    if missing(&["unshare", "ip", "mount"]) || missing(programs) {
        return false;
    }
    if !rustix::process::geteuid().is_root() {
        skip("root's rights not found");
        return false;
    }
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--net", "--pid", "--fork", "--kill-child"])
        .args(["--mount-proc", "sh", "-euc", FURNISH, ADDRESS])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(MARK, "1");
    let finished = finish(command, "");
    assert!(
        finished.code == Some(0) && finished.stdout.contains("1 passed"),
        "{}\n{}",
        finished.stdout,
        finished.stderr
    );
    false
}
