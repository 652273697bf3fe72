//! The clients that people have, and the registry that they had: docker,
//! skopeo, docker-registry.
//!
//! Each test says "skipped: … not found" where its program is missing, unless
//! `TIDEGATE_REQUIRE_CLIENTS` is set: then that is a failure. `cargo xtask
//! clients` installs them and starts a Docker daemon.
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

mod harness;

use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use harness::image::{noise, sha256};
use harness::{Finished, Lines, PASSWORD, Tidegate, USER, finish, up};
use serde_json::json;
use tempfile::TempDir;

const MIB: usize = 1 << 20;

#[test]
fn skopeo_copies_in_and_out_over_verified_tls() {
    if missing(&["skopeo"]) {
        return;
    }
    let tidegate = up().start();
    let archive = Archive::of(&[noise(1, 220 * MIB), noise(2, 3 * MIB), noise(3, 10)]);
    let trust = Trust::of(&tidegate);
    let there = format!("docker://{}/team/app:v1", tidegate.host());
    let back = tempfile::tempdir().unwrap();

    let source = archive.source();
    let copied = skopeo([
        "copy",
        "--dest-cert-dir",
        trust.dir(),
        "--dest-creds",
        &creds(),
        &source,
        &there,
    ]);
    copied.assert_ok();
    let first = back.path().join("first");
    skopeo([
        "copy",
        "--src-cert-dir",
        trust.dir(),
        "--src-creds",
        &creds(),
        &there,
        &dir_of(&first),
    ])
    .assert_ok();

    // In again from what came out, and out again: not one byte may change.
    let twice = format!("docker://{}/team/app:v2", tidegate.host());
    skopeo([
        "copy",
        "--preserve-digests",
        "--dest-cert-dir",
        trust.dir(),
        "--dest-creds",
        &creds(),
        &dir_of(&first),
        &twice,
    ])
    .assert_ok();
    let second = back.path().join("second");
    skopeo([
        "copy",
        "--src-cert-dir",
        trust.dir(),
        "--src-creds",
        &creds(),
        &twice,
        &dir_of(&second),
    ])
    .assert_ok();
    assert_eq!(contents(&first), contents(&second));
    assert!(
        contents(&first).len() >= 5,
        "a manifest, a configuration, three layers"
    );

    let inspected = skopeo([
        "inspect",
        "--cert-dir",
        trust.dir(),
        "--creds",
        &creds(),
        &there,
    ]);
    inspected.assert_ok();
    let digest = sha256(&fs_err::read(first.join("manifest.json")).unwrap());
    assert!(inspected.stdout.contains(&digest), "{}", inspected.stdout);

    // Neither a stranger's certificate nor a wrong password gets through.
    let empty = tempfile::tempdir().unwrap();
    let untrusted = skopeo([
        "inspect",
        "--cert-dir",
        &empty.path().to_string_lossy(),
        "--creds",
        &creds(),
        &there,
    ]);
    assert_ne!(untrusted.code, Some(0));
    assert!(untrusted.stderr.contains("x509"), "{}", untrusted.stderr);
    let refused = skopeo([
        "inspect",
        "--cert-dir",
        trust.dir(),
        "--creds",
        &format!("{USER}:wrong"),
        &there,
    ]);
    assert_ne!(refused.code, Some(0));
    assert!(
        refused.stderr.contains("unauthorized")
            || refused.stderr.contains("401")
            || refused.stderr.contains("username/password"),
        "{}",
        refused.stderr
    );
}

#[test]
fn skopeo_lists_and_deletes() {
    if missing(&["skopeo"]) {
        return;
    }
    let tidegate = up().start();
    let archive = Archive::of(&[noise(4, 1000)]);
    let trust = Trust::of(&tidegate);
    for tag in ["one", "two"] {
        let there = format!("docker://{}/list/me:{tag}", tidegate.host());
        skopeo([
            "copy",
            "--dest-cert-dir",
            trust.dir(),
            "--dest-creds",
            &creds(),
            &archive.source(),
            &there,
        ])
        .assert_ok();
    }
    let repository = format!("docker://{}/list/me", tidegate.host());
    let tags = skopeo([
        "list-tags",
        "--cert-dir",
        trust.dir(),
        "--creds",
        &creds(),
        &repository,
    ]);
    tags.assert_ok();
    let tags: serde_json::Value = serde_json::from_str(&tags.stdout).unwrap();
    assert_eq!(tags["Tags"], json!(["one", "two"]));

    let one = format!("{repository}:one");
    skopeo([
        "delete",
        "--cert-dir",
        trust.dir(),
        "--creds",
        &creds(),
        &one,
    ])
    .assert_ok();
    let gone = skopeo([
        "inspect",
        "--cert-dir",
        trust.dir(),
        "--creds",
        &creds(),
        &one,
    ]);
    assert_ne!(gone.code, Some(0));
}

