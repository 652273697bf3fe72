//! What a rule asks of a text.

use std::fmt;

use super::glob::Glob;
use super::go_regexp::{BadRegexp, GoRegexp};

/// A pattern of a rule: a [`Glob`], or a [`GoRegexp`] between slashes.
///
/// It may hold placeholders, as `${account}`, `${account:1}`, `${labels:group}`.
/// Those are replaced for each request, and only then is the text read as a
/// pattern: what they stand for may make it one of the other kind.
#[derive(Clone)]
pub struct AclPattern {
    text: String,
    /// The text as it is, which counts where nothing is replaced.
    unchanged: Matcher,
}

/// A pattern without placeholders.
#[derive(Debug, Clone)]
pub enum Matcher {
    /// Of a whole text.
    Glob(Glob),
    /// Anywhere in a text.
    Regexp(GoRegexp),
    /// Of no text: the pattern is malformed.
    Nothing,
}

impl AclPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// It is between slashes, and no expression with its placeholders as they
    /// stand: docker_auth would not start. A malformed glob is no error there, but
    /// matches nothing.
    pub fn new(text: &str) -> Result<Self, BadRegexp> {
        let unchanged = match expression(text) {
            Some(expression) => Matcher::Regexp(GoRegexp::new(expression)?),
            None => Matcher::new(text),
        };
        Ok(Self {
            text: text.to_owned(),
            unchanged,
        })
    }

    /// The pattern as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The pattern where nothing in it is replaced.
    #[must_use]
    pub fn unchanged(&self) -> &Matcher {
        &self.unchanged
    }

    /// Whether something in it may be replaced.
    #[must_use]
    pub fn has_placeholders(&self) -> bool {
        self.text.contains("${")
    }
}

impl Matcher {
    /// Reads a text in which everything was replaced.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let read = match expression(text) {
            Some(expression) => GoRegexp::new(expression).ok().map(Self::Regexp),
            None => Glob::parse(text).ok().map(Self::Glob),
        };
        read.unwrap_or(Self::Nothing)
    }

    /// Whether a text is meant.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Glob(glob) => glob.matches(text),
            Self::Regexp(regexp) => regexp.is_found_in(text),
            Self::Nothing => false,
        }
    }
}

/// What is between slashes; two of them alone are a glob.
fn expression(text: &str) -> Option<&str> {
    let within = text.strip_prefix('/')?.strip_suffix('/')?;
    (!within.is_empty()).then_some(within)
}

impl PartialEq for AclPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for AclPattern {}

impl fmt::Debug for AclPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl fmt::Display for AclPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_make_an_expression() {
        for (text, name, matches) in [
            ("team/*", "team/app", true),
            ("/^team/", "team/app", true),
            ("/team/", "my-team/app", true),
            ("/^team", "team", false),
            ("//", "//", true),
            ("//", "x", false),
            ("/", "/", true),
            ("", "", true),
            ("", "x", false),
            ("a[", "a[", false),
        ] {
            let pattern = AclPattern::new(text).unwrap();
            assert_eq!(pattern.unchanged().matches(name), matches, "{text} {name}");
        }
        assert!(AclPattern::new("/foo?*/").is_err());
        assert!(
            AclPattern::new("/^${account}$/")
                .unwrap()
                .has_placeholders()
        );
    }
}
