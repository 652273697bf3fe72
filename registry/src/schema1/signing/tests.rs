use aws_lc_rs::encoding::{AsBigEndian, EcPrivateKeyBin, EcPrivateKeyRfc5915Der};
use proptest::prelude::*;
use time::macros::datetime;

use super::*;
use crate::schema1::Jws;

const NOW: OffsetDateTime = datetime!(2016-02-03 04:05:06.789 +02:00);
const PAYLOAD: &[u8] = include_bytes!("../testdata/payload.json");

fn pair(curve: Curve) -> EcdsaKeyPair {
    EcdsaKeyPair::generate(signing(curve)).unwrap()
}

fn sec1(pair: &EcdsaKeyPair) -> Vec<u8> {
    let der: EcPrivateKeyRfc5915Der<'_> = pair.private_key().as_der().unwrap();
    der.as_ref().to_vec()
}

fn jwk(curve: Curve, pair: &EcdsaKeyPair) -> serde_json::Value {
    let (x, y) = pair.public_key().as_ref()[1..].split_at(curve.number_length());
    let d: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().unwrap();
    serde_json::json!({
        "kty": "EC",
        "crv": curve.as_str(),
        "x": to_base64url(x),
        "y": to_base64url(y),
        "d": to_base64url(d.as_ref()),
    })
}

#[test]
fn what_is_signed_is_verified_and_laid_out_as_libtrust_does() {
    let key = SigningKey::generate().unwrap();
    let signed = key.sign(PAYLOAD, NOW).unwrap();
    let jws = Jws::parse(&signed).unwrap();
    assert_eq!(jws.payload(), PAYLOAD);
    assert_eq!(jws.verify().unwrap(), [key.id().clone()]);

    // The same lines, and in them the same names, as in libtrust's document.
    let shape = |document: &[u8]| -> Vec<String> {
        let text = String::from_utf8(document.to_vec()).unwrap();
        let end = text.split_once("\"signatures\"").unwrap().1;
        let names = end.lines().map(|line| line.split(": ").next().unwrap());
        names.map(str::to_owned).collect()
    };
    assert_eq!(
        shape(&signed),
        shape(include_bytes!("../testdata/es256.json"))
    );

    let text: serde_json::Value = serde_json::from_slice(&signed).unwrap();
    let protected = text["signatures"][0]["protected"].as_str().unwrap();
    assert_eq!(
        String::from_utf8(base64url(protected).unwrap()).unwrap(),
        r#"{"formatLength":307,"formatTail":"Cn0","time":"2016-02-03T02:05:06Z"}"#
    );
}

