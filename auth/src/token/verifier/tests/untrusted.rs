//! Tokens by keys that are not to be believed.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::*;
use crate::token::testing::x5c;

/// The public key, which everybody may know, as the secret of an HMAC.
#[test]
fn a_public_key_is_no_secret() {
    let spki = RSA.key.spki();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        BASE64_STANDARD.encode(spki)
    );
    let jwk = RSA.key.jwk().to_string();
    for secret in [spki, pem.as_bytes(), jwk.as_bytes()] {
        for (name, algorithm) in [
            ("HS256", jsonwebtoken::Algorithm::HS256),
            ("HS512", jsonwebtoken::Algorithm::HS512),
        ] {
            let mut header = jsonwebtoken::Header::new(algorithm);
            header.kid = Some(RSA.key.thumbprint());
            let key = jsonwebtoken::EncodingKey::from_secret(secret);
            let token = jsonwebtoken::encode(&header, &claims(), &key).unwrap();
            let error = why(&token);
            let said = format!("signed with \"{name}\"");
            assert!(error.contains(&said), "{error}");
        }
    }
}

#[test]
fn only_what_is_allowed_may_sign() {
    let directory = TempDir::new().unwrap();
    let set = directory.path().join("jwks.json");
    let mut only_ps = RSA.key.jwk();
    only_ps["alg"] = "PS256".into();
    let keys = json!({"keys": [EC.key.jwk(), ED.key.jwk(), only_ps]});
    fs_err::write(&set, keys.to_string()).unwrap();
    let verifier = TokenVerifier::open(&TokenAuth {
        jwks: Some(JwksSource::File(set)),
        algorithms: vec![Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256],
        ..settings()
    })
    .unwrap();
    let verify = |token: &str| verifier.verify_at(token, at(NOW)).map(|_| ());
    assert_eq!(verify(&EC.token(kid(&EC), &claims())), Ok(()));
    assert_eq!(
        verify(&ED.token(kid(&ED), &claims())),
        Err(TokenError::Algorithm("\"EdDSA\"".to_owned()))
    );
    // The set says that this key signs otherwise.
    assert_eq!(
        verify(&RSA.token(kid(&RSA), &claims())),
        Err(TokenError::KeyAlgorithm(Algorithm::Rs256))
    );
    let header = json!({"alg": "PS256", "kid": RSA.key.thumbprint()});
    let token = RSA.sign("PS256", &header.to_string(), &claims().to_string());
    assert_eq!(verify(&token), Ok(()));
}

/// A token brings a key of its own and calls it by the name of one that is known.
#[test]
fn a_key_is_not_believed_for_its_name() {
    let stranger = Server::new("ES256");
    let mut jwk = stranger.key.jwk();
    jwk["kid"] = EC.key.thumbprint().into();
    let header = json!({"jwk": jwk, "kid": EC.key.thumbprint()});
    let error = why(&stranger.token(header, &claims()));
    assert!(error.contains("not trusted"), "{error}");
    // Nor for a certificate that is not its own.
    let certificate = EC.self_signed(true, [2020, 2030]);
    jwk["x5c"] = x5c(&[&certificate]);
    let error = why(&stranger.token(json!({"jwk": jwk}), &claims()));
    assert!(error.contains("not that of its leaf"), "{error}");
    let error = why(&stranger.token(json!({"x5c": x5c(&[&certificate])}), &claims()));
    assert!(error.contains("signature is wrong"), "{error}");
    let own = stranger.self_signed(true, [2020, 2030]);
    for chain in [x5c(&[&own]), x5c(&[&own, &certificate])] {
        let error = why(&stranger.token(json!({"x5c": chain}), &claims()));
        assert!(error.contains("certificate is not trusted"), "{error}");
    }
    // `x5c` counts before `kid`, as it does in distribution.
    let header = json!({"x5c": x5c(&[&own]), "kid": EC.key.thumbprint()});
    let error = why(&EC.token(header, &claims()));
    assert!(error.contains("certificate is not trusted"), "{error}");
}

#[test]
fn a_chain_that_leads_nowhere_is_refused() {
    let directory = TempDir::new().unwrap();
    let bundle = directory.path().join("bundle.pem");
    let (ca, middle) = (Server::new("ES256"), Server::new("ES256"));
    let root = ca.self_signed(true, [2020, 2030]);
    fs_err::write(&bundle, root.pem()).unwrap();
    let verifier = TokenVerifier::open(&TokenAuth {
        root_cert_bundle: Some(bundle),
        ..settings()
    })
    .unwrap();
    let intermediate = |is_ca, years| middle.certified_by((&ca, &root), is_ca, years);
    let good = intermediate(true, [2020, 2030]);
    let of_good = |years| EC.certified_by((&middle, &good), false, years);
    let stranger = Server::new("ES256");
    let strange_root = stranger.self_signed(true, [2020, 2030]);
    let strange = EC.certified_by((&stranger, &strange_root), false, [2020, 2030]);

    let leaf = of_good([2020, 2030]);
    let token = |chain: &[&rcgen::Certificate]| EC.token(json!({"x5c": x5c(chain)}), &claims());
    let verify = |chain: &[&rcgen::Certificate]| verifier.verify_at(&token(chain), at(NOW));
    assert!(verify(&[&leaf, &good]).is_ok());
    for (what, chain, said) in [
        ("no intermediate", [&leaf, &leaf], "UnknownIssuer"),
        (
            "another root of the same name",
            [&strange, &strange_root],
            "InvalidSignatureForPublicKey",
        ),
        ("expired", [&of_good([2020, 2021]), &good], "CertExpired"),
        (
            "not yet",
            [&of_good([2029, 2030]), &good],
            "CertNotValidYet",
        ),
        (
            "an intermediate that has expired",
            [&leaf, &intermediate(true, [2020, 2021])],
            "CertExpired",
        ),
        (
            "an intermediate that is no CA",
            [&leaf, &intermediate(false, [2020, 2030])],
            "EndEntityUsedAsCa",
        ),
    ] {
        let error = verify(&chain).unwrap_err().to_string();
        assert!(error.contains(said), "{what}: {error}");
    }
    // What the bundle certifies is not known by its name.
    let error = verifier.verify_at(&EC.token(kid(&EC), &claims()), at(NOW));
    assert!(matches!(error, Err(TokenError::UntrustedKey(_))));
}
