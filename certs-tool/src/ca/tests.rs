use std::path::PathBuf;
use tidegate_failure::Explain as _;

use time::macros::datetime;

use super::*;
use crate::testing::{CAS, openssl};

const NOW: OffsetDateTime = datetime!(2026-01-31 12:00 UTC);

/// A directory with the files of CAs made by openssl, as people have them.
struct Openssl(tempfile::TempDir);

impl Openssl {
    /// `None` if there is no openssl.
    fn ca(arguments: &[&str]) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mut all = vec![
            "req", "-x509", "-nodes", "-days", "9", "-keyout", "key", "-out", "cert",
        ];
        all.extend_from_slice(arguments);
        if !arguments.contains(&"-newkey") {
            all.extend(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        }
        openssl(directory.path(), &all)?;
        Some(Self(directory))
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self) -> Result<Ca, CertsError> {
        Ca::load(&self.at("cert"), &self.at("key"))
    }

    /// The message of the error, without the directory.
    fn refusal(&self) -> String {
        let shown = format!("{}/", self.0.path().display());
        self.load().unwrap_err().to_string().replace(&shown, "")
    }
}

#[test]
fn a_new_ca_has_the_extensions_that_strict_clients_demand() {
    for (kind, ca) in &*CAS {
        let x509 = inspect::parse(ca.certificate().der()).unwrap();
        let basic = x509.basic_constraints().unwrap().unwrap();
        assert!(basic.critical && basic.value.ca);
        assert_eq!(basic.value.path_len_constraint, Some(1));
        let usage = x509.key_usage().unwrap().unwrap();
        assert!(usage.critical);
        assert_eq!(usage.value.to_string(), "Key Cert Sign, CRL Sign");
        let oid = x509_parser::oid_registry::OID_X509_EXT_SUBJECT_KEY_IDENTIFIER;
        assert!(x509.get_extension_unique(&oid).unwrap().is_some());
        assert!(ca.certificate().is_issued_by(ca.certificate()), "{kind}");
    }
}

#[test]
fn a_new_ca_is_valid_for_ten_years_from_an_hour_ago() {
    let ca = make_ca_at(&CaOptions::default(), NOW).unwrap();
    assert_eq!(
        ca.certificate().not_before(),
        datetime!(2026-01-31 11:00 UTC)
    );
    assert_eq!(
        ca.certificate().not_after(),
        datetime!(2036-01-29 12:00 UTC)
    );
}

#[test]
fn new_cas_differ_in_name_and_serial() {
    let [a, b] = [(); 2].map(|()| make_ca(&CaOptions::default()).unwrap());
    assert!(
        a.certificate()
            .subject()
            .starts_with("O=Tidegate, CN=Tidegate CA ")
    );
    assert_ne!(a.certificate().subject(), b.certificate().subject());
    let serial = |ca: &Ca| {
        inspect::parse(ca.certificate().der())
            .unwrap()
            .raw_serial()
            .to_vec()
    };
    assert_ne!(serial(&a), serial(&b));
    for ca in [a, b] {
        // 16 bytes, of which the first makes it positive and long.
        assert_eq!(serial(&ca).len(), 16);
        assert_eq!(serial(&ca)[0] & 0xc0, 0x40);
    }
}

#[test]
fn the_subject_is_the_one_given() {
    let options = CaOptions {
        subject: Some(Subject::parse("/C=DE/O=Example/CN=Example CA").unwrap()),
        ..CaOptions::default()
    };
    let ca = make_ca(&options).unwrap();
    assert_eq!(ca.certificate().subject(), "C=DE, O=Example, CN=Example CA");
    assert_eq!(ca.certificate().issuer(), ca.certificate().subject());
}

#[test]
fn a_ca_is_loaded_as_it_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let (cert, key) = (directory.path().join("cert"), directory.path().join("key"));
    let made = make_ca(&CaOptions::default()).unwrap();
    fs_err::write(&cert, made.certificate_pem()).unwrap();
    fs_err::write(&key, &*made.pair().key).unwrap();
    let loaded = Ca::load(&cert, &key).unwrap();
    assert_eq!(loaded.certificate(), made.certificate());
    assert_eq!(loaded.pair(), made.pair());
    assert!(!format!("{loaded:?}").contains("PRIVATE"));
}