#[test]
fn a_payload_on_one_line_stays_on_one() {
    let key = SigningKey::generate().unwrap();
    let signed = key.sign(br#"{"a":1}"#, NOW).unwrap();
    assert!(signed.starts_with(br#"{"a":1,"signatures":[{"header":{"jwk":{"crv":"P-256","kid":""#));
    assert!(signed.ends_with(b"\"}]}") && !signed.contains(&b'\n'));
    Jws::parse(&signed).unwrap().verify().unwrap();
}

#[test]
fn every_form_of_a_key_file_is_the_same_key() {
    for curve in Curve::ALL {
        let pair = pair(curve);
        let pkcs8 = pem::encode(&pem::Pem::new(
            "PRIVATE KEY",
            pair.to_pkcs8v1().unwrap().as_ref(),
        ));
        let sec1 = pem::encode(&pem::Pem::new("EC PRIVATE KEY", sec1(&pair)));
        // libtrust writes the key's name above the key.
        let (begin, rest) = sec1.split_once('\n').unwrap();
        let libtrust = format!("{begin}\nkeyID: QB7C:Q7NU:GFUB\n\n{rest}");
        let openssl = format!(
            "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{sec1}"
        );
        let jwk = format!("\n {}", jwk(curve, &pair));

        let id = SigningKey::of(curve, pair).unwrap().id;
        for file in [pkcs8, sec1, libtrust, openssl, jwk] {
            let key = SigningKey::parse(file.as_bytes()).unwrap();
            assert_eq!((key.curve, &key.id), (curve, &id));
            let signed = key.sign(PAYLOAD, NOW).unwrap();
            assert_eq!(Jws::parse(&signed).unwrap().verify().unwrap(), [key.id]);
        }
    }
}

#[test]
fn what_is_no_key_is_named() {
    let pair = pair(Curve::P256);
    let mut other_half = jwk(Curve::P256, &pair);
    other_half["d"] = jwk(Curve::P256, &self::pair(Curve::P256))["d"].clone();
    let mut short = jwk(Curve::P256, &pair);
    short["d"] = "AAAA".into();
    for (file, said) in [
        (String::new(), "no private key"),
        ("key".to_owned(), "no private key"),
        ("{".to_owned(), "JSON Web Key cannot be read"),
        (r#"{"kty":"RSA","n":"AQAB"}"#.to_owned(), "\"RSA\""),
        (
            r#"{"kty":"EC","crv":"secp256k1"}"#.to_owned(),
            "\"secp256k1\"",
        ),
        (other_half.to_string(), "both halves"),
        (short.to_string(), "`d` has 3 bytes, expected 32"),
        (
            pem::encode(&pem::Pem::new("RSA PRIVATE KEY", b"x".as_slice())),
            "\"RSA PRIVATE KEY\"",
        ),
        (
            pem::encode(&pem::Pem::new("ENCRYPTED PRIVATE KEY", b"x".as_slice())),
            "\"ENCRYPTED PRIVATE KEY\"",
        ),
        (
            pem::encode(&pem::Pem::new("PRIVATE KEY", b"x".as_slice())),
            "cannot be used",
        ),
        (
            pem::encode(&pem::Pem::new("CERTIFICATE", b"x".as_slice())),
            "no private key",
        ),
    ] {
        let error = SigningKey::parse(file.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(said), "{file}: {error}");
        let secret = jwk(Curve::P256, &pair)["d"].as_str().unwrap().to_owned();
        assert!(!error.contains(&secret));
    }
}

#[test]
fn a_key_shows_its_name_only() {
    let key = SigningKey::generate().unwrap();
    assert_eq!(
        format!("{key:?}"),
        format!("SigningKey({:?})", key.id().as_str())
    );
}

#[test]
fn what_has_no_place_for_a_signature_is_refused() {
    let key = SigningKey::generate().unwrap();
    for payload in ["", "[]", "{}", "{ }", "{\"a\":1,}", "1", "}"] {
        key.sign(payload.as_bytes(), NOW).unwrap_err();
    }
}

proptest! {
    #[test]
    fn never_panics(payload: Vec<u8>, text in ".{0,200}") {
        let key = SigningKey::generate().unwrap();
        let _ = key.sign(&payload, NOW);
        let _ = key.sign(text.as_bytes(), NOW);
        let _ = SigningKey::parse(&payload);
        let _ = SigningKey::parse(text.as_bytes());
    }

    #[test]
    fn every_object_comes_back_as_it_was(
        value: String,
        indent in "[ \t]{0,5}",
        spaces in "[ \t\r\n]{0,5}",
        end in "[ \t\r\n]{0,5}",
    ) {
        let value = serde_json::Value::from(value);
        for payload in [
            format!("{{{spaces}\"a\":{value}{spaces}}}{end}"),
            format!("{{\n{indent}\"a\": {value},\n{indent}\"b\": [{{}}]\n}}{end}"),
        ] {
            let signed = SigningKey::generate().unwrap().sign(payload.as_bytes(), NOW).unwrap();
            let jws = Jws::parse(&signed).unwrap();
            prop_assert_eq!(jws.payload(), payload.as_bytes());
            prop_assert!(jws.verify().is_ok());
        }
    }
}
