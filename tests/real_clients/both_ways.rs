//! Debian's docker-registry and Tidegate on one directory, in turns and at
//! once: each serves what the other wrote, and neither stumbles over what only
//! the other knows.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};

use crate::docker_registry::DockerRegistry;
use crate::harness::image::{OCI_MANIFEST, sha256};
use crate::harness::{Finished, PASSWORD, Tidegate, USER, run, up};
use crate::missing;

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// One of the two, as a client reaches it.
struct Side {
    base: String,
    arguments: Vec<String>,
}

/// What it answers.
struct Answer {
    status: u16,
    location: Option<String>,
    body: Vec<u8>,
}

impl Side {
    fn ours(tidegate: &Tidegate) -> Self {
        let ca = tidegate.ca().to_str().unwrap().to_owned();
        let credentials = format!("{USER}:{PASSWORD}");
        Self {
            base: tidegate.url(""),
            arguments: vec!["--cacert".into(), ca, "--user".into(), credentials],
        }
    }

    fn theirs(registry: &DockerRegistry) -> Self {
        Self {
            base: registry.url(""),
            arguments: Vec::new(),
        }
    }

    fn send(&self, method: &str, path: &str, kind: Option<&str>, body: Option<&[u8]>) -> Answer {
        let scratch = tempfile::tempdir().unwrap();
        let file = |name: &str| scratch.path().join(name).to_str().unwrap().to_owned();
        let url = match path.strip_prefix("http") {
            Some(_) => path.to_owned(),
            None => format!("{}{path}", self.base),
        };
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--request", method]);
        if method == "HEAD" {
            command.arg("--head");
        }
        command.args(&self.arguments);
        command.args(["--output", &file("body"), "--dump-header", &file("head")]);
        if let Some(kind) = kind {
            command.arg("--header").arg(format!("Content-Type: {kind}"));
        }
        if let Some(body) = body {
            fs_err::write(file("sent"), body).unwrap();
            command
                .arg("--data-binary")
                .arg(format!("@{}", file("sent")));
        }
        let accept = format!("Accept: {OCI_MANIFEST}, {DOCKER_MANIFEST}");
        let output = command.args(["--header", &accept, &url]).output().unwrap();
        assert!(
            output.status.success(),
            "{method} {url}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let head = fs_err::read_to_string(file("head")).unwrap();
        // The last one, after any 100.
        let last = head.rsplit("\r\n\r\n").find(|part| !part.is_empty());
        let lines: Vec<&str> = last.unwrap().lines().collect();
        let location = lines.iter().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("location")
                .then(|| value.to_owned())
        });
        Answer {
            status: lines[0].split(' ').nth(1).unwrap().parse().unwrap(),
            location,
            body: fs_err::read(file("body")).unwrap_or_default(),
        }
    }

    fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None, None)
    }

    fn status(&self, method: &str, path: &str) -> u16 {
        self.send(method, path, None, None).status
    }

    #[track_caller]
    fn push_blob(&self, repo: &str, content: &[u8]) {
        let begun = self.send("POST", &format!("/v2/{repo}/blobs/uploads/"), None, None);
        assert_eq!(begun.status, 202);
        self.finish_upload(&begun.location.unwrap(), content, &sha256(content));
    }

    #[track_caller]
    fn finish_upload(&self, location: &str, content: &[u8], digest: &str) {
        let separator = if location.contains('?') { '&' } else { '?' };
        let path = format!("{location}{separator}digest={digest}");
        let octets = Some("application/octet-stream");
        let done = self.send("PUT", &path, octets, Some(content));
        assert_eq!(done.status, 201, "{}", String::from_utf8_lossy(&done.body));
    }

    #[track_caller]
    fn put_manifest(&self, repo: &str, reference: &str, kind: &str, manifest: &[u8]) {
        let path = format!("/v2/{repo}/manifests/{reference}");
        let answer = self.send("PUT", &path, Some(kind), Some(manifest));
        let said = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, 201, "{path}: {said}");
    }

    /// Pushes a small image and returns its manifest.
    #[track_caller]
    fn push_image(&self, repo: &str, tag: &str, about: &str) -> Vec<u8> {
        let manifest = self.push_layers(repo, about, None);
        self.put_manifest(repo, tag, OCI_MANIFEST, &manifest);
        manifest
    }

    #[track_caller]
    fn push_layers(&self, repo: &str, about: &str, subject: Option<&str>) -> Vec<u8> {
        let (config, layer) = (config(about), layer(about));
        self.push_blob(repo, &config);
        self.push_blob(repo, &layer);
        let descriptor = |kind: &str, bytes: &[u8]| json!({"mediaType": kind, "digest": sha256(bytes), "size": bytes.len()});
        let mut document = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &layer)],
        });
        if let Some(subject) = subject {
            document["subject"] = json!({"mediaType": OCI_MANIFEST, "digest": subject, "size": 1});
        }
        document.to_string().into_bytes()
    }

    /// Asserts that a whole image can be pulled.
    #[track_caller]
    fn assert_has(&self, repo: &str, reference: &str, manifest: &[u8], about: &str) {
        let answer = self.get(&format!("/v2/{repo}/manifests/{reference}"));
        assert_eq!(answer.status, 200, "{repo}:{reference}");
        assert_eq!(answer.body, manifest, "{repo}:{reference}");
        for blob in [config(about), layer(about)] {
            let answer = self.get(&format!("/v2/{repo}/blobs/{}", sha256(&blob)));
            assert_eq!(
                (answer.status, &answer.body),
                (200, &blob),
                "{repo}:{reference}"
            );
        }
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&self.get(path).body).unwrap()
    }
}