#[test]
fn docker_logs_in_pushes_and_pulls() {
    if missing(&["docker"]) || no_daemon() {
        return;
    }
    let tidegate = up().start();
    let docker = Docker::new();
    let archive = Archive::of(&[
        noise(5, 220 * MIB),
        noise(6, 2 * MIB),
        noise(7, 2 * MIB),
        noise(8, 20),
    ]);
    let host = tidegate.host();
    let image = format!("{host}/team/docker-app:v1");

    docker
        .run(&["load", "--input", &archive.path()], "")
        .assert_ok();
    docker.run(&["tag", archive.name(), &image], "").assert_ok();

    let wrong = docker.run(&["login", "-u", USER, "--password-stdin", &host], "wrong");
    assert_ne!(wrong.code, Some(0));
    assert!(
        wrong.stderr.to_lowercase().contains("unauthorized"),
        "{}",
        wrong.stderr
    );
    let refused = docker.run(&["push", &image], "");
    assert_ne!(refused.code, Some(0), "nobody is logged in");

    docker
        .run(&["login", "-u", USER, "--password-stdin", &host], PASSWORD)
        .assert_ok();
    let pushed = docker.run(&["push", &image], "");
    pushed.assert_ok();
    let digest = digest_in(&pushed.stdout);
    let id = docker.id_of(&image);

    docker
        .run(&["rmi", "--force", &image, archive.name()], "")
        .assert_ok();
    let pulled = docker.run(&["pull", &image], "");
    pulled.assert_ok();
    assert_eq!(digest_in(&pulled.stdout), digest);
    assert_eq!(docker.id_of(&image), id);

    // The same again is found to be there.
    let again = docker.run(&["push", &image], "");
    again.assert_ok();
    assert_eq!(digest_in(&again.stdout), digest);
    assert!(
        again.stdout.contains("Layer already exists"),
        "{}",
        again.stdout
    );

    docker.run(&["logout", &host], "").assert_ok();
    let refused = docker.run(&["push", &image], "");
    assert_ne!(refused.code, Some(0));
    assert!(
        refused.stderr.contains("no basic auth credentials")
            || refused.stderr.contains("unauthorized"),
        "{}",
        refused.stderr
    );
    docker.run(&["rmi", "--force", &image], "").assert_ok();
}

#[test]
fn docker_registry_and_tidegate_serve_the_same_directory() {
    if missing(&["skopeo", "docker-registry"]) {
        return;
    }
    let tidegate = up().start();
    let trust = Trust::of(&tidegate);
    let theirs = DockerRegistry::start(&tidegate.dir.join("registry"));
    let ours = |repository: &str| format!("docker://{}/{repository}:v1", tidegate.host());
    let out = tempfile::tempdir().unwrap();
    let pulled = |name: &str, arguments: &[&str]| {
        let to = out.path().join(name);
        let mut all = vec!["copy"];
        all.extend(arguments);
        let target = dir_of(&to);
        all.push(&target);
        skopeo(&all).assert_ok();
        contents(&to)
    };

    // What Tidegate wrote, docker-registry serves.
    let archive = Archive::of(&[noise(9, 5 * MIB), noise(10, 1000)]);
    skopeo([
        "copy",
        "--dest-cert-dir",
        trust.dir(),
        "--dest-creds",
        &creds(),
        &archive.source(),
        &ours("from/tidegate"),
    ])
    .assert_ok();
    let from_ours = pulled(
        "a",
        &[
            "--src-cert-dir",
            trust.dir(),
            "--src-creds",
            &creds(),
            &ours("from/tidegate"),
        ],
    );
    let from_theirs = pulled(
        "b",
        &["--src-tls-verify=false", &theirs.image("from/tidegate")],
    );
    assert_eq!(from_ours, from_theirs);

    // What docker-registry wrote, Tidegate serves.
    let archive = Archive::of(&[noise(11, 5 * MIB), noise(12, 1000)]);
    skopeo([
        "copy",
        "--dest-tls-verify=false",
        &archive.source(),
        &theirs.image("from/distribution"),
    ])
    .assert_ok();
    let from_theirs = pulled(
        "c",
        &["--src-tls-verify=false", &theirs.image("from/distribution")],
    );
    let from_ours = pulled(
        "d",
        &[
            "--src-cert-dir",
            trust.dir(),
            "--src-creds",
            &creds(),
            &ours("from/distribution"),
        ],
    );
    assert_eq!(from_ours, from_theirs);
}

