//! What names a manifest within its repository: a tag or a digest.

use std::fmt;
use std::str::FromStr;

use super::digest::{Digest, DigestError};

/// A tag, such as `latest`.
///
/// OCI distribution-spec, "Pulling manifests": `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(String);

impl Tag {
    /// The longest tag, in characters.
    pub const MAX_LENGTH: usize = 128;

    /// The tag as it stands in a URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Tag {
    type Err = TagError;

    fn from_str(text: &str) -> Result<Self, TagError> {
        let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let fits = (1..=Self::MAX_LENGTH).contains(&text.len())
            && text.bytes().all(|b| is_word(b) || matches!(b, b'.' | b'-'))
            && text.bytes().next().is_some_and(is_word);
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(TagError)
        }
    }
}

/// A text is not a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tag is at most 128 letters, digits, _ . and -, and begins with neither . nor -")]
pub struct TagError;

/// What stands behind `/manifests/` in a URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    /// The manifest that a tag points at now.
    Tag(Tag),
    /// One manifest for ever.
    Digest(Digest),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    /// A colon makes it a digest, since no tag may have one.
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.contains(':') {
            Ok(Self::Digest(text.parse()?))
        } else {
            Ok(Self::Tag(text.parse()?))
        }
    }
}

/// Why a text names no manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// It has no colon, and is no tag.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// It has a colon, and is no digest.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    #[test]
    fn a_colon_decides() {
        assert!(matches!("latest".parse(), Ok(Reference::Tag(_))));
        let digest = format!("sha256:{}", "0".repeat(64));
        assert!(matches!(digest.parse(), Ok(Reference::Digest(_))));
        assert_eq!(
            "sha256:0".parse::<Reference>(),
            Err(ReferenceError::Digest(DigestError::Length {
                got: 1,
                expected: 64
            }))
        );
        assert_eq!(
            ".hidden".parse::<Reference>(),
            Err(ReferenceError::Tag(TagError))
        );
    }

    #[test]
    fn the_longest_tag_has_128_characters() {
        assert!("t".repeat(128).parse::<Tag>().is_ok());
        assert!("t".repeat(129).parse::<Tag>().is_err());
    }

    proptest! {
        #[test]
        fn tags_agree_with_the_specification(text in "[a-bA0._/:\\n é-]{0,10}|[a-z]{120,132}") {
            let specification = Regex::new(r"\A[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}\z").unwrap();
            prop_assert_eq!(text.parse::<Tag>().is_ok(), specification.is_match(&text));
        }

        #[test]
        fn what_parses_prints_the_same(text in ".{0,140}") {
            if let Ok(reference) = text.parse::<Reference>() {
                prop_assert_eq!(reference.to_string(), text);
            }
        }
    }
}
