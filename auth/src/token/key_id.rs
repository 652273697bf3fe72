//! The names by which tokens call the key that signed them.
//!
//! Registries of version 2 know a key by libtrust's fingerprint, those of version
//! 3 by its thumbprint. Neither depends on who wrote the key down.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use data_encoding::BASE32;
use sha2::{Digest as _, Sha256};

use super::public_key::PublicKey;

/// libtrust's name of a key, by its `SubjectPublicKeyInfo` in DER: the first 240
/// bits of its SHA-256 in base32, in twelve groups:
/// `PYYO:TEWU:V7JH:26JV:AQTZ:LJC3:SXVJ:XGHA:34F2:2LAQ:ZRMK:Z7Q6`.
#[must_use]
pub fn libtrust(spki: &[u8]) -> String {
    let hash = Sha256::digest(spki);
    let text = BASE32.encode(&hash[..30]);
    let mut id = String::with_capacity(text.len() + text.len() / 4);
    for (index, letter) in text.chars().enumerate() {
        if index > 0 && index.is_multiple_of(4) {
            id.push(':');
        }
        id.push(letter);
    }
    id
}

/// The SHA-256 thumbprint of a key (RFC 7638 section 3, and RFC 8037 section 2
/// for Ed25519), in base64url.
#[must_use]
pub fn thumbprint(key: &PublicKey) -> String {
    // Members are written in the order of their names, which is what the RFC
    // asks for.
    let canonical = key.jwk().to_string();
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(canonical))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprint_is_that_of_the_rfc() {
        // RFC 7638 section 3.1.
        let key = PublicKey::from_jwk(
            r#"{"kty": "RSA",
             "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
             "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}"#,
        )
        .unwrap();
        assert_eq!(
            thumbprint(&key),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
        // RFC 8037 appendix A.3.
        let key = PublicKey::from_jwk(
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        )
        .unwrap();
        assert_eq!(
            thumbprint(&key),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
    }
}
