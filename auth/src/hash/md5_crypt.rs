//! md5-crypt, `$1$`, and Apache's variant of it, `$apr1$`: a thousand rounds
//! of MD5 with up to eight characters of salt.

use md5::{Digest as _, Md5};

use super::{MOST_PASSWORD_BYTES, Scheme, crypt64};

/// One way to write them.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Md5Crypt {
    variant: Variant,
    salt: Box<str>,
}

/// They differ in the mark, which is hashed too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    Apache,
    Unix,
}

const ROUNDS: u32 = 1000;
const DIGEST_BYTES: usize = 16;
const MOST_SALT: usize = 8;

/// The order in which the bytes of the digest are written.
const ORDER: [u8; DIGEST_BYTES] = [12, 6, 0, 13, 7, 1, 14, 8, 2, 15, 9, 3, 5, 10, 4, 11];

impl Md5Crypt {
    /// Reads the whole notation; `None` if it is damaged. Longer salts are cut
    /// when they are hashed and written, so that a hash with one matches
    /// nothing anywhere.
    pub(super) fn parse(variant: Variant, text: &str) -> Option<Self> {
        let (salt, digest) = text.strip_prefix(variant.mark())?.split_once('$')?;
        let is_whole = salt.len() <= MOST_SALT && crypt64::is_text_of(DIGEST_BYTES, digest);
        is_whole.then(|| Self {
            variant,
            salt: salt.into(),
        })
    }

    pub(super) fn random(variant: Variant) -> Self {
        Self {
            variant,
            salt: crypt64::random(6).into(),
        }
    }

    pub(super) fn scheme(&self) -> Scheme {
        match self.variant {
            Variant::Apache => Scheme::Apr1,
            Variant::Unix => Scheme::Md5Crypt,
        }
    }

    /// The notation of a password; `None` if it is too long to be hashed.
    pub(super) fn text_of(&self, password: &[u8]) -> Option<String> {
        (password.len() <= MOST_PASSWORD_BYTES).then(|| {
            let digest = self.digest(password);
            let mut text = self.start();
            crypt64::push(&mut text, ORDER.map(|at| digest[usize::from(at)]));
            text
        })
    }

    /// A notation that matches no password.
    pub(super) fn decoy(&self) -> String {
        self.start() + &crypt64::random(DIGEST_BYTES)
    }

    fn start(&self) -> String {
        format!("{}{}$", self.variant.mark(), self.salt)
    }

    fn digest(&self, password: &[u8]) -> [u8; DIGEST_BYTES] {
        let salt = self.salt.as_bytes();
        let inner: [u8; DIGEST_BYTES] = Md5::new()
            .chain_update(password)
            .chain_update(salt)
            .chain_update(password)
            .finalize()
            .into();
        let mut first = Md5::new()
            .chain_update(password)
            .chain_update(self.variant.mark())
            .chain_update(salt);
        for part in password.chunks(DIGEST_BYTES) {
            first.update(&inner[..part.len()]);
        }
        let mut length = password.len();
        while length > 0 {
            // The zero stands for a buffer that the first program had cleared
            // by then; all others had to do as it did.
            first.update([if length & 1 == 1 { 0 } else { password[0] }]);
            length >>= 1;
        }
        (0..ROUNDS).fold(first.finalize().into(), |last, round| {
            let (front, back) = if round % 2 == 1 {
                (password, &last[..])
            } else {
                (&last[..], password)
            };
            let mut hash = Md5::new().chain_update(front);
            if round % 3 != 0 {
                hash.update(salt);
            }
            if round % 7 != 0 {
                hash.update(password);
            }
            hash.chain_update(back).finalize().into()
        })
    }
}

impl Variant {
    fn mark(self) -> &'static str {
        match self {
            Self::Apache => "$apr1$",
            Self::Unix => "$1$",
        }
    }
}
