use std::path::Path;

use tidegate_failure::Explain as _;

use super::*;
use crate::testing::openssl;
use crate::{CaOptions, make_ca};

const SERVER: Purpose = Purpose::Server(None);
const CLIENT: Purpose = Purpose::Client(None);

fn options(purpose: Purpose) -> SignOptions {
    SignOptions {
        purpose,
        subject: None,
        days: 90,
    }
}

/// A request that openssl made; `None` without openssl.
fn request(at: &Path, subject: &str, arguments: &[&str]) -> Option<Request> {
    let mut all = vec![
        "req", "-new", "-utf8", "-nodes", "-keyout", "key", "-out", "csr", "-newkey", "rsa:2048",
        "-subj", subject,
    ];
    all.extend(arguments);
    openssl(at, &all)?;
    Some(Request::read(&at.join("csr")).unwrap())
}

#[test]
fn key_subject_and_names_are_those_of_the_request() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let ca = make_ca(&CaOptions::default()).unwrap();
    let san = "subjectAltName=DNS:Registry.lan,DNS:*.reg.lan,IP:::1,DNS:registry.lan";
    let subject = "/C=DE/ST=Saxony/O=Ünit/CN=registry/emailAddress=a@b.lan";
    let Some(asked) = request(
        at,
        subject,
        &["-addext", san, "-addext", "extendedKeyUsage=clientAuth"],
    ) else {
        return;
    };
    let signed = ca.sign_request(&asked, &options(SERVER)).unwrap();
    let certificate = &signed.certificate;
    let names: Vec<_> = certificate.names().iter().map(San::to_string).collect();
    assert_eq!(names, ["registry.lan", "*.reg.lan", "::1"]);
    assert!(certificate.is_for_servers() && !certificate.is_for_clients());
    assert!(certificate.matches_key(&crate::Key::read(&at.join("key")).unwrap()));
    assert_eq!(asked.ignored(), ["extendedKeyUsage"]);
    fs_err::write(at.join("crt"), &signed.pem).unwrap();
    fs_err::write(at.join("ca"), ca.certificate_pem()).unwrap();
    let verify = [
        "verify",
        "-x509_strict",
        "-purpose",
        "sslserver",
        "-CAfile",
        "ca",
        "crt",
    ];
    assert_eq!(openssl(at, &verify).unwrap().trim(), "crt: OK");
    let show = |command, file| {
        let arguments = [
            command,
            "-in",
            file,
            "-noout",
            "-subject",
            "-nameopt",
            "esc_msb,show_type",
        ];
        openssl(at, &arguments).unwrap()
    };
    assert_eq!(show("x509", "crt"), show("req", "csr"));
}

#[test]
fn names_and_subject_may_be_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let ca = make_ca(&CaOptions::default()).unwrap();
    let Some(asked) = request(directory.path(), "/CN=registry.lan", &[]) else {
        return;
    };
    let error = ca.sign_request(&asked, &options(SERVER)).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("the request names no DNS name or IP address (it has no subjectAltName)")
    );
    assert!(error.hint().unwrap().contains("--san"));

    let names = Purpose::Server(Some(vec![HostName::parse("other.lan").unwrap()]));
    let mut options = options(names);
    options.subject = Subject::of_common_name("other");
    let signed = ca.sign_request(&asked, &options).unwrap();
    assert_eq!(signed.certificate.subject(), "CN=other");
    assert_eq!(
        signed.certificate.names(),
        [San::Dns("other.lan".to_owned())]
    );
    options.purpose = Purpose::Server(Some(vec![]));
    let error = ca.sign_request(&asked, &options).unwrap_err();
    assert!(matches!(error, CertsError::NoNames));
}

#[test]
fn a_client_may_have_no_name_or_an_address() {
    let directory = tempfile::tempdir().unwrap();
    let ca = make_ca(&CaOptions::default()).unwrap();
    let Some(bare) = request(directory.path(), "/CN=alice", &[]) else {
        return;
    };
    let signed = ca.sign_request(&bare, &options(CLIENT)).unwrap();
    assert!(signed.certificate.is_for_clients() && !signed.certificate.is_for_servers());
    assert_eq!(signed.certificate.names(), []);
    let san = ["-addext", "subjectAltName=email:alice@b.lan"];
    let asked = request(directory.path(), "/CN=alice", &san).unwrap();
    let signed = ca.sign_request(&asked, &options(CLIENT)).unwrap();
    assert_eq!(
        signed.certificate.names(),
        [San::Email("alice@b.lan".to_owned())]
    );
}

#[test]
fn names_that_cannot_be_given_are_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let ca = make_ca(&CaOptions::default()).unwrap();
    for (purpose, san, expected) in [
        (
            SERVER,
            "email:a@b.lan",
            "`a@b.lan`: servers have DNS names and IP addresses",
        ),
        (
            SERVER,
            "DNS:10.0.0.7",
            "`10.0.0.7`: an IP address as a DNS name",
        ),
        (
            SERVER,
            "DNS:https://a.lan",
            "`https://a.lan`: `https://a.lan` is neither a DNS name nor an IP address: it is a URL",
        ),
        (SERVER, "DNS:*", "`*`: "),
        (
            CLIENT,
            "URI:http://x",
            "`URI(http://x)`: clients have e-mail addresses, DNS names and IP addresses",
        ),
        (
            CLIENT,
            "email:nobody",
            "`nobody`: `nobody` is no e-mail address: it has no `@`",
        ),
    ] {
        let san = format!("subjectAltName={san}");
        let Some(asked) = request(directory.path(), "/CN=x", &["-addext", &san]) else {
            return;
        };
        let error = ca.sign_request(&asked, &options(purpose)).unwrap_err();
        let expected = format!("the request asks for the name {expected}");
        assert!(error.to_string().contains(&expected), "{error}");
        assert!(error.hint().unwrap().contains("--san"));
    }
}

#[test]
fn subjects_are_kept_to_the_byte_or_refused() {
    let directory = tempfile::tempdir().unwrap();
    let ca = make_ca(&CaOptions::default()).unwrap();
    let san = ["-addext", "subjectAltName=DNS:a.lan"];
    for subject in ["/OU=a/OU=b/CN=x", "/DC=com/DC=example/CN=x", "/CN=x+OU=y"] {
        let mut arguments = san.to_vec();
        arguments.push("-multivalue-rdn");
        let Some(asked) = request(directory.path(), subject, &arguments) else {
            return;
        };
        let error = ca.sign_request(&asked, &options(SERVER)).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("which cannot be written faithfully"),
            "{error}"
        );
        assert!(error.hint().unwrap().contains("--subject"));
        let mut options = options(SERVER);
        options.subject = Subject::of_common_name("x");
        ca.sign_request(&asked, &options).unwrap();
    }
    let asked = request(directory.path(), "/", &san).unwrap();
    let signed = ca.sign_request(&asked, &options(SERVER)).unwrap();
    assert_eq!(signed.certificate.subject(), "");
}
