//! `[listener.client_auth]`: what it means, and what is wrong with it.

use std::path::Path;

use super::{SMALL, parse, refused};
use crate::client_auth::{ClientAuth, UserFrom, VerifyClient};

fn client_auth(lines: &str) -> ClientAuth {
    let text = SMALL.replace("[[certificate]]", &section(lines));
    let settings = parse(Path::new("/srv/t.toml"), &text).unwrap();
    settings.listeners[0].client_auth.clone().unwrap()
}

fn section(lines: &str) -> String {
    format!("[listener.client_auth]\n{lines}\n[[certificate]]")
}

#[test]
fn a_ca_alone_means_that_everybody_needs_a_certificate_of_it() {
    let expected = ClientAuth::required_by("/srv/certs/clients.crt");
    assert_eq!(client_auth("ca = \"certs/clients.crt\""), expected);
    assert_eq!(expected.user, UserFrom::CommonName);
    assert_eq!(expected.verify, VerifyClient::Full);
    let list = client_auth("ca = [\"a\", \"/b\"]\nuser = \"san-email\"\nrequired = false");
    assert_eq!(list.ca, [Path::new("/srv/a"), Path::new("/b")]);
    assert_eq!((list.user, list.required), (UserFrom::SanEmail, false));
}

#[test]
fn what_cannot_be_meant_is_told_at_its_place() {
    let told = |lines: &str| refused("[[certificate]]", &section(lines));
    let (message, hint) = told("required = true");
    assert!(message.contains("names no CA"), "{message}");
    assert!(hint.unwrap().contains("ca = "));
    let (message, hint) = told("ca = []");
    assert!(message.ends_with("an empty list"), "{message}");
    assert!(hint.unwrap().contains("client-ca.crt"));
    let (message, _) = told("ca = 7");
    assert!(message.contains("names no file"), "{message}");
    let (message, hint) = told("ca = \"a\"\nuser = \"cn\"");
    assert!(message.contains("`cn` is not known here"), "{message}");
    assert!(hint.unwrap().contains("common-name"));
    let (message, hint) = told("ca = \"a\"\ncrls = \"b\"");
    assert!(message.contains("unknown key `crls`"), "{message}");
    assert_eq!(hint.unwrap(), "did you mean `crl`?");
    let (message, _) = told("ca = \"a\"\ncrl = \"b\"\nverify = \"nothing\"");
    assert!(message.contains("`crl` without"), "{message}");
}

#[test]
fn plain_http_asks_for_no_certificate() {
    let (message, hint) = refused(
        "[[certificate]]",
        &format!("protocol = \"http\"\n{}", section("ca = \"a\"")),
    );
    assert!(message.contains("does not speak TLS"), "{message}");
    assert!(hint.unwrap().contains("https"));
}
