//! Names that lead nowhere, ports that speak something else, or nothing.

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::harness::Lines;
use crate::identity::Authority;
use crate::registry::Registry;
use crate::server::{bytes, mutual_tls, plain, silent};
use crate::{Diagnosis, doctor, missing, text};

/// Examined on a machine without clients.
fn examine(site: &str) -> Diagnosis {
    let root = tempfile::tempdir().unwrap();
    doctor(site, root.path(), &[], "")
}

#[test]
fn an_unknown_name() {
    // RFC 6761 section 6.4: it never resolves.
    examine("registry.invalid:5043")
        .expect_failures(&["resolve"])
        .expect("resolve", "fail", "/etc/hosts")
        .expect("port", "skipped", "does not lead to an address");
}

#[test]
fn a_closed_port() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    examine(&address.to_string())
        .expect_failures(&["port"])
        .expect("port", "fail", "nothing listens there")
        .expect("tls", "skipped", "no connection");
}

#[test]
fn plain_http() {
    examine(&plain(&Arc::new(Registry::default())).site())
        .expect_failures(&["tls"])
        .expect("tls", "fail", "plain HTTP, not TLS (`HTTP/1.1 401");
}

#[test]
fn another_protocol() {
    examine(&bytes(b"SSH-2.0-OpenSSH_9.6\r\n").site())
        .expect_failures(&["tls"])
        .expect(
            "tls",
            "fail",
            "neither TLS nor HTTP (`SSH-2.0-OpenSSH_9.6`)",
        );
}

#[test]
fn a_server_that_says_nothing() {
    let (server, _listener) = silent();
    examine(&server.site()).expect_failures(&["tls"]).expect(
        "tls",
        "fail",
        "and then nothing comes",
    );
}

#[test]
fn a_server_that_closes_at_once() {
    examine(&bytes(b"").site())
        .expect_failures(&["tls"])
        .expect("tls", "fail", "closes the connection");
}

#[test]
fn an_alert_against_the_version() {
    // A fatal alert `protocol_version` of TLS 1.0 (RFC 8446 section 6).
    examine(&bytes(&[21, 3, 1, 0, 2, 2, 70]).site())
        .expect_failures(&["tls"])
        .expect("tls", "fail", "TLS 1.1 or older")
        .expect("tls", "fail", "ssl_protocols TLSv1.2 TLSv1.3");
}

#[test]
fn old_tls_of_openssl() {
    if missing("openssl") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=old",
        ])
        .arg("-keyout")
        .arg(at("key"))
        .arg("-out")
        .arg(at("cert"))
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
    let mut server = Command::new("openssl")
        .args(["s_server", "-accept", "127.0.0.1:0", "-tls1_1"])
        .args(["-cipher", "ALL:@SECLEVEL=0", "-cert", text(&at("cert"))])
        .args(["-key", text(&at("key"))])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // "ACCEPT 127.0.0.1:43581"
    let line = Lines::of(server.stdout.take().unwrap()).until("ACCEPT");
    let address = line.split_whitespace().nth(1).unwrap();
    let diagnosis = examine(address);
    let _ = server.kill();
    let _ = server.wait();
    diagnosis
        .expect_failures(&["tls"])
        .expect("tls", "fail", "TLS 1.1 or older");
}

#[test]
fn a_server_that_wants_a_certificate_of_the_client() {
    let ca = Authority::new("CA");
    let server = mutual_tls(ca.site(), &ca).serve(&Arc::new(Registry::default()));
    let root = tempfile::tempdir().unwrap();
    doctor(&server.site(), root.path(), &["--ca", ca.ca()], "")
        .expect_failures(&["api"])
        .expect("tls", "warn", "asks for a certificate of the client")
        .expect("api", "fail", "certificate of the client");
}
