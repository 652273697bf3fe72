//! Certificates that clients refuse, and who trusts which.

use std::process::{Command, Stdio};
use std::sync::Arc;

use rcgen::SanType;

use crate::harness::{Lines, PASSWORD, USER};
use crate::identity::{Authority, Identity, self_signed, site_params, valid};
use crate::registry::Registry;
use crate::server::tls;
use crate::{Diagnosis, doctor, text};

/// A registry with these certificates, examined by one who was given the CA.
fn examine(identity: Identity, ca: &str) -> Diagnosis {
    let server = tls(identity).serve(&Arc::new(Registry::default()));
    let root = tempfile::tempdir().unwrap();
    doctor(&server.site(), root.path(), &["--ca", ca], "")
}

#[test]
fn a_right_one() {
    let ca = Authority::new("CA");
    examine(ca.site(), ca.ca())
        .expect_failures(&[])
        .expect("chain", "ok", "the server's certificate")
        .expect("name", "ok", "127.0.0.1, localhost")
        .expect("trust", "ok", "vouches");
}

#[test]
fn the_one_certificate_that_is_its_own_ca() {
    let (identity, file) = self_signed();
    examine(identity, text(file.path()))
        .expect_failures(&[])
        .expect("chain", "ok", "signed itself")
        .expect("trust", "ok", "vouches");
}

#[test]
fn one_that_is_over() {
    let ca = Authority::new("CA");
    let over = ca.sign(valid(site_params(&["127.0.0.1"]), -400, -35));
    examine(over, ca.ca())
        .expect_failures(&["expiry", "trust"])
        .expect("expiry", "fail", "(35 days ago)")
        .expect("expiry", "fail", "certs-tool renew");
}

#[test]
fn one_that_ends_soon() {
    let ca = Authority::new("CA");
    let soon = ca.sign(valid(site_params(&["127.0.0.1"]), -300, 10));
    examine(soon, ca.ca())
        .expect_failures(&[])
        .expect("expiry", "warn", "ends in 9 days");
}

#[test]
fn one_that_is_not_valid_yet() {
    let ca = Authority::new("CA");
    let early = ca.sign(valid(site_params(&["127.0.0.1"]), 2, 365));
    examine(early, ca.ca())
        .expect_failures(&["expiry", "trust"])
        .expect("expiry", "fail", "is valid from")
        .expect("expiry", "fail", "timedatectl");
}

#[test]
fn one_for_another_name() {
    let ca = Authority::new("CA");
    examine(ca.sign(site_params(&["registry.lan"])), ca.ca())
        .expect_failures(&["name", "trust"])
        .expect(
            "name",
            "fail",
            "is not for 127.0.0.1; it is for registry.lan",
        )
        .expect("trust", "fail", "for another name");
}

#[test]
fn one_with_a_common_name_alone() {
    let ca = Authority::new("CA");
    examine(ca.sign(site_params(&[])), ca.ca())
        .expect_failures(&["name", "trust"])
        .expect(
            "name",
            "fail",
            "only the legacy Common Name of `CN=127.0.0.1`",
        )
        .expect("name", "fail", "--san 127.0.0.1");
}

#[test]
fn one_with_the_address_as_a_dns_name() {
    let ca = Authority::new("CA");
    let mut params = site_params(&[]);
    params.subject_alt_names = vec![SanType::DnsName("127.0.0.1".try_into().unwrap())];
    examine(ca.sign(params), ca.ca())
        .expect_failures(&["name", "trust"])
        .expect("name", "fail", "as a DNS name, and not as an address")
        .expect("name", "fail", "subjectAltName=IP:127.0.0.1");
}

#[test]
fn a_chain_without_its_intermediate() {
    let root = Authority::new("Root");
    let middle = root.intermediate("Middle");
    examine(middle.site(), root.ca())
        .expect_failures(&["trust"])
        .expect("chain", "warn", "`CN=Middle`, is not sent")
        .expect(
            "chain",
            "warn",
            "append it to the server's certificate file",
        )
        .expect("trust", "fail", "unknown authority (`CN=Middle`)");

    let mut whole = middle.site();
    whole.chain.push(middle.der());
    examine(whole, root.ca())
        .expect_failures(&[])
        .expect("chain", "ok", "and 1 above it");
}

