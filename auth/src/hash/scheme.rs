//! What a hash looks like.

use std::fmt;

/// How a password was hashed, told by the look of the hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `$2a$`, `$2b$`, `$2y$`: bcrypt, the one to choose.
    Bcrypt,
    /// `$2x$`: the bcrypt of crypt_blowfish before 1.1, wrong for passwords
    /// beyond ASCII. Not checked.
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
    /// `$y$`: the default of newer systems' `mkpasswd`. Not checked.
    Yescrypt,
    /// Thirteen characters: the DES crypt of Unix, of eight characters of the
    /// password at most. Weak.
    DesCrypt,
    /// `{PLAIN}`: nginx's mark for a password that is not hashed. Weak.
    Plain,
    /// None of the above; perhaps a password that is not hashed.
    Unknown,
}

impl Scheme {
    /// Tells the scheme from the hash.
    #[must_use]
    pub fn of(hash: &str) -> Self {
        const PREFIXES: [(&str, Scheme); 12] = [
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
            ("$y$", Scheme::Yescrypt),
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

    /// Whether it protects nothing once somebody else has read the file: such
    /// hashes are believed only where a setting allows it.
    #[must_use]
    pub fn is_weak(self) -> bool {
        matches!(self, Self::DesCrypt | Self::Plain)
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
            Self::Yescrypt => "yescrypt",
            Self::DesCrypt => "DES crypt",
            Self::Plain => "{PLAIN}",
            Self::Unknown => "the notation of this hash",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("$y$j9T$a$b", Scheme::Yescrypt),
            ("0rvHFUBFDyoE6", Scheme::DesCrypt),
            ("{PLAIN}s", Scheme::Plain),
            ("{plain}s", Scheme::Unknown),
            ("secret", Scheme::Unknown),
            ("thirteen char", Scheme::Unknown),
        ] {
            assert_eq!(Scheme::of(hash), scheme, "{hash}");
        }
    }
}
