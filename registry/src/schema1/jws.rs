//! A document that carries its own signatures: libtrust's "pretty" form of a
//! JSON Web Signature (RFC 7515).
//!
//! The field `signatures` stands last in the document. The protected header of
//! each signature says how the document ended without it: the payload is the
//! first `formatLength` bytes and then `formatTail`.

use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{DecodeError, Engine};
use serde::Deserialize;

use super::public_key::{Jwk, KeyId, PublicKey, PublicKeyError};

/// The most signatures that are looked at. Clients make one; each costs a pass
/// over the whole payload.
const MOST_SIGNATURES: usize = 8;

/// Base64 for URLs, written without padding and read with or without it.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(super) fn base64url(text: &str) -> Result<Vec<u8>, DecodeError> {
    BASE64URL.decode(text)
}

pub(super) fn to_base64url(bytes: &[u8]) -> String {
    BASE64URL.encode(bytes)
}

/// What a signature is made over (RFC 7515 section 5.1).
pub(super) fn signing_input(protected: &str, payload: &[u8]) -> Vec<u8> {
    let mut input = Vec::with_capacity(protected.len() + 1 + payload.len().div_ceil(3) * 4);
    input.extend_from_slice(protected.as_bytes());
    input.push(b'.');
    input.extend_from_slice(to_base64url(payload).as_bytes());
    input
}

/// A signed document, taken apart. Whether the signatures are right, only
/// [`Jws::verify`] tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jws {
    payload: Vec<u8>,
    signatures: Vec<Signature>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Signature {
    key: PublicKey,
    algorithm: String,
    protected: String,
    bytes: Vec<u8>,
}

impl Jws {
    /// Takes a signed document apart.
    ///
    /// # Errors
    ///
    /// If it is no signed document, or its signatures disagree on what they
    /// sign.
    pub fn parse(document: &[u8]) -> Result<Self, JwsError> {
        let Document { signatures: blocks } = serde_json::from_slice(document)?;
        let blocks = blocks.unwrap_or_default();
        if blocks.len() > MOST_SIGNATURES {
            return Err(JwsError::TooMany { got: blocks.len() });
        }
        let mut format: Option<Format> = None;
        let mut signatures = Vec::with_capacity(blocks.len());
        for (index, block) in blocks.into_iter().enumerate() {
            let (its_format, signature) = block
                .take_apart()
                .map_err(|source| JwsError::Signature { index, source })?;
            if *format.get_or_insert_with(|| its_format.clone()) != its_format {
                return Err(JwsError::Disagreement { index });
            }
            signatures.push(signature);
        }
        let Format { length, tail } = format.ok_or(JwsError::Unsigned)?;
        let head = document.get(..length).ok_or(JwsError::FormatLength {
            got: length,
            document: document.len(),
        })?;
        Ok(Self {
            payload: [head, &tail].concat(),
            signatures,
        })
    }

    /// The document without its signatures.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The same, when nothing else is needed any more.
    pub fn into_payload(self) -> Vec<u8> {
        self.payload
    }

    /// Verifies every signature with the key that came with it, and returns
    /// the names of the keys. That a key is anybody's in particular is not
    /// said by this.
    ///
    /// # Errors
    ///
    /// The first signature that is wrong.
    pub fn verify(&self) -> Result<Vec<KeyId>, Unverified> {
        let mut keys = Vec::with_capacity(self.signatures.len());
        for (index, signature) in self.signatures.iter().enumerate() {
            let key = signature.key.id();
            let input = signing_input(&signature.protected, &self.payload);
            if !signature
                .key
                .verifies(&signature.algorithm, &input, &signature.bytes)
            {
                return Err(Unverified {
                    index,
                    algorithm: signature.algorithm.clone(),
                    key,
                });
            }
            keys.push(key);
        }
        Ok(keys)
    }
}

#[derive(Deserialize)]
struct Document {
    signatures: Option<Vec<Block>>,
}

/// One of the `signatures`.
#[derive(Deserialize)]
struct Block {
    header: Header,
    signature: String,
    protected: String,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    jwk: Option<Jwk>,
    x5c: Option<Vec<String>>,
}

/// As much of the protected header as is needed; the time of signing is not.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Protected {
    format_length: usize,
    format_tail: String,
}

/// How the document ended before it was signed.
#[derive(Clone, PartialEq, Eq)]
struct Format {
    length: usize,
    tail: Vec<u8>,
}

impl Block {
    fn take_apart(self) -> Result<(Format, Signature), SignatureError> {
        let decode = |field, text: &str| {
            base64url(text).map_err(|source| SignatureError::Base64 { field, source })
        };
        let protected: Protected = serde_json::from_slice(&decode("protected", &self.protected)?)
            .map_err(SignatureError::Protected)?;
        let format = Format {
            length: protected.format_length,
            tail: decode("formatTail", &protected.format_tail)?,
        };
        let of_jwk = self
            .header
            .jwk
            .as_ref()
            .map(PublicKey::of_jwk)
            .transpose()?;
        let leaf = self.header.x5c.as_ref().and_then(|chain| chain.first());
        let key = match leaf {
            Some(leaf) => PublicKey::of_certificate(leaf)?,
            None => of_jwk.ok_or(SignatureError::NoKey)?,
        };
        let signature = Signature {
            key,
            algorithm: self.header.alg,
            bytes: decode("signature", &self.signature)?,
            protected: self.protected,
        };
        Ok((format, signature))
    }
}

/// Why a document is not a signed one.
#[derive(Debug, thiserror::Error)]
pub enum JwsError {
    /// It is no JSON object, or its signatures lack a field.
    #[error("the signed manifest cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// There is no signature.
    #[error("the manifest has schemaVersion 1 and no signatures")]
    Unsigned,
    /// There are more than anybody makes.
    #[error("the manifest has {got} signatures, expected at most {MOST_SIGNATURES}")]
    TooMany {
        /// How many there are.
        got: usize,
    },
    /// A signature cannot be read.
    #[error("signatures[{index}]: {source}")]
    Signature {
        /// Which one, from 0.
        index: usize,
        /// What is wrong with it.
        source: SignatureError,
    },
    /// Two signatures are of different payloads.
    #[error("signatures[{index}] disagrees with signatures[0] on formatLength or formatTail")]
    Disagreement {
        /// Which one, from 0.
        index: usize,
    },
    /// The payload would be longer than the document.
    #[error("formatLength is {got}, but the document has {document} bytes")]
    FormatLength {
        /// What the signatures say.
        got: usize,
        /// How long the document is, in bytes.
        document: usize,
    },
}

/// Why a signature cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// A field is not base64 for URLs.
    #[error("`{field}` is not base64url: {source}")]
    Base64 {
        /// The field.
        field: &'static str,
        /// Where it is wrong.
        source: DecodeError,
    },
    /// The protected header lacks what the payload is made from.
    #[error("`protected` cannot be read: {0}")]
    Protected(#[source] serde_json::Error),
    /// There is neither `jwk` nor `x5c`.
    #[error("the signature comes without its key")]
    NoKey,
    /// The key cannot be used.
    #[error("the key cannot be used: {0}")]
    Key(#[from] PublicKeyError),
}

/// A signature is wrong: the document is not the one that was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("signatures[{index}] is no {algorithm} signature of this manifest by the key {key}")]
pub struct Unverified {
    /// Which one, from 0.
    pub index: usize,
    /// The algorithm that it names.
    pub algorithm: String,
    /// The key that came with it.
    pub key: KeyId,
}

#[cfg(test)]
mod tests;
