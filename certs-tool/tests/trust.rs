//! `certs-tool trust`, run as a user runs it, on a root of its own.

use std::path::PathBuf;
use std::process::Command;

use certs_tool::{CaOptions, make_ca};
use fs_err as fs;
use serde_json::Value;
use tempfile::TempDir;

const SITE: &str = "reg.lan:5043";

/// A machine's files, and the CA's beside them.
struct Machine {
    directory: TempDir,
}

struct Finished {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Machine {
    /// With the configuration of some clients.
    fn with(directories: &[&str]) -> Self {
        let machine = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        for directory in directories {
            fs::create_dir_all(machine.at(directory)).unwrap();
        }
        fs::create_dir_all(machine.at("")).unwrap();
        let ca = make_ca(&CaOptions::default()).unwrap();
        fs::write(machine.ca(), ca.certificate_pem()).unwrap();
        machine
    }

    fn ca(&self) -> PathBuf {
        self.directory.path().join("ca.crt")
    }

    fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join("root").join(path)
    }

    fn write(&self, path: &str, content: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), content).unwrap();
    }

    fn trust(&self, what: &str, more: &[&str]) -> Finished {
        let mut command = Command::new(env!("CARGO_BIN_EXE_certs-tool"));
        command.args(["trust", what, SITE, "--root"]);
        command.arg(self.at(""));
        if what == "install" {
            command.arg("--ca").arg(self.ca());
        }
        let output = command.args(more).output().unwrap();
        let text = |bytes: &[u8]| {
            let root = format!("{}", self.at("").display());
            String::from_utf8_lossy(bytes).replace(&root, "/")
        };
        Finished {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// The rows of `check --json`.
    fn checked(&self, more: &[&str]) -> (Option<i32>, Vec<Value>) {
        let finished = self.trust("check", &[&["--json"], more].concat());
        let rows = serde_json::from_str(&finished.stdout).unwrap();
        (finished.code, rows)
    }
}

#[test]
fn says_what_it_did_and_that_it_was_done() {
    let machine = Machine::with(&["etc/docker"]);
    let file = "/etc/docker/certs.d/reg.lan:5043/tidegate-ca.crt";
    for (what, said, code) in [
        ("check", "docker: not trusted\n".to_owned(), 1),
        ("install", format!("docker: wrote {file}\n"), 0),
        ("install", "docker: already installed\n".to_owned(), 0),
        ("check", format!("docker: trusted, by {file}\n"), 0),
        ("remove", format!("docker: removed {file}\n"), 0),
        ("remove", "docker: nothing of ours is there\n".to_owned(), 0),
        ("check", "docker: not trusted\n".to_owned(), 1),
    ] {
        let finished = machine.trust(what, &[]);
        assert_eq!((finished.stdout, finished.code), (said, Some(code)));
    }
    assert_eq!(fs::read_dir(machine.at("etc/docker")).unwrap().count(), 0);
}

#[test]
fn a_dry_run_shows_what_would_come_and_no_secret_of_others() {
    let machine = Machine::with(&[]);
    let theirs =
        "configs:\n  \"reg.lan:5043\":\n    auth:\n      username: u\n      password: hunter2\n";
    machine.write("etc/rancher/k3s/registries.yaml", theirs);
    let shown = machine.trust("install", &["--dry-run"]);
    assert_eq!(shown.code, Some(0));
    for part in [
        "k3s: would write /etc/rancher/k3s/certs/reg.lan:5043/tidegate-ca.crt\n    + -----BEGIN CERTIFICATE-----\n",
        "k3s: would change /etc/rancher/k3s/registries.yaml\n    +     tls:\n    +       ca_file: \"/etc/rancher/k3s/certs/reg.lan:5043/tidegate-ca.crt\"\n",
        "k3s: note: k3s reads its registries when it starts",
    ] {
        assert!(shown.stdout.contains(part), "{}", shown.stdout);
    }
    assert!(!shown.stdout.contains("hunter2"), "{}", shown.stdout);
    let registries = machine.at("etc/rancher/k3s/registries.yaml");
    assert_eq!(fs::read_to_string(&registries).unwrap(), theirs);

    machine.trust("install", &[]);
    let shown = machine.trust("remove", &["--dry-run"]);
    assert!(
        shown.stdout.contains("    -     tls:\n"),
        "{}",
        shown.stdout
    );
    assert!(!shown.stdout.contains("hunter2"), "{}", shown.stdout);
    machine.trust("remove", &[]);
    assert_eq!(fs::read_to_string(&registries).unwrap(), theirs);
}

#[test]
fn what_fails_in_one_store_does_not_keep_the_others() {
    let machine = Machine::with(&["etc/docker"]);
    machine.write("etc/buildkit/buildkitd.toml", "registry = 1\n");
    let finished = machine.trust("install", &[]);
    assert_eq!(finished.code, Some(1));
    assert!(finished.stdout.starts_with("docker: wrote "));
    for part in [
        "error: buildkit: `/etc/buildkit/buildkitd.toml` is left as it is",
        "hint: add by hand: [registry.\"reg.lan:5043\"]",
        "error: not done for buildkit\n",
    ] {
        assert!(finished.stderr.contains(part), "{}", finished.stderr);
    }
    assert!(!machine.at("etc/buildkit/certs").exists());
}

#[test]
fn where_no_client_is_found_nothing_is_written_unless_it_is_named() {
    let machine = Machine::with(&[]);
    for what in ["install", "remove", "check"] {
        let finished = machine.trust(what, &[]);
        assert_eq!(finished.code, Some(1));
        assert!(finished.stderr.contains("none of the clients"), "{what}");
    }
    assert_eq!(fs::read_dir(machine.at("")).unwrap().count(), 0);
    machine.trust("install", &["--for", "docker,skopeo"]);
    for client in ["docker", "containers"] {
        let file = format!("etc/{client}/certs.d/{SITE}/tidegate-ca.crt");
        assert!(machine.at(&file).is_file());
    }
    let unknown = machine.trust("install", &["--for", "rkt"]);
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.stderr.contains("--for: `rkt` is no kind of client"));
}

