//! Where keys come from, and what happens when they change.

use super::*;

fn set(servers: &[&Server]) -> String {
    let keys: Vec<Value> = servers.iter().map(|server| server.key.jwk()).collect();
    json!({"keys": keys}).to_string()
}

fn counts(verifier: &TokenVerifier, server: &Server) -> bool {
    let token = server.token(json!({"kid": server.key.thumbprint()}), &claims());
    verifier.verify_at(&token, at(NOW)).is_ok()
}

#[test]
fn files_are_read_again_when_they_change() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("jwks.json");
    let bundle = directory.path().join("bundle.pem");
    fs_err::write(&path, set(&[&EC])).unwrap();
    fs_err::write(&bundle, ED.self_signed(true, [2020, 2030]).pem()).unwrap();
    let verifier = TokenVerifier::open(&TokenAuth {
        jwks: Some(JwksSource::File(path.clone())),
        root_cert_bundle: Some(bundle.clone()),
        ..settings()
    })
    .unwrap();
    assert!(counts(&verifier, &EC) && counts(&verifier, &ED) && !counts(&verifier, &RSA));
    assert!(verifier.reload_if_changed().is_none());

    let token = EC.token(json!({"kid": EC.key.thumbprint()}), &claims());
    assert!(verifier.verify_at(&token, at(NOW)).is_ok());
    fs_err::write(&path, set(&[&RSA])).unwrap();
    assert_eq!(verifier.reload_if_changed().unwrap().unwrap(), 2);
    assert!(counts(&verifier, &RSA) && counts(&verifier, &ED));
    let gone = verifier.verify_at(&token, at(NOW));
    assert!(gone.is_err(), "its key is gone");

    // What cannot be read changes nothing, and is said once.
    for (file, text, said) in [
        (&path, "{", "no JSON Web Key Set"),
        (&path, r#"{"keys":[]}"#, "no key in it"),
        (
            &path,
            r#"{"keys":[{"kty":"oct","k":"AA"}]}"#,
            "no key in it",
        ),
        (&path, r#"{"keys":[{"kty":"RSA"}]}"#, "key 1: it has no `n`"),
        (&bundle, "nothing", "no certificate in it"),
        (
            &bundle,
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "certificate 1 cannot be read",
        ),
    ] {
        let before = fs_err::read_to_string(file).unwrap();
        fs_err::write(file, text).unwrap();
        let error = verifier.reload_if_changed().unwrap().unwrap_err();
        let error = error.to_string();
        assert!(error.contains(said), "{text}: {error}");
        assert!(error.contains(&*file.to_string_lossy()), "{error}");
        assert!(verifier.reload_if_changed().is_none());
        assert!(counts(&verifier, &RSA) && counts(&verifier, &ED), "{text}");
        fs_err::write(file, before).unwrap();
        verifier.reload().unwrap();
    }
    fs_err::remove_file(&bundle).unwrap();
    let error = verifier.reload_if_changed().unwrap().unwrap_err();
    assert!(matches!(error, TokenConfigError::Read(_)));
    assert!(counts(&verifier, &ED));
}

#[test]
fn what_has_no_key_is_not_opened() {
    let open = |settings: &TokenAuth| TokenVerifier::open(settings).unwrap_err();
    let nothing = open(&settings());
    assert!(matches!(nothing, TokenConfigError::Nothing));
    let missing = open(&TokenAuth {
        root_cert_bundle: Some("/nonexistent/bundle.pem".into()),
        ..settings()
    });
    assert!(matches!(missing, TokenConfigError::Read(_)));
}

#[test]
fn keys_that_cannot_sign_are_passed_over() {
    let verifier = TokenVerifier::with_keys("issuer", "service", Vec::new());
    let mut for_encryption = RSA.key.jwk();
    for_encryption["use"] = "enc".into();
    let keys = json!({"keys": [
        {"kty": "oct", "k": "AAAA"}, {"kty": "new"}, for_encryption, EC.key.jwk(),
    ], "other": 1});
    assert_eq!(verifier.replace_jwks(&keys.to_string()).unwrap(), 1);
    assert!(counts(&verifier, &EC) && !counts(&verifier, &RSA));
    // One that cannot be used leaves what was there.
    assert!(verifier.replace_jwks("{}").is_err());
    assert!(counts(&verifier, &EC));
}

#[tokio::test]
async fn who_fetches_keys_hears_of_tokens_with_others() {
    let url = "https://auth.example/jwks";
    let verifier = TokenVerifier::open(&TokenAuth {
        jwks: Some(JwksSource::Url(url.parse().unwrap())),
        ..settings()
    })
    .unwrap();
    assert_eq!(verifier.jwks_url(), Some(url));
    assert!(verifier.reload_if_changed().is_none());
    assert!(!counts(&verifier, &EC));
    verifier.unknown_key().await;
    assert_eq!(verifier.replace_jwks(&set(&[&EC])).unwrap(), 1);
    assert!(counts(&verifier, &EC));
    let waited = tokio::time::timeout(Duration::ZERO, verifier.unknown_key()).await;
    assert!(waited.is_err(), "nothing was unknown since then");
    // To read the files again, of which there are none, does not take them away.
    assert_eq!(verifier.reload().unwrap(), 1);
    assert!(counts(&verifier, &EC));
}
