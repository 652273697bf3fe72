//! JSON Web Keys (RFC 7517), as far as they matter here.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde::Deserialize;
use tidegate_config::token::Algorithm;

use super::bounded::AtMost;
use super::chain;
use super::error::shown;
use super::public_key::{Curve, KeyError, Numbers, PublicKey, without_zeros};

/// A key as it is written.
#[derive(Deserialize)]
pub(super) struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    /// The one algorithm that it is for.
    alg: Option<String>,
    pub(super) kid: Option<String>,
    pub(super) x5c: Option<AtMost<{ chain::MOST }, String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Jwk {
    /// The one algorithm that the key is for, if it says so.
    pub(super) fn algorithm(&self) -> Result<Option<Algorithm>, KeyError> {
        let Some(name) = &self.alg else {
            return Ok(None);
        };
        let unknown = |_| KeyError::Use(format!("its `alg` is {}", shown(name)));
        name.parse().map(Some).map_err(unknown)
    }
}

impl TryFrom<&Jwk> for PublicKey {
    type Error = KeyError;

    fn try_from(jwk: &Jwk) -> Result<Self, KeyError> {
        let crv = jwk.crv.as_deref().unwrap_or_default();
        let kind = || KeyError::Kind(shown(format!("{} {crv}", jwk.kty).trim_end()));
        let numbers = match jwk.kty.as_str() {
            "RSA" => Numbers::Rsa {
                n: without_zeros(&member("n", jwk.n.as_ref())?),
                e: without_zeros(&member("e", jwk.e.as_ref())?),
            },
            "EC" => {
                let curve = Curve::of_name(crv).ok_or_else(kind)?;
                let coordinate = |name, text| {
                    let bytes = member(name, text)?;
                    let length = curve.length();
                    let wrong = || KeyError::Malformed(format!("`{name}` has not {length} bytes"));
                    if bytes.len() == length {
                        Ok(bytes)
                    } else {
                        Err(wrong())
                    }
                };
                Numbers::Ec {
                    curve,
                    x: coordinate("x", jwk.x.as_ref())?,
                    y: coordinate("y", jwk.y.as_ref())?,
                }
            }
            "OKP" if crv == "Ed25519" => Numbers::Ed25519 {
                x: member("x", jwk.x.as_ref())?,
            },
            _ => return Err(kind()),
        };
        if let Some(usage) = jwk.usage.as_ref().filter(|usage| *usage != "sig") {
            return Err(KeyError::Use(format!("its `use` is {}", shown(usage))));
        }
        let allows = |ops: &Vec<String>| ops.iter().any(|op| op == "verify");
        if !jwk.key_ops.as_ref().is_none_or(allows) {
            return Err(KeyError::Use("`key_ops` has no `verify`".to_owned()));
        }
        Self::new(numbers)
    }
}

fn member(name: &str, text: Option<&String>) -> Result<Box<[u8]>, KeyError> {
    let text = text.ok_or_else(|| KeyError::Malformed(format!("it has no `{name}`")))?;
    match BASE64_URL_SAFE_NO_PAD.decode(text) {
        Ok(bytes) => Ok(bytes.into()),
        Err(_) => Err(KeyError::Malformed(format!("`{name}` is not base64url"))),
    }
}
