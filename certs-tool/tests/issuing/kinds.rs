//! Every kind of key, through every command that makes one.

use crate::handshake::{Clients, shake};
use crate::harness::{KINDS, Workshop};

#[test]
fn each_kind_signs_each_kind_and_everybody_accepts_it() {
    for ca in KINDS {
        let shop = Workshop::new();
        shop.made(&format!("ca --key {ca} --subject /C=DE/O=Example/CN=CA"));
        for site in KINDS {
            // RSA keys take seconds to make, and each kind is signed in the first
            // round.
            if ca != KINDS[0] && site.starts_with("rsa") {
                continue;
            }
            shop.made(&format!(
                "site {site} --san *.reg.lan --san 10.0.0.7 --san ::1 --key {site}"
            ));
            let crt = format!("{site}.crt");
            shop.verify("root-ca.crt", "sslserver", &crt);
            for host in ["a.reg.lan", "10.0.0.7", "::1"] {
                let shaken = shake(&shop, "root-ca.crt", site, host, &Clients::Anybody, None);
                assert_eq!(shaken, Ok(()), "{ca} {site} {host}");
            }
            let other = shake(&shop, "root-ca.crt", site, "b.lan", &Clients::Anybody, None);
            assert!(other.unwrap_err().contains("not valid for name"));
        }
    }
}

#[test]
fn what_openssl_reads_is_what_was_asked_for() {
    let shop = Workshop::new();
    shop.made("ca --subject /C=CN/ST=Shanxi/L=Datong/O=Org/CN=Org_CA --key rsa-2048");
    shop.made("site reg.lan --san 10.0.0.7 --key rsa-2048");
    shop.made("site ec.lan");
    let Some(ca) = shop.openssl("x509 -in root-ca.crt -noout -text") else {
        return;
    };
    for fact in [
        "Subject: C = CN, ST = Shanxi, L = Datong, O = Org, CN = Org_CA\n",
        "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign\n",
        "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:1\n",
        "X509v3 Subject Key Identifier",
        "Signature Algorithm: sha256WithRSAEncryption",
    ] {
        assert!(ca.contains(fact), "{fact}: {ca}");
    }
    let rsa = shop.openssl("x509 -in reg.lan.crt -noout -text").unwrap();
    for fact in [
        "DNS:reg.lan, IP Address:10.0.0.7\n",
        "X509v3 Key Usage: critical\n                Digital Signature, Key Encipherment\n",
        "X509v3 Extended Key Usage: \n                TLS Web Server Authentication\n",
        "X509v3 Basic Constraints: critical\n                CA:FALSE\n",
        "X509v3 Authority Key Identifier",
    ] {
        assert!(rsa.contains(fact), "{fact}: {rsa}");
    }
    let ec = shop.openssl("x509 -in ec.lan.crt -noout -text").unwrap();
    assert!(ec.contains("X509v3 Key Usage: critical\n                Digital Signature\n"));
}

#[test]
fn a_self_signed_certificate_is_server_and_anchor_at_once() {
    let shop = Workshop::new();
    for kind in KINDS {
        shop.made(&format!("self-signed {kind} --san reg.lan --key {kind}"));
        let crt = format!("{kind}.crt");
        if shop.verify(&crt, "sslserver", &crt).is_none() {
            return;
        }
        let text = shop
            .openssl(&format!("x509 -in {crt} -noout -text"))
            .unwrap();
        assert!(text.contains("CA:TRUE, pathlen:0"), "{text}");
        assert!(text.contains(&format!("CN = {kind}")), "{text}");
        // What the help says of rustls.
        let refused = shake(&shop, &crt, kind, "reg.lan", &Clients::Anybody, None);
        assert!(refused.unwrap_err().contains("CaUsedAsEndEntity"));
    }
}

#[test]
fn a_client_logs_in_and_a_server_cannot_pose_as_one() {
    let shop = Workshop::with_ca();
    shop.made("site reg.lan");
    let said = shop.made("client alice --san alice@example.com").out;
    assert!(
        said.starts_with("made ./alice.crt for CN=alice, alice@example.com, until "),
        "{said}"
    );
    shop.verify("root-ca.crt", "sslclient", "alice.crt");
    let clients = Clients::SignedBy("root-ca.crt");
    let log_in = |name| shake(&shop, "root-ca.crt", "reg.lan", "reg.lan", &clients, name);
    assert_eq!(log_in(Some("alice")), Ok(()));
    let server = log_in(Some("reg.lan")).unwrap_err();
    assert!(
        server.starts_with("server: invalid peer certificate"),
        "{server}"
    );
    assert!(log_in(None).is_err());
}
