//! Schema 1, as skopeo pushes it, as clients of its time pull it, and as
//! docker-registry does both.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tidegate_registry::schema1::{Jws, empty_layer};

use crate::archive::Archive;
use crate::docker_registry::DockerRegistry;
use crate::harness::image::noise;
use crate::harness::{PASSWORD, Tidegate, USER, finish, up};
use crate::missing;
use crate::skopeo::Skopeo;

fn open() -> Tidegate {
    up().config("# schema1 = false", "schema1 = true").start()
}

/// Asks as Docker did before 1.10: without `Accept`.
fn curl(args: &[&str], url: &str) -> Vec<u8> {
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--show-error", "--fail", "--header", "Accept:"])
        .args(args)
        .arg(url);
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{url}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

fn from_tidegate(tidegate: &Tidegate, path: &str) -> Vec<u8> {
    let ca = tidegate.ca();
    let credentials = format!("{USER}:{PASSWORD}");
    let args = ["--cacert", ca.to_str().unwrap(), "--user", &credentials];
    curl(&args, &tidegate.url(path))
}

/// What is signed, after it has been verified.
fn payload(document: &[u8]) -> String {
    let jws = Jws::parse(document).unwrap();
    jws.verify().unwrap();
    String::from_utf8(jws.into_payload()).unwrap()
}

#[test]
fn docker_registry_and_tidegate_convert_alike() {
    if missing(&["skopeo", "docker-registry", "curl"]) {
        return;
    }
    let tidegate = open();
    let theirs = DockerRegistry::start(&tidegate.dir.join("registry"));
    let archive = Archive::of(&[noise(21, 3000), noise(22, 1000)]);
    Skopeo::trusting(&tidegate)
        .push(&archive.source(), "new/app:v1")
        .assert_ok();

    let path = "/v2/new/app/manifests/v1";
    let ours = payload(&from_tidegate(&tidegate, path));
    // Before docker-registry, which writes it when it converts.
    let empty = format!("/v2/new/app/blobs/{}", empty_layer());
    let our_empty = from_tidegate(&tidegate, &empty);
    assert_eq!(ours, payload(&curl(&[], &theirs.url(path))));
    assert_eq!(our_empty, curl(&[], &theirs.url(&empty)));

    let converted: Value = serde_json::from_str(&ours).unwrap();
    assert_eq!(converted["name"], "new/app");
    assert_eq!(converted["fsLayers"].as_array().unwrap().len(), 3);
    assert_eq!(
        converted["fsLayers"][0]["blobSum"],
        empty_layer().to_string()
    );
}

#[test]
fn docker_registry_and_tidegate_serve_what_the_other_was_sent() {
    if missing(&["skopeo", "docker-registry", "curl"]) {
        return;
    }
    let tidegate = open();
    let theirs = DockerRegistry::start(&tidegate.dir.join("registry"));
    let skopeo = Skopeo::trusting(&tidegate);
    let archive = Archive::of(&[noise(23, 3000), noise(24, 1000)]);
    skopeo
        .push_as("v2s1", &archive.source(), "old/ours:v1")
        .assert_ok();
    theirs
        .push_as("v2s1", &archive.source(), "old/theirs:v1")
        .assert_ok();

    for image in ["old/ours", "old/theirs"] {
        let path = format!("/v2/{image}/manifests/v1");
        let document = from_tidegate(&tidegate, &path);
        assert_eq!(
            payload(&document),
            payload(&curl(&[], &theirs.url(&path))),
            "{image}"
        );
        let out = tempfile::tempdir().unwrap();
        let (a, b) = (out.path().join("a"), out.path().join("b"));
        skopeo.pull(&format!("{image}:v1"), &a).assert_ok();
        theirs.pull(&format!("{image}:v1"), &b).assert_ok();
        assert_eq!(layers(&a), layers(&b));
    }
}

/// The files of an image that skopeo wrote, apart from the manifest, of which
/// the signatures differ.
fn layers(dir: &Path) -> Vec<(String, usize, String)> {
    let mut files = crate::skopeo::contents(dir);
    files.retain(|(name, ..)| name != "manifest.json");
    assert_eq!(files.len(), 4, "three layers and a version: {files:?}");
    files
}

#[test]
fn a_key_of_openssl_signs() {
    if missing(&["skopeo", "openssl", "curl"]) {
        return;
    }
    let keys = tempfile::tempdir().unwrap();
    let key = keys.path().join("key.pem");
    let mut openssl = Command::new("openssl");
    openssl
        .args(["ecparam", "-name", "prime256v1", "-genkey", "-out"])
        .arg(&key);
    finish(openssl, "").assert_ok();
    let mut tidegate = up()
        .config(
            "# schema1 = false",
            &format!("schema1 = true\nschema1_signing_key = {key:?}\n#"),
        )
        .start();
    Skopeo::trusting(&tidegate)
        .push(&Archive::of(&[noise(25, 100)]).source(), "new/app:v1")
        .assert_ok();

    let path = "/v2/new/app/manifests/v1";
    let signers = |tidegate: &Tidegate| {
        let jws = Jws::parse(&from_tidegate(tidegate, path)).unwrap();
        jws.verify().unwrap()
    };
    let before = signers(&tidegate);
    assert_eq!(before.len(), 1);
    tidegate.stop();
    let again = up().in_dir(&tidegate.dir).start();
    assert_eq!(before, signers(&again));
}
