use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Documents that libtrust signed, all with the same payload.
const SIGNED: [(&str, &[u8]); 6] = [
    ("ES256", include_bytes!("../testdata/es256.json")),
    ("ES384", include_bytes!("../testdata/es384.json")),
    ("ES512", include_bytes!("../testdata/es512.json")),
    ("RS256", include_bytes!("../testdata/rs256.json")),
    ("x5c", include_bytes!("../testdata/chain.json")),
    ("two keys", include_bytes!("../testdata/two.json")),
];
const PAYLOAD: &[u8] = include_bytes!("../testdata/payload.json");

fn es256() -> Value {
    serde_json::from_slice(SIGNED[0].1).unwrap()
}

/// What is said of a document after a change.
fn refused(change: impl FnOnce(&mut Value)) -> String {
    let mut document = es256();
    change(&mut document);
    Jws::parse(document.to_string().as_bytes())
        .unwrap_err()
        .to_string()
}

fn protected(document: &mut Value, change: impl FnOnce(&mut Value)) {
    let field = &mut document["signatures"][0]["protected"];
    let mut header = serde_json::from_slice(&base64url(field.as_str().unwrap()).unwrap()).unwrap();
    change(&mut header);
    *field = to_base64url(header.to_string().as_bytes()).into();
}

#[test]
fn what_libtrust_signs_is_verified() {
    for (name, document) in SIGNED {
        let jws = Jws::parse(document).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(jws.payload(), PAYLOAD, "{name}");
        let keys = jws.verify().unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(keys.len(), jws.signatures.len());
        assert_eq!(keys.len(), if name == "two keys" { 2 } else { 1 });
    }
    let compact = Jws::parse(include_bytes!("../testdata/compact.json")).unwrap();
    compact.verify().unwrap();
    assert!(compact.payload().ends_with(b"\"{}\"}]}"));
}

#[test]
fn what_docker_registry_signs_is_verified() {
    let jws = Jws::parse(include_bytes!("../testdata/converted.json")).unwrap();
    let keys = jws.verify().unwrap();
    assert_eq!(
        keys[0].as_str(),
        "BA5U:T6XA:FXVT:AMC2:CMMT:YRWR:MHFI:NKKP:4G2L:DRJ5:427L:GQLI"
    );
}

#[test]
fn a_changed_document_is_not_verified() {
    for (name, document) in SIGNED {
        let text = String::from_utf8(document.to_vec()).unwrap();
        let changed = text.replace("amd64", "arm64");
        let jws = Jws::parse(changed.as_bytes()).unwrap();
        assert_ne!(jws.payload(), PAYLOAD);
        let error = jws.verify().unwrap_err();
        assert_eq!(error.index, 0, "{name}: {error}");
    }
}

#[test]
fn a_signature_by_another_key_or_algorithm_is_none() {
    let of = |document: &[u8]| serde_json::from_slice::<Value>(document).unwrap();
    let swap = |field: &[&str], from: &[u8]| {
        let pointer = format!("/signatures/0/{}", field.join("/"));
        let mut text = of(SIGNED[0].1);
        *text.pointer_mut(&pointer).unwrap() = of(from).pointer(&pointer).unwrap().clone();
        // The layout of the document counts: only its signatures are replaced.
        let head = String::from_utf8(SIGNED[0].1.to_vec()).unwrap();
        let head = head.split_once("   \"signatures\"").unwrap().0.to_owned();
        let document = format!("{head}\"signatures\": {}}}", text["signatures"]);
        Jws::parse(document.as_bytes()).unwrap()
    };
    let other = include_bytes!("../testdata/converted.json");
    assert!(swap(&["header", "alg"], SIGNED[0].1).verify().is_ok());
    for jws in [
        swap(&["header", "jwk"], other),
        swap(&["signature"], other),
        swap(&["header", "alg"], SIGNED[1].1),
        swap(&["header", "alg"], SIGNED[3].1),
        swap(&["header"], SIGNED[1].1),
        swap(&["header"], SIGNED[3].1),
        swap(&["signature"], SIGNED[3].1),
    ] {
        let error = jws.verify().unwrap_err();
        assert!(error.to_string().contains(error.key.as_str()), "{error}");
    }
}

#[test]
fn the_leaf_of_a_chain_counts_more_than_the_key() {
    let document = String::from_utf8(SIGNED[0].1.to_vec()).unwrap();
    let chain: Value = serde_json::from_slice(SIGNED[4].1).unwrap();
    let chain = chain["signatures"][0]["header"]["x5c"].to_string();
    let with_chain = document.replace("\"alg\"", &format!("\"x5c\": {chain}, \"alg\""));
    Jws::parse(with_chain.as_bytes())
        .unwrap()
        .verify()
        .unwrap_err();
}

