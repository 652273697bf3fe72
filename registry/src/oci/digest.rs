//! Digests: the names that content has by itself.
//!
//! OCI image-spec, "Digests": `algorithm ":" encoded`, where the encoding of
//! both registered algorithms is lower-case hex.

use std::fmt;
use std::str::FromStr;

use serde::de;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;
#[cfg(any(test, feature = "memory"))]
use sha2::digest::common::hazmat::SerializableState;

/// An algorithm that makes digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-256, which everybody uses and which names stored content.
    Sha256,
    /// SHA-512, the other algorithm that the OCI registers.
    Sha512,
}

impl Algorithm {
    /// The name in front of the colon.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// The algorithm of a name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Sha256, Self::Sha512]
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
    }

    /// The digest of `data`.
    pub fn digest(self, data: &[u8]) -> Digest {
        let mut hasher = Hasher::new(self);
        hasher.update(data);
        hasher.finish()
    }
}

/// A digest, such as `sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(Value);

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Value {
    Sha256([u8; 32]),
    Sha512([u8; 64]),
}

impl Digest {
    /// What made it.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            Value::Sha256(_) => Algorithm::Sha256,
            Value::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// The part behind the colon: lower-case hex.
    pub fn hex(&self) -> String {
        self.with_hex(str::to_owned)
    }

    /// Whether this is the digest of no bytes at all.
    pub fn is_of_nothing(&self) -> bool {
        *self == self.algorithm().digest(b"")
    }

    /// The bytes of a SHA-256 digest, which take half the room of any digest.
    pub(crate) fn sha256_bytes(&self) -> Option<[u8; 32]> {
        match self.0 {
            Value::Sha256(bytes) => Some(bytes),
            Value::Sha512(_) => None,
        }
    }

    /// The SHA-256 digest of these bytes.
    pub(crate) fn from_sha256_bytes(bytes: [u8; 32]) -> Self {
        Self(Value::Sha256(bytes))
    }

    /// Gives `work` the part behind the colon. `hex::encode` takes the digits one
    /// by one, which shows in every request: digests are in paths, headers and
    /// tags.
    pub(crate) fn with_hex<T>(&self, work: impl FnOnce(&str) -> T) -> T {
        let bytes = self.as_bytes();
        let mut digits = [0; 2 * 64];
        let digits = &mut digits[..2 * bytes.len()];
        hex::encode_to_slice(bytes, digits).expect("there are two digits for each byte");
        work(std::str::from_utf8(digits).expect("digits are ASCII"))
    }

    fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Value::Sha256(bytes) => bytes,
            Value::Sha512(bytes) => bytes,
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.algorithm().as_str())?;
        f.write_str(":")?;
        self.with_hex(|hex| f.write_str(hex))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (algorithm, hex) = text.split_once(':').ok_or(DigestError::NoAlgorithm)?;
        let value = match algorithm {
            "sha256" => Value::Sha256(decode(hex)?),
            "sha512" => Value::Sha512(decode(hex)?),
            _ => return Err(DigestError::UnknownAlgorithm),
        };
        Ok(Self(value))
    }
}

fn decode<const N: usize>(hex: &str) -> Result<[u8; N], DigestError> {
    if hex.len() != 2 * N {
        return Err(DigestError::Length {
            got: hex.len(),
            expected: 2 * N,
        });
    }
    // A digest has one spelling: upper case would be a second name for the
    // same content.
    if hex.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(DigestError::NotHex);
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(hex, &mut bytes).map_err(|_| DigestError::NotHex)?;
    Ok(bytes)
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// Why a text is not a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// There is no colon.
    #[error("a digest is an algorithm, a colon and hex, such as sha256:6c3c…")]
    NoAlgorithm,
    /// The algorithm is not one of [`Algorithm`].
    #[error("the digest's algorithm is not supported: expected sha256 or sha512")]
    UnknownAlgorithm,
    /// Too much or too little stands behind the colon.
    #[error("the digest has {got} characters of hex, expected {expected}")]
    Length {
        /// How many there are.
        got: usize,
        /// How many the algorithm needs.
        expected: usize,
    },
    /// Something other than `0`–`9` and `a`–`f`.
    #[error("the digest has a character other than 0-9 and a-f")]
    NotHex,
}

/// Makes a digest of bytes that come piece by piece.
///
/// A clone is a saved state: hashing can go on from it later.
#[derive(Clone)]
pub struct Hasher(State);

#[derive(Clone)]
enum State {
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
}

