//! How a new password is hashed.

use bcrypt::Version;
use sha_crypt::Params;
use tidegate_failure::Explain;

use super::ldap_sha::{self, LdapSha};
use super::md5_crypt::{self, Md5Crypt};
use super::sha_crypt::{self as sha, ShaCrypt};
use super::{Form, Scheme, StoredHash};

/// What a new password is hashed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The one to choose.
    Bcrypt(Cost),
    /// For programs that know no better one than Apache's of 1997.
    Apr1,
    /// For programs that use crypt(3).
    Sha256Crypt(Rounds),
    /// For programs that use crypt(3).
    Sha512Crypt(Rounds),
    /// One round without salt: who has the file has the passwords.
    Sha1,
}

/// How much work bcrypt does: 2 to this power rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost(u32);

/// How much work sha256-crypt and sha512-crypt do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rounds(u32);

impl From<Cost> for Method {
    fn from(cost: Cost) -> Self {
        Self::Bcrypt(cost)
    }
}

impl Method {
    fn scheme(self) -> Scheme {
        match self {
            Self::Bcrypt(_) => Scheme::Bcrypt,
            Self::Apr1 => Scheme::Apr1,
            Self::Sha256Crypt(_) => Scheme::Sha256Crypt,
            Self::Sha512Crypt(_) => Scheme::Sha512Crypt,
            Self::Sha1 => Scheme::Sha1,
        }
    }

    /// bcrypt reads 72 bytes. Beyond 255, Apache's htpasswd gives up, and some
    /// of the programs that would read the file.
    fn most_password_bytes(self) -> usize {
        match self {
            Self::Bcrypt(_) => 72,
            _ => 255,
        }
    }
}

impl Cost {
    /// The least that Apache's htpasswd takes.
    pub const MIN: Self = Self(4);
    /// The most that Apache's htpasswd takes, and that a file may ask for:
    /// about ten seconds a password.
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

impl Rounds {
    /// The least that the schemes know.
    pub const MIN: Self = Self(Params::ROUNDS_MIN);
    /// The most that a file may ask for: some seconds a password. The schemes
    /// know 999,999,999, with which a single login would occupy a core for
    /// minutes.
    pub const MAX: Self = Self(5_000_000);
    /// Tens of milliseconds, by the same thought as [`Cost::DEFAULT`].
    pub const DEFAULT: Self = Self(100_000);
    /// What a hash means that does not say.
    pub(super) const UNSAID: Self = Self(5_000);

    /// Checks a number of rounds.
    ///
    /// # Errors
    /// Outside of [`Rounds::MIN`] to [`Rounds::MAX`].
    pub fn new(rounds: u32) -> Result<Self, PasswordError> {
        if (Self::MIN.0..=Self::MAX.0).contains(&rounds) {
            Ok(Self(rounds))
        } else {
            Err(PasswordError::Rounds { got: rounds })
        }
    }

    /// The number.
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
    /// What follows would be worth nothing, silently, or not be read elsewhere.
    #[error("the password has {bytes} bytes; {scheme} takes at most {most}")]
    TooLong {
        /// What it was to be hashed with.
        scheme: Scheme,
        /// Its length in bytes of UTF-8.
        bytes: usize,
        /// How long it may be.
        most: usize,
    },
    /// Most implementations end a password at a NUL.
    #[error("the password contains a NUL byte")]
    Nul,
    /// The cost is out of range.
    #[error("the bcrypt cost is {got}; expected {} to {}", Cost::MIN.0, Cost::MAX.0)]
    Cost {
        /// What was asked for.
        got: u32,
    },
    /// The number of rounds is out of range.
    #[error("{got} rounds; expected {} to {}", Rounds::MIN.0, Rounds::MAX.0)]
    Rounds {
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
            Self::TooLong { most, .. } => {
                Some(format!("choose a password of {most} bytes or fewer"))
            }
            Self::Cost { .. } => Some(format!("the default is {}", Cost::DEFAULT.0)),
            Self::Rounds { .. } => Some(format!("the default is {}", Rounds::DEFAULT.0)),
            Self::Empty | Self::Nul | Self::Random(_) => None,
        }
    }
}

