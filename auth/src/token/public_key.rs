//! The public halves of keys that sign tokens: RSA, ECDSA and Ed25519, from
//! certificates and from JSON Web Keys.

use std::fmt;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    EcdsaVerificationAlgorithm, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaPublicKeyComponents,
    VerificationAlgorithm,
};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::{Value, json};
use tidegate_config::token::Algorithm;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_NIST_EC_P384, OID_NIST_EC_P521, OID_SIG_ED25519, Oid,
};
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey as X509Key;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::jwk::Jwk;
use super::key_id;

/// A public key that signatures are checked with. Two keys are equal if they are
/// the same key, whatever they were read from.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    numbers: Numbers,
    /// The canonical `SubjectPublicKeyInfo`.
    spki: Box<[u8]>,
}

/// What a key is made of; numbers are big-endian.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Numbers {
    /// Neither begins with a zero.
    Rsa {
        n: Box<[u8]>,
        e: Box<[u8]>,
    },
    /// Both are as long as the curve says.
    Ec {
        curve: Curve,
        x: Box<[u8]>,
        y: Box<[u8]>,
    },
    Ed25519 {
        x: Box<[u8]>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

/// Why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is not written as one.
    #[error("it is no public key: {0}")]
    Malformed(String),
    /// Its kind is not known here.
    #[error("keys of the kind {0} do not sign tokens here; RSA, EC and Ed25519 do")]
    Kind(String),
    /// It says of itself that it is for something else.
    #[error("it is not meant for signatures: {0}")]
    Use(String),
    /// Too short, or not a key at all.
    #[error("it is too weak or broken: {0}")]
    Weak(&'static str),
}

impl PublicKey {
    /// Reads a `SubjectPublicKeyInfo` in DER (RFC 5280 section 4.1), as a
    /// certificate holds it.
    ///
    /// # Errors
    /// It is none, of a kind that is not known here, or too weak.
    pub fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        let malformed = || KeyError::Malformed("not a SubjectPublicKeyInfo".to_owned());
        let (rest, info) = SubjectPublicKeyInfo::from_der(der).map_err(|_| malformed())?;
        if !rest.is_empty() {
            return Err(malformed());
        }
        let algorithm = &info.algorithm.algorithm;
        let numbers = match info.parsed().map_err(|_| malformed())? {
            X509Key::RSA(key) => Numbers::Rsa {
                n: without_zeros(key.modulus),
                e: without_zeros(key.exponent),
            },
            X509Key::EC(point) => {
                let named = info.algorithm.parameters.as_ref();
                let named = named.and_then(|parameters| parameters.as_oid().ok());
                let curve = named.as_ref().and_then(Curve::of_oid).ok_or_else(|| {
                    let named = named.map_or_else(String::new, |oid| oid.to_id_string());
                    KeyError::Kind(format!("EC {named}"))
                })?;
                curve.read_point(point.data())?
            }
            X509Key::Unknown(x) if *algorithm == OID_SIG_ED25519 => {
                Numbers::Ed25519 { x: x.into() }
            }
            _ => return Err(KeyError::Kind(algorithm.to_id_string())),
        };
        Self::new(numbers)
    }

    /// Reads a JSON Web Key (RFC 7517, 7518 section 6, 8037). What it says of its
    /// use has to allow for signatures; private members are not looked at.
    ///
    /// # Errors
    /// As [`PublicKey::from_spki`].
    pub fn from_jwk(json: &str) -> Result<Self, KeyError> {
        let jwk: Jwk =
            serde_json::from_str(json).map_err(|e| KeyError::Malformed(e.to_string()))?;
        Self::try_from(&jwk)
    }

    pub(super) fn new(numbers: Numbers) -> Result<Self, KeyError> {
        let der = match &numbers {
            Numbers::Rsa { n, e } => {
                check_rsa(n, e)?;
                RsaPublicKeyComponents { n, e }.as_der().ok()
            }
            Numbers::Ec { curve, x, y } => {
                let point = [&[4], &**x, &**y].concat();
                let key = ParsedPublicKey::new(curve.algorithm(), point);
                key.ok().and_then(|key| key.as_der().ok())
            }
            Numbers::Ed25519 { x } => {
                if x.len() != 32 {
                    return Err(KeyError::Weak("an Ed25519 key has 32 bytes"));
                }
                let key = ParsedPublicKey::new(&ED25519, x);
                key.ok().and_then(|key| key.as_der().ok())
            }
        };
        let der = der.ok_or(KeyError::Weak("its numbers make no key"))?;
        Ok(Self {
            numbers,
            spki: der.as_ref().into(),
        })
    }

    /// The key as a `SubjectPublicKeyInfo` in DER.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The key as a JSON Web Key with the members that it needs (RFC 7638
    /// section 3.2), in the order of their names.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        match &self.numbers {
            Numbers::Rsa { n, e } => json!({"e": text(e), "kty": "RSA", "n": text(n)}),
            Numbers::Ec { curve, x, y } => {
                json!({"crv": curve.name(), "kty": "EC", "x": text(x), "y": text(y)})
            }
            Numbers::Ed25519 { x } => json!({"crv": "Ed25519", "kty": "OKP", "x": text(x)}),
        }
    }

    /// The name by which a registry of version 2 knows it.
    #[must_use]
    pub fn libtrust_id(&self) -> String {
        key_id::libtrust(&self.spki)
    }

    /// The name by which a registry of version 3 knows it.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        key_id::thumbprint(self)
    }

    /// Whether `signature` is one of `message` by this key and algorithm: `None`
    /// if a key of this kind does not sign so.
    #[must_use]
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Option<bool> {
        let verification = self.verification(algorithm)?;
        let key = ParsedPublicKey::new(verification, &self.spki).ok();
        Some(key.is_some_and(|key| key.verify_sig(message, signature).is_ok()))
    }

    /// A curve has one algorithm (RFC 7518 section 3.4), and a key never checks
    /// signatures of another kind.
    fn verification(&self, algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
        Some(match (&self.numbers, algorithm) {
            (Numbers::Rsa { .. }, Algorithm::Rs256) => &RSA_PKCS1_2048_8192_SHA256,
            (Numbers::Rsa { .. }, Algorithm::Rs384) => &RSA_PKCS1_2048_8192_SHA384,
            (Numbers::Rsa { .. }, Algorithm::Rs512) => &RSA_PKCS1_2048_8192_SHA512,
            (Numbers::Rsa { .. }, Algorithm::Ps256) => &RSA_PSS_2048_8192_SHA256,
            (Numbers::Rsa { .. }, Algorithm::Ps384) => &RSA_PSS_2048_8192_SHA384,
            (Numbers::Rsa { .. }, Algorithm::Ps512) => &RSA_PSS_2048_8192_SHA512,
            (Numbers::Ec { curve, .. }, _) if curve.signs(algorithm) => curve.algorithm(),
            (Numbers::Ed25519 { .. }, Algorithm::EdDsa) => &ED25519,
            _ => return None,
        })
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublicKey")
            .field(&self.thumbprint())
            .finish()
    }
}