#[test]
fn the_cas_of_openssl_recipes_are_loaded() {
    for arguments in [
        &[
            "-subj",
            "/C=DE/ST=Saxony/L=Dresden/O=Example/OU=IT/CN=Ümläut CA/emailAddress=a@b.example",
            "-utf8",
        ][..],
        &["-subj", "/CN=rsa", "-newkey", "rsa:2048"],
        &["-subj", "/DC=example/CN=directory"],
    ] {
        let Some(files) = Openssl::ca(arguments) else {
            return;
        };
        files
            .load()
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
    }
}

#[test]
fn names_that_would_come_out_changed_are_refused() {
    for (subject, reason) in [
        ("/OU=a/OU=b/CN=x", "an attribute that comes up twice"),
        (
            "/DC=com/DC=example/CN=x",
            "an attribute that comes up twice",
        ),
        ("/CN=x+OU=y", "several attributes joined into one (`+`)"),
        ("/", "no attributes"),
    ] {
        let Some(files) = Openssl::ca(&["-subj", subject, "-multivalue-rdn"]) else {
            return;
        };
        let refusal = files.refusal();
        assert!(
            refusal.starts_with("`cert` cannot be used as an issuer: its subject `"),
            "{refusal}"
        );
        let end = format!("` has {reason}, which cannot be written faithfully");
        assert!(refusal.ends_with(&end), "{refusal}");
        assert!(files.load().unwrap_err().hint().is_some());
    }
}

#[test]
fn strings_of_old_encodings_are_taken_or_refused_but_never_changed() {
    let directory = tempfile::tempdir().unwrap();
    let config = |mask: &str| {
        let text = format!(
            "[req]\nprompt=no\nstring_mask={mask}\ndistinguished_name=dn\nx509_extensions=ca\n\
             [ca]\nbasicConstraints=CA:TRUE\n[dn]\nCN=Caf\u{e9}\n"
        );
        let path = directory.path().join(mask.replace(':', "-"));
        fs_err::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    // Latin-1 in a T61String.
    let Some(files) = Openssl::ca(&["-utf8", "-config", &config("nombstr")]) else {
        return;
    };
    assert!(
        files
            .refusal()
            .contains("has an attribute of an unusual kind"),
        "{}",
        files.refusal()
    );
    // A BMPString, two bytes a character.
    let files = Openssl::ca(&["-utf8", "-config", &config("MASK:0x800")]).unwrap();
    files.load().unwrap();
}

#[test]
fn certificates_that_may_not_sign_are_refused() {
    let Some(files) = Openssl::ca(&[
        "-subj",
        "/CN=x",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ]) else {
        return;
    };
    assert_eq!(
        files.refusal(),
        "`cert` cannot sign certificates: it is not a CA's (no CA:TRUE)"
    );
    let files = Openssl::ca(&[
        "-subj",
        "/CN=x",
        "-addext",
        "keyUsage=critical,digitalSignature",
    ])
    .unwrap();
    assert_eq!(
        files.refusal(),
        "`cert` cannot sign certificates: its key usage lacks keyCertSign"
    );
}

#[test]
fn the_key_of_another_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (cert, key) = (directory.path().join("cert"), directory.path().join("key"));
    fs_err::write(
        &cert,
        make_ca(&CaOptions::default()).unwrap().certificate_pem(),
    )
    .unwrap();
    fs_err::write(&key, &*make_ca(&CaOptions::default()).unwrap().pair().key).unwrap();
    let error = Ca::load(&cert, &key).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("`{}` is not the key of `{}`", key.display(), cert.display())
    );
}

#[test]
fn a_ca_outside_of_its_time_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (cert, key) = (directory.path().join("cert"), directory.path().join("key"));
    let ca = make_ca_at(&CaOptions::default(), NOW).unwrap();
    fs_err::write(&cert, ca.certificate_pem()).unwrap();
    fs_err::write(&key, &*ca.pair().key).unwrap();
    assert!(Ca::load_at(&cert, &key, None, NOW).is_ok());
    for late_or_early in [
        datetime!(2036-02-01 0:00 UTC),
        datetime!(2026-01-31 10:59 UTC),
    ] {
        let error = Ca::load_at(&cert, &key, None, late_or_early).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "`{}` is valid from 2026-01-31 11:00:00 UTC to 2036-01-29 12:00:00 UTC only",
                cert.display()
            )
        );
    }
}

