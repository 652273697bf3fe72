//! The notations in which an htpasswd file stores passwords.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use bcrypt::{BASE_64, HashParts, Version};

/// How a password was hashed, told by the look of the hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `$2a$`, `$2b$`, `$2y$`: bcrypt, the only scheme that is checked now.
    Bcrypt,
    /// `$2x$`: the bcrypt of crypt_blowfish before 1.1, wrong for passwords
    /// beyond ASCII.
    BcryptX,
    /// `$apr1$`: Apache's variant of md5-crypt, the default of its htpasswd.
    Apr1,
    /// `{SHA}`: one round of SHA-1 without salt.
    Sha1,
    /// `{SSHA}`: one round of SHA-1 with salt.
    SaltedSha1,
    /// `$1$`: md5-crypt.
    Md5Crypt,
    /// `$5$`: sha256-crypt.
    Sha256Crypt,
    /// `$6$`: sha512-crypt.
    Sha512Crypt,
    /// Thirteen characters: the DES crypt of Unix.
    DesCrypt,
    /// `{PLAIN}`: nginx's mark for a password that is not hashed.
    Plain,
    /// None of the above; perhaps a password that is not hashed.
    Unknown,
}

impl Scheme {
    /// Tells the scheme from the hash.
    #[must_use]
    pub fn of(hash: &str) -> Self {
        const PREFIXES: [(&str, Scheme); 11] = [
            ("$2a$", Scheme::Bcrypt),
            ("$2b$", Scheme::Bcrypt),
            ("$2y$", Scheme::Bcrypt),
            ("$2x$", Scheme::BcryptX),
            ("$apr1$", Scheme::Apr1),
            ("{SHA}", Scheme::Sha1),
            ("{SSHA}", Scheme::SaltedSha1),
            ("$1$", Scheme::Md5Crypt),
            ("$5$", Scheme::Sha256Crypt),
            ("$6$", Scheme::Sha512Crypt),
            ("{PLAIN}", Scheme::Plain),
        ];
        let is_crypt64 = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'/';
        PREFIXES
            .iter()
            .find(|(prefix, _)| hash.starts_with(prefix))
            .map(|&(_, scheme)| scheme)
            .unwrap_or_else(|| match hash.len() {
                13 if hash.bytes().all(is_crypt64) => Self::DesCrypt,
                _ => Self::Unknown,
            })
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bcrypt => "bcrypt",
            Self::BcryptX => "bcrypt 2x",
            Self::Apr1 => "apr1",
            Self::Sha1 => "{SHA}",
            Self::SaltedSha1 => "{SSHA}",
            Self::Md5Crypt => "md5-crypt",
            Self::Sha256Crypt => "sha256-crypt",
            Self::Sha512Crypt => "sha512-crypt",
            Self::DesCrypt => "DES crypt",
            Self::Plain => "{PLAIN}",
            Self::Unknown => "the notation of this hash",
        })
    }
}

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
}

/// A hash that can be checked.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredHash {
    text: Box<str>,
    cost: u32,
}

impl StoredHash {
    /// Reads the notation of an htpasswd file.
    ///
    /// # Errors
    /// If there is no hash, its scheme is not supported, or it is damaged.
    pub fn parse(text: &str) -> Result<Self, HashError> {
        match Scheme::of(text) {
            _ if text.is_empty() => Err(HashError::Missing),
            Scheme::Bcrypt => {
                let damaged = HashError::Damaged(Scheme::Bcrypt);
                let cost = HashParts::from_str(text).map_err(|_| damaged)?.get_cost();
                if !(4..=31).contains(&cost) {
                    return Err(damaged);
                }
                Ok(Self {
                    text: text.into(),
                    cost,
                })
            }
            other => Err(HashError::Unsupported(other)),
        }
    }

    /// The notation of an htpasswd file. A secret: for the file, never for a
    /// log or an error.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The binary logarithm of bcrypt's rounds: one more doubles the time.
    #[must_use]
    pub fn cost(&self) -> u32 {
        self.cost
    }

