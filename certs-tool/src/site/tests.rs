use std::net::Ipv4Addr;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use time::Duration;
use time::macros::datetime;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;

use super::*;
use crate::ca::{CaOptions, make_ca, make_ca_at};
use crate::inspect;
use crate::testing::{CAS, openssl};

const NOW: OffsetDateTime = datetime!(2026-01-31 12:00 UTC);

fn hosts(names: &[&str]) -> Vec<HostName> {
    names
        .iter()
        .map(|name| HostName::parse(name).unwrap())
        .collect()
}

fn extension<'a>(
    x509: &'a X509Certificate<'_>,
    oid: &x509_parser::oid_registry::Oid<'_>,
) -> &'a ParsedExtension<'a> {
    x509.get_extension_unique(oid)
        .unwrap()
        .unwrap()
        .parsed_extension()
}

#[test]
fn has_the_extensions_that_strict_clients_demand() {
    use x509_parser::oid_registry as oid;
    let ca = make_ca(&CaOptions::default()).unwrap();
    let ca_x509 = inspect::parse(ca.certificate().der()).unwrap();
    let ParsedExtension::SubjectKeyIdentifier(ca_id) =
        extension(&ca_x509, &oid::OID_X509_EXT_SUBJECT_KEY_IDENTIFIER)
    else {
        panic!("the CA has no key identifier");
    };
    for kind in KeyKind::ALL {
        let mut options = SiteOptions::new(hosts(&["registry.lan", "10.0.0.7", "registry.lan"]));
        options.key = kind;
        let issued = ca.issue(&options).unwrap();
        let x509 = inspect::parse(issued.certificate.der()).unwrap();
        let basic = x509.basic_constraints().unwrap().unwrap();
        assert!(basic.critical && !basic.value.ca);
        let usage = x509.key_usage().unwrap().unwrap();
        assert!(usage.critical);
        let expected = match kind {
            KeyKind::Rsa2048 | KeyKind::Rsa4096 => "Digital Signature, Key Encipherment",
            _ => "Digital Signature",
        };
        assert_eq!(usage.value.to_string(), expected);
        let purpose = x509.extended_key_usage().unwrap().unwrap().value;
        assert!(purpose.server_auth && !purpose.client_auth && !purpose.any);
        let ParsedExtension::AuthorityKeyIdentifier(authority) =
            extension(&x509, &oid::OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER)
        else {
            panic!("no authority key identifier");
        };
        assert_eq!(authority.key_identifier.as_ref(), Some(ca_id));
        assert_eq!(issued.certificate.names().len(), 2);
        assert_eq!(issued.certificate.subject(), "CN=registry.lan");
        assert!(issued.certificate.is_issued_by(ca.certificate()));
        let (serial, again) = (x509.raw_serial(), ca.issue(&options).unwrap());
        assert_eq!((serial.len(), serial[0] & 0xc0), (16, 0x40));
        assert_ne!(
            inspect::parse(again.certificate.der())
                .unwrap()
                .raw_serial(),
            serial
        );
    }
}

#[test]
fn webpki_accepts_it_for_its_names_and_no_others() {
    for (ca_kind, ca) in &*CAS {
        let names = hosts(&["registry.lan", "*.example.com", "10.0.0.7", "2001:db8::7"]);
        let issued = ca.issue(&SiteOptions::new(names)).unwrap();
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from(ca.certificate().der()))
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .unwrap();
        let accepts = |name: &str| {
            let leaf = CertificateDer::from(issued.certificate.der());
            let name = ServerName::try_from(name).unwrap();
            verifier
                .verify_server_cert(&leaf, &[], &name, &[], UnixTime::now())
                .is_ok()
        };
        for name in ["registry.lan", "a.example.com", "10.0.0.7", "2001:db8::7"] {
            assert!(accepts(name), "{ca_kind}: {name}");
        }
        for name in [
            "other.lan",
            "example.com",
            "a.b.example.com",
            "10.0.0.8",
            "::1",
        ] {
            assert!(!accepts(name), "{ca_kind}: {name}");
        }
    }
}

