//! Tokens that are not what they have to be.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};

use super::*;

/// With one claim changed.
fn with_claim(name: &str, value: Value) -> String {
    let mut claims = claims();
    claims[name] = value;
    EC.token(kid(&EC), &claims)
}

/// With other members in its header, besides the name of its key.
fn with_header(members: Value) -> String {
    let mut header = kid(&EC);
    let header_members = header.as_object_mut().unwrap();
    header_members.extend(members.as_object().unwrap().clone());
    EC.token(header, &claims())
}

/// With these texts for header and claims.
fn written(header: &str, claims: &str) -> String {
    EC.sign("ES256", header, claims)
}

fn assert_refused(cases: Vec<(&str, String, &str)>) {
    for (what, token, said) in cases {
        let error = why(&token);
        assert!(error.contains(said), "{what}: {error}");
        assert!(!error.chars().any(char::is_control), "{what}: {error:?}");
        assert!(error.len() < 2000, "{what}: {}", error.len());
    }
}

#[test]
fn what_is_no_token_is_refused() {
    let good = EC.token(kid(&EC), &claims());
    let parts: [&str; 3] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let [header, payload, signature] = parts;
    let not_utf8 = BASE64_URL_SAFE_NO_PAD.encode(b"{\"alg\":\"\xff\"}");
    assert_refused(vec![
        ("nothing", String::new(), "no JSON Web Token"),
        ("no dots", "abc".into(), "no JSON Web Token"),
        (
            "two parts",
            format!("{header}.{payload}"),
            "no JSON Web Token",
        ),
        (
            "four parts",
            format!("{good}.{signature}"),
            "no JSON Web Token",
        ),
        ("as encrypted ones", "a.b.c.d.e".into(), "no JSON Web Token"),
        ("too long", "a".repeat(70_000), "too long"),
        (
            "long and signed",
            with_claim("jti", "x".repeat(70_000).into()),
            "too long",
        ),
        ("padding", format!("{good}=="), "signature is not base64url"),
        (
            "the other base64",
            format!("{header}.{payload}.+/"),
            "signature is not base64url",
        ),
        (
            "a space before",
            format!(" {good}"),
            "header is not base64url",
        ),
        (
            "a line after",
            format!("{good}\n"),
            "signature is not base64url",
        ),
        (
            "header",
            format!("!.{payload}.{signature}"),
            "header is not base64url",
        ),
        (
            "claims",
            format!("{header}.!.{signature}"),
            "claims is not base64url",
        ),
        (
            "header not UTF-8",
            format!("{not_utf8}.{payload}.{signature}"),
            "header cannot be read",
        ),
        (
            "no signature",
            format!("{header}.{payload}."),
            "signature is wrong",
        ),
        (
            "a short signature",
            format!("{header}.{payload}.AAAA"),
            "signature is wrong",
        ),
        (
            "of zeros",
            format!("{header}.{payload}.{}", "A".repeat(86)),
            "signature is wrong",
        ),
    ]);
}

