//! Which names an htpasswd file can hold.

use std::fmt;
use std::str::FromStr;

/// A user name that survives being written to an htpasswd file and read back.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserName(Box<str>);

/// Why a name is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UserNameError {
    /// There is nothing.
    #[error("the user name is empty")]
    Empty,
    /// Everything from the first colon on would be read as the hash.
    #[error("the user name contains `:`")]
    Colon,
    /// Line ends would end the entry; Basic authentication (RFC 7617 section 2)
    /// knows no control characters at all.
    #[error("the user name contains a control character")]
    Control,
    /// The line would be read as a comment.
    #[error("the user name starts with `#`")]
    Comment,
    /// Readers trim lines, and would lose it.
    #[error("the user name starts or ends with white space")]
    Space,
    /// Apache's limit.
    #[error(
        "the user name has {bytes} bytes; expected at most {}",
        UserName::MAX_BYTES
    )]
    TooLong {
        /// Its length in bytes of UTF-8.
        bytes: usize,
    },
}

impl UserName {
    /// The longest name, in bytes of UTF-8; Apache's tools set this limit.
    pub const MAX_BYTES: usize = 255;

    /// Checks a name.
    ///
    /// # Errors
    /// If an htpasswd file cannot hold it, or clients cannot send it.
    pub fn parse(name: &str) -> Result<Self, UserNameError> {
        Self::check(name)?;
        Ok(Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn check(name: &str) -> Result<(), UserNameError> {
        // A byte order mark would vanish from the start of the file.
        let is_space = |c: char| c.is_whitespace() || c == '\u{feff}';
        if name.is_empty() {
            Err(UserNameError::Empty)
        } else if name.contains(':') {
            Err(UserNameError::Colon)
        } else if name.contains(char::is_control) {
            Err(UserNameError::Control)
        } else if name.starts_with('#') {
            Err(UserNameError::Comment)
        } else if name.starts_with(is_space) || name.ends_with(is_space) {
            Err(UserNameError::Space)
        } else if name.len() > Self::MAX_BYTES {
            Err(UserNameError::TooLong { bytes: name.len() })
        } else {
            Ok(())
        }
    }
}

impl FromStr for UserName {
    type Err = UserNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::parse(name)
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_names_people_use() {
        for name in [
            "a",
            "alice",
            "ci-runner_2",
            "a@b.example",
            "Jürgen K",
            "a#b",
        ] {
            assert_eq!(UserName::parse(name).unwrap().as_str(), name);
        }
        assert!(UserName::parse(&"x".repeat(255)).is_ok());
    }

    #[test]
    fn refuses_what_the_file_cannot_hold() {
        use UserNameError as E;
        for (name, error) in [
            ("", E::Empty),
            ("a:b", E::Colon),
            ("a\nb", E::Control),
            ("a\u{7f}", E::Control),
            ("#a", E::Comment),
            (" a", E::Space),
            ("a\u{a0}", E::Space),
            ("\u{feff}a", E::Space),
            (&"x".repeat(256), E::TooLong { bytes: 256 }),
        ] {
            assert_eq!(UserName::parse(name), Err(error), "{name:?}");
        }
    }
}