#[test]
fn what_is_no_signed_document_is_named() {
    for (said, change) in [
        (
            "no signatures",
            Box::new(|d: &mut Value| d["signatures"] = json!([])) as Box<dyn FnOnce(&mut Value)>,
        ),
        ("no signatures", Box::new(|d| d["signatures"] = Value::Null)),
        (
            "no signatures",
            Box::new(|d| {
                d.as_object_mut().unwrap().remove("signatures");
            }),
        ),
        ("cannot be read", Box::new(|d| d["signatures"] = json!("x"))),
        (
            "missing field `header`",
            Box::new(|d| d["signatures"] = json!([{}])),
        ),
        (
            "has 9 signatures",
            Box::new(|d| {
                let one = d["signatures"][0].clone();
                d["signatures"] = vec![one; 9].into();
            }),
        ),
        (
            "`signature` is not base64url",
            Box::new(|d| d["signatures"][0]["signature"] = json!("?")),
        ),
        (
            "`protected` is not base64url",
            Box::new(|d| d["signatures"][0]["protected"] = json!("?")),
        ),
        (
            "without its key",
            Box::new(|d| d["signatures"][0]["header"] = json!({"alg": "ES256"})),
        ),
        (
            "without its key",
            Box::new(|d| d["signatures"][0]["header"] = json!({"alg": "ES256", "x5c": []})),
        ),
        (
            "does not begin with a certificate",
            Box::new(|d| d["signatures"][0]["header"]["x5c"] = json!(["AAAA"])),
        ),
        (
            "`x5c` is not base64",
            Box::new(|d| d["signatures"][0]["header"]["x5c"] = json!(["-_"])),
        ),
        (
            "`kid` is \"AAAA\"",
            Box::new(|d| d["signatures"][0]["header"]["jwk"]["kid"] = json!("AAAA")),
        ),
        (
            "\"P-257\"",
            Box::new(|d| d["signatures"][0]["header"]["jwk"]["crv"] = json!("P-257")),
        ),
        (
            "`x` has 32 bytes, expected 48",
            Box::new(|d| d["signatures"][0]["header"]["jwk"]["crv"] = json!("P-384")),
        ),
        (
            "not those of a key",
            Box::new(|d| d["signatures"][0]["header"]["jwk"]["x"] = json!("A".repeat(43))),
        ),
        (
            "formatTail",
            Box::new(|d| {
                protected(d, |p| {
                    p.as_object_mut().unwrap().remove("formatTail");
                })
            }),
        ),
        (
            "cannot be read",
            Box::new(|d| protected(d, |p| p["formatLength"] = json!(-1))),
        ),
        (
            "formatLength is 1000000",
            Box::new(|d| protected(d, |p| p["formatLength"] = json!(1_000_000))),
        ),
        (
            "signatures[1] disagrees",
            Box::new(|d| {
                let mut other = d.clone();
                protected(&mut other, |p| p["formatLength"] = json!(1));
                let other = other["signatures"][0].clone();
                d["signatures"].as_array_mut().unwrap().push(other);
            }),
        ),
    ] {
        let message = refused(change);
        assert!(message.contains(said), "{said}: {message}");
    }
    for text in ["", "[]", "{", "null", "\u{feff}{}"] {
        Jws::parse(text.as_bytes()).unwrap_err();
    }
}

#[test]
fn an_overlong_modulus_is_refused_before_it_is_used() {
    let message = refused(|d| {
        d["signatures"][0]["header"]["jwk"] =
            json!({"kty": "RSA", "e": "AQAB", "n": "A".repeat(1_000_000)});
    });
    assert!(
        message.contains("`n` has 750000 bytes, expected 1024"),
        "{message}"
    );
}

proptest! {
    #[test]
    fn never_panics(text in ".{0,400}") {
        let _ = Jws::parse(text.as_bytes());
    }

    #[test]
    fn a_byte_changed_anywhere_changes_no_verified_payload(
        which in 0..SIGNED.len(),
        place in any::<prop::sample::Index>(),
        byte: u8,
    ) {
        let mut document = SIGNED[which].1.to_vec();
        let place = place.index(document.len());
        document[place] = byte;
        if let Ok(jws) = Jws::parse(&document)
            && jws.verify().is_ok()
        {
            prop_assert_eq!(jws.payload(), PAYLOAD);
        }
    }

    #[test]
    fn any_format_makes_a_payload_within_the_document(length: usize, tail: Vec<u8>) {
        let mut document = es256();
        protected(&mut document, |p| {
            *p = json!({"formatLength": length, "formatTail": to_base64url(&tail)});
        });
        let document = document.to_string();
        match Jws::parse(document.as_bytes()) {
            Ok(jws) => {
                let head = &document.as_bytes()[..length];
                prop_assert_eq!(jws.payload(), [head, &tail[..]].concat());
            }
            Err(_) => prop_assert!(length > document.len()),
        }
    }
}
