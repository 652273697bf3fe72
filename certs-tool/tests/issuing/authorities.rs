//! CAs that openssl made sign through us, and ours through openssl.

use crate::handshake::{Clients, shake};
use crate::harness::{KINDS, Workshop};

const SUBJECT: &str = "/C=CN/ST=Shanxi/L=Datong/O=Org/CN=Org CA";

/// The CA of the recipe that everybody copies, with RSA of 4096 bits.
fn recipe(key: &[&str]) -> Option<Workshop> {
    let shop = Workshop::new();
    let mut words = vec!["req", "-x509", "-sha256", "-days", "3650"];
    words.extend(["-subj", SUBJECT, "-out", "root-ca.crt"]);
    for extension in [
        "basicConstraints=critical,CA:TRUE,pathlen:1",
        "keyUsage=critical,cRLSign,keyCertSign,nonRepudiation",
        "subjectKeyIdentifier=hash",
    ] {
        words.extend(["-addext", extension]);
    }
    words.extend(key);
    shop.openssl_with(&words)?;
    Some(shop)
}

fn assert_signs(shop: &Workshop, more: &str) {
    shop.made(&format!("site reg.lan --san 10.0.0.7{more}"));
    shop.verify("root-ca.crt", "sslserver", "reg.lan.crt");
    let shaken = shake(
        shop,
        "root-ca.crt",
        "reg.lan",
        "10.0.0.7",
        &Clients::Anybody,
        None,
    );
    assert_eq!(shaken, Ok(()));
    let names = shop
        .openssl("x509 -in reg.lan.crt -noout -issuer -nameopt RFC2253")
        .unwrap();
    assert_eq!(
        names.trim(),
        "issuer=CN=Org CA,O=Org,L=Datong,ST=Shanxi,C=CN"
    );
}

#[test]
fn the_recipes_ca_signs_through_us() {
    let new = ["-newkey", "rsa:4096", "-nodes", "-keyout", "root-ca.key"];
    let Some(shop) = recipe(&new) else {
        return;
    };
    assert!(
        shop.read("root-ca.key")
            .starts_with("-----BEGIN PRIVATE KEY")
    );
    assert_signs(&shop, "");
    // The same key as PKCS#1, as openssl 1.0 wrote it.
    shop.openssl("rsa -in root-ca.key -traditional -out pkcs1")
        .unwrap();
    fs_err::rename(shop.path("pkcs1"), shop.path("root-ca.key")).unwrap();
    assert!(
        shop.read("root-ca.key")
            .starts_with("-----BEGIN RSA PRIVATE KEY")
    );
    assert_signs(&shop, " --force");
    shop.made("client alice");
    shop.verify("root-ca.crt", "sslclient", "alice.crt");
    shop.made("renew reg.lan");
    shop.verify("root-ca.crt", "sslserver", "reg.lan.crt");

    shop.write("pass", "correct horse\n");
    shop.openssl("pkcs8 -topk8 -in root-ca.key -passout file:pass -out closed")
        .unwrap();
    fs_err::rename(shop.path("closed"), shop.path("root-ca.key")).unwrap();
    assert_signs(&shop, " --force --passphrase-file pass");
    let refused = shop.refused("site b.lan");
    assert!(refused.starts_with("error: `./root-ca.key`: the private key is encrypted\nhint: give its passphrase with --passphrase-file"), "{refused}");
    shop.write("wrong", "battery staple\n");
    let refused = shop.refused("site b.lan --passphrase-file wrong");
    assert_eq!(
        refused,
        "error: `./root-ca.key`: the passphrase is not that of the private key\n"
    );
    shop.write("empty", "\n");
    let refused = shop.refused("site b.lan --passphrase-file empty");
    assert_eq!(
        refused,
        "error: `empty`: the first line, the passphrase, is empty\n"
    );

    shop.openssl(
        "rsa -in root-ca.key -passin file:pass -traditional -aes256 -passout pass:battery -out old",
    )
    .unwrap();
    fs_err::rename(shop.path("old"), shop.path("root-ca.key")).unwrap();
    let refused = shop.refused("site b.lan --passphrase-file pass");
    assert_eq!(
        refused,
        "error: `./root-ca.key`: the private key is encrypted in the old way of openssl (`Proc-Type: 4,ENCRYPTED`)\n\
         hint: convert it: openssl pkcs8 -topk8 -in ./root-ca.key -out ./root-ca.key.p8\n"
    );
}