fn config(about: &str) -> Vec<u8> {
    format!("{{\"architecture\":\"amd64\",\"os\":\"linux\",\"about\":\"{about}\"}}").into_bytes()
}

fn layer(about: &str) -> Vec<u8> {
    format!("the layer of {about}").into_bytes()
}

fn sha512(bytes: &[u8]) -> String {
    format!("sha512:{}", hex::encode(Sha512::digest(bytes)))
}

fn tools_are_missing() -> bool {
    missing(&["docker-registry", "curl"])
}

#[test]
fn each_sees_at_once_what_the_other_changes() {
    if tools_are_missing() {
        return;
    }
    let tidegate = up().start();
    let registry = DockerRegistry::start(&tidegate.dir.join("registry"));
    let sides = [Side::ours(&tidegate), Side::theirs(&registry)];
    for (one, other) in [(&sides[0], &sides[1]), (&sides[1], &sides[0])] {
        let repo = &format!("team/{}", one.base.len());
        let first = one.push_image(repo, "v1", "first");
        other.assert_has(repo, "v1", &first, "first");
        // The tag moves, and moves back.
        let second = other.push_image(repo, "v1", "second");
        one.assert_has(repo, "v1", &second, "second");
        one.put_manifest(repo, "v1", OCI_MANIFEST, &first);
        other.assert_has(repo, "v1", &first, "first");

        // Everywhere else, by a mount.
        let blob = sha256(&layer("first"));
        let mounted = format!("/v2/{repo}-mounted/blobs/uploads/?mount={blob}&from={repo}");
        assert_eq!(other.status("POST", &mounted), 201);
        let path = format!("/v2/{repo}-mounted/blobs/{blob}");
        assert_eq!(one.get(&path).body, layer("first"));
        assert_eq!(one.status("DELETE", &path), 202);
        assert_eq!(other.status("GET", &path), 404);

        // What is deleted is gone, and can be pushed again.
        let manifest = format!("/v2/{repo}/manifests/{}", sha256(&first));
        assert_eq!(one.status("DELETE", &manifest), 202);
        assert_eq!(other.status("GET", &manifest), 404);
        assert_eq!(
            other.status("GET", &format!("/v2/{repo}/manifests/v1")),
            404
        );
        other.put_manifest(repo, "v1", OCI_MANIFEST, &first);
        one.assert_has(repo, "v1", &first, "first");

        for side in [one, other] {
            assert_eq!(
                side.json(&format!("/v2/{repo}/tags/list"))["tags"],
                json!(["v1"])
            );
        }
    }
    // Ours is sorted and leaves out what has layers only, as the mounts have.
    let catalog = |side: &Side| side.json("/v2/_catalog")["repositories"].clone();
    let theirs = catalog(&sides[1]);
    for repo in catalog(&sides[0]).as_array().unwrap() {
        assert!(theirs.as_array().unwrap().contains(repo), "{repo}");
    }
}

