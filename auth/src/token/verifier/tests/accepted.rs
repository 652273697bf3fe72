//! Tokens that count.

use std::path::Path;

use super::*;
use crate::token::testing::x5c;

fn assert_counts(verifier: &TokenVerifier, token: &str, what: &str) {
    let claims = verifier.verify_at(token, at(NOW));
    let claims = claims.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(claims.subject.as_deref(), Some("alice"), "{what}");
    assert!(claims.access.allows("repository", "team/app", "pull"));
    assert!(!claims.access.allows("repository", "team/app", "delete"));
    // And once more, from the cache.
    assert_eq!(verifier.verify_at(token, at(NOW)), Ok(claims), "{what}");
}

#[test]
fn a_key_is_known_by_each_of_its_names() {
    for server in servers() {
        let verifier = verifier();
        for name in [server.key.libtrust_id(), server.key.thumbprint()] {
            let token = server.token(json!({"kid": name}), &claims());
            assert_counts(&verifier, &token, &name);
        }
        let token = server.token(json!({"jwk": server.key.jwk()}), &claims());
        assert_counts(&verifier, &token, "jwk");
        let certificate = server.self_signed(true, [2020, 2030]);
        let token = server.token(json!({"x5c": x5c(&[&certificate])}), &claims());
        assert_counts(&verifier, &token, "x5c");
        let mut jwk = server.key.jwk();
        jwk["x5c"] = x5c(&[&certificate]);
        let token = server.token(json!({"jwk": jwk}), &claims());
        assert_counts(&verifier, &token, "jwk with x5c");
    }
}

#[test]
fn a_chain_leads_up_to_the_bundle() {
    let directory = TempDir::new().unwrap();
    let bundle = directory.path().join("bundle.pem");
    let (ca, middle) = (Server::new("ES384"), Server::new("RS256"));
    let root = ca.self_signed(true, [2020, 2030]);
    let intermediate = middle.certified_by((&ca, &root), true, [2020, 2030]);
    let other = ED.self_signed(true, [2000, 2001]);
    let text = format!("# two of them\n{}\n{}", other.pem(), root.pem());
    fs_err::write(&bundle, text).unwrap();
    let verifier = TokenVerifier::open(&TokenAuth {
        root_cert_bundle: Some(bundle),
        ..settings()
    })
    .unwrap();
    for server in servers() {
        let leaf = server.certified_by((&middle, &intermediate), false, [2020, 2030]);
        for chain in [
            x5c(&[&leaf, &intermediate]),
            x5c(&[&leaf, &intermediate, &root]),
            x5c(&[&leaf, &root, &intermediate, &other]),
        ] {
            let token = server.token(json!({"x5c": chain}), &claims());
            assert_counts(&verifier, &token, server.algorithm);
        }
    }
    // The keys of the bundle are believed by their names, whatever the dates of
    // their certificates: so does distribution.
    let token = ca.token(json!({"kid": ca.key.libtrust_id()}), &claims());
    assert_counts(&verifier, &token, "CA");
    let token = ED.token(json!({"kid": ED.key.thumbprint()}), &claims());
    assert_counts(&verifier, &token, "an expired certificate");
}

/// What docker/libtrust and Go's crypto made.
#[test]
fn tokens_made_elsewhere_count() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/token/verifier/vectors");
    let open = |bundle: bool, set: bool| {
        TokenVerifier::open(&TokenAuth {
            service: "vector service".to_owned(),
            issuer: "vector issuer".to_owned(),
            root_cert_bundle: bundle.then(|| vectors.join("bundle.pem")),
            jwks: set.then(|| JwksSource::File(vectors.join("jwks.json"))),
            ..settings()
        })
        .unwrap()
    };
    let (bundle, set, both) = (open(true, false), open(false, true), open(true, true));
    let mut seen = Vec::new();
    for line in include_str!("../vectors/tokens.tsv").lines().skip(1) {
        let parts: [&str; 4] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let [form, algorithm, id, token] = parts;
        let what = format!("{form} {algorithm}");
        assert_counts(&both, token, &what);
        let by_bundle = bundle.verify_at(token, at(NOW)).is_ok();
        assert_eq!(by_bundle, form != "set", "{what}");
        let by_set = set.verify_at(token, at(NOW)).is_ok();
        assert_eq!(by_set, form != "chain", "{what}");
        if !id.is_empty() {
            assert_eq!(both.trusted.load().keys.named(id).len(), 1, "{what}");
        }
        seen.push(algorithm.parse::<Algorithm>().unwrap());
    }
    assert!(Algorithm::ALL.iter().all(|known| seen.contains(known)));
}

#[test]
fn who_is_nobody_may_have_rights() {
    let mut claims = claims();
    claims["sub"] = "".into();
    let token = EC.token(json!({"kid": EC.key.thumbprint()}), &claims);
    let claims = verifier().verify_at(&token, at(NOW)).unwrap();
    assert_eq!(claims.subject, None);
    assert!(claims.access.allows("repository", "team/app", "pull"));
}

#[test]
fn a_set_may_call_two_keys_the_same() {
    let set = json!({"keys": servers().map(|server| {
        let mut jwk = server.key.jwk();
        jwk["kid"] = "signer".into();
        jwk
    })});
    let verifier = TokenVerifier::with_keys("issuer", "service", Vec::new());
    assert_eq!(verifier.replace_jwks(&set.to_string()).unwrap(), 3);
    for server in servers() {
        let token = server.token(json!({"kid": "signer"}), &claims());
        assert_counts(&verifier, &token, server.algorithm);
    }
}

#[test]
fn what_was_verified_counts_until_it_ends_and_no_longer() {
    let verifier = verifier();
    let token = EC.token(json!({"kid": EC.key.thumbprint()}), &claims());
    for (now, counts) in [
        (NOW, true),
        (NOW + 299, true),
        (NOW + 300, true),
        (NOW + 360, true),
        (NOW + 361, false),
        (NOW, true),
        (NOW - 71, false),
    ] {
        let result = verifier.verify_at(&token, at(now));
        assert_eq!(result.is_ok(), counts, "{now}");
    }
}

#[test]
fn a_token_is_remembered_until_the_keys_change() {
    let verifier = verifier();
    let token = EC.token(json!({"kid": EC.key.thumbprint()}), &claims());
    let first = verifier.verify_at(&token, at(NOW)).unwrap();
    let second = verifier.verify_at(&token, at(NOW + 299)).unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    // Within its leeway it counts, and is verified each time.
    let late = verifier.verify_at(&token, at(NOW + 300)).unwrap();
    assert!(!Arc::ptr_eq(&first, &late));
    let again = EC.token(json!({"kid": EC.key.thumbprint()}), &claims());
    assert_ne!(token, again, "ECDSA draws a new number for each signature");
    let third = verifier.verify_at(&again, at(NOW)).unwrap();
    assert!(!Arc::ptr_eq(&first, &third));

    verifier.replace_keys(vec![RSA.key.clone()]);
    let refused = verifier.verify_at(&token, at(NOW));
    assert!(matches!(refused, Err(TokenError::UntrustedKey(_))));
}
