//! The line that `up` prints for client machines, run as it would be there.

use std::path::Path;
use std::process::Command;

use crate::harness::{Finished, Tidegate, finish, up};
use crate::missing;

/// The line of the banner, changed to write below another root and without
/// asking for root's rights.
fn line(tidegate: &Tidegate, root: &Path) -> String {
    let line = tidegate
        .banner
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("curl "))
        .expect("the banner has it");
    assert!(line.contains("| sudo sh "), "{line}");
    line.replace("| sudo sh ", "| sh ")
        .replace("/etc/", &format!("{}/", root.display()))
}

fn shell(line: &str) -> Finished {
    let mut command = Command::new("sh");
    command.args(["-c", line]);
    finish(command, "")
}

#[test]
fn a_pasted_line_gives_trust_and_only_to_the_ca_it_names() {
    if missing(&["curl", "skopeo"]) {
        return;
    }
    let tidegate = up().start();
    let root = tempfile::tempdir().unwrap();
    let line = line(&tidegate, root.path());

    let fingerprint = line
        .split_whitespace()
        .find(|word| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit()))
        .expect("it pins a fingerprint");
    let other = "0".repeat(64);
    let refused = shell(&line.replace(fingerprint, &other));
    assert_eq!(refused.code, Some(1), "{}", refused.stdout);
    assert!(
        refused.stderr.contains("nothing was written"),
        "{}",
        refused.stderr
    );
    assert_eq!(fs_err::read_dir(root.path()).unwrap().count(), 0);

    shell(&line).assert_ok();
    for client in ["docker", "containers"] {
        let written = root
            .path()
            .join(client)
            .join("certs.d")
            .join(tidegate.host());
        // skopeo takes such a directory by itself; here it is named.
        let mut command = Command::new("skopeo");
        command
            .args(["login", "--username", crate::harness::USER])
            .args(["--password", crate::harness::PASSWORD, "--cert-dir"])
            .arg(&written)
            .arg("--authfile")
            .arg(root.path().join("auth.json"))
            .arg(tidegate.host());
        finish(command, "").assert_ok();
    }
}