#[test]
fn an_upload_that_docker_registry_began_is_finished_here() {
    if tools_are_missing() {
        return;
    }
    let tidegate = up().start();
    let registry = DockerRegistry::start(&tidegate.dir.join("registry"));
    let (ours, theirs) = (Side::ours(&tidegate), Side::theirs(&registry));
    let begun = theirs.send("POST", "/v2/app/blobs/uploads/", None, None);
    let octets = Some("application/octet-stream");
    let sent = theirs.send("PATCH", &begun.location.unwrap(), octets, Some(b"half "));
    assert_eq!(sent.status, 202);
    let location = sent.location.unwrap();
    let id = location
        .split('?')
        .next()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap();
    let path = format!("/v2/app/blobs/uploads/{id}");
    assert_eq!(ours.status("GET", &path), 204);
    ours.finish_upload(&path, b"and half", &sha256(b"half and half"));
    let blob = format!("/v2/app/blobs/{}", sha256(b"half and half"));
    for side in [&ours, &theirs] {
        assert_eq!(side.get(&blob).body, b"half and half");
    }
}

#[test]
fn docker_registry_collects_beside_what_it_does_not_know() {
    if tools_are_missing() {
        return;
    }
    let tidegate = up().start();
    let root = tidegate.dir.join("registry");
    let ours = Side::ours(&tidegate);
    let plain = ours.push_image("app", "plain", "plain");
    let long = ours.push_layers("app", "long", None);
    ours.put_manifest(
        "app",
        &format!("{}?tag=long", sha512(&long)),
        OCI_MANIFEST,
        &long,
    );
    let signature = ours.push_layers("app", "signature", Some(&sha512(&long)));
    ours.put_manifest("app", &sha256(&signature), OCI_MANIFEST, &signature);
    let begun = ours.send("POST", "/v2/app/blobs/uploads/", None, None);
    let upload = begun.location.unwrap();
    let by_sha512 = ours.send("POST", "/v2/app/blobs/uploads/", None, None);
    ours.finish_upload(
        &by_sha512.location.unwrap(),
        b"named by both",
        &sha512(b"named by both"),
    );
    // What nobody refers to, so that there is something to collect.
    ours.push_blob("app", b"nobody's");

    let registry = DockerRegistry::start(&root);
    let theirs = Side::theirs(&registry);
    assert_eq!(
        theirs.json("/v2/_catalog"),
        json!({"repositories": ["app"]})
    );
    let mut tags = theirs.json("/v2/app/tags/list")["tags"].clone();
    tags.as_array_mut().unwrap().sort_by_key(Value::to_string);
    assert_eq!(tags, json!(["long", "plain"]));
    theirs.assert_has("app", "long", &long, "long");
    registry.collect_garbage();

    for side in [&ours, &theirs] {
        side.assert_has("app", "plain", &plain, "plain");
        side.assert_has("app", "long", &long, "long");
        side.assert_has("app", &sha256(&signature), &signature, "signature");
    }
    ours.assert_has("app", &sha512(&long), &long, "long");
    let referrers = ours.json(&format!("/v2/app/referrers/{}", sha512(&long)));
    assert_eq!(referrers["manifests"][0]["digest"], sha256(&signature));
    ours.finish_upload(&upload, b"late", &sha256(b"late"));
    // It took the content and left the links: what is gone can be pushed again.
    let gone = format!("/v2/app/blobs/{}", sha256(b"nobody's"));
    assert_eq!(ours.status("HEAD", &gone), 404);
    ours.push_blob("app", b"nobody's");
    assert_eq!(ours.get(&gone).body, b"nobody's");

    // A deletion by the other digest takes everything with it.
    let by_short = format!("/v2/app/manifests/{}", sha256(&long));
    assert_eq!(theirs.status("DELETE", &by_short), 202);
    assert_eq!(
        ours.status("GET", &format!("/v2/app/manifests/{}", sha512(&long))),
        404
    );
    registry.collect_garbage();
    ours.assert_has("app", "plain", &plain, "plain");
}