#[test]
fn a_chain_out_of_order() {
    let root = Authority::new("Root");
    let upper = root.intermediate("Upper");
    let lower = upper.intermediate("Lower");
    let mut mixed = lower.site();
    mixed.chain.extend([upper.der(), lower.der()]);
    examine(mixed, root.ca()).expect("chain", "warn", "in the wrong order");

    let mut with_stranger = root.site();
    with_stranger.chain.push(Authority::new("Stranger").der());
    examine(with_stranger, root.ca())
        .expect_failures(&[])
        .expect("chain", "warn", "do not belong there");
}

#[test]
fn an_unknown_ca_gets_no_password() {
    let (ca, other) = (Authority::new("CA"), Authority::new("Other"));
    let registry = Arc::new(Registry::default());
    let server = tls(ca.site()).serve(&registry);
    let root = tempfile::tempdir().unwrap();
    let args = ["--ca", other.ca(), "--user", USER, "--password-stdin"];
    let examined = doctor(&server.site(), root.path(), &args, PASSWORD);
    examined
        .expect_failures(&["trust"])
        .expect("trust", "fail", "unknown authority (`CN=CA`)")
        .expect("credentials", "skipped", "no password is sent");
    assert_eq!(examined.report["push_tried"], false);
    assert!(!registry.heard_secrets(), "{:?}", registry.asked());

    // Nor does a token service by a CA of the same name.
    let namesake = Authority::new("CA");
    let args = ["--ca", namesake.ca(), "--user", USER, "--password-stdin"];
    doctor(&server.site(), root.path(), &args, PASSWORD).expect_failures(&["trust"]);
    assert!(!registry.heard_secrets());

    let args = [&args[..], &["--insecure", "--repo", "team/app"]].concat();
    doctor(&server.site(), root.path(), &args, PASSWORD)
        .expect_failures(&["trust"])
        .expect("credentials", "ok", USER);
    assert!(registry.heard_secrets());
}

/// A server of openssl's, for certificates with which rustls does not serve:
/// made by `openssl req` and `openssl x509`, each with more arguments.
fn examine_openssl(req: &[&str], x509: &[&str]) -> Diagnosis {
    let dir = tempfile::tempdir().unwrap();
    let openssl = |args: &[&[&str]]| {
        let mut command = Command::new("openssl");
        command.args(args.concat()).current_dir(dir.path());
        command
    };
    let make = |args: &[&[&str]]| {
        let done = openssl(args).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    let csr = ["req", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout", "key"];
    make(&[&csr, &["-out", "csr"], req]);
    let sign = ["x509", "-req", "-in", "csr", "-signkey", "key"];
    make(&[&sign, &["-out", "cert"], x509]);
    let serve = ["s_server", "-accept", "127.0.0.1:0", "-www"];
    let pair = ["-cert", "cert", "-key", "key", "-cipher", "ALL:@SECLEVEL=0"];
    let mut server = openssl(&[&serve, &pair])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // "ACCEPT 127.0.0.1:43581"
    let line = Lines::of(server.stdout.take().unwrap()).until("ACCEPT");
    let site = line.split_whitespace().nth(1).unwrap();
    let root = tempfile::tempdir().unwrap();
    let ca = dir.path().join("cert");
    let examined = doctor(site, root.path(), &["--ca", text(&ca)], "");
    let _ = server.kill();
    let _ = server.wait();
    examined
}

#[test]
fn a_certificate_of_version_1_is_judged_and_not_believed() {
    if crate::missing("openssl") {
        return;
    }
    examine_openssl(&["-newkey", "rsa:2048"], &[])
        .expect_failures(&["chain", "name", "trust", "api"])
        .expect("chain", "fail", "X.509 version 1")
        .expect("name", "fail", "legacy Common Name")
        .expect("api", "fail", "a web page");
}

#[test]
fn a_key_that_is_too_short() {
    if crate::missing("openssl") {
        return;
    }
    let san = ["-addext", "subjectAltName=IP:127.0.0.1"];
    examine_openssl(
        &[&["-newkey", "rsa:1024"], &san[..]].concat(),
        &["-copy_extensions", "copy"],
    )
    .expect_failures(&["chain", "api"])
    .expect("chain", "fail", "an RSA key of 1024 bits");
}