#[test]
fn programs_read_who_trusts_what_and_why_not() {
    let machine = Machine::with(&["etc/docker", "etc/buildkit"]);
    machine.trust("install", &["--for", "docker"]);
    let (code, rows) = machine.checked(&[]);
    assert_eq!(code, Some(1), "BuildKit does not trust it");
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (&rows[0]["store"], &rows[0]["trusts"]),
        (&"docker".into(), &true.into())
    );
    assert_eq!(
        (&rows[1]["store"], &rows[1]["trusts"]),
        (&"buildkit".into(), &false.into())
    );

    // Half a pair keeps Docker from connecting, whatever it trusts.
    machine.write(&format!("etc/docker/certs.d/{SITE}/client.key"), "");
    let (code, rows) = machine.checked(&["--for", "docker"]);
    assert_eq!(code, Some(1));
    assert_eq!(rows[0]["trusts"], false);
    let problem = &rows[0]["problems"][0];
    assert_eq!(problem["blocks"], true);
    assert!(problem["what"].as_str().unwrap().contains("client.cert"));
    assert!(problem["hint"].is_string());
}

#[test]
fn every_client_trusts_what_the_system_trusts() {
    let machine = Machine::with(&["etc/docker", "usr/local/share/ca-certificates"]);
    let ca = fs::read_to_string(machine.ca()).unwrap();
    machine.write("usr/sbin/update-ca-certificates", "");
    let installed = machine.trust("install", &["--for", "system"]);
    assert!(installed.stdout.contains("run update-ca-certificates"));
    let (code, rows) = machine.checked(&[]);
    assert_eq!(code, Some(1));
    let problem = &rows[1]["problems"][0];
    assert_eq!(problem["hint"], "run update-ca-certificates");

    // As that program does.
    machine.write("etc/ssl/certs/ca-certificates.crt", &ca);
    for ca in [
        vec![],
        vec!["--ca".to_owned(), machine.ca().display().to_string()],
    ] {
        let ca: Vec<&str> = ca.iter().map(String::as_str).collect();
        let (code, rows) = machine.checked(&ca);
        assert_eq!(code, Some(0));
        for row in rows {
            let anchor = row["anchors"][0].as_str().unwrap();
            assert!(anchor.ends_with("tidegate-reg.lan_5043.crt"), "{anchor}");
        }
    }
    // Of another CA it knows nothing.
    let other = Machine::with(&[]);
    let (code, rows) = machine.checked(&["--ca", other.ca().to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(rows.iter().all(|row| row["trusts"] == false));
}
