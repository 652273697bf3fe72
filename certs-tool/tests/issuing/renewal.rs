//! Renewal from the command line.

use crate::handshake::{Clients, shake};
use crate::harness::{KINDS, Workshop};

fn serial(shop: &Workshop, certificate: &str) -> Option<String> {
    shop.openssl(&format!("x509 -in {certificate} -noout -serial"))
}

#[test]
fn the_same_key_or_a_new_one_of_any_kind() {
    let shop = Workshop::with_ca();
    shop.made("site reg.lan --san 10.0.0.7 --days 90");
    let (first, key) = (shop.read("reg.lan.crt"), shop.read("reg.lan.key"));
    let said = shop.made("renew reg.lan").out;
    assert!(
        said.starts_with("renewed ./reg.lan.crt for reg.lan, 10.0.0.7, until "),
        "{said}"
    );
    assert_ne!(shop.read("reg.lan.crt"), first);
    assert_eq!(shop.read("reg.lan.key"), key);
    for kind in KINDS {
        shop.made(&format!("renew reg.lan --new-key={kind}"));
        assert_ne!(shop.read("reg.lan.key"), key);
        shop.verify("root-ca.crt", "sslserver", "reg.lan.crt");
        let shaken = shake(
            &shop,
            "root-ca.crt",
            "reg.lan",
            "10.0.0.7",
            &Clients::Anybody,
            None,
        );
        assert_eq!(shaken, Ok(()), "{kind}");
    }
    assert_eq!(shop.list(".").len(), 4, "nothing else is left");
}

#[test]
fn only_if_it_is_due() {
    let shop = Workshop::with_ca();
    shop.made("site reg.lan --days 90");
    let before = shop.read("reg.lan.crt");
    let said = shop.made("renew reg.lan --if-due").out;
    assert_eq!(said, "./reg.lan.crt ends in 89 days: not due\n");
    assert_eq!(shop.read("reg.lan.crt"), before);
    // One that openssl made to end at once.
    let Some(_) = shop.openssl(
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=web.lan -addext subjectAltName=DNS:web.lan \
         -keyout web.lan.key -out web.lan.csr",
    ) else {
        return;
    };
    shop.openssl(
        "x509 -req -in web.lan.csr -CA root-ca.crt -CAkey root-ca.key -CAcreateserial -days 0 -copy_extensions copy -out web.lan.crt",
    );
    let old = serial(&shop, "web.lan.crt");
    let said = shop.made("renew web.lan --if-due --days 30").out;
    assert!(
        said.starts_with("renewed ./web.lan.crt for web.lan, until "),
        "{said}"
    );
    assert_ne!(serial(&shop, "web.lan.crt"), old);
    shop.verify("root-ca.crt", "sslserver", "web.lan.crt");
}

#[test]
fn clients_stay_clients_with_their_names() {
    let shop = Workshop::with_ca();
    shop.made("client alice --san alice@example.com");
    let said = shop.made("renew alice").out;
    assert!(
        said.starts_with("renewed ./alice.crt for CN=alice, alice@example.com, until "),
        "{said}"
    );
    shop.verify("root-ca.crt", "sslclient", "alice.crt");
}

#[test]
fn what_another_ca_signed_is_taken_over_only_by_force() {
    let shop = Workshop::with_ca();
    shop.made("site reg.lan");
    let before = shop.read("reg.lan.crt");
    assert_eq!(shop.tool("ca --force").code, Some(0));
    let refused = shop.refused("renew reg.lan");
    assert!(
        refused.starts_with("error: `./reg.lan.crt` was not signed by the CA `O=Tidegate, CN="),
        "{refused}"
    );
    assert_eq!(shop.read("reg.lan.crt"), before);
    shop.made("renew reg.lan --force");
    shop.verify("root-ca.crt", "sslserver", "reg.lan.crt");
}

#[test]
fn what_cannot_be_renewed_stays() {
    let shop = Workshop::with_ca();
    shop.made("self-signed one.lan");
    let before = shop.read("one.lan.crt");
    let refused = shop.refused("renew one.lan --force");
    assert!(refused.contains("it has the rights of a CA"), "{refused}");
    assert_eq!(shop.read("one.lan.crt"), before);

    shop.made("site reg.lan");
    shop.made("site other.lan");
    fs_err::copy(shop.path("other.lan.key"), shop.path("reg.lan.key")).unwrap();
    let before = shop.read("reg.lan.crt");
    let refused = shop.refused("renew reg.lan");
    assert!(
        refused.starts_with("error: `./reg.lan.key` is not the key of `./reg.lan.crt`\n"),
        "{refused}"
    );
    assert_eq!(shop.read("reg.lan.crt"), before);
}