#[test]
fn a_header_that_is_wrong_is_refused() {
    let none = |alg: &str| {
        let header = json!({"alg": alg, "kid": EC.key.thumbprint()});
        sign_none(&header.to_string(), &claims().to_string())
    };
    let keyed = |header: Value| EC.token(header, &claims());
    let mut for_encryption = EC.key.jwk();
    for_encryption["use"] = "\nenc".into();
    assert_refused(vec![
        (
            "no JSON",
            written("{", "{}"),
            "header cannot be read: no JSON",
        ),
        ("a list", written("[]", "{}"), "header cannot be read"),
        ("empty", written("{}", "{}"), "missing field `alg`"),
        (
            "alg twice",
            written(r#"{"alg":"ES256","alg":"none"}"#, "{}"),
            "duplicate field `alg`",
        ),
        (
            "kid twice",
            written(r#"{"alg":"ES256","kid":"a","kid":"b"}"#, "{}"),
            "duplicate field `kid`",
        ),
        ("none", none("none"), "signed with \"none\""),
        ("nOnE", none("nOnE"), "signed with \"nOnE\""),
        ("unsigned", none("ES256"), "signature is wrong"),
        ("no key", keyed(json!({})), "does not say which key"),
        (
            "no key, null",
            keyed(json!({"kid": null, "jwk": null, "x5c": null})),
            "does not say which key",
        ),
        (
            "empty kid",
            keyed(json!({"kid": ""})),
            "does not say which key",
        ),
        (
            "empty x5c",
            keyed(json!({"x5c": []})),
            "does not say which key",
        ),
        (
            "unknown kid",
            keyed(json!({"kid": "ABCD"})),
            "not trusted: \"ABCD\"",
        ),
        (
            "a kid for the terminal",
            keyed(json!({"kid": "a\u{1b}[31m\n"})),
            r"a\u{1b}[31m\n",
        ),
        (
            "RSA's kid",
            keyed(kid(&RSA)),
            "ES256, which does not go with the key",
        ),
        (
            "RS256 by EC's kid",
            RSA.token(kid(&EC), &claims()),
            "RS256, which does not go",
        ),
        (
            "EdDSA by RSA's kid",
            ED.token(kid(&RSA), &claims()),
            "EdDSA, which does not go",
        ),
        (
            "ES256 by Ed25519's kid",
            keyed(kid(&ED)),
            "ES256, which does not go",
        ),
        (
            "ES384 on P-256",
            with_header(json!({"alg": "ES384"})),
            "ES384, which does not go",
        ),
        (
            "crit",
            with_header(json!({"crit": ["exp"], "exp": 1})),
            "extensions (`crit`)",
        ),
        (
            "crit b64",
            with_header(json!({"crit": ["b64"], "b64": false})),
            "extensions (`crit`)",
        ),
        (
            "crit empty",
            with_header(json!({"crit": []})),
            "extensions (`crit`)",
        ),
        (
            "crit null",
            with_header(json!({"crit": null})),
            "extensions (`crit`)",
        ),
        (
            "x5c no base64",
            keyed(json!({"x5c": ["!"]})),
            "1 in the token's `x5c` is not base64",
        ),
        (
            "x5c no certificate",
            keyed(json!({"x5c": ["AAAA"]})),
            "`x5c` is no certificate",
        ),
        (
            "x5c too long",
            keyed(json!({"x5c": vec!["AAAA"; 11]})),
            "more than 10 entries",
        ),
        ("x5c a text", keyed(json!({"x5c": "AAAA"})), "wrong type"),
        (
            "jwk a secret",
            keyed(json!({"jwk": {"kty": "oct", "k": "AAAA"}})),
            "kind \"oct\"",
        ),
        (
            "jwk of a long kind",
            keyed(json!({"jwk": {"kty": "\u{1b}x".repeat(1000)}})),
            "…\" do not sign",
        ),
        (
            "jwk for encryption",
            keyed(json!({"jwk": for_encryption})),
            "its `use` is \"\\nenc\"",
        ),
        ("jwk a text", keyed(json!({"jwk": "AAAA"})), "wrong type"),
    ]);
}

#[test]
fn claims_that_are_wrong_are_refused() {
    let named = format!(r#"{{"alg":"ES256","kid":"{}"}}"#, EC.key.thumbprint());
    let claimed = |claims: &str| written(&named, claims);
    let entry = json!({"type": "repository", "name": "a", "actions": ["pull"]});
    assert_refused(vec![
        ("no JSON", claimed("{"), "claims cannot be read: no JSON"),
        ("empty", claimed("{}"), "missing field `exp`"),
        (
            "exp twice",
            claimed(r#"{"exp":1,"exp":9999999999}"#),
            "duplicate field `exp`",
        ),
        (
            "iss twice",
            claimed(r#"{"exp":1,"iss":"x","iss":"issuer"}"#),
            "duplicate field `iss`",
        ),
        (
            "access twice",
            claimed(r#"{"exp":1,"access":[],"access":[]}"#),
            "duplicate field `access`",
        ),
        (
            "actions twice",
            claimed(r#"{"exp":1,"access":[{"actions":[],"actions":["*"]}]}"#),
            "duplicate field `actions`",
        ),
        (
            "too deep",
            claimed(&format!("{{\"exp\":1,\"x\":{}", "[".repeat(1000))),
            "cannot be read",
        ),
        (
            "iss",
            with_claim("iss", "other".into()),
            "issuer \"other\", not of \"issuer\"",
        ),
        (
            "its case",
            with_claim("iss", "Issuer".into()),
            "issuer \"Issuer\"",
        ),
        ("no iss", with_claim("iss", Value::Null), "issuer \"\""),
        (
            "iss a list",
            with_claim("iss", json!(["issuer"])),
            "wrong type",
        ),
        (
            "aud",
            with_claim("aud", "other".into()),
            "for \"other\", not for \"service\"",
        ),
        ("auds", with_claim("aud", json!(["a", "b"])), "for \"a b\""),
        ("no aud", with_claim("aud", Value::Null), "for \"\""),
        (
            "too many auds",
            with_claim("aud", vec!["service"; 101].into()),
            "more than 100 entries",
        ),
        (
            "exp",
            with_claim("exp", (NOW - 61).into()),
            "ended 61 s ago",
        ),
        ("exp in 1970", with_claim("exp", 0.into()), "ended"),
        ("no exp", with_claim("exp", Value::Null), "wrong type"),
        (
            "exp a word",
            with_claim("exp", "never".into()),
            "wrong type",
        ),
        (
            "nbf",
            with_claim("nbf", (NOW + 61).into()),
            "begins in 61 s",
        ),
        (
            "nbf far off",
            with_claim("nbf", u64::MAX.into()),
            "begins in",
        ),
        (
            "sub of two lines",
            with_claim("sub", "a\nb".into()),
            "`sub` is too long or",
        ),
        (
            "sub too long",
            with_claim("sub", "a".repeat(257).into()),
            "`sub` is too long or",
        ),
        (
            "entries",
            with_claim("access", vec![entry; 1001].into()),
            "too long",
        ),
        (
            "short entries",
            with_claim("access", vec![json!({}); 5000].into()),
            "more than 1000 entries",
        ),
        (
            "actions",
            with_claim("access", json!([{"actions": vec!["a"; 17]}])),
            "more than 16 entries",
        ),
        (
            "access a text",
            with_claim("access", "repository:a:pull".into()),
            "wrong type",
        ),
    ]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Neither a changed letter, nor one more or less, leaves a token that counts.
    #[test]
    fn no_change_of_a_token_counts(
        which in 0usize..3,
        place in any::<prop::sample::Index>(),
        letter in "[A-Za-z0-9_.=-]",
        how in 0u8..3,
    ) {
        static TOKENS: LazyLock<[String; 3]> = LazyLock::new(|| {
            servers().map(|server| server.token(kid(server), &claims()))
        });
        let token = &TOKENS[which];
        let (before, rest) = token.split_at(place.index(token.len()));
        let changed = match how {
            0 => format!("{before}{letter}{}", &rest[1..]),
            1 => format!("{before}{letter}{rest}"),
            _ => format!("{before}{}", &rest[1..]),
        };
        let counts = shared().verify_at(&changed, at(NOW)).is_ok();
        prop_assert_eq!(counts, changed == *token);
    }

    #[test]
    fn any_text_is_refused(
        text in "\\PC{0,80}|[A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{0,60}",
    ) {
        prop_assert!(shared().verify_at(&text, at(NOW)).is_err());
    }

    /// Whatever JSON stands where members of a header and claims belong.
    #[test]
    fn any_member_is_read_or_refused(
        member in "alg|kid|jwk|x5c|crit|typ|x",
        claim in "iss|sub|aud|exp|nbf|access",
        value in "null|1|\"\"|\"ES256\"|\\[\\]|\\{\\}|\\[\"AAAA\"\\]|\\{\"kty\":\"EC\"\\}",
    ) {
        let kid = EC.key.thumbprint();
        let header = format!(r#"{{"alg":"ES256","kid":"{kid}","{member}":{value}}}"#);
        let token = written(&header, &format!(r#"{{"exp":1,"{claim}":{value}}}"#));
        prop_assert!(shared().verify_at(&token, at(NOW)).is_err());
    }
}
