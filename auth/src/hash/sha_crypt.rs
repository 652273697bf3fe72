//! sha256-crypt, `$5$`, and sha512-crypt, `$6$`: as many rounds as the hash
//! says, with up to 16 characters of salt.

use sha_crypt::{Params, sha256_crypt, sha512_crypt};

use super::{HashError, MOST_PASSWORD_BYTES, Rounds, Scheme, crypt64};

/// One way to write them.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct ShaCrypt {
    variant: Variant,
    /// `None` where the hash does not say, which means 5,000.
    rounds: Option<Rounds>,
    salt: Box<str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    Sha256,
    Sha512,
}

const MOST_SALT: usize = 16;

/// The order in which the bytes of the digest are written.
const ORDER_256: [u8; 32] = [
    20, 10, 0, 11, 1, 21, 2, 22, 12, 23, 13, 3, 14, 4, 24, 5, 25, 15, 26, 16, 6, 17, 7, 27, 8, 28,
    18, 29, 19, 9, 30, 31,
];
const ORDER_512: [u8; 64] = [
    42, 21, 0, 1, 43, 22, 23, 2, 44, 45, 24, 3, 4, 46, 25, 26, 5, 47, 48, 27, 6, 7, 49, 28, 29, 8,
    50, 51, 30, 9, 10, 52, 31, 32, 11, 53, 54, 33, 12, 13, 55, 34, 35, 14, 56, 57, 36, 15, 16, 58,
    37, 38, 17, 59, 60, 39, 18, 19, 61, 40, 41, 20, 62, 63,
];

impl ShaCrypt {
    /// Reads the whole notation. Longer salts are cut when they are hashed and
    /// written, so that a hash with one matches nothing anywhere.
    pub(super) fn parse(variant: Variant, text: &str) -> Result<Self, HashError> {
        let damaged = HashError::Damaged(variant.scheme());
        let rest = text.strip_prefix(variant.mark()).ok_or(damaged)?;
        let (rounds, rest) = match rest.strip_prefix("rounds=") {
            None => (None, rest),
            Some(rest) => {
                let (number, rest) = rest.split_once('$').ok_or(damaged)?;
                (Some(variant.rounds(number)?), rest)
            }
        };
        let (salt, digest) = rest.split_once('$').ok_or(damaged)?;
        let is_whole =
            salt.len() <= MOST_SALT && crypt64::is_text_of(variant.digest_bytes(), digest);
        is_whole
            .then(|| Self {
                variant,
                rounds,
                salt: salt.into(),
            })
            .ok_or(damaged)
    }

    pub(super) fn random(variant: Variant, rounds: Rounds) -> Self {
        Self {
            variant,
            rounds: Some(rounds),
            salt: crypt64::random(12).into(),
        }
    }

    pub(super) fn scheme(&self) -> Scheme {
        self.variant.scheme()
    }

    pub(super) fn rounds(&self) -> Rounds {
        self.rounds.unwrap_or(Rounds::UNSAID)
    }

    /// The notation of a password; `None` if it is too long to be hashed.
    pub(super) fn text_of(&self, password: &[u8]) -> Option<String> {
        if password.len() > MOST_PASSWORD_BYTES {
            return None;
        }
        let rounds = Params::new(self.rounds().value()).ok()?;
        let salt = self.salt.as_bytes();
        let mut text = self.start();
        match self.variant {
            Variant::Sha256 => {
                let digest = sha256_crypt(password, salt, rounds);
                crypt64::push(&mut text, ORDER_256.map(|at| digest[usize::from(at)]));
            }
            Variant::Sha512 => {
                let digest = sha512_crypt(password, salt, rounds);
                crypt64::push(&mut text, ORDER_512.map(|at| digest[usize::from(at)]));
            }
        }
        Some(text)
    }

    /// A notation that matches no password.
    pub(super) fn decoy(&self) -> String {
        self.start() + &crypt64::random(self.variant.digest_bytes())
    }

    fn start(&self) -> String {
        let mark = self.variant.mark();
        match self.rounds {
            Some(rounds) => format!("{mark}rounds={}${}$", rounds.value(), self.salt),
            None => format!("{mark}{}$", self.salt),
        }
    }
}

impl Variant {
    fn mark(self) -> &'static str {
        match self {
            Self::Sha256 => "$5$",
            Self::Sha512 => "$6$",
        }
    }

    fn scheme(self) -> Scheme {
        match self {
            Self::Sha256 => Scheme::Sha256Crypt,
            Self::Sha512 => Scheme::Sha512Crypt,
        }
    }

    fn digest_bytes(self) -> usize {
        match self {
            Self::Sha256 => ORDER_256.len(),
            Self::Sha512 => ORDER_512.len(),
        }
    }

    /// Fewer rounds than the least are counted, and written, as the least: a
    /// hash that says fewer matches nothing anywhere. Neither do signs and
    /// leading zeros, which `parse` would take.
    fn rounds(self, number: &str) -> Result<Rounds, HashError> {
        let damaged = HashError::Damaged(self.scheme());
        if number.starts_with('0') || !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(damaged);
        }
        let got: u32 = number.parse().map_err(|_| damaged)?;
        match Rounds::new(got) {
            Ok(rounds) => Ok(rounds),
            Err(_) if got < Rounds::MIN.value() || got > Params::ROUNDS_MAX => Err(damaged),
            Err(_) => Err(HashError::TooCostly {
                scheme: self.scheme(),
                got,
            }),
        }
    }
}
