//! The key of the registry, and how a document is signed with it.

use std::fmt;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair,
};
use serde::{Deserialize, Serialize};
use serde_json::ser::PrettyFormatter;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::jws::{base64url, signing_input, to_base64url};
use super::public_key::{Curve, KeyId, PublicKeyError};

/// A private key on one of the curves of [RFC 7518] section 3.4.
///
/// [RFC 7518]: https://www.rfc-editor.org/rfc/rfc7518
pub struct SigningKey {
    curve: Curve,
    pair: EcdsaKeyPair,
    id: KeyId,
}

impl SigningKey {
    /// Makes a new key on P-256.
    ///
    /// # Errors
    ///
    /// If the system has no random numbers.
    pub fn generate() -> Result<Self, SigningKeyError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        Self::of(Curve::P256, pair)
    }

    /// Reads the content of a key file: a JSON Web Key, as Docker keeps it in
    /// `key.json`, or PEM (SEC 1 or unencrypted PKCS#8).
    ///
    /// # Errors
    ///
    /// If it is neither, or the key is on none of the curves.
    pub fn parse(content: &[u8]) -> Result<Self, SigningKeyError> {
        if content.trim_ascii_start().starts_with(b"{") {
            Self::of_jwk(content)
        } else {
            Self::of_pem(content)
        }
    }

    fn of_jwk(json: &[u8]) -> Result<Self, SigningKeyError> {
        let jwk: PrivateJwk = serde_json::from_slice(json).map_err(SigningKeyError::Json)?;
        if jwk.kty != "EC" {
            return Err(SigningKeyError::Kind { got: jwk.kty });
        }
        let curve = Curve::named(&jwk.crv)?;
        let point = curve.point(&jwk.x, &jwk.y)?;
        let private =
            base64url(&jwk.d).map_err(|source| PublicKeyError::Base64 { field: "d", source })?;
        if private.len() != curve.number_length() {
            return Err(SigningKeyError::PublicKey(PublicKeyError::Length {
                field: "d",
                got: private.len(),
                expected: curve.number_length(),
            }));
        }
        let pair = EcdsaKeyPair::from_private_key_and_public_key(signing(curve), &private, &point)
            .map_err(|_| SigningKeyError::Refused)?;
        Self::of(curve, pair)
    }

    fn of_pem(text: &[u8]) -> Result<Self, SigningKeyError> {
        let blocks = pem::parse_many(text).map_err(SigningKeyError::Pem)?;
        let block = blocks
            .iter()
            .find(|block| block.tag().ends_with("PRIVATE KEY"))
            .ok_or(SigningKeyError::NoKey)?;
        if !matches!(block.tag(), "EC PRIVATE KEY" | "PRIVATE KEY") {
            return Err(SigningKeyError::Kind {
                got: block.tag().to_owned(),
            });
        }
        for curve in Curve::ALL {
            if let Ok(pair) = EcdsaKeyPair::from_private_key_der(signing(curve), block.contents()) {
                return Self::of(curve, pair);
            }
        }
        Err(SigningKeyError::Refused)
    }

    fn of(curve: Curve, pair: EcdsaKeyPair) -> Result<Self, SigningKeyError> {
        let spki = pair.public_key().as_der()?;
        let id = KeyId::of_spki(spki.as_ref());
        Ok(Self { curve, pair, id })
    }

    /// What libtrust calls the key.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// Signs a payload: returns the document with its signature in the field
    /// `signatures`, indented as the payload is. `now` is written into the
    /// signature.
    ///
    /// # Errors
    ///
    /// If the payload is no JSON object with something in it.
    pub fn sign(&self, payload: &[u8], now: OffsetDateTime) -> Result<Vec<u8>, SignError> {
        let length = length_of_head(payload).ok_or(SignError::NotAnObject)?;
        let (head, tail) = payload.split_at(length);
        let protected = self.protected(head.len(), tail, now)?;
        let input = signing_input(&protected, payload);
        let signature = self.pair.sign(&SystemRandom::new(), &input)?;
        let point = self.pair.public_key().as_ref();
        // SEC 1 section 2.3.3: a byte that says uncompressed, then x and y.
        let (x, y) = point[1..].split_at(self.curve.number_length());
        let signatures = [Block {
            header: Header {
                jwk: Jwk {
                    crv: self.curve.as_str(),
                    kid: self.id.as_str(),
                    kty: "EC",
                    x: to_base64url(x),
                    y: to_base64url(y),
                },
                alg: algorithm(self.curve),
            },
            signature: to_base64url(signature.as_ref()),
            protected,
        }];

        let mut document = head.to_vec();
        match indentation(payload) {
            "" => {
                document.extend_from_slice(b",\"signatures\":");
                serde_json::to_writer(&mut document, &signatures)?;
                document.push(b'}');
            }
            indent => {
                let mut field = Vec::new();
                let formatter = PrettyFormatter::with_indent(indent.as_bytes());
                signatures.serialize(&mut serde_json::Serializer::with_formatter(
                    &mut field, formatter,
                ))?;
                // Lines end between tokens only: within a text, JSON escapes them.
                let field = String::from_utf8_lossy(&field).replace('\n', &format!("\n{indent}"));
                let last = format!(",\n{indent}\"signatures\": {field}\n}}");
                document.extend_from_slice(last.as_bytes());
            }
        }
        Ok(document)
    }

    fn protected(
        &self,
        length: usize,
        tail: &[u8],
        now: OffsetDateTime,
    ) -> Result<String, SignError> {
        let now = now
            .to_offset(time::UtcOffset::UTC)
            .replace_nanosecond(0)
            .map_err(time::Error::from)?;
        let header = Protected {
            format_length: length,
            format_tail: to_base64url(tail),
            time: now.format(&Rfc3339).map_err(time::Error::from)?,
        };
        Ok(to_base64url(&serde_json::to_vec(&header)?))
    }
}

