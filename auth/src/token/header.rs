//! The three parts of a token, and what its header says (RFC 7515 sections 3.1
//! and 4.1).

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};
use tidegate_config::token::Algorithm;

use super::bounded::AtMost;
use super::chain;
use super::error::{TokenError, shown};
use super::jwk::Jwk;

/// The longest token that is read, in bytes; the headers of a request are
/// shorter anyway.
pub(super) const LONGEST: usize = 64 * 1024;

/// A token that is written as one. Nothing in it has been checked.
pub(super) struct Parts<'a> {
    pub(super) header: Header,
    /// Header and payload as they came, which is what is signed.
    pub(super) signed: &'a [u8],
    pub(super) payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

/// Whose key signed the token, and how.
#[derive(Deserialize)]
pub(super) struct Header {
    alg: Box<str>,
    pub(super) kid: Option<String>,
    pub(super) jwk: Option<Jwk>,
    pub(super) x5c: Option<AtMost<{ chain::MOST }, String>>,
    /// Whether there is one, of whatever kind.
    #[serde(default, rename = "crit", deserialize_with = "there_is_one")]
    has_crit: bool,
}

impl<'a> Parts<'a> {
    pub(super) fn read(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > LONGEST {
            return Err(TokenError::TooLong(token.len()));
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Parts)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Parts)?;
        if payload.contains('.') {
            return Err(TokenError::Parts);
        }
        let header = decode("header", header)?;
        let header: Header =
            serde_json::from_slice(&header).map_err(|e| TokenError::json("header", &e))?;
        if header.has_crit {
            return Err(TokenError::Critical);
        }
        Ok(Self {
            header,
            signed: signed.as_bytes(),
            payload: decode("claims", payload)?,
            signature: decode("signature", signature)?,
        })
    }
}

impl Header {
    /// How the token says it is signed, if that is allowed.
    pub(super) fn algorithm(&self, allowed: &[Algorithm]) -> Result<Algorithm, TokenError> {
        let named = self.alg.parse().ok();
        named
            .filter(|algorithm| allowed.contains(algorithm))
            .ok_or_else(|| TokenError::Algorithm(shown(&self.alg)))
    }
}

/// Without padding, and with nothing in the bits that are left over: there is one
/// text for each token.
fn decode(part: &'static str, text: &str) -> Result<Vec<u8>, TokenError> {
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(text);
    decoded.map_err(|_| TokenError::Encoding(part))
}

fn there_is_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}
