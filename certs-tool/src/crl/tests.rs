use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::testing::{CAS, openssl};
use crate::{CaOptions, HostName, SiteOptions, make_ca, write_pair};

fn issue(ca: &Ca) -> crate::Issued {
    let names = vec![HostName::parse("a.lan").unwrap()];
    ca.issue(&SiteOptions::new(names)).unwrap()
}

fn list(directory: &TempDir) -> std::path::PathBuf {
    directory.path().join("root-ca.crl")
}

#[test]
fn what_is_revoked_stays_revoked_and_the_number_rises() {
    let directory = tempfile::tempdir().unwrap();
    let path = list(&directory);
    let ca = make_ca(&CaOptions::default()).unwrap();
    let now = OffsetDateTime::now_utc();
    let mut serials = vec![];
    for number in 1..=3 {
        let serial = issue(&ca).certificate.serial();
        let mut list = RevocationList::read(&path, ca.certificate()).unwrap();
        let reason = Some("keyCompromise".parse().unwrap());
        assert!(list.revoke(serial.clone(), reason, now).is_some());
        assert!(list.revoke(serial.clone(), None, now).is_none());
        list.write(&path, &ca, 30).unwrap();
        serials.push(serial);
        let read = RevocationList::read(&path, ca.certificate()).unwrap();
        assert_eq!(read, list);
        assert_eq!(read.number, number);
        assert!(serials.iter().all(|serial| read.find(serial).is_some()));
    }
}

#[test]
fn openssl_takes_it_from_a_ca_of_every_kind() {
    for (kind, ca) in CAS.iter() {
        let directory = tempfile::tempdir().unwrap();
        let [good, bad] = [(); 2].map(|()| issue(ca));
        let at = |name: &str| directory.path().join(name);
        fs_err::write(at("ca"), ca.certificate_pem()).unwrap();
        fs_err::write(at("good"), &good.pair.certificate).unwrap();
        fs_err::write(at("bad"), &bad.pair.certificate).unwrap();
        let mut list = RevocationList::default();
        let reason = Some("superseded".parse().unwrap());
        list.revoke(bad.certificate.serial(), reason, OffsetDateTime::now_utc());
        list.write(&at("crl"), ca, 30).unwrap();

        let show = ["crl", "-in", "crl", "-noout", "-text", "-CAfile", "ca"];
        let Some(text) = openssl(directory.path(), &show) else {
            return;
        };
        for part in [
            "verify OK",
            "X509v3 Authority Key Identifier",
            "X509v3 CRL Number",
            "Superseded",
            &bad.certificate.serial().to_string(),
        ] {
            assert!(text.contains(part), "{kind}: no {part}: {text}");
        }
        let verify = |name| {
            let arguments = [
                "verify",
                "-crl_check",
                "-CRLfile",
                "crl",
                "-CAfile",
                "ca",
                name,
            ];
            std::process::Command::new("openssl")
                .args(arguments)
                .current_dir(directory.path())
                .output()
                .unwrap()
        };
        assert!(verify("good").status.success(), "{kind}");
        let refused = verify("bad");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains("certificate revoked"), "{kind}: {said}");
    }
}