impl fmt::Debug for SigningKey {
    /// The name of the key only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey")
            .field(&self.id.as_str())
            .finish()
    }
}

fn signing(curve: Curve) -> &'static EcdsaSigningAlgorithm {
    match curve {
        Curve::P256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
        Curve::P384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
        Curve::P521 => &ECDSA_P521_SHA512_FIXED_SIGNING,
    }
}

fn algorithm(curve: Curve) -> &'static str {
    match curve {
        Curve::P256 => "ES256",
        Curve::P384 => "ES384",
        Curve::P521 => "ES512",
    }
}

/// How many bytes of an object there are before the brace that closes it and
/// the white space in front of that.
fn length_of_head(object: &[u8]) -> Option<usize> {
    let whole = object.trim_ascii_end().strip_suffix(b"}")?;
    let head = whole.trim_ascii_end();
    // After nothing, or after a comma, no field can follow.
    match head.last()? {
        b'{' | b',' => None,
        _ => Some(head.len()),
    }
}

/// The white space in front of the first field, if it is on a line of its own.
fn indentation(object: &[u8]) -> &str {
    let Some(rest) = object.strip_prefix(b"{\n") else {
        return "";
    };
    let length = rest.iter().position(|byte| *byte == b'"').unwrap_or(0);
    let indent = &rest[..length];
    match std::str::from_utf8(indent) {
        Ok(text) if text.bytes().all(|byte| byte.is_ascii_whitespace()) => text,
        _ => "",
    }
}

#[derive(Deserialize)]
struct PrivateJwk {
    kty: String,
    #[serde(default)]
    crv: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
    #[serde(default)]
    d: String,
}

// The fields stand in the order in which libtrust writes them.

#[derive(Serialize)]
struct Block<'a> {
    header: Header<'a>,
    signature: String,
    protected: String,
}

#[derive(Serialize)]
struct Header<'a> {
    jwk: Jwk<'a>,
    alg: &'static str,
}

#[derive(Serialize)]
struct Jwk<'a> {
    crv: &'static str,
    kid: &'a str,
    kty: &'static str,
    x: String,
    y: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Protected {
    format_length: usize,
    format_tail: String,
    time: String,
}

/// Why a key cannot sign.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The JSON Web Key cannot be read.
    #[error("the JSON Web Key cannot be read: {0}")]
    Json(#[source] serde_json::Error),
    /// The PEM text cannot be read.
    #[error("the PEM text cannot be read: {0}")]
    Pem(#[source] pem::PemError),
    /// There is no key in the file.
    #[error("there is no private key, expected a JSON Web Key or PEM")]
    NoKey,
    /// It is a key of another kind.
    #[error(
        "the key is of the kind {got:?}, expected an unencrypted EC key on P-256, P-384 or P-521"
    )]
    Kind {
        /// What the file says.
        got: String,
    },
    /// The public half of the key is wrong.
    #[error(transparent)]
    PublicKey(#[from] PublicKeyError),
    /// The numbers of the key are no key.
    #[error(
        "the key cannot be used, expected an EC key on P-256, P-384 or P-521 of which both halves fit"
    )]
    Refused,
    /// No key could be made.
    #[error("a key could not be made: the system gave no random numbers")]
    Random(#[from] Unspecified),
}

/// Why a document could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// There is no place for the signature.
    #[error("the payload is no JSON object with at least one field")]
    NotAnObject,
    /// The signature could not be made.
    #[error("the signature could not be made: the system gave no random numbers")]
    Random(#[from] Unspecified),
    /// The time cannot be written.
    #[error("the time of signing cannot be written: {0}")]
    Time(#[from] time::Error),
    /// The signature cannot be written.
    #[error("the signature cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

#[cfg(test)]
mod tests;
