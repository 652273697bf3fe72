use fs_err as fs;
use tempfile::TempDir;
use time::Duration;

use super::*;
use crate::testing::{CAS, openssl};
use crate::{CaOptions, HostName, PairName, SiteOptions, make_ca, write_pair};

/// A CA and a site beside each other.
fn directory() -> (TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let ca = make_ca(&CaOptions::default()).unwrap();
    write_pair(&PairPaths::ca(root.path()), ca.pair()).unwrap();
    let names = ["a.lan", "10.0.0.1"].map(|name| HostName::parse(name).unwrap());
    let issued = ca.issue(&SiteOptions::new(names.to_vec())).unwrap();
    let paths = PairPaths::site(root.path(), &PairName::parse("site").unwrap());
    write_pair(&paths, &issued.pair).unwrap();
    (root, paths.cert())
}

fn findings(report: &Report) -> String {
    let line = |finding: &Finding| format!("{:?}: {}\n", finding.severity, finding.text);
    report.findings.iter().map(line).collect()
}

fn report(file: &Path) -> Report {
    Report::of(file, &Beside::default()).unwrap()
}

#[test]
fn a_sound_pair_is_described_and_not_criticised() {
    let (root, site) = directory();
    let shown = report(&site);
    assert_eq!(findings(&shown), "");
    assert!(shown.key.as_ref().unwrap().matches);
    assert!(shown.ca.as_ref().unwrap().signed);
    let leaf = &shown.certificates[0];
    assert_eq!(leaf.names, ["a.lan", "10.0.0.1"]);
    assert_eq!(
        (leaf.key.as_str(), leaf.signature.as_str()),
        ("ECDSA P-256", "ECDSA with SHA-256")
    );
    assert_eq!(leaf.extended_key_usage, ["server"]);
    assert_eq!(leaf.days_left, 749);
    for (kind, shown) in [("-sha1", &leaf.sha1), ("-sha256", &leaf.sha256)] {
        let arguments = ["x509", "-in", "site.crt", "-noout", "-fingerprint", kind];
        if let Some(said) = openssl(root.path(), &arguments) {
            assert!(said.contains(shown), "{said}");
        }
    }
    let json = serde_json::to_value(&shown).unwrap();
    assert_eq!(json["certificates"][0]["is_ca"], false);
    assert_eq!(json["key"]["matches"], true);

    let ca = report(&root.path().join("root-ca.crt"));
    assert_eq!(findings(&ca), "");
    assert_eq!(ca.certificates[0].path_length, Some(1));
}

#[test]
fn every_kind_of_key_has_a_name() {
    let names = [
        "ECDSA P-256",
        "ECDSA P-384",
        "RSA 2048",
        "RSA 4096",
        "Ed25519",
    ];
    for ((_, ca), name) in CAS.iter().zip(names) {
        let now = OffsetDateTime::now_utc();
        assert_eq!(Description::of(ca.certificate(), now).key, name);
    }
}

#[test]
fn dates_are_told_before_they_hurt() {
    let (_root, site) = directory();
    let now = OffsetDateTime::now_utc();
    for (days, part) in [
        (740, "Warning: `CN=a.lan` ends in 9 days"),
        (760, "Error: `CN=a.lan` ended 10 days ago"),
        (-1, "Error: `CN=a.lan` is valid from"),
    ] {
        let at = now + Duration::days(days);
        let shown = Report::at(&site, &Beside::default(), at).unwrap();
        assert!(findings(&shown).contains(part), "{}", findings(&shown));
    }
}

#[test]
fn the_usual_mistakes_are_named() {
    let (root, site) = directory();
    let (other, other_site) = directory();
    let at = |name: &str| root.path().join(name);
    let text = |path: &Path| fs::read_to_string(path).unwrap();

    fs::copy(other.path().join("site.key"), at("site.key")).unwrap();
    assert!(findings(&report(&site)).contains("is the key of another certificate"));
    assert!(report(&site).has_errors());
    fs::remove_file(at("site.key")).unwrap();

    let ca = Beside {
        ca: Some(other.path().join("root-ca.crt")),
        ..Beside::default()
    };
    assert!(findings(&Report::of(&site, &ca).unwrap()).contains("did not sign `CN=a.lan`"));

    let chain = at("chain.crt");
    for (parts, said) in [
        (
            [at("site.crt"), at("root-ca.crt")],
            "the root, need not be in the file",
        ),
        ([at("root-ca.crt"), at("site.crt")], "which did not sign it"),
        ([at("site.crt"), other_site], "which did not sign it"),
    ] {
        fs::write(&chain, parts.map(|path| text(&path)).concat()).unwrap();
        assert!(
            findings(&report(&chain)).contains(said),
            "{}",
            findings(&report(&chain))
        );
    }

    let (open, open_site) = directory();
    let key = open.path().join("site.key");
    fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(findings(&report(&open_site)).contains("can be used by others (mode 0644)"));
}

#[test]
fn what_clients_refuse_of_openssls_is_named() {
    let root = tempfile::tempdir().unwrap();
    for (arguments, said) in [
        (
            &[
                "-newkey",
                "rsa:2048",
                "-addext",
                "basicConstraints=critical,CA:FALSE",
            ][..],
            "legacy Common Name field",
        ),
        (
            &[
                "-newkey",
                "rsa:2048",
                "-sha1",
                "-addext",
                "subjectAltName=DNS:a.lan",
            ],
            "RSA with SHA-1",
        ),
        (
            &["-newkey", "rsa:1024", "-addext", "subjectAltName=DNS:a.lan"],
            "RSA key of 1024 bits",
        ),
    ] {
        let fixed = [
            "req",
            "-x509",
            "-nodes",
            "-subj",
            "/CN=a.lan",
            "-days",
            "90",
        ];
        let out = ["-keyout", "k", "-out", "c.crt"];
        if openssl(root.path(), &[&fixed[..], &out, arguments].concat()).is_none() {
            return;
        }
        let shown = report(&root.path().join("c.crt"));
        assert!(findings(&shown).contains(said), "{}", findings(&shown));
        assert!(shown.has_errors());
    }
}