#[test]
fn docker_registry_can_stay_behind_the_front() {
    if missing(&["skopeo", "docker-registry"]) {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let theirs = DockerRegistry::start(root.path());
    let front = up()
        .config(
            "[registry]\nroot = \"registry\"",
            &format!("[forward]\nto = \"http://127.0.0.1:{}\"", theirs.port),
        )
        .start();
    let trust = Trust::of(&front);
    let archive = Archive::of(&[noise(13, 70 * MIB), noise(14, 1000)]);
    let image = format!("docker://{}/behind/front:v1", front.host());
    skopeo([
        "copy",
        "--dest-cert-dir",
        trust.dir(),
        "--dest-creds",
        &creds(),
        &archive.source(),
        &image,
    ])
    .assert_ok();
    let out = tempfile::tempdir().unwrap();
    let (through, direct) = (out.path().join("a"), out.path().join("b"));
    skopeo([
        "copy",
        "--src-cert-dir",
        trust.dir(),
        "--src-creds",
        &creds(),
        &image,
        &dir_of(&through),
    ])
    .assert_ok();
    skopeo([
        "copy",
        "--src-tls-verify=false",
        &theirs.image("behind/front"),
        &dir_of(&direct),
    ])
    .assert_ok();
    assert_eq!(contents(&through), contents(&direct));
}

#[test]
fn curl_reads_why_it_was_refused_in_the_middle_of_sending() {
    if missing(&["curl"]) {
        return;
    }
    let tidegate = up().start();
    let dir = tempfile::tempdir().unwrap();
    let layer = dir.path().join("layer");
    fs_err::write(&layer, noise(15, 64 * MIB)).unwrap();
    for version in ["--http1.1", "--http2"] {
        for encoding in ["Expect:", "Transfer-Encoding: chunked"] {
            let mut command = Command::new("curl");
            command
                .args(["--silent", "--show-error", "--include", version])
                .args(["--user", "admin:wrong", "--header", encoding])
                .args(["--request", "PATCH", "--upload-file"])
                .arg(&layer)
                .arg("--cacert")
                .arg(tidegate.ca())
                .arg(tidegate.url("/v2/a/blobs/uploads/x"));
            let finished = finish(command, "");
            assert!(
                finished.stdout.contains(" 401") && finished.stdout.contains("UNAUTHORIZED"),
                "{version} {encoding}: {}{}",
                finished.stdout,
                finished.stderr
            );
        }
    }
}

#[test]
fn openssl_accepts_the_certificates() {
    if missing(&["openssl"]) {
        return;
    }
    let tidegate = up().start();
    for version in ["-tls1_2", "-tls1_3"] {
        let mut command = Command::new("openssl");
        command
            .args([
                "s_client",
                version,
                "-verify_return_error",
                "-x509_strict",
                "-purpose",
                "sslserver",
            ])
            .args([
                "-verify_ip",
                "127.0.0.1",
                "-connect",
                &tidegate.host(),
                "-CAfile",
            ])
            .arg(tidegate.ca());
        let finished = finish(command, "");
        finished.assert_ok();
        assert!(
            finished.stdout.contains("Verify return code: 0 (ok)"),
            "{}",
            finished.stdout
        );
    }
}

/// An image as `docker save` writes it.
struct Archive {
    dir: TempDir,
    name: String,
}

impl Archive {
    /// Each content becomes the one file of a layer.
    fn of(contents: &[bytes::Bytes]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut layers = vec![];
        let mut diff_ids = vec![];
        for (n, content) in contents.iter().enumerate() {
            let layer = format!("layer{n}.tar");
            fs_err::write(dir.path().join(format!("file{n}")), content).unwrap();
            tar(dir.path(), &layer, &[format!("file{n}")]);
            fs_err::remove_file(dir.path().join(format!("file{n}"))).unwrap();
            diff_ids.push(sha256(&fs_err::read(dir.path().join(&layer)).unwrap()));
            layers.push(layer);
        }
        // The last layer names the image, so that parallel tests do not meet.
        let name = format!(
            "tidegate-test/{}:latest",
            &diff_ids[diff_ids.len() - 1][7..19]
        );
        let history: Vec<_> = layers
            .iter()
            .map(|_| json!({"created": "2020-01-01T00:00:00Z", "created_by": "test"}))
            .collect();
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "created": "2020-01-01T00:00:00Z",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": history,
        });
        let manifest = json!([{"Config": "config.json", "RepoTags": [name], "Layers": layers}]);
        fs_err::write(dir.path().join("config.json"), config.to_string()).unwrap();
        fs_err::write(dir.path().join("manifest.json"), manifest.to_string()).unwrap();
        let mut members = vec!["manifest.json".to_owned(), "config.json".to_owned()];
        members.extend(layers);
        tar(dir.path(), "image.tar", &members);
        Self { dir, name }
    }

    fn path(&self) -> String {
        self.dir
            .path()
            .join("image.tar")
            .to_string_lossy()
            .into_owned()
    }

    fn source(&self) -> String {
        format!("docker-archive:{}", self.path())
    }

    fn name(&self) -> &str {
        &self.name
    }
}

