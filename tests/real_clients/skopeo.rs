//! skopeo, which verifies TLS always.

use std::path::Path;
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use crate::archive::Archive;
use crate::harness::image::{noise, sha256};
use crate::harness::{Finished, PASSWORD, Tidegate, USER, finish, up};
use crate::{MIB, missing};

#[test]
fn skopeo_copies_in_and_out_over_verified_tls() {
    if missing(&["skopeo"]) {
        return;
    }
    let tidegate = up().start();
    let skopeo = Skopeo::trusting(&tidegate);
    let archive = Archive::of(&[noise(1, 220 * MIB), noise(2, 3 * MIB), noise(3, 10)]);
    let back = tempfile::tempdir().unwrap();
    let (first, second) = (back.path().join("first"), back.path().join("second"));

    skopeo.push(&archive.source(), "team/app:v1").assert_ok();
    skopeo.pull("team/app:v1", &first).assert_ok();
    // In again from what came out, and out again: not one byte may change.
    skopeo.push(&dir_of(&first), "team/app:v2").assert_ok();
    skopeo.pull("team/app:v2", &second).assert_ok();
    assert_eq!(contents(&first), contents(&second));
    assert!(
        contents(&first).len() >= 5,
        "a manifest, a configuration, three layers"
    );

    let inspected = skopeo.about("inspect", "team/app:v1");
    inspected.assert_ok();
    let digest = sha256(&fs_err::read(first.join("manifest.json")).unwrap());
    assert!(inspected.stdout.contains(&digest), "{}", inspected.stdout);
}

#[test]
fn skopeo_gets_nothing_without_trust_or_password() {
    if missing(&["skopeo"]) {
        return;
    }
    let tidegate = up().start();
    let mut skopeo = Skopeo::trusting(&tidegate);
    skopeo
        .push(&Archive::of(&[noise(17, 1000)]).source(), "team/app:v1")
        .assert_ok();

    skopeo.credentials = format!("{USER}:wrong");
    let refused = skopeo.about("inspect", "team/app:v1");
    assert_ne!(refused.code, Some(0));
    assert!(
        ["unauthorized", "401", "username/password"]
            .iter()
            .any(|word| refused.stderr.contains(word)),
        "{}",
        refused.stderr
    );

    let mut skopeo = Skopeo::trusting(&tidegate);
    skopeo.trust = tempfile::tempdir().unwrap();
    let untrusted = skopeo.about("inspect", "team/app:v1");
    assert_ne!(untrusted.code, Some(0));
    assert!(untrusted.stderr.contains("x509"), "{}", untrusted.stderr);
}

#[test]
fn skopeo_lists_and_deletes() {
    if missing(&["skopeo"]) {
        return;
    }
    let tidegate = up().start();
    let skopeo = Skopeo::trusting(&tidegate);
    let archive = Archive::of(&[noise(4, 1000)]);
    for image in ["list/me:one", "list/me:two"] {
        skopeo.push(&archive.source(), image).assert_ok();
    }
    let tags = skopeo.about("list-tags", "list/me");
    tags.assert_ok();
    let tags: serde_json::Value = serde_json::from_str(&tags.stdout).unwrap();
    assert_eq!(tags["Tags"], json!(["one", "two"]));

    skopeo.about("delete", "list/me:one").assert_ok();
    assert_ne!(skopeo.about("inspect", "list/me:one").code, Some(0));
}

/// skopeo with one registry's CA and a password for it.
pub(crate) struct Skopeo {
    host: String,
    /// As `/etc/containers/certs.d/HOST:PORT` is laid out.
    trust: TempDir,
    credentials: String,
}

impl Skopeo {
    pub(crate) fn trusting(tidegate: &Tidegate) -> Self {
        let trust = tempfile::tempdir().unwrap();
        fs_err::copy(tidegate.ca(), trust.path().join("ca.crt")).unwrap();
        Self {
            host: tidegate.host(),
            trust,
            credentials: format!("{USER}:{PASSWORD}"),
        }
    }

    /// Copies an image in, its digests unchanged where it has any.
    pub(crate) fn push(&self, source: &str, image: &str) -> Finished {
        let preserve = source.starts_with("dir:").then_some("--preserve-digests");
        self.copy_in(preserve.as_slice(), source, image)
    }

    /// Copies an image in, converted to a format that skopeo names.
    pub(crate) fn push_as(&self, format: &str, source: &str, image: &str) -> Finished {
        self.copy_in(&["--format", format], source, image)
    }

    fn copy_in(&self, how: &[&str], source: &str, image: &str) -> Finished {
        let mut command = skopeo();
        command
            .arg("copy")
            .args(how)
            .arg("--dest-cert-dir")
            .arg(self.trust.path())
            .args(["--dest-creds", &self.credentials, source])
            .arg(self.reference(image));
        finish(command, "")
    }

    /// Copies an image out.
    pub(crate) fn pull(&self, image: &str, to: &Path) -> Finished {
        let mut command = skopeo();
        command
            .args(["copy", "--src-cert-dir"])
            .arg(self.trust.path())
            .args(["--src-creds", &self.credentials])
            .args([self.reference(image), dir_of(to)]);
        finish(command, "")
    }

    /// `inspect`, `list-tags`, `delete`.
    fn about(&self, what: &str, image: &str) -> Finished {
        let mut command = skopeo();
        command
            .args([what, "--cert-dir"])
            .arg(self.trust.path())
            .args(["--creds", &self.credentials])
            .arg(self.reference(image));
        finish(command, "")
    }

    fn reference(&self, image: &str) -> String {
        format!("docker://{}/{image}", self.host)
    }
}

pub(crate) fn skopeo() -> Command {
    let mut command = Command::new("skopeo");
    // The tests' images are signed by nobody, whatever this machine's policy is.
    command.arg("--insecure-policy");
    command
}

pub(crate) fn dir_of(path: &Path) -> String {
    format!("dir:{}", path.display())
}

/// The files of a directory: name, size and digest.
pub(crate) fn contents(dir: &Path) -> Vec<(String, usize, String)> {
    let mut files: Vec<_> = fs_err::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let bytes = fs_err::read(entry.path()).unwrap();
            (
                entry.file_name().to_string_lossy().into_owned(),
                bytes.len(),
                sha256(&bytes),
            )
        })
        .collect();
    files.sort();
    files
}