#[test]
fn missing_files_are_named() {
    let nowhere = PathBuf::from("/nonexistent/root-ca.crt");
    let error = Ca::load(&nowhere, &nowhere).unwrap_err();
    assert!(
        error.to_string().contains("/nonexistent/root-ca.crt"),
        "{error}"
    );
}

#[test]
fn the_key_may_be_under_a_passphrase() {
    let directory = tempfile::tempdir().unwrap();
    let (cert, key) = (directory.path().join("cert"), directory.path().join("key"));
    let passphrase = Passphrase::new(b"correct horse");
    let made = make_ca(&CaOptions {
        passphrase: passphrase.clone(),
        ..CaOptions::default()
    })
    .unwrap();
    assert!(made.pair().key.contains("BEGIN ENCRYPTED PRIVATE KEY"));
    fs_err::write(&cert, made.certificate_pem()).unwrap();
    fs_err::write(&key, &*made.pair().key).unwrap();
    let loaded = Ca::load_with(&cert, &key, passphrase.as_ref()).unwrap();
    assert_eq!(loaded.certificate(), made.certificate());
    assert!(matches!(
        Ca::load(&cert, &key),
        Err(CertsError::EncryptedKey { .. })
    ));
    assert!(matches!(
        Ca::load_with(&cert, &key, Passphrase::new(b"other").as_ref()),
        Err(CertsError::WrongPassphrase { .. })
    ));
}

#[test]
fn what_an_intermediate_signs_comes_with_the_chain_up_to_the_root() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    for (name, days) in [("root", "9"), ("middle", "9"), ("low", "9")] {
        let subject = format!("/CN={name}");
        let mut all = vec![
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            name,
            "-subj",
            &subject,
        ];
        let (csr, crt) = (format!("{name}.csr"), format!("{name}.crt"));
        if name == "root" {
            all.extend(["-x509", "-days", days, "-out", &crt]);
        } else {
            all.extend(["-out", &csr]);
        }
        if openssl(at, &all).is_none() {
            return;
        }
    }
    fs_err::write(at.join("ext"), "basicConstraints=critical,CA:TRUE\n").unwrap();
    for (name, ca) in [("middle", "root"), ("low", "middle")] {
        let [csr, crt, ca_crt] = [
            format!("{name}.csr"),
            format!("{name}.crt"),
            format!("{ca}.crt"),
        ];
        let sign = [
            "x509",
            "-req",
            "-in",
            &csr,
            "-CA",
            &ca_crt,
            "-CAkey",
            ca,
            "-CAcreateserial",
            "-days",
            "8",
            "-extfile",
            "ext",
            "-out",
            &crt,
        ];
        openssl(at, &sign).unwrap();
    }
    let read = |name: &str| fs_err::read_to_string(at.join(name)).unwrap();
    // The first is the one that signs; the others may lie in any order, and what
    // has nothing to do with it is left out.
    let stranger = make_ca(&CaOptions::default()).unwrap();
    let file = [
        read("low.crt"),
        read("root.crt"),
        stranger.certificate_pem().to_owned(),
        read("middle.crt"),
    ]
    .concat();
    fs_err::write(at.join("chain.crt"), file).unwrap();
    let ca = Ca::load(&at.join("chain.crt"), &at.join("low")).unwrap();
    let name = crate::HostName::parse("a.lan").unwrap();
    let issued = ca.issue(&crate::SiteOptions::new(vec![name])).unwrap();
    fs_err::write(at.join("site.crt"), &issued.pair.certificate).unwrap();
    let subjects: Vec<_> = Certificate::read(&at.join("site.crt"))
        .unwrap()
        .iter()
        .map(|certificate| certificate.subject().to_owned())
        .collect();
    assert_eq!(subjects, ["CN=a.lan", "CN=low", "CN=middle"]);
    let verify = [
        "verify",
        "-CAfile",
        "root.crt",
        "-untrusted",
        "site.crt",
        "site.crt",
    ];
    assert_eq!(openssl(at, &verify).unwrap().trim(), "site.crt: OK");
}
