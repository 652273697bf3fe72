//! Repository names.

use std::fmt;
use std::str::FromStr;

/// The name of a repository, such as `library/alpine`.
///
/// OCI distribution-spec, "Pulling manifests": components of lower-case
/// letters and digits, joined by `.`, `_`, `__` or any number of `-`, and the
/// components joined by `/`. At most [`RepoName::MAX_LENGTH`] characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepoName(String);

impl RepoName {
    /// The longest name that is accepted, in characters: what distribution
    /// accepts, and short enough for any file system.
    pub const MAX_LENGTH: usize = 255;

    /// The name as it stands in a URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RepoName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.len() > Self::MAX_LENGTH {
            return Err(NameError::TooLong { got: text.len() });
        }
        if text.split('/').all(is_component) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Grammar)
        }
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(text: &str) -> bool {
    let is_alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    is_alphanumeric(first)
        && is_alphanumeric(last)
        && bytes.split(is_alphanumeric).all(|joint| {
            matches!(joint, b"" | b"." | b"_" | b"__") || joint.iter().all(|b| *b == b'-')
        })
}

/// Why a text is not a repository's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It does not keep the grammar.
    #[error(
        "a repository name is made of lower-case letters and digits, joined by one of . _ __ - \
         within a component and by / between components"
    )]
    Grammar,
    /// It is longer than [`RepoName::MAX_LENGTH`].
    #[error("the repository name has {got} characters, expected at most {max}", max = RepoName::MAX_LENGTH)]
    TooLong {
        /// Its length in bytes.
        got: usize,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    /// The specification's own expression.
    fn specification() -> Regex {
        let component = "[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*";
        Regex::new(&format!("\\A{component}(/{component})*\\z")).unwrap()
    }

    #[test]
    fn accepts_what_people_use() {
        for name in [
            "a",
            "alpine",
            "library/alpine",
            "a.b_c__d---e/f0",
            "0/1/2",
            "tags/list",
            "blobs/uploads",
        ] {
            assert_eq!(name.parse::<RepoName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn refuses_what_could_leave_the_root_or_clash_with_the_layout() {
        for name in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "..",
            "a/../b",
            "a/.",
            "_uploads",
            "a/_layers",
            "A",
            "a b",
            "a\0b",
            "a\n",
            "é",
            "a..b",
            "a___b",
            "a._b",
            "a-",
            "-a",
        ] {
            assert_eq!(
                name.parse::<RepoName>(),
                Err(NameError::Grammar),
                "{name:?}"
            );
        }
    }

    #[test]
    fn the_longest_name_has_255_characters() {
        assert!("a".repeat(255).parse::<RepoName>().is_ok());
        assert_eq!(
            "a".repeat(256).parse::<RepoName>(),
            Err(NameError::TooLong { got: 256 })
        );
    }

    proptest! {
        #[test]
        fn agrees_with_the_specification(text in "[a-c0A._/ é-]{0,12}") {
            let accepted = text.parse::<RepoName>().is_ok();
            prop_assert_eq!(accepted, specification().is_match(&text));
        }

        #[test]
        fn never_panics(text in ".{0,300}") {
            let _ = text.parse::<RepoName>();
        }
    }
}
