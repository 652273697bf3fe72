//! What is on the disk afterwards, and what is never lost from it.

use crate::harness::Workshop;

/// Every command that makes files, in an order in which each can.
const MAKING: [&str; 6] = [
    "ca --dir pki",
    "site reg.lan --dir pki",
    "client alice --dir pki",
    "self-signed one.lan --dir pki",
    "csr asked.lan --dir pki",
    "sign pki/asked.lan.csr --dir pki",
];

#[test]
fn keys_are_for_their_owner_whatever_the_umask_is() {
    for umask in ["000", "077"] {
        let shop = Workshop::new();
        for command in MAKING {
            shop.made_under(umask, command);
        }
        shop.made_under(umask, "renew reg.lan --dir pki --new-key");
        assert_eq!(shop.mode("pki"), 0o700);
        let files = shop.list("pki");
        assert_eq!(files.len(), 11, "{files:?}");
        for file in files {
            let mode = shop.mode(&format!("pki/{file}"));
            let expected = match (file.ends_with(".key"), umask) {
                (false, "000") => 0o644,
                _ => 0o600,
            };
            assert_eq!(mode, expected, "{file} under {umask}");
        }
    }
}

#[test]
fn nothing_is_replaced_without_force() {
    let shop = Workshop::new();
    for command in MAKING {
        if command.starts_with("csr") {
            continue;
        }
        if command.starts_with("sign") {
            shop.made("csr asked.lan --dir pki");
        }
        shop.made(command);
        let before: Vec<_> = contents(&shop);
        let refused = shop.refused(command);
        assert!(
            refused.ends_with("exists already and is not overwritten\nhint: --force replaces it\n"),
            "{refused}"
        );
        assert_eq!(contents(&shop), before, "{command}");

        let replaced = shop.tool(&format!("{command} --force"));
        assert_eq!(replaced.code, Some(0), "{replaced:?}");
        assert_eq!(contents(&shop).len(), before.len());
        assert_ne!(contents(&shop), before, "{command}");
    }
    shop.made("csr other.lan --dir pki");
    let key = shop.read("pki/other.lan.key");
    assert!(shop.refused("csr other.lan --dir pki").contains("--force"));
    shop.made("csr other.lan --dir pki --force");
    assert_ne!(shop.read("pki/other.lan.key"), key);
}

fn contents(shop: &Workshop) -> Vec<(String, String)> {
    let read = |name: String| (name.clone(), shop.read(&format!("pki/{name}")));
    shop.list("pki").into_iter().map(read).collect()
}

#[test]
fn replacing_the_ca_says_whom_that_concerns() {
    let shop = Workshop::with_ca();
    let outcome = shop.tool("ca --force");
    assert_eq!(outcome.code, Some(0));
    assert!(
        outcome
            .err
            .starts_with("warning: clients that trust the CA"),
        "{outcome:?}"
    );
}

#[test]
fn a_pair_whose_writing_was_interrupted_is_finished_by_the_next_command() {
    let shop = Workshop::with_ca();
    shop.made("site reg.lan");
    let old = shop.read("reg.lan.crt");
    // Another pair, of which only the key has its name yet.
    shop.made("site reg.lan --dir . --force");
    let (new, key) = (shop.read("reg.lan.crt"), shop.read("reg.lan.key"));
    shop.write("reg.lan.crt", &old);
    shop.write(".reg.lan.crt.new", &new);
    shop.made("renew reg.lan --if-due");
    assert_eq!(shop.read("reg.lan.crt"), new);
    assert_eq!(shop.read("reg.lan.key"), key);
    assert_eq!(
        shop.list("."),
        ["reg.lan.crt", "reg.lan.key", "root-ca.crt", "root-ca.key"]
    );
}

#[test]
fn a_ca_under_a_passphrase_is_finished_as_well() {
    let shop = Workshop::new();
    shop.write("pass", "correct horse\n");
    shop.made("ca --passphrase-file pass");
    let (cert, key) = (shop.read("root-ca.crt"), shop.read("root-ca.key"));
    assert!(key.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY"));
    fs_err::rename(shop.path("root-ca.crt"), shop.path(".root-ca.crt.new")).unwrap();
    shop.made("site reg.lan --passphrase-file pass");
    assert_eq!(shop.read("root-ca.crt"), cert);

    // Not even a part of the certificate was there: then there is no telling.
    fs_err::remove_file(shop.path("root-ca.crt")).unwrap();
    shop.write(".root-ca.crt.new", &cert[..cert.len() / 2]);
    let refused = shop.refused("site b.lan --passphrase-file pass");
    assert!(refused.contains("root-ca.key"), "{refused}");
    assert_eq!(shop.read("root-ca.key"), key);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let shop = Workshop::with_ca();
    for name in ["../x", "a/b", "..", "root-ca"] {
        for command in ["site", "client", "self-signed", "csr", "renew"] {
            let refused = shop.refused(&format!("{command} {name}"));
            let start = format!("error: NAME: `{name}` cannot name the files of a certificate: ");
            assert!(refused.starts_with(&start), "{command}: {refused}");
        }
    }
    assert_eq!(shop.list("."), ["root-ca.crt", "root-ca.key"]);
}