fn tar(dir: &Path, name: &str, members: &[String]) {
    let mut command = Command::new("tar");
    command
        .current_dir(dir)
        .args([
            "--owner=0",
            "--group=0",
            "--numeric-owner",
            "--mtime=@0",
            "-cf",
            name,
        ])
        .args(members);
    finish(command, "").assert_ok();
}

/// A directory as `/etc/containers/certs.d/HOST:PORT` is laid out.
struct Trust(TempDir);

impl Trust {
    fn of(tidegate: &Tidegate) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs_err::copy(tidegate.ca(), dir.path().join("ca.crt")).unwrap();
        Self(dir)
    }

    fn dir(&self) -> &str {
        self.0.path().to_str().expect("a plain path")
    }
}

/// docker with a login of its own.
struct Docker(TempDir);

impl Docker {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn run(&self, args: &[&str], stdin: &str) -> Finished {
        let mut command = Command::new("docker");
        command.env("DOCKER_CONFIG", self.0.path()).args(args);
        finish(command, stdin)
    }

    fn id_of(&self, image: &str) -> String {
        let found = self.run(&["image", "inspect", "--format", "{{.Id}}", image], "");
        found.assert_ok();
        found.stdout.trim().to_owned()
    }
}

/// Debian's docker-registry on a free port, without TLS or password.
struct DockerRegistry {
    child: Child,
    port: u16,
    /// Read on, so that it never waits for its reader.
    _log: Lines,
    _config: TempDir,
}

impl DockerRegistry {
    fn start(root: &Path) -> Self {
        let port = {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            free.local_addr().unwrap().port()
        };
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config.yml");
        let text = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:{port}\n",
            root.display()
        );
        fs_err::write(&config, text).unwrap();
        let mut child = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = Lines::of(child.stderr.take().expect("piped"));
        log.until("listening on");
        Self {
            child,
            port,
            _log: log,
            _config: dir,
        }
    }

    fn image(&self, repository: &str) -> String {
        format!("docker://127.0.0.1:{}/{repository}:v1", self.port)
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Finished {
    #[track_caller]
    fn assert_ok(&self) {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stdout, self.stderr);
    }
}

fn skopeo<A: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = A>) -> Finished {
    let mut command = Command::new("skopeo");
    // The test's images are signed by nobody, whatever this machine's policy is.
    command.arg("--insecure-policy").args(args);
    finish(command, "")
}

fn creds() -> String {
    format!("{USER}:{PASSWORD}")
}

fn dir_of(path: &Path) -> String {
    format!("dir:{}", path.display())
}

/// The files of a directory: name, size and digest.
fn contents(dir: &Path) -> Vec<(String, usize, String)> {
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

fn digest_in(output: &str) -> String {
    let at = output
        .find("sha256:")
        .unwrap_or_else(|| panic!("no digest in {output}"));
    output[at..at + 71].to_owned()
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

fn no_daemon() -> bool {
    let finished = Docker::new().run(&["version"], "");
    finished.code != Some(0) && skip("a Docker daemon not found")
}

fn skip(why: &str) -> bool {
    assert!(
        std::env::var_os("TIDEGATE_REQUIRE_CLIENTS").is_none(),
        "{why}, and TIDEGATE_REQUIRE_CLIENTS is set"
    );
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
    true
}
