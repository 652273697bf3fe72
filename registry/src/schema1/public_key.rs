//! The key that came with a signature.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use data_encoding::BASE32_NOPAD;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::jws::base64url;

/// The longest modulus, and so the longest number of a key, in bytes: 8,192
/// bits, which is also the most that can be verified.
const LONGEST_NUMBER: usize = 8192 / 8;

/// A public key, as its `SubjectPublicKeyInfo` (RFC 5280 section 4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PublicKey(Vec<u8>);

impl PublicKey {
    /// Takes the key of a JSON Web Key (RFC 7517, RFC 7518 section 6). If the
    /// key says its name, the name has to be right.
    pub(super) fn of_jwk(jwk: &Jwk) -> Result<Self, PublicKeyError> {
        let spki = match jwk {
            Jwk::Ec { crv, x, y, .. } => {
                let curve = Curve::named(crv)?;
                ParsedPublicKey::new(curve.verification(), curve.point(x, y)?)
                    .map_err(|_| PublicKeyError::Refused)?
                    .as_der()
            }
            Jwk::Rsa { n, e, .. } => {
                let (n, e) = (number("n", n)?, number("e", e)?);
                RsaPublicKeyComponents { n, e }.as_der()
            }
        };
        let key = Self::of_der(spki)?;
        match jwk.kid() {
            Some(said) if said != key.id().as_str() => Err(PublicKeyError::WrongId {
                said: said.to_owned(),
                actual: key.id(),
            }),
            _ => Ok(key),
        }
    }

    /// Takes the key of a certificate: DER in standard base64, as it stands in
    /// `x5c` (RFC 7515 section 4.1.6). Nothing else of the certificate counts.
    pub(super) fn of_certificate(text: &str) -> Result<Self, PublicKeyError> {
        let der = BASE64_STANDARD
            .decode(text)
            .map_err(|source| PublicKeyError::Base64 {
                field: "x5c",
                source,
            })?;
        let (_, certificate) =
            X509Certificate::from_der(&der).map_err(|_| PublicKeyError::Certificate)?;
        Ok(Self(certificate.subject_pki.raw.to_vec()))
    }

    fn of_der(der: Result<PublicKeyX509Der<'_>, Unspecified>) -> Result<Self, PublicKeyError> {
        let der = der.map_err(|_| PublicKeyError::Refused)?;
        Ok(Self(der.as_ref().to_vec()))
    }

    /// What libtrust calls the key.
    pub(super) fn id(&self) -> KeyId {
        KeyId::of_spki(&self.0)
    }

    /// Whether the signature is one of the message by this key. `algorithm` is
    /// the name in RFC 7518 section 3.1; one that does not fit the key makes
    /// no valid signature.
    pub(super) fn verifies(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        verification(algorithm).is_some_and(|algorithm| {
            UnparsedPublicKey::new(algorithm, &self.0)
                .verify(message, signature)
                .is_ok()
        })
    }
}

fn verification(name: &str) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match name {
        "ES256" => &ECDSA_P256_SHA256_FIXED,
        "ES384" => &ECDSA_P384_SHA384_FIXED,
        "ES512" => &ECDSA_P521_SHA512_FIXED,
        "RS256" => &RSA_PKCS1_2048_8192_SHA256,
        "RS384" => &RSA_PKCS1_2048_8192_SHA384,
        "RS512" => &RSA_PKCS1_2048_8192_SHA512,
        _ => return None,
    })
}

/// A key as JSON.
#[derive(Debug, Deserialize)]
#[serde(tag = "kty")]
pub(super) enum Jwk {
    #[serde(rename = "EC")]
    Ec {
        crv: String,
        x: String,
        y: String,
        kid: Option<String>,
    },
    #[serde(rename = "RSA")]
    Rsa {
        n: String,
        e: String,
        kid: Option<String>,
    },
}

impl Jwk {
    fn kid(&self) -> Option<&str> {
        match self {
            Self::Ec { kid, .. } | Self::Rsa { kid, .. } => kid.as_deref(),
        }
    }
}

/// The curves that ECDSA is done on (RFC 7518 section 6.2.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    pub(super) const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    pub(super) fn named(name: &str) -> Result<Self, PublicKeyError> {
        Self::ALL
            .into_iter()
            .find(|curve| curve.as_str() == name)
            .ok_or_else(|| PublicKeyError::UnknownCurve {
                got: name.to_owned(),
            })
    }

    /// How long a coordinate is, in bytes, and also a private key.
    pub(super) fn number_length(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_FIXED,
            Self::P384 => &ECDSA_P384_SHA384_FIXED,
            Self::P521 => &ECDSA_P521_SHA512_FIXED,
        }
    }

    /// An uncompressed point (SEC 1 section 2.3.3) of two coordinates, each of
    /// its full length (RFC 7518 section 6.2.1.2).
    pub(super) fn point(self, x: &str, y: &str) -> Result<Vec<u8>, PublicKeyError> {
        let mut point = vec![4];
        for (field, text) in [("x", x), ("y", y)] {
            let coordinate = number(field, text)?;
            if coordinate.len() != self.number_length() {
                return Err(PublicKeyError::Length {
                    field,
                    got: coordinate.len(),
                    expected: self.number_length(),
                });
            }
            point.extend(coordinate);
        }
        Ok(point)
    }
}

fn number(field: &'static str, text: &str) -> Result<Vec<u8>, PublicKeyError> {
    let bytes = base64url(text).map_err(|source| PublicKeyError::Base64 { field, source })?;
    if bytes.len() > LONGEST_NUMBER {
        return Err(PublicKeyError::Length {
            field,
            got: bytes.len(),
            expected: LONGEST_NUMBER,
        });
    }
    Ok(bytes)
}

/// The name that libtrust gives a key: the first 30 bytes of the SHA-256 of its
/// `SubjectPublicKeyInfo`, in base32, in twelve groups of four.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyId(String);

impl KeyId {
    pub(super) fn of_spki(der: &[u8]) -> Self {
        let text = BASE32_NOPAD.encode(&Sha256::digest(der)[..30]);
        let mut groups = String::with_capacity(text.len() + text.len() / 4);
        for (position, letter) in text.chars().enumerate() {
            if position > 0 && position % 4 == 0 {
                groups.push(':');
            }
            groups.push(letter);
        }
        Self(groups)
    }

    /// The text, as it stands in `kid`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PublicKeyError {
    /// A field is not base64.
    #[error("`{field}` is not base64: {source}")]
    Base64 {
        /// The field.
        field: &'static str,
        /// Where it is wrong.
        source: base64::DecodeError,
    },
    /// A number is too long, or a coordinate not of the curve's length.
    #[error("`{field}` has {got} bytes, expected {expected}")]
    Length {
        /// The field.
        field: &'static str,
        /// How many it has.
        got: usize,
        /// How many it should have, or may have at most.
        expected: usize,
    },
    /// The curve is none of the three.
    #[error("the curve {got:?} is not supported: expected P-256, P-384 or P-521")]
    UnknownCurve {
        /// What the key says.
        got: String,
    },
    /// The key has another name than it says.
    #[error("`kid` is {said:?}, but the key's is {actual}")]
    WrongId {
        /// What the key says.
        said: String,
        /// What it is.
        actual: KeyId,
    },
    /// The certificate in `x5c` is none.
    #[error("`x5c` does not begin with a certificate")]
    Certificate,
    /// The numbers are no key: no point of the curve, or no modulus.
    #[error("the numbers of the key are not those of a key")]
    Refused,
}