    /// Whether this is the hash of `password`; compared in constant time.
    ///
    /// Takes tens of milliseconds and more of CPU time, by [`Self::cost`]. Of a
    /// password beyond 72 bytes the first 72 count, as with Apache, nginx and
    /// distribution, so that what works with them works here.
    #[must_use]
    pub fn matches(&self, password: &[u8]) -> bool {
        // The hash was read before, so that this cannot fail; if it did, the
        // answer would be no.
        bcrypt::verify(password, &self.text).unwrap_or(false)
    }

    /// A hash of no known password, as costly to check as a real one.
    pub(crate) fn decoy(cost: u32) -> Self {
        let salt = BASE_64.encode(rand::random::<[u8; 16]>());
        let mut digest = [0; 23];
        rand::fill(&mut digest[..]);
        let digest = BASE_64.encode(digest);
        Self {
            text: format!("$2y${cost:02}${salt}{digest}").into(),
            cost,
        }
    }
}

impl fmt::Debug for StoredHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredHash")
            .field("cost", &self.cost)
            .finish_non_exhaustive()
    }
}

/// How much work [`hash_password`] does: 2 to this power rounds of bcrypt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost(u32);

impl Cost {
    /// The least that Apache's htpasswd takes.
    pub const MIN: Self = Self(4);
    /// The most that Apache's htpasswd takes: about ten seconds a password.
    pub const MAX: Self = Self(17);
    /// About fifty milliseconds. Apache's default of 5 keeps a server fast that
    /// hashes on every request; Tidegate hashes once per client and not per
    /// request, so it can afford to make a stolen file 32 times as hard to
    /// search.
    pub const DEFAULT: Self = Self(10);

    /// Checks a cost.
    ///
    /// # Errors
    /// Outside of [`Cost::MIN`] to [`Cost::MAX`].
    pub fn new(cost: u32) -> Result<Self, PasswordError> {
        if (Self::MIN.0..=Self::MAX.0).contains(&cost) {
            Ok(Self(cost))
        } else {
            Err(PasswordError::Cost { got: cost })
        }
    }

    /// The power of 2.
    #[must_use]
    pub fn value(self) -> u32 {
        self.0
    }
}

/// Why a password cannot be hashed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Clients do not send empty passwords.
    #[error("the password is empty")]
    Empty,
    /// bcrypt reads 72 bytes; what follows would be worth nothing, silently.
    #[error("the password has {bytes} bytes; bcrypt takes at most 72")]
    TooLong {
        /// Its length in bytes of UTF-8.
        bytes: usize,
    },
    /// bcrypt ends at a NUL in most implementations.
    #[error("the password contains a NUL byte")]
    Nul,
    /// The cost is out of range.
    #[error("the bcrypt cost is {got}; expected {} to {}", Cost::MIN.0, Cost::MAX.0)]
    Cost {
        /// What was asked for.
        got: u32,
    },
    /// The system gave no random numbers for the salt.
    #[error("no random numbers for the salt: {0}")]
    Random(String),
}

impl PasswordError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::TooLong { .. } => Some("choose a password of 72 bytes or fewer".to_owned()),
            Self::Cost { .. } => Some(format!("the default is {}", Cost::DEFAULT.0)),
            Self::Empty | Self::Nul | Self::Random(_) => None,
        }
    }
}

/// Hashes a password with bcrypt and a random salt, in the `$2y$` notation that
/// Apache, nginx and distribution read.
///
/// # Errors
/// If the password is empty, has more than 72 bytes, or contains a NUL.
pub fn hash_password(password: &str, cost: Cost) -> Result<StoredHash, PasswordError> {
    match password.len() {
        0 => return Err(PasswordError::Empty),
        73.. => {
            return Err(PasswordError::TooLong {
                bytes: password.len(),
            });
        }
        _ if password.contains('\0') => return Err(PasswordError::Nul),
        _ => {}
    }
    let parts = bcrypt::hash_with_result(password, cost.0)
        .map_err(|error| PasswordError::Random(error.to_string()))?;
    Ok(StoredHash {
        text: parts.format_for_version(Version::TwoY).into(),
        cost: cost.0,
    })
}