impl Hasher {
    /// Starts with no bytes seen.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(sha2::Sha256::new()),
            Algorithm::Sha512 => State::Sha512(sha2::Sha512::new()),
        })
    }

    /// Takes the next bytes.
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.0 {
            State::Sha256(hasher) => hasher.update(data),
            State::Sha512(hasher) => hasher.update(data),
        }
    }

    /// The state as bytes, for [`Hasher::restore`] to go on from in another
    /// process. They tell nothing that the hashed bytes would not.
    #[cfg(any(test, feature = "memory"))]
    pub(crate) fn save(&self) -> Vec<u8> {
        match &self.0 {
            State::Sha256(hasher) => hasher.serialize().to_vec(),
            State::Sha512(hasher) => hasher.serialize().to_vec(),
        }
    }

    /// Goes on from what [`Hasher::save`] gave; `None` for anything else.
    #[cfg(any(test, feature = "memory"))]
    pub(crate) fn restore(algorithm: Algorithm, saved: &[u8]) -> Option<Self> {
        let state = match algorithm {
            Algorithm::Sha256 => {
                let saved = saved.try_into().ok()?;
                State::Sha256(sha2::Sha256::deserialize(saved).ok()?)
            }
            Algorithm::Sha512 => {
                let saved = saved.try_into().ok()?;
                State::Sha512(sha2::Sha512::deserialize(saved).ok()?)
            }
        };
        Some(Self(state))
    }

    /// The digest of all that was taken.
    pub fn finish(self) -> Digest {
        Digest(match self.0 {
            State::Sha256(hasher) => Value::Sha256(hasher.finalize().into()),
            State::Sha512(hasher) => Value::Sha512(hasher.finalize().into()),
        })
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // FIPS 180-4 test vectors for "abc".
    const ABC_256: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const ABC_512: &str = "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                           2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

    #[test]
    fn hashes_the_published_vectors() {
        assert_eq!(Algorithm::Sha256.digest(b"abc").to_string(), ABC_256);
        assert_eq!(Algorithm::Sha512.digest(b"abc").to_string(), ABC_512);
    }

    #[test]
    fn pieces_hash_as_the_whole_and_a_clone_goes_on() {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(b"a");
        let mut saved = hasher.clone();
        hasher.update(b"other");
        saved.update(b"bc");
        assert_eq!(saved.finish().to_string(), ABC_256);
    }

    #[test]
    fn refuses_every_other_spelling() {
        let upper = ABC_256.to_uppercase().replace("SHA256", "sha256");
        for (text, error) in [
            ("", DigestError::NoAlgorithm),
            ("sha256", DigestError::NoAlgorithm),
            (
                "sha256:",
                DigestError::Length {
                    got: 0,
                    expected: 64,
                },
            ),
            ("md5:900150983cd24fb0", DigestError::UnknownAlgorithm),
            (
                &ABC_256.replace("sha256", "SHA256"),
                DigestError::UnknownAlgorithm,
            ),
            (&upper, DigestError::NotHex),
            (&ABC_256.replace('b', "g"), DigestError::NotHex),
            (
                &format!("{ABC_256}\n"),
                DigestError::Length {
                    got: 65,
                    expected: 64,
                },
            ),
        ] {
            assert_eq!(text.parse::<Digest>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn knows_the_digest_of_nothing() {
        assert!(Algorithm::Sha256.digest(b"").is_of_nothing());
        assert!(Algorithm::Sha512.digest(b"").is_of_nothing());
        assert!(!Algorithm::Sha256.digest(b"x").is_of_nothing());
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,160}") {
            let _ = text.parse::<Digest>();
        }

        #[test]
        fn a_saved_state_goes_on(first: Vec<u8>, second: Vec<u8>, long: bool) {
            let algorithm = if long { Algorithm::Sha512 } else { Algorithm::Sha256 };
            let mut hasher = Hasher::new(algorithm);
            hasher.update(&first);
            let mut restored = Hasher::restore(algorithm, &hasher.save()).unwrap();
            restored.update(&second);
            prop_assert_eq!(restored.finish(), algorithm.digest(&[first, second].concat()));
        }

        #[test]
        fn any_bytes_are_a_state_or_none(saved in proptest::collection::vec(any::<u8>(), 0..250)) {
            for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
                if let Some(hasher) = Hasher::restore(algorithm, &saved) {
                    let _ = hasher.finish();
                }
            }
        }

        #[test]
        fn what_parses_prints_the_same(text in "sha(256:[0-9a-fA-F]{63,65}|512:[0-9a-f]{127,129})") {
            if let Ok(digest) = text.parse::<Digest>() {
                prop_assert_eq!(digest.to_string(), text);
            }
        }

        #[test]
        fn what_prints_parses_the_same(data: Vec<u8>, long: bool) {
            let algorithm = if long { Algorithm::Sha512 } else { Algorithm::Sha256 };
            let digest = algorithm.digest(&data);
            prop_assert_eq!(digest.to_string().parse(), Ok(digest));
        }
    }
}
