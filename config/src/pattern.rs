//! Patterns that settings select repositories and tags by.

use std::fmt;
use std::str::FromStr;

use globset::{GlobBuilder, GlobMatcher};
use regex::{Regex, RegexBuilder};

/// A pattern of whole names: `*` stands for anything within a segment, `**` for
/// any number of segments, `?` for one character, `[a-z]` for one of several,
/// `{a,b}` for one of several texts.
///
/// `team/*` means `team/app` and not `team/app/base`; `team/**` means both, and
/// not `team`.
#[derive(Clone)]
pub struct Pattern(GlobMatcher);

impl Pattern {
    /// Whether a whole name is meant.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.glob().glob()
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.starts_with('/') || text.ends_with('/') {
            return Err(PatternError::Slash {
                pattern: text.to_owned(),
            });
        }
        let glob = GlobBuilder::new(text)
            .literal_separator(true)
            .build()
            .map_err(|error| PatternError::Syntax {
                pattern: text.to_owned(),
                problem: error.kind().to_string(),
            })?;
        Ok(Self(glob.compile_matcher()))
    }
}

/// Why a text is no [`Pattern`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// No name is empty.
    #[error("an empty pattern matches nothing")]
    Empty,
    /// No name of a repository or a tag begins or ends like that.
    #[error("`{pattern}` matches nothing: no name begins or ends with a slash")]
    Slash {
        /// What was written.
        pattern: String,
    },
    /// It cannot be read.
    #[error("`{pattern}` is no pattern: {problem}")]
    Syntax {
        /// What was written.
        pattern: String,
        /// Why not.
        problem: String,
    },
}

/// A regular expression that is looked for anywhere in a name, in time linear
/// in its length.
#[derive(Clone)]
pub struct Expression(Regex);

impl Expression {
    /// How many bytes one may take once it is made ready.
    const MOST_BYTES: usize = 1024 * 1024;

    /// Whether it is found in `name`.
    #[must_use]
    pub fn is_found_in(&self, name: &str) -> bool {
        self.0.is_match(name)
    }

    /// The expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for Expression {
    type Err = regex::Error;

    fn from_str(text: &str) -> Result<Self, regex::Error> {
        let mut builder = RegexBuilder::new(text);
        builder.size_limit(Self::MOST_BYTES).build().map(Self)
    }
}

/// Two are equal if they were written alike, and are shown as they were written.
macro_rules! known_by_its_text {
    ($name:ident) => {
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.as_str() == other.as_str()
            }
        }

        impl Eq for $name {}

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.as_str())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

known_by_its_text!(Pattern);
known_by_its_text!(Expression);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_star_ends_at_a_slash_and_two_do_not() {
        for (pattern, name, matches) in [
            ("app", "app", true),
            ("app", "team/app", false),
            ("*", "app", true),
            ("*", "team/app", false),
            ("**", "app", true),
            ("**", "team/app/base", true),
            ("team/*", "team/app", true),
            ("team/*", "team/app/base", false),
            ("team/*", "team", false),
            ("team/**", "team/app", true),
            ("team/**", "team/app/base", true),
            ("team/**", "team", false),
            ("team/**", "teamwork/app", false),
            ("**/cache", "cache", true),
            ("**/cache", "a/b/cache", true),
            ("a/**/z", "a/z", true),
            ("a/**/z", "a/b/c/z", true),
            ("v?.*", "v1.2", true),
            ("v?.*", "v10.2", false),
            ("{dev,ci}/*", "ci/x", true),
            ("v[0-9]*", "v3-rc", true),
            ("v[0-9]*", "vx", false),
            ("V*", "v1", false),
        ] {
            let parsed: Pattern = pattern.parse().unwrap();
            assert_eq!(parsed.matches(name), matches, "{pattern} and {name}");
            assert_eq!(parsed.to_string(), pattern);
        }
    }

    #[test]
    fn what_can_match_nothing_is_refused() {
        assert_eq!("".parse::<Pattern>(), Err(PatternError::Empty));
        for text in ["/team/*", "team/"] {
            let error = text.parse::<Pattern>().unwrap_err();
            assert!(matches!(error, PatternError::Slash { .. }), "{error}");
        }
        for text in ["a[", "{a,b", "a\\"] {
            let error = text.parse::<Pattern>().unwrap_err();
            assert!(error.to_string().contains(text), "{error}");
        }
    }

    #[test]
    fn an_expression_is_looked_for_anywhere() {
        let expression: Expression = "^v[0-9]".parse().unwrap();
        assert!(expression.is_found_in("v1.2"));
        assert!(!expression.is_found_in("rev1"));
        assert!("(".parse::<Expression>().is_err());
        let big = "([a-z]{1,200}){1,200}".parse::<Expression>();
        assert!(matches!(big, Err(regex::Error::CompiledTooBig(_))));
    }

    proptest! {
        #[test]
        fn no_pattern_and_no_name_panics(pattern in ".{0,40}", name in "[a-z0-9/._-]{0,40}") {
            if let Ok(pattern) = pattern.parse::<Pattern>() {
                let _ = pattern.matches(&name);
            }
        }

        #[test]
        fn a_plain_name_matches_itself_alone(name in "[a-z]{1,8}(/[a-z]{1,8}){0,3}", other in "[a-z]{1,8}") {
            let pattern: Pattern = name.parse().unwrap();
            prop_assert!(pattern.matches(&name));
            prop_assert_eq!(pattern.matches(&other), name == other);
        }
    }
}
