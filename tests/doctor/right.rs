//! The real thing: `tidegate up`, and the machines from which it is examined.

use std::path::Path;

use crate::harness::{PASSWORD, Tidegate, USER, run, up};
use crate::{Diagnosis, doctor, text};

const LOGIN: [&str; 3] = ["--user", USER, "--password-stdin"];

/// A file on a machine, with its directories.
fn put(root: &Path, path: &str, content: &[u8]) {
    let path = root.join(path);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, content).unwrap();
}

fn ca_file(tidegate: &Tidegate) -> Vec<u8> {
    fs_err::read(tidegate.ca()).unwrap()
}

/// The files below a directory that are not directories.
fn files(dir: &Path) -> Vec<String> {
    let mut found = vec![];
    for entry in fs_err::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(text(&path).to_owned());
        }
    }
    found
}

#[tokio::test]
async fn every_check_is_ok_and_nothing_is_left() {
    let tidegate = up().start();
    let root = tempfile::tempdir().unwrap();
    let ca = tidegate.ca();
    let args = [&["--ca", text(&ca)], &LOGIN[..]].concat();
    let examined = doctor(&tidegate.host(), root.path(), &args, PASSWORD);
    for check in examined.report["checks"].as_array().unwrap() {
        assert_eq!(check["status"], "ok", "{check}");
    }
    assert_eq!(examined.report["registry"], tidegate.host());
    assert_eq!(examined.report["push_tried"], true);
    assert_eq!(files(&tidegate.storage()), Vec::<String>::new());
    let catalog = tidegate.client().get("/v2/_catalog").await;
    assert_eq!(catalog.json()["repositories"], serde_json::json!([]));
}

#[test]
fn people_read_lines_with_hints() {
    let tidegate = up().start();
    let root = tempfile::tempdir().unwrap();
    let mut args = vec!["doctor", "", "--root", text(root.path()), "--ca", ""];
    let (host, ca) = (tidegate.host(), tidegate.ca());
    (args[1], args[5]) = (&host, text(&ca));
    let finished = run(&args, "");
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(finished.stderr.is_empty(), "{}", finished.stderr);
    let lines: Vec<_> = finished.stdout.lines().collect();
    assert!(lines[0].starts_with("ok    resolve      127.0.0.1"));
    assert_eq!(
        lines[lines.len() - 2..],
        [
            format!("{host}: nothing wrong was found; pushing was not tried"),
            "hint: --user NAME tries it".to_owned(),
        ]
    );

    args.truncate(4);
    let finished = run(&args, "");
    assert_eq!(finished.code, Some(1));
    assert!(finished.stdout.contains("FAIL  trust"));
    assert!(finished.stdout.contains("\nhint: "));
    assert_eq!(
        finished.stderr,
        format!("error: {host}: one check failed\n")
    );

    args.extend(["--ca", text(&ca)]);
    args.extend(LOGIN);
    let finished = run(&args, PASSWORD);
    assert_eq!(finished.code, Some(0), "{}", finished.stdout);
    assert!(
        finished
            .stdout
            .ends_with(&format!("{host}: a push works\n"))
    );
    assert!(!finished.stdout.contains(PASSWORD));
}

fn trust(tidegate: &Tidegate, root: &Path) -> Diagnosis {
    doctor(&tidegate.host(), root, &LOGIN, PASSWORD)
}

#[test]
fn clients_trust_by_their_own_files() {
    let tidegate = up().start();
    let machine = tempfile::tempdir().unwrap();
    let root = machine.path();
    let certs_d = format!("etc/docker/certs.d/{}", tidegate.host());

    // Docker is there, and knows nothing.
    put(root, "etc/docker/daemon.json", b"{}");
    let examined = trust(&tidegate, root);
    examined
        .expect_failures(&["trust"])
        .expect("trust", "fail", "docker does not trust the server")
        .expect("trust", "fail", "--for docker")
        .expect("credentials", "skipped", "no password is sent");

    put(root, &format!("{certs_d}/ca.crt"), &ca_file(&tidegate));
    trust(&tidegate, root)
        .expect_failures(&[])
        .expect("trust", "ok", &format!("{certs_d}/ca.crt"))
        .expect("cancel", "ok", "does not know it any more");

    // A second client counts as well, unless one CA is asked about.
    put(root, "etc/buildkit/buildkitd.toml", b"");
    let examined = trust(&tidegate, root);
    assert_eq!(examined.code, Some(1));
    let states: Vec<_> = examined.all("trust").iter().map(|c| &c["status"]).collect();
    assert_eq!(states, ["ok", "fail"], "{:#}", examined.report);
    let ca = tidegate.ca();
    let args = [&["--ca", text(&ca)], &LOGIN[..]].concat();
    let examined = doctor(&tidegate.host(), root, &args, PASSWORD);
    assert_eq!(examined.code, Some(0));
    let states: Vec<_> = examined.all("trust").iter().map(|c| &c["status"]).collect();
    assert_eq!(states, ["ok", "ok", "warn"], "{:#}", examined.report);
}

