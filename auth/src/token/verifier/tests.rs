use std::sync::LazyLock;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_config::token::TokenAuth;

use super::*;
use crate::token::testing::{NOW, Server, at, claims, sign_none};

mod accepted;
mod files;
mod refused;
mod untrusted;

/// The token server of nearly all tests, with a key of each kind.
static RSA: LazyLock<Server> = LazyLock::new(|| Server::new("RS256"));
static EC: LazyLock<Server> = LazyLock::new(|| Server::new("ES256"));
static ED: LazyLock<Server> = LazyLock::new(|| Server::new("EdDSA"));

fn servers() -> [&'static Server; 3] {
    [&RSA, &EC, &ED]
}

/// A verifier that believes the keys of all three.
fn verifier() -> TokenVerifier {
    let keys = servers().map(|server| server.key.clone());
    TokenVerifier::with_keys("issuer", "service", keys.into())
}

fn settings() -> TokenAuth {
    TokenAuth {
        realm: "https://auth.example/token".to_owned(),
        service: "service".to_owned(),
        issuer: "issuer".to_owned(),
        root_cert_bundle: None,
        jwks: None,
        algorithms: Algorithm::ALL.to_vec(),
        auto_redirect: None,
    }
}

/// What is wrong with a token.
fn why(token: &str) -> String {
    match shared().verify_at(token, at(NOW)) {
        Ok(_) => panic!("it counts: {token:.40}…"),
        Err(error) => error.to_string(),
    }
}

fn shared() -> &'static TokenVerifier {
    static VERIFIER: LazyLock<TokenVerifier> = LazyLock::new(verifier);
    &VERIFIER
}

fn kid(server: &Server) -> Value {
    json!({"kid": server.key.thumbprint()})
}
