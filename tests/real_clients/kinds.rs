//! Every kind of key that certificates are made with, and every client.

use std::process::Command;

use crate::harness::{Finished, PASSWORD, Tidegate, USER, finish, run, up};
use crate::room::{self, ADDRESS};
use crate::trust::Daemon;

const KINDS: [&str; 5] = [
    "ecdsa-p256",
    "ecdsa-p384",
    "rsa-2048",
    "rsa-4096",
    "ed25519",
];

#[test]
fn every_client_takes_every_kind_of_key() {
    let programs = ["docker", "dockerd", "skopeo", "curl", "openssl"];
    if !room::entered("kinds::every_client_takes_every_kind_of_key", &programs) {
        return;
    }
    let docker = Daemon::of_docker();
    for kind in KINDS {
        let root = tempfile::tempdir().unwrap();
        let certs = root.path().join("certs");
        let dir = certs.to_str().unwrap();
        run(["certs", "ca", "--dir", dir, "--key", kind], "").assert_ok();
        let site = ["certs", "site", "site", "--san", ADDRESS];
        run([&site[..], &["--dir", dir, "--key", kind]].concat(), "").assert_ok();
        let registry = up()
            .in_dir(root.path())
            .listen(&format!("{ADDRESS}:0"))
            .start();
        let (host, ca) = (registry.host(), registry.ca());
        let ca = ca.to_str().unwrap();
        let install = ["certs", "trust", "install", &host, "--ca", ca];
        run([&install[..], &["--for", "docker,podman"]].concat(), "").assert_ok();
        for (client, finished) in clients(&registry, &docker) {
            assert_eq!(
                finished.code,
                Some(0),
                "{client}, {kind}: {}\n{}",
                finished.stdout,
                finished.stderr
            );
        }
    }
}

/// A handshake by each client, and a password that is let in where it has one.
fn clients(registry: &Tidegate, docker: &Daemon) -> [(&'static str, Finished); 5] {
    let (host, ca) = (registry.host(), registry.ca());
    let login = ["login", "-u", USER, "--password-stdin", &host];
    let mut skopeo = Command::new("skopeo");
    skopeo
        .args(["login", "-u", USER, "--password-stdin", "--authfile"])
        .arg(registry.dir.join("auth.json"))
        .arg(&host);
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail", "--cacert"])
        .arg(&ca)
        .args(["--user", &format!("{USER}:{PASSWORD}")])
        .arg(registry.url("/v2/"));
    let openssl = |version: &str| {
        let mut command = Command::new("openssl");
        command
            .args(["s_client", version, "-verify_return_error", "-x509_strict"])
            .args(["-verify_ip", ADDRESS, "-connect", &host, "-CAfile"])
            .arg(&ca);
        finish(command, "")
    };
    [
        ("docker", docker.docker(&login, PASSWORD)),
        ("skopeo", finish(skopeo, PASSWORD)),
        ("curl", finish(curl, "")),
        ("openssl, TLS 1.2", openssl("-tls1_2")),
        ("openssl, TLS 1.3", openssl("-tls1_3")),
    ]
}
