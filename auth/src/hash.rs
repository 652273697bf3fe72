//! The notations in which an htpasswd file stores passwords: what nginx and
//! Apache read.

mod crypt64;
mod des_crypt;
mod ldap_sha;
mod md5_crypt;
mod password;
mod scheme;
mod sha_crypt;

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use bcrypt::{BASE_64, HashParts};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use des_crypt::DesCrypt;
use ldap_sha::LdapSha;
use md5_crypt::Md5Crypt;
pub use password::{Cost, Method, PasswordError, Rounds, hash_password};
pub use scheme::Scheme;
use sha_crypt::ShaCrypt;

/// As many bytes as libxcrypt takes. Some of the schemes hash the password
/// again in every round, or as often as it has bytes: one as long as a header
/// can carry would take minutes.
const MOST_PASSWORD_BYTES: usize = 512;

/// Why a stored hash cannot be checked. Never holds the hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// There is nothing after the user's name.
    #[error("the hash is missing")]
    Missing,
    /// A scheme that is not checked here.
    #[error("{0} is not supported")]
    Unsupported(Scheme),
    /// The scheme is known, the rest is damaged.
    #[error("the {0} hash is damaged")]
    Damaged(Scheme),
    /// A single login would occupy a core for too long.
    #[error("the {scheme} hash asks for {}", excess(*scheme, *got))]
    TooCostly {
        /// The scheme.
        scheme: Scheme,
        /// The cost of bcrypt, the rounds of the others.
        got: u32,
    },
    /// The scheme is checked where a setting allows it, and here it does not.
    #[error("{0} is weak, and weak hashes are not allowed")]
    Weak(Scheme),
}

fn excess(scheme: Scheme, got: u32) -> String {
    match scheme {
        Scheme::Bcrypt => format!("a cost of {got}; expected at most {}", Cost::MAX.value()),
        _ => format!("{got} rounds; expected at most {}", Rounds::MAX.value()),
    }
}

/// A hash that can be checked.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredHash {
    text: Box<str>,
    form: Form,
}

/// How the text is made from a password.
#[derive(Clone, PartialEq, Eq)]
enum Form {
    Bcrypt { cost: u32 },
    Md5(Md5Crypt),
    Sha1(LdapSha),
    Sha2(ShaCrypt),
    Des(DesCrypt),
    Plain,
}

/// How long it takes to check a hash: the same where this is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Work {
    scheme: Scheme,
    /// The cost of bcrypt, the rounds of sha-crypt, 1 elsewhere.
    amount: u32,
}

impl StoredHash {
    /// Reads the notation of an htpasswd file.
    ///
    /// # Errors
    /// If there is no hash, its scheme is not supported, it is damaged, or
    /// checking it would take too long.
    pub fn parse(text: &str) -> Result<Self, HashError> {
        if text.is_empty() {
            return Err(HashError::Missing);
        }
        Ok(Self {
            form: Form::parse(text)?,
            text: text.into(),
        })
    }

    /// The notation of an htpasswd file. A secret: for the file, never for a
    /// log or an error.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What the password was hashed with.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.form.work().scheme
    }

    pub(crate) fn work(&self) -> Work {
        self.form.work()
    }

    /// Whether this is the hash of `password`; compared in constant time.
    ///
    /// Takes tens of milliseconds of CPU time and more where the hash is a good
    /// one. Of a long password bcrypt counts the first 72 bytes and DES crypt
    /// the first 8, as with Apache and nginx, so that what works with them
    /// works here; one beyond 512 bytes matches no other crypt(3) hash.
    #[must_use]
    pub fn matches(&self, password: &[u8]) -> bool {
        match self.form {
            // The hash was read before, so that this cannot fail; if it did,
            // the answer would be no.
            Form::Bcrypt { .. } => bcrypt::verify(password, &self.text).unwrap_or(false),
            Form::Plain => {
                // Digests are of one length, so that the time tells nothing of
                // the password's.
                let stored = Sha256::digest(&self.text.as_bytes()[PLAIN.len()..]);
                stored.ct_eq(&Sha256::digest(password)).into()
            }
            _ => self
                .form
                .text_of(password)
                .is_some_and(|text| text.as_bytes().ct_eq(self.text.as_bytes()).into()),
        }
    }

    /// A hash of no known password, of the kind that is made if nothing else is
    /// said.
    pub(crate) fn usual_decoy() -> Self {
        Self::parse(&bcrypt_decoy(Cost::DEFAULT.value())).expect("a decoy is a hash")
    }

    /// A hash of no known password, as costly to check as this one.
    pub(crate) fn decoy(&self) -> Self {
        let text = match &self.form {
            Form::Bcrypt { cost } => bcrypt_decoy(*cost),
            Form::Md5(md5) => md5.decoy(),
            Form::Sha1(sha1) => sha1.decoy(),
            Form::Sha2(sha2) => sha2.decoy(),
            Form::Des(_) => DesCrypt::decoy(),
            Form::Plain => format!("{PLAIN}{}", crypt64::random(16)),
        };
        Self::parse(&text).expect("a decoy is a hash")
    }
}