#[test]
fn we_collect_while_docker_registry_serves() {
    if tools_are_missing() {
        return;
    }
    let tidegate = up().start();
    let root = tidegate.dir.join("registry");
    let registry = DockerRegistry::start(&root);
    let (ours, theirs) = (Side::ours(&tidegate), Side::theirs(&registry));
    let kept = theirs.push_image("app", "kept", "kept");
    let doomed = theirs.push_image("app", "doomed", "doomed");
    assert_eq!(
        theirs.status("DELETE", &format!("/v2/app/manifests/{}", sha256(&doomed))),
        202
    );
    make_old(&root);
    let fresh = theirs.push_image("app", "fresh", "fresh");
    // Just asked for here, and about to be referred to.
    let asked_for = format!("/v2/app/blobs/{}", sha256(&config("doomed")));
    assert_eq!(ours.status("HEAD", &asked_for), 200);

    let output = keep_in_order(&tidegate, &["garbage-collect"]);
    output.assert_ok();
    let gone = sha256(&layer("doomed"));
    assert!(
        output
            .stdout
            .contains(&format!("blob eligible for deletion: {gone}"))
    );
    for side in [&ours, &theirs] {
        side.assert_has("app", "kept", &kept, "kept");
        side.assert_has("app", "fresh", &fresh, "fresh");
        assert_eq!(side.status("HEAD", &format!("/v2/app/blobs/{gone}")), 404);
        assert_eq!(side.status("HEAD", &asked_for), 200);
    }
    theirs.push_image("app", "doomed", "doomed");
    ours.assert_has("app", "doomed", &doomed, "doomed");
}

#[test]
fn an_empty_link_stops_nothing() {
    if tools_are_missing() {
        return;
    }
    let tidegate = up().start();
    let root = tidegate.dir.join("registry");
    let ours = Side::ours(&tidegate);
    let good = ours.push_image("app", "good", "good");
    ours.push_image("app", "torn", "torn");
    let link = root.join("docker/registry/v2/repositories/app/_manifests/tags/torn/current/link");
    fs_err::write(&link, b"").unwrap();

    assert_eq!(ours.status("GET", "/v2/app/manifests/torn"), 500);
    ours.assert_has("app", "good", &good, "good");
    assert_eq!(
        ours.json("/v2/app/tags/list")["tags"],
        json!(["good", "torn"])
    );
    let output = keep_in_order(&tidegate, &["scrub"]);
    assert_eq!(output.code, Some(1));
    assert!(output.stdout.contains("app:torn"), "{}", output.stdout);
    let output = keep_in_order(&tidegate, &["garbage-collect", "-m"]);
    output.assert_ok();
    ours.assert_has("app", "good", &good, "good");

    let torn = ours.push_image("app", "torn", "torn");
    ours.assert_has("app", "torn", &torn, "torn");
    let output = keep_in_order(&tidegate, &["scrub"]);
    output.assert_ok();
}

/// Runs `tidegate registry` beside the server.
fn keep_in_order(tidegate: &Tidegate, arguments: &[&str]) -> Finished {
    let config = tidegate.dir.join("tidegate.toml");
    let arguments = ["registry"].iter().chain(arguments).map(OsStr::new);
    run(arguments.chain([config.as_os_str()]), "")
}

/// Makes everything look as if it had been written two days ago.
fn make_old(root: &Path) {
    let old = SystemTime::now() - Duration::from_secs(48 * 3600);
    let mut left: Vec<PathBuf> = vec![root.to_owned()];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(
                fs_err::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
        fs_err::File::open(&path)
            .unwrap()
            .set_modified(old)
            .unwrap();
    }
}