#[test]
fn openssl_accepts_it_strictly() {
    let directory = tempfile::tempdir().unwrap();
    for (ca_kind, ca) in &*CAS {
        let issued = ca
            .issue(&SiteOptions::new(hosts(&["registry.lan", "::1"])))
            .unwrap();
        fs_err::write(directory.path().join("ca"), ca.certificate_pem()).unwrap();
        fs_err::write(directory.path().join("site"), &issued.pair.certificate).unwrap();
        for name in [["-verify_hostname", "registry.lan"], ["-verify_ip", "::1"]] {
            let mut arguments = vec![
                "verify",
                "-x509_strict",
                "-purpose",
                "sslserver",
                "-CAfile",
                "ca",
            ];
            arguments.extend(name);
            arguments.push("site");
            if let Some(output) = openssl(directory.path(), &arguments) {
                assert_eq!(output.trim(), "site: OK", "{ca_kind}");
            }
        }
    }
}

#[test]
fn a_ca_of_an_openssl_recipe_signs_what_openssl_accepts() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let arguments = [
        "req",
        "-x509",
        "-nodes",
        "-newkey",
        "rsa:2048",
        "-days",
        "30",
        "-utf8",
        "-subj",
        "/C=DE/ST=Saxony/L=Dresden/O=Example/OU=IT/CN=Ümläut CA/emailAddress=a@b.example",
        "-keyout",
        "key",
        "-out",
        "ca",
    ];
    if openssl(at, &arguments).is_none() {
        return;
    }
    let ca = Ca::load(&at.join("ca"), &at.join("key")).unwrap();
    let issued = ca
        .issue(&SiteOptions::new(hosts(&["registry.lan"])))
        .unwrap();
    assert!(issued.shortened);
    assert_eq!(issued.certificate.not_after(), ca.certificate().not_after());
    fs_err::write(at.join("site"), &issued.pair.certificate).unwrap();
    let arguments = [
        "verify",
        "-CAfile",
        "ca",
        "-verify_hostname",
        "registry.lan",
        "site",
    ];
    assert_eq!(openssl(at, &arguments).unwrap().trim(), "site: OK");
}

#[test]
fn never_outlives_its_ca_and_says_so() {
    let ca = make_ca_at(
        &CaOptions {
            days: 100,
            ..CaOptions::default()
        },
        NOW,
    )
    .unwrap();
    let later = NOW + Duration::days(30);
    let mut options = SiteOptions::new(hosts(&["a.lan"]));
    let issued = ca.issue_at(&options, later).unwrap();
    assert!(issued.shortened);
    assert_eq!(issued.certificate.not_after(), ca.certificate().not_after());
    assert_eq!(issued.certificate.not_before(), later - Duration::hours(1));

    options.days = 70;
    let issued = ca.issue_at(&options, later).unwrap();
    assert!(!issued.shortened);
    assert_eq!(issued.certificate.not_after(), ca.certificate().not_after());
    // Nor is it older than its CA.
    let issued = ca.issue_at(&options, NOW).unwrap();
    assert_eq!(
        issued.certificate.not_before(),
        ca.certificate().not_before()
    );

    let over = ca
        .issue_at(&options, NOW + Duration::days(101))
        .unwrap_err();
    assert!(
        over.to_string()
            .starts_with("the CA is valid from 2026-01-31 11:00:00 UTC"),
        "{over}"
    );
}

#[test]
fn a_name_too_long_for_a_common_name_leaves_the_subject_empty() {
    let ca = make_ca(&CaOptions::default()).unwrap();
    let long = format!("{}.example.com", "a".repeat(60));
    let issued = ca.issue(&SiteOptions::new(hosts(&[&long]))).unwrap();
    assert_eq!(issued.certificate.subject(), "");
    let x509 = inspect::parse(issued.certificate.der()).unwrap();
    assert!(x509.subject_alternative_name().unwrap().unwrap().critical);
    assert!(issued.certificate.covers(&hosts(&[&long])[0]));
}

#[test]
fn a_subject_may_be_given() {
    let ca = make_ca(&CaOptions::default()).unwrap();
    let mut options = SiteOptions::new(vec![std::net::IpAddr::from(Ipv4Addr::LOCALHOST).into()]);
    options.subject = Some(Subject::parse("/O=Example/CN=registry").unwrap());
    let issued = ca.issue(&options).unwrap();
    assert_eq!(issued.certificate.subject(), "O=Example, CN=registry");
}

#[test]
fn without_a_name_or_a_lifetime_there_is_no_certificate() {
    let ca = make_ca(&CaOptions::default()).unwrap();
    let none = ca.issue(&SiteOptions::new(Vec::new()));
    assert!(matches!(none, Err(CertsError::NoNames)));
    let mut options = SiteOptions::new(hosts(&["a.lan"]));
    options.days = 0;
    assert_eq!(
        ca.issue(&options).unwrap_err().to_string(),
        "a certificate cannot be valid for 0 days; expected 1 to 36500"
    );
}