#[test]
fn the_systems_store_counts_for_all() {
    let tidegate = up().start();
    let machine = tempfile::tempdir().unwrap();
    let root = machine.path();
    put(
        root,
        "usr/local/share/ca-certificates/own.crt",
        &ca_file(&tidegate),
    );
    put(root, "usr/sbin/update-ca-certificates", b"");
    trust(&tidegate, root).expect_failures(&["trust"]).expect(
        "trust",
        "fail",
        "run update-ca-certificates",
    );

    put(
        root,
        "etc/ssl/certs/ca-certificates.crt",
        &ca_file(&tidegate),
    );
    trust(&tidegate, root).expect_failures(&[]).expect(
        "trust",
        "ok",
        "system trusts the server, by",
    );
    // Docker trusts what the system trusts.
    put(root, "etc/docker/daemon.json", b"{}");
    let examined = trust(&tidegate, root);
    examined.expect_failures(&[]);
    assert!(
        examined.all("trust")[0]["text"]
            .as_str()
            .unwrap()
            .contains("by the system's store")
    );
}

#[test]
fn the_usual_mistakes_are_named() {
    let tidegate = up().start();
    let host = tidegate.host();
    let wrong_port = format!("etc/docker/certs.d/127.0.0.1:{}/ca.crt", 1);
    for (path, said) in [
        (
            format!("etc/docker/certs.d/{host}/ca.cert"),
            "*.cert is taken for a client's",
        ),
        (format!("etc/docker/certs.d/{host}/ca.pem"), ".crt"),
        (wrong_port, "127.0.0.1:1"),
    ] {
        let machine = tempfile::tempdir().unwrap();
        put(machine.path(), &path, &ca_file(&tidegate));
        trust(&tidegate, machine.path())
            .expect_failures(&["trust"])
            .expect("trust", "fail", said);
    }
}

#[test]
fn a_mistake_that_keeps_a_client_from_connecting_counts_though_it_trusts() {
    let tidegate = up().start();
    let machine = tempfile::tempdir().unwrap();
    let directory = format!("etc/docker/certs.d/{}", tidegate.host());
    put(
        machine.path(),
        &format!("{directory}/ca.crt"),
        &ca_file(&tidegate),
    );
    put(machine.path(), &format!("{directory}/client.key"), b"");
    trust(&tidegate, machine.path())
        .expect_failures(&["trust"])
        .expect("trust", "fail", "docker trusts the server")
        .expect("trust", "fail", "but cannot connect")
        .expect("cancel", "ok", "does not know it any more");
}

#[test]
fn usage() {
    for (args, code, said) in [
        (&["https://registry.lan/"][..], 1, "it is a URL"),
        (&["*.registry.lan"][..], 1, "is a pattern"),
        (
            &["registry.lan", "--ca", "/nowhere/ca.crt"][..],
            1,
            "/nowhere/ca.crt",
        ),
        (&["registry.lan", "--repo", "UPPER"][..], 1, "--repo"),
        (&["registry.lan", "--password-stdin"][..], 2, "--user"),
        (
            &["registry.lan", "--user", "a:b", "--password-stdin"][..],
            1,
            "colon",
        ),
        (&[][..], 2, "HOST[:PORT]"),
    ] {
        let finished = run([&["doctor"], args].concat(), "x");
        assert_eq!(finished.code, Some(code), "{args:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(said), "{}", finished.stderr);
        assert!(finished.stdout.is_empty());
    }
}