#[test]
fn our_cas_sign_through_openssl() {
    let shop = Workshop::new();
    shop.write("pass", "correct horse\n");
    shop.write(
        "ext",
        "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\nkeyUsage=critical,digitalSignature\n\
         subjectAltName=DNS:reg.lan\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n",
    );
    if shop
        .openssl("req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=reg.lan -keyout reg.lan.key -out reg.lan.csr")
        .is_none()
    {
        return;
    }
    for kind in KINDS.into_iter().chain(["closed"]) {
        let (make, pass) = match kind {
            "closed" => (
                "ca --passphrase-file pass --dir closed".to_owned(),
                " -passin file:pass",
            ),
            kind => (format!("ca --key {kind} --dir {kind}"), ""),
        };
        shop.made(&make);
        shop.openssl(&format!(
            "x509 -req -in reg.lan.csr -CA {kind}/root-ca.crt -CAkey {kind}/root-ca.key -CAcreateserial \
             -days 9 -extfile ext -out reg.lan.crt{pass}"
        ));
        let ca = format!("{kind}/root-ca.crt");
        shop.verify(&ca, "sslserver", "reg.lan.crt");
        let shaken = shake(&shop, &ca, "reg.lan", "reg.lan", &Clients::Anybody, None);
        assert_eq!(shaken, Ok(()), "{kind}");
    }
}

#[test]
fn an_intermediate_hands_out_its_chain() {
    let shop = Workshop::new();
    shop.made("ca --dir top");
    shop.write("ext", "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n");
    if shop
        .openssl("req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=middle -keyout root-ca.key -out middle.csr")
        .is_none()
    {
        return;
    }
    shop.openssl(
        "x509 -req -in middle.csr -CA top/root-ca.crt -CAkey top/root-ca.key -CAcreateserial -days 90 -extfile ext -out root-ca.crt",
    );
    // With the root in the file or without.
    for force in ["", " --force"] {
        let outcome = shop.tool(&format!("site reg.lan{force}"));
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert_eq!(
            outcome.err,
            "warning: it ends with its CA, sooner than asked for\n"
        );
        assert_eq!(
            shop.read("reg.lan.crt")
                .matches("BEGIN CERTIFICATE")
                .count(),
            2
        );
        shop.verify("top/root-ca.crt", "sslserver", "reg.lan.crt");
        let shaken = shake(
            &shop,
            "top/root-ca.crt",
            "reg.lan",
            "reg.lan",
            &Clients::Anybody,
            None,
        );
        assert_eq!(shaken, Ok(()));
        shop.write(
            "root-ca.crt",
            &(shop.read("root-ca.crt") + &shop.read("top/root-ca.crt")),
        );
    }
    // So does renewing.
    assert_eq!(shop.tool("renew reg.lan --days 30").code, Some(0));
    assert_eq!(
        shop.read("reg.lan.crt")
            .matches("BEGIN CERTIFICATE")
            .count(),
        2
    );
    shop.verify("top/root-ca.crt", "sslserver", "reg.lan.crt");
}

#[test]
fn without_a_ca_it_says_how_to_make_one() {
    let shop = Workshop::new();
    for command in ["site reg.lan --dir pki", "client alice --dir pki"] {
        assert_eq!(
            shop.refused(command),
            "error: there is no CA: `pki/root-ca.crt` is missing\nhint: make one: certs-tool ca --dir pki\n"
        );
    }
    assert_eq!(shop.list("."), [""; 0]);
}

#[test]
fn a_ca_that_is_over_or_no_ca_is_refused() {
    let Some(shop) = recipe(&["-newkey", "rsa:2048", "-nodes", "-keyout", "root-ca.key"]) else {
        return;
    };
    let past = [
        "x509",
        "-in",
        "root-ca.crt",
        "-signkey",
        "root-ca.key",
        "-days",
        "-1",
        "-out",
        "over",
    ];
    shop.openssl_with(&past).unwrap();
    fs_err::rename(shop.path("over"), shop.path("root-ca.crt")).unwrap();
    let refused = shop.refused("site reg.lan");
    assert!(
        refused.starts_with("error: `./root-ca.crt` is valid from "),
        "{refused}"
    );
    assert!(
        refused.contains("hint: see that the clock is right"),
        "{refused}"
    );

    let shop = Workshop::with_ca();
    shop.made("site reg.lan");
    for kind in ["crt", "key"] {
        let (from, to) = (format!("reg.lan.{kind}"), format!("root-ca.{kind}"));
        fs_err::copy(shop.path(&from), shop.path(&to)).unwrap();
    }
    assert_eq!(
        shop.refused("site b.lan"),
        "error: `./root-ca.crt` cannot sign certificates: it is not a CA's (no CA:TRUE)\n"
    );
}