/// Hashes a password with a random salt, in the notation that Apache and nginx
/// read; distribution reads bcrypt alone.
///
/// # Errors
/// If the password is empty, too long for the method, or contains a NUL.
pub fn hash_password(
    password: &str,
    method: impl Into<Method>,
) -> Result<StoredHash, PasswordError> {
    let method = method.into();
    let (bytes, most) = (password.len(), method.most_password_bytes());
    let too_long = || PasswordError::TooLong {
        scheme: method.scheme(),
        bytes,
        most,
    };
    if password.is_empty() {
        return Err(PasswordError::Empty);
    }
    if bytes > most {
        return Err(too_long());
    }
    if password.contains('\0') {
        return Err(PasswordError::Nul);
    }
    let form = match method {
        Method::Bcrypt(Cost(cost)) => {
            let parts = bcrypt::hash_with_result(password, cost)
                .map_err(|error| PasswordError::Random(error.to_string()))?;
            return Ok(StoredHash {
                text: parts.format_for_version(Version::TwoY).into(),
                form: Form::Bcrypt { cost },
            });
        }
        Method::Apr1 => Form::Md5(Md5Crypt::random(md5_crypt::Variant::Apache)),
        Method::Sha256Crypt(rounds) => Form::Sha2(ShaCrypt::random(sha::Variant::Sha256, rounds)),
        Method::Sha512Crypt(rounds) => Form::Sha2(ShaCrypt::random(sha::Variant::Sha512, rounds)),
        Method::Sha1 => Form::Sha1(LdapSha::random(ldap_sha::Variant::Plain)),
    };
    let text = form.text_of(password.as_bytes()).ok_or_else(too_long)?;
    Ok(StoredHash {
        text: text.into(),
        form,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const METHODS: [Method; 5] = [
        Method::Bcrypt(Cost::MIN),
        Method::Apr1,
        Method::Sha256Crypt(Rounds::MIN),
        Method::Sha512Crypt(Rounds::MIN),
        Method::Sha1,
    ];

    #[test]
    fn what_is_hashed_is_read_again_and_matches() {
        let marks = [
            "$2y$04$",
            "$apr1$",
            "$5$rounds=1000$",
            "$6$rounds=1000$",
            "{SHA}",
        ];
        for (method, mark) in METHODS.into_iter().zip(marks) {
            let hash = hash_password("open sesame", method).unwrap();
            assert!(hash.as_str().starts_with(mark), "{}", hash.as_str());
            assert!(hash.matches(b"open sesame") && !hash.matches(b"open sesam"));
            assert_eq!(StoredHash::parse(hash.as_str()), Ok(hash.clone()));
            assert_eq!(hash.scheme(), method.scheme());
            let again = hash_password("open sesame", method).unwrap();
            assert_eq!(again == hash, method == Method::Sha1, "the salt is random");
        }
    }

    #[test]
    fn refuses_passwords_that_would_be_cut_here_or_elsewhere() {
        for method in METHODS {
            let hash = |password: &str| hash_password(password, method);
            let most = method.most_password_bytes();
            assert!(hash(&"x".repeat(most)).unwrap().matches(&vec![b'x'; most]));
            assert!(hash(&"x".repeat(most + 1)).is_err());
            assert!(matches!(hash("a\0b"), Err(PasswordError::Nul)));
            assert!(matches!(hash(""), Err(PasswordError::Empty)));
        }
        let error = hash_password(&"ü".repeat(37), Cost::MIN).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the password has 74 bytes; bcrypt takes at most 72"
        );
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
        assert!(Rounds::new(999).is_err() && Rounds::new(5_000_001).is_err());
        assert_eq!(Rounds::new(100_000).unwrap(), Rounds::DEFAULT);
    }
}