impl Curve {
    fn of_oid(oid: &Oid<'_>) -> Option<Self> {
        [
            (OID_EC_P256, Self::P256),
            (OID_NIST_EC_P384, Self::P384),
            (OID_NIST_EC_P521, Self::P521),
        ]
        .into_iter()
        .find_map(|(known, curve)| (known == *oid).then_some(curve))
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        let curves = [Self::P256, Self::P384, Self::P521];
        curves.into_iter().find(|curve| curve.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    /// The length of a coordinate.
    pub(super) fn length(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    fn algorithm(self) -> &'static EcdsaVerificationAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_FIXED,
            Self::P384 => &ECDSA_P384_SHA384_FIXED,
            Self::P521 => &ECDSA_P521_SHA512_FIXED,
        }
    }

    fn signs(self, algorithm: Algorithm) -> bool {
        matches!(
            (self, algorithm),
            (Self::P256, Algorithm::Es256)
                | (Self::P384, Algorithm::Es384)
                | (Self::P521, Algorithm::Es512)
        )
    }

    /// Reads an uncompressed point (SEC 1 section 2.3.3).
    fn read_point(self, point: &[u8]) -> Result<Numbers, KeyError> {
        match point.split_first() {
            Some((4, rest)) if rest.len() == 2 * self.length() => {
                let (x, y) = rest.split_at(self.length());
                Ok(Numbers::Ec {
                    curve: self,
                    x: x.into(),
                    y: y.into(),
                })
            }
            _ => Err(KeyError::Malformed(format!(
                "not an uncompressed point of {}",
                self.name()
            ))),
        }
    }
}

/// What no honest key is, and what would cost too much to check with.
fn check_rsa(n: &[u8], e: &[u8]) -> Result<(), KeyError> {
    let bits = n.len() * 8 - n.first().map_or(0, |byte| byte.leading_zeros() as usize);
    if !(2048..=8192).contains(&bits) {
        return Err(KeyError::Weak("an RSA key has 2048 to 8192 bits"));
    }
    let is_odd = e.last().is_some_and(|byte| byte % 2 == 1);
    if !is_odd || e == [1] || e.len() > 4 {
        return Err(KeyError::Weak(
            "the exponent of an RSA key is an odd number from 3 to 32 bits",
        ));
    }
    Ok(())
}

pub(super) fn without_zeros(number: &[u8]) -> Box<[u8]> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number[zeros..].into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_key_to_check_with_is_said() {
        for (jwk, said) in [
            ("{}", "missing field `kty`"),
            (r#"{"kty":"RSA"}"#, "it has no `n`"),
            (
                r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#,
                "2048 to 8192 bits",
            ),
            (
                r#"{"kty":"RSA","n":"+/","e":"AQAB"}"#,
                "`n` is not base64url",
            ),
            (r#"{"kty":"oct","k":"c2VjcmV0"}"#, "of the kind \"oct\""),
            (
                r#"{"kty":"EC","crv":"secp256k1"}"#,
                "of the kind \"EC secp256k1\"",
            ),
            (
                r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
                "`x` has not 32 bytes",
            ),
            (
                r#"{"kty":"OKP","crv":"X25519","x":"AA"}"#,
                "of the kind \"OKP X25519\"",
            ),
            (r#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#, "has 32 bytes"),
            (
                r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","use":"enc"}"#,
                "its `use` is \"enc\"",
            ),
            (
                r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","key_ops":["sign"]}"#,
                "`key_ops` has no `verify`",
            ),
            (r#"{"kty":"RSA","kty":"EC"}"#, "duplicate field `kty`"),
        ] {
            let error = PublicKey::from_jwk(jwk).unwrap_err().to_string();
            assert!(error.contains(said), "{jwk}: {error}");
        }
        // A point that is not on the curve.
        let zero = "A".repeat(43);
        let off = format!(r#"{{"kty":"EC","crv":"P-256","x":"{zero}","y":"{zero}"}}"#);
        assert!(matches!(PublicKey::from_jwk(&off), Err(KeyError::Weak(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_key_by_chance(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(PublicKey::from_spki(&bytes).is_err());
        }
    }
}
