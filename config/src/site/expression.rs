//! Regular expressions as nginx has them.

use std::fmt;

use fancy_regex::{Regex, RegexBuilder};

/// Steps that a match may take. What needs more counts as no match.
const BACKTRACK_LIMIT: usize = 10_000;

/// A regular expression with look-around and back references, as PCRE has them.
#[derive(Clone)]
pub struct PerlExpression {
    text: String,
    ignores_case: bool,
    regex: Regex,
}

/// What the groups of an expression found; empty texts for those that took no part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// The first nine, in their order.
    pub numbered: Vec<String>,
    /// Those with a name.
    pub named: Vec<(String, String)>,
}

/// Why a text is no [`PerlExpression`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{expression}` is no regular expression: {reason}")]
pub struct PerlExpressionError {
    /// What was written.
    pub expression: String,
    /// What is wrong with it.
    pub reason: String,
}

impl PerlExpression {
    /// Compiles an expression.
    ///
    /// # Errors
    /// If it is none.
    pub fn new(text: &str, ignores_case: bool) -> Result<Self, PerlExpressionError> {
        let regex = RegexBuilder::new(text)
            .backtrack_limit(BACKTRACK_LIMIT)
            .case_insensitive(ignores_case)
            .build()
            .map_err(|error| PerlExpressionError {
                expression: text.to_owned(),
                reason: error.to_string(),
            })?;
        Ok(Self {
            text: text.to_owned(),
            ignores_case,
            regex,
        })
    }

    /// Whether it is found in a text. One that takes too many steps is not.
    #[must_use]
    pub fn is_found_in(&self, text: &str) -> bool {
        self.regex.is_match(text).unwrap_or(false)
    }

    /// What its groups find in a text, if it is found there.
    #[must_use]
    pub fn find_in(&self, text: &str) -> Option<Found> {
        let captures = self.regex.captures(text).ok().flatten()?;
        let text = |group: Option<fancy_regex::Match<'_>>| {
            group.map_or_else(String::new, |group| group.as_str().to_owned())
        };
        Some(Found {
            numbered: captures.iter().skip(1).take(9).map(text).collect(),
            named: self
                .group_names()
                .map(|name| (name.to_owned(), text(captures.name(name))))
                .collect(),
        })
    }

    /// The names of its groups that have one.
    pub fn group_names(&self) -> impl Iterator<Item = &str> {
        self.regex.capture_names().flatten()
    }

    /// The expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it was written to ignore case.
    #[must_use]
    pub fn ignores_case(&self) -> bool {
        self.ignores_case
    }
}

/// The names of the groups in what may be an expression.
pub(crate) fn named_groups(text: &str) -> impl Iterator<Item = String> + '_ {
    let groups = text.split("(?").skip(1);
    groups.filter_map(|group| {
        let group = group.strip_prefix('P').unwrap_or(group);
        let (name, _) = group.strip_prefix('<')?.split_once('>')?;
        let is_name =
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        is_name.then(|| name.to_owned())
    })
}

/// Two are equal if they were written alike.
impl PartialEq for PerlExpression {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, self.ignores_case) == (&other.text, other.ignores_case)
    }
}

impl Eq for PerlExpression {}

impl fmt::Debug for PerlExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flag = if self.ignores_case { "i" } else { "" };
        write!(f, "/{}/{flag}", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_around_and_case_are_honoured() {
        let old = PerlExpression::new(r"^docker\/1\.5(?!\.[0-9]-dev)", false).unwrap();
        assert!(old.is_found_in("docker/1.5.0"));
        assert!(!old.is_found_in("docker/1.5.0-dev"));
        assert!(!old.is_found_in("Docker/1.5.0"));
        let any = PerlExpression::new("^DOCKER", true).unwrap();
        assert!(any.is_found_in("docker/1.5.0"));
        let error = PerlExpression::new("(", false).unwrap_err();
        assert!(error.to_string().starts_with("`(` is no"), "{error}");
    }

    #[test]
    fn groups_tell_what_they_found() {
        let expression = PerlExpression::new(r"^/(?<team>[a-z]+)/(x)?(.*)$", false).unwrap();
        let found = expression.find_in("/core/app").unwrap();
        assert_eq!(found.numbered, ["core", "", "app"]);
        assert_eq!(found.named, [("team".to_owned(), "core".to_owned())]);
        assert_eq!(expression.find_in("/"), None);
        assert_eq!(expression.group_names().collect::<Vec<_>>(), ["team"]);
    }

    #[test]
    fn one_that_takes_forever_is_not_found() {
        let hostile = PerlExpression::new(r"^(a+)+\1$", false).unwrap();
        assert!(!hostile.is_found_in(&("a".repeat(60) + "b")));
    }
}