#[test]
fn a_list_that_openssl_made_goes_on_here() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let ca = make_ca(&CaOptions::default()).unwrap();
    write_pair(&crate::PairPaths::ca(directory.path()), ca.pair()).unwrap();
    let bad = issue(&ca);
    fs_err::write(at("bad.crt"), &bad.pair.certificate).unwrap();
    let config = "[ca]\ndefault_ca = x\n[x]\ndatabase = index\ncrlnumber = number\n\
                  default_md = sha256\ndefault_crl_days = 30\ncrl_extensions = e\n\
                  [e]\nauthorityKeyIdentifier = keyid\n";
    fs_err::write(at("conf"), config).unwrap();
    fs_err::write(at("index"), "").unwrap();
    fs_err::write(at("number"), "1F\n").unwrap();
    let with = [
        "-config",
        "conf",
        "-cert",
        "root-ca.crt",
        "-keyfile",
        "root-ca.key",
    ];
    let revoke = [
        &["ca"][..],
        &with,
        &["-revoke", "bad.crt", "-crl_reason", "keyCompromise"],
    ]
    .concat();
    if openssl(directory.path(), &revoke).is_none() {
        return;
    }
    let make = [&["ca"][..], &with, &["-gencrl", "-out", "root-ca.crl"]].concat();
    openssl(directory.path(), &make);
    let mut read = RevocationList::read(&list(&directory), ca.certificate()).unwrap();
    assert_eq!(read.number, 0x1f);
    let entry = read.find(&bad.certificate.serial()).unwrap();
    assert_eq!(entry.reason, Some("keyCompromise".parse().unwrap()));
    read.write(&list(&directory), &ca, 1).unwrap();
    assert_eq!(
        RevocationList::read(&list(&directory), ca.certificate())
            .unwrap()
            .number,
        0x20
    );
}

#[test]
fn a_list_of_another_ca_or_a_changed_one_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = list(&directory);
    // Of one name, so that the signature alone tells them apart.
    let [ca, other] = [(); 2].map(|()| {
        let subject = Some("/CN=CA".parse().unwrap());
        make_ca(&CaOptions {
            subject,
            ..CaOptions::default()
        })
        .unwrap()
    });
    let stranger = make_ca(&CaOptions::default()).unwrap();
    RevocationList::default().write(&path, &ca, 30).unwrap();
    for (by, reason) in [
        (&other, "its signature is not this CA's"),
        (&stranger, "of another CA"),
    ] {
        let error = RevocationList::read(&path, by.certificate()).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
    for (content, reason) in [
        (
            &b""[..],
            "expected a revocation list in PEM, found an empty file",
        ),
        (
            b"-----BEGIN X509 CRL-----\nMAAA\n-----END X509 CRL-----\n",
            "it cannot be read",
        ),
    ] {
        fs_err::write(&path, content).unwrap();
        let error = RevocationList::read(&path, ca.certificate()).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn serial_numbers_and_reasons_are_read() {
    let serial: Serial = "0A:ff".parse().unwrap();
    assert_eq!(serial.to_string(), "0AFF");
    assert_eq!("aff".parse::<Serial>().unwrap(), serial);
    assert_eq!("0x00AFF".parse::<Serial>().unwrap(), serial);
    for bad in ["", "x", "site.crt", &"1".repeat(41)] {
        assert!(bad.parse::<Serial>().is_err(), "{bad}");
    }
    assert_eq!(
        "KEYCOMPROMISE".parse::<Reason>().unwrap().to_string(),
        "keyCompromise"
    );
    let error = "because".parse::<Reason>().unwrap_err().to_string();
    assert!(error.contains("superseded"), "{error}");
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in any::<Vec<u8>>(), at in any::<proptest::sample::Index>(), byte in any::<u8>()) {
        static MADE: std::sync::LazyLock<(Ca, Vec<u8>)> = std::sync::LazyLock::new(|| {
            let directory = tempfile::tempdir().unwrap();
            let ca = make_ca(&CaOptions::default()).unwrap();
            let mut made = RevocationList::default();
            made.revoke("0102".parse().unwrap(), None, OffsetDateTime::now_utc());
            made.write(&list(&directory), &ca, 30).unwrap();
            let text = fs_err::read(list(&directory)).unwrap();
            (ca, pem::section(&text, "X509 CRL").unwrap())
        });
        let (ca, der) = &*MADE;
        let _ = RevocationList::from_der(&bytes, ca.certificate());
        let mut damaged = der.clone();
        let at = at.index(damaged.len());
        damaged[at] = byte;
        // Not every byte is signed; but what is believed is what was.
        if let Ok(read) = RevocationList::from_der(&damaged, ca.certificate()) {
            prop_assert_eq!(Ok(read), RevocationList::from_der(der, ca.certificate()));
        }
    }
}