const PLAIN: &str = "{PLAIN}";

fn bcrypt_decoy(cost: u32) -> String {
    let salt = BASE_64.encode(rand::random::<[u8; 16]>());
    let mut digest = [0; 23];
    rand::fill(&mut digest[..]);
    format!("$2y${cost:02}${salt}{}", BASE_64.encode(digest))
}

impl Form {
    fn parse(text: &str) -> Result<Self, HashError> {
        let scheme = Scheme::of(text);
        let form = match scheme {
            Scheme::Bcrypt => Some(Self::Bcrypt {
                cost: bcrypt_cost(text)?,
            }),
            Scheme::Apr1 => Md5Crypt::parse(md5_crypt::Variant::Apache, text).map(Self::Md5),
            Scheme::Md5Crypt => Md5Crypt::parse(md5_crypt::Variant::Unix, text).map(Self::Md5),
            Scheme::Sha1 => LdapSha::parse(ldap_sha::Variant::Plain, text).map(Self::Sha1),
            Scheme::SaltedSha1 => LdapSha::parse(ldap_sha::Variant::Salted, text).map(Self::Sha1),
            Scheme::Sha256Crypt => {
                let sha = ShaCrypt::parse(sha_crypt::Variant::Sha256, text)?;
                Some(Self::Sha2(sha))
            }
            Scheme::Sha512Crypt => {
                let sha = ShaCrypt::parse(sha_crypt::Variant::Sha512, text)?;
                Some(Self::Sha2(sha))
            }
            Scheme::DesCrypt => DesCrypt::parse(text).map(Self::Des),
            Scheme::Plain => Some(Self::Plain),
            Scheme::BcryptX | Scheme::Yescrypt | Scheme::Unknown => {
                return Err(HashError::Unsupported(scheme));
            }
        };
        form.ok_or(HashError::Damaged(scheme))
    }

    /// The notation of a password with this salt; `None` if it is too long.
    fn text_of(&self, password: &[u8]) -> Option<String> {
        match self {
            Self::Md5(md5) => md5.text_of(password),
            Self::Sha1(sha1) => Some(sha1.text_of(password)),
            Self::Sha2(sha2) => sha2.text_of(password),
            Self::Des(des) => Some(des.text_of(password)),
            Self::Bcrypt { .. } | Self::Plain => None,
        }
    }

    fn work(&self) -> Work {
        let (scheme, amount) = match self {
            Self::Bcrypt { cost } => (Scheme::Bcrypt, *cost),
            Self::Md5(md5) => (md5.scheme(), 1),
            Self::Sha1(sha1) => (sha1.scheme(), 1),
            Self::Sha2(sha2) => (sha2.scheme(), sha2.rounds().value()),
            Self::Des(_) => (Scheme::DesCrypt, 1),
            Self::Plain => (Scheme::Plain, 1),
        };
        Work { scheme, amount }
    }
}

fn bcrypt_cost(text: &str) -> Result<u32, HashError> {
    let damaged = HashError::Damaged(Scheme::Bcrypt);
    let cost = HashParts::from_str(text).map_err(|_| damaged)?.get_cost();
    match cost {
        // What the scheme knows.
        4..=31 if cost > Cost::MAX.value() => Err(HashError::TooCostly {
            scheme: Scheme::Bcrypt,
            got: cost,
        }),
        4..=31 => Ok(cost),
        _ => Err(damaged),
    }
}

impl fmt::Debug for StoredHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredHash")
            .field("work", &self.work())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
