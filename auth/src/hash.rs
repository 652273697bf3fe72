//! The notations in which an htpasswd file stores passwords.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use bcrypt::{BASE_64, HashParts, Version};
use tidegate_failure::Explain;

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
    /// Tens of milliseconds. Apache's default of 5 keeps a server fast that
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

impl Explain for PasswordError {
    fn hint(&self) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by Apache's `htpasswd -nbB -C 4`.
    const OPEN_SESAME: &str = "$2y$04$LVMALMZ72RPQ9fQPPnXAkudnbt4wOJl6J/gghBtEHJp17Hv5/3QQC";
    const CYRILLIC: &str = "$2y$04$yHF8SNdlOrJLGvEXED/mMuWFSAxl7v1o6HGF1NZWP.uO2ro3zWZMq";
    /// Made by libxcrypt from 80 times `x`, and the same from 72 times.
    const X80: &str = "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i";
    /// Made by libxcrypt from 71 times `x`.
    const X71: &str = "$2a$04$abcdefghijklmnopqrstuu.gc7UY/21CSNJGJg21jJzx9QiOpJ9bO";

    fn stored(text: &str) -> StoredHash {
        StoredHash::parse(text).unwrap()
    }

    #[test]
    fn checks_what_others_have_hashed() {
        assert!(stored(OPEN_SESAME).matches(b"open sesame"));
        assert!(!stored(OPEN_SESAME).matches(b"open sesam"));
        assert!(!stored(OPEN_SESAME).matches(b""));
        assert!(stored(CYRILLIC).matches("пароль".as_bytes()));
        assert_eq!(stored(CYRILLIC).cost(), 4);
    }

    #[test]
    fn long_passwords_count_by_their_first_72_bytes_as_elsewhere() {
        assert!(stored(X80).matches(&[b'x'; 80]));
        assert!(stored(X80).matches(&[b'x'; 72]));
        assert!(!stored(X80).matches(&[b'x'; 71]));
        assert!(stored(X71).matches(&[b'x'; 71]));
        assert!(!stored(X71).matches(&[b'x'; 72]));
    }

    #[test]
    fn tells_every_scheme() {
        for (hash, scheme) in [
            ("$2a$10$", Scheme::Bcrypt),
            ("$2b$10$", Scheme::Bcrypt),
            ("$2y$10$", Scheme::Bcrypt),
            ("$2x$10$", Scheme::BcryptX),
            ("$apr1$LpO4Fbbw$YEhTBnAVYgbhYqpYXHPBg.", Scheme::Apr1),
            ("{SHA}oPFJCiDQIRyZe0S8NX4Zct6riuM=", Scheme::Sha1),
            ("{SSHA}AAAA", Scheme::SaltedSha1),
            ("$1$a$b", Scheme::Md5Crypt),
            ("$5$a$b", Scheme::Sha256Crypt),
            ("$6$a$b", Scheme::Sha512Crypt),
            ("0rvHFUBFDyoE6", Scheme::DesCrypt),
            ("{PLAIN}s", Scheme::Plain),
            ("secret", Scheme::Unknown),
            ("thirteen char", Scheme::Unknown),
        ] {
            assert_eq!(Scheme::of(hash), scheme, "{hash}");
        }
    }

    #[test]
    fn refuses_hashes_that_it_cannot_check() {
        let damaged = Err(HashError::Damaged(Scheme::Bcrypt));
        assert_eq!(StoredHash::parse(""), Err(HashError::Missing));
        assert_eq!(StoredHash::parse(&OPEN_SESAME[..59]), damaged);
        assert_eq!(
            StoredHash::parse(&OPEN_SESAME.replace("$04$", "$03$")),
            damaged
        );
        assert_eq!(
            StoredHash::parse(&OPEN_SESAME.replace("$04$", "$32$")),
            damaged
        );
        assert_eq!(
            StoredHash::parse(&OPEN_SESAME.replace("QQC", "Q*C")),
            damaged
        );
        assert_eq!(
            StoredHash::parse(&OPEN_SESAME.replace("$2y$", "$2x$")),
            Err(HashError::Unsupported(Scheme::BcryptX))
        );
    }

    #[test]
    fn hashes_with_a_salt_in_the_notation_of_apache() {
        let hash = hash_password("open sesame", Cost::MIN).unwrap();
        assert!(hash.as_str().starts_with("$2y$04$"));
        assert!(hash.matches(b"open sesame"));
        assert_eq!(StoredHash::parse(hash.as_str()), Ok(hash.clone()));
        assert_ne!(hash_password("open sesame", Cost::MIN).unwrap(), hash);
        assert_eq!(format!("{hash:?}"), "StoredHash { cost: 4, .. }");
    }

    #[test]
    fn refuses_passwords_that_bcrypt_would_cut() {
        let hash = |password: &str| hash_password(password, Cost::MIN);
        assert!(hash(&"x".repeat(72)).unwrap().matches(&[b'x'; 72]));
        let error = hash(&"ü".repeat(37)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the password has 74 bytes; bcrypt takes at most 72"
        );
        assert!(matches!(hash("a\0b"), Err(PasswordError::Nul)));
        assert!(matches!(hash(""), Err(PasswordError::Empty)));
    }

    #[test]
    fn costs_are_those_of_apache() {
        assert_eq!(Cost::new(10).unwrap(), Cost::DEFAULT);
        assert!(Cost::new(4).is_ok() && Cost::new(17).is_ok());
        assert_eq!(
            Cost::new(3).unwrap_err().to_string(),
            "the bcrypt cost is 3; expected 4 to 17"
        );
        assert!(Cost::new(18).is_err());
    }
}
