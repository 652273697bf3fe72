//! A token server for tests, which signs with a library that has nothing to do
//! with how tokens are verified.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use jsonwebtoken::EncodingKey;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256,
    PublicKeyData as _, RsaKeySize, date_time_ymd,
};
use serde_json::{Value, json};

use super::PublicKey;

/// When all tests take place: 2025-06-01, within the years of their certificates.
pub(super) const NOW: u64 = 1_748_736_000;

pub(super) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Claims that count.
pub(super) fn claims() -> Value {
    json!({
        "iss": "issuer", "sub": "alice", "aud": "service",
        "exp": NOW + 300, "nbf": NOW - 10, "iat": NOW, "jti": "1",
        "access": [{"type": "repository", "name": "team/app", "actions": ["pull"]}],
    })
}

/// Somebody who signs tokens.
pub(super) struct Server {
    pub(super) algorithm: &'static str,
    pub(super) pair: KeyPair,
    pub(super) key: PublicKey,
    encoding: EncodingKey,
}

impl Server {
    pub(super) fn new(algorithm: &'static str) -> Self {
        let pair = match algorithm {
            "ES256" => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            "ES384" => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
            "EdDSA" => KeyPair::generate_for(&PKCS_ED25519),
            _ => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
        }
        .unwrap();
        let der = pair.serialized_der();
        let encoding = match algorithm {
            "ES256" | "ES384" => EncodingKey::from_ec_der(der),
            "EdDSA" => EncodingKey::from_ed_der(der),
            // What is in the OCTET STRING at the end of a PKCS#8 key of this
            // size, which is PKCS#1.
            _ => EncodingKey::from_rsa_der(&der[26..]),
        };
        Self {
            algorithm,
            key: PublicKey::from_spki(&pair.subject_public_key_info()).unwrap(),
            pair,
            encoding,
        }
    }

    /// A token with these members of its header, besides `alg` and `typ`.
    pub(super) fn token(&self, header: Value, claims: &Value) -> String {
        let mut all = json!({"typ": "JWT", "alg": self.algorithm});
        all.as_object_mut()
            .unwrap()
            .extend(header.as_object().unwrap().clone());
        self.sign(self.algorithm, &all.to_string(), &claims.to_string())
    }

    /// Signs what need not be JSON at all.
    pub(super) fn sign(&self, algorithm: &str, header: &str, claims: &str) -> String {
        let signed = sign_none(header, claims);
        let signed = signed.strip_suffix('.').unwrap();
        let algorithm = algorithm.parse().unwrap();
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &self.encoding, algorithm);
        format!("{signed}.{}", signature.unwrap())
    }

    /// A certificate of its key by its key, for these years.
    pub(super) fn self_signed(&self, is_ca: bool, years: [i32; 2]) -> Certificate {
        params("Self", is_ca, years)
            .self_signed(&self.pair)
            .unwrap()
    }

    /// A certificate of this server's key that another signed.
    pub(super) fn certified_by(
        &self,
        (ca, certificate): (&Self, &Certificate),
        is_ca: bool,
        years: [i32; 2],
    ) -> Certificate {
        let issuer = Issuer::from_ca_cert_der(certificate.der(), &ca.pair).unwrap();
        params("Signed", is_ca, years)
            .signed_by(&self.pair, &issuer)
            .unwrap()
    }
}

/// A token without a signature.
pub(super) fn sign_none(header: &str, claims: &str) -> String {
    let text = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.", text(header), text(claims))
}

/// The value of `x5c`.
pub(super) fn x5c(certificates: &[&Certificate]) -> Value {
    let text = |certificate: &&Certificate| BASE64_STANDARD.encode(certificate.der());
    certificates.iter().map(text).collect::<Vec<_>>().into()
}

fn params(name: &str, is_ca: bool, [first, last]: [i32; 2]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    params.not_before = date_time_ymd(first, 1, 1);
    params.not_after = date_time_ymd(last, 1, 1);
    if is_ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params
}
