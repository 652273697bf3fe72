#![no_main]
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tidegate_auth::token::{PublicKey, TokenVerifier};

/// Believes the keys of the seeds, whose tokens are for somebody else: none counts.
static VERIFIER: LazyLock<TokenVerifier> = LazyLock::new(|| {
    let verifier = TokenVerifier::with_keys("vector issuer", "fuzzing", Vec::new());
    verifier
        .replace_jwks(include_str!("../seeds/token/keys.json"))
        .expect("keys");
    verifier
});

fuzz_target!(|text: &str| {
    let error = VERIFIER.verify(text).expect_err("nothing here counts");
    // What a stranger wrote goes into the log.
    let said = error.to_string();
    assert!(!said.contains(char::is_control));
    assert!(said.len() < 3000);
    // Keys and key sets come from the network as well.
    if let Ok(key) = PublicKey::from_jwk(text) {
        assert!(PublicKey::from_jwk(&key.jwk().to_string()).as_ref() == Ok(&key));
        assert!(PublicKey::from_spki(key.spki()).as_ref() == Ok(&key));
    }
    let _ = TokenVerifier::with_keys("issuer", "service", Vec::new()).replace_jwks(text);
});
