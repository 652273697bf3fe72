//! Requests, from both sides.

use crate::handshake::{Clients, shake};
use crate::harness::{KINDS, Workshop};

#[test]
fn what_we_ask_for_we_sign() {
    let shop = Workshop::with_ca();
    for kind in KINDS {
        let said = shop.made(&format!(
            "csr {kind} --san reg.lan --san 10.0.0.7 --key {kind}"
        ));
        assert_eq!(
            said.out,
            format!("made ./{kind}.csr for {kind}, reg.lan, 10.0.0.7, and its key ./{kind}.key\n")
        );
        shop.made(&format!("sign {kind}.csr"));
        let crt = format!("{kind}.crt");
        shop.verify("root-ca.crt", "sslserver", &crt);
        let shaken = shake(
            &shop,
            "root-ca.crt",
            kind,
            "10.0.0.7",
            &Clients::Anybody,
            None,
        );
        assert_eq!(shaken, Ok(()), "{kind}");
    }
}

#[test]
fn openssl_signs_what_we_ask_for() {
    let shop = Workshop::with_ca();
    shop.made("csr reg.lan --san ::1 --subject /C=DE/O=Example/CN=reg");
    let signed = shop.openssl(
        "x509 -req -in reg.lan.csr -CA root-ca.crt -CAkey root-ca.key -CAcreateserial -days 9 -copy_extensions copy -out reg.lan.crt",
    );
    if signed.is_none() {
        return;
    }
    let shaken = shake(
        &shop,
        "root-ca.crt",
        "reg.lan",
        "::1",
        &Clients::Anybody,
        None,
    );
    assert_eq!(shaken, Ok(()));
}

#[test]
fn what_openssl_asks_for_is_signed_as_far_as_it_may_be() {
    let shop = Workshop::with_ca();
    let ask = |more: &[&str]| {
        let mut words = vec![
            "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "web.key",
        ];
        words.extend(["-out", "web.csr", "-subj", "/C=DE/O=Web AG/CN=web"]);
        words.extend(more);
        shop.openssl_with(&words)
    };
    if ask(&[
        "-addext",
        "subjectAltName=DNS:web.lan,IP:10.0.0.7",
        "-addext",
        "keyUsage=nonRepudiation",
    ])
    .is_none()
    {
        return;
    }
    let signed = shop.tool("sign web.csr --days 30");
    assert_eq!(signed.code, Some(0), "{signed:?}");
    assert!(
        signed
            .out
            .starts_with("signed ./web.crt for web.lan, 10.0.0.7, until "),
        "{signed:?}"
    );
    assert_eq!(
        signed.err,
        "warning: not taken over from the request: keyUsage\n"
    );
    shop.verify("root-ca.crt", "sslserver", "web.crt");
    let shaken = shake(
        &shop,
        "root-ca.crt",
        "web",
        "web.lan",
        &Clients::Anybody,
        None,
    );
    assert_eq!(shaken, Ok(()));
    let name = ["-noout", "-subject", "-nameopt", "show_type,RFC2253"].join(" ");
    assert_eq!(
        shop.openssl(&format!("x509 -in web.crt {name}")),
        shop.openssl(&format!("req -in web.csr {name}"))
    );

    ask(&[]);
    let refused = shop.refused("sign web.csr --name other");
    assert_eq!(
        refused,
        "error: `web.csr`: the request names no DNS name or IP address (it has no subjectAltName)\n\
         hint: say with --san for which host it is\n"
    );
    shop.made("sign web.csr --name other --san web.lan");
    shop.made("sign web.csr --name person --client");
    shop.verify("root-ca.crt", "sslclient", "person.crt");

    ask(&["-addext", "basicConstraints=critical,CA:TRUE"]);
    let refused = shop.refused("sign web.csr --name ca --san web.lan");
    assert!(
        refused.starts_with("error: `web.csr`: the request asks for the rights of a CA"),
        "{refused}"
    );
}

#[test]
fn a_certificate_is_not_put_beside_the_key_of_another() {
    let shop = Workshop::with_ca();
    shop.made("csr web.lan");
    shop.made("csr other.lan");
    fs_err::rename(shop.path("other.lan.csr"), shop.path("web.lan.csr")).unwrap();
    for force in ["", " --force"] {
        let refused = shop.refused(&format!("sign web.lan.csr{force}"));
        assert!(
            refused.starts_with("error: `./web.lan.key` is not the key of `web.lan.csr`\n"),
            "{refused}"
        );
    }
    assert!(!shop.path("web.lan.crt").exists());
    shop.made("sign web.lan.csr --name other.lan");
}

#[test]
fn a_request_takes_no_key_from_a_certificate() {
    let shop = Workshop::with_ca();
    shop.made("site reg.lan");
    let key = shop.read("reg.lan.key");
    for force in ["", " --force"] {
        let refused = shop.refused(&format!("csr reg.lan{force}"));
        assert!(refused.contains("with a new key"), "{refused}");
    }
    assert_eq!(shop.read("reg.lan.key"), key);
}

#[test]
fn files_that_are_no_requests_are_named() {
    let shop = Workshop::with_ca();
    assert!(shop.refused("sign nowhere.csr").contains("nowhere.csr"));
    assert_eq!(
        shop.refused("sign root-ca.crt --name x"),
        "error: `root-ca.crt`: expected a certificate request in PEM, found `CERTIFICATE`\n"
    );
    let refused = shop.refused("sign root-ca.crt");
    assert!(
        refused.ends_with("hint: give another name with --name\n"),
        "{refused}"
    );
}

#[test]
fn a_subject_moves_no_terminal() {
    let shop = Workshop::with_ca();
    let ask = "req -new -newkey ed25519 -nodes -keyout web.key -out web.csr -subj /CN=a\u{1b}[2Jb";
    if shop.openssl(ask).is_none() {
        return;
    }
    let said = shop.made("sign web.csr --client").out;
    assert!(said.contains(r"CN=a\u{1b}[2Jb"), "{said:?}");
    assert!(!said.contains('\u{1b}'), "{said:?}");
}
