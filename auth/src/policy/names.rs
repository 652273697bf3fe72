//! Patterns of names, made ready: most are a name, or all below a prefix, and
//! take no engine to compare.

use tidegate_config::Pattern;
use tidegate_config::access::Repositories;

/// Names that a rule is about.
pub(super) enum Names {
    /// Every one.
    All,
    /// This one.
    Exactly(Box<str>),
    /// Those that begin with this, which ends in a slash.
    Below(Box<str>),
    /// Whatever the pattern or the expression says.
    Matching(Repositories),
}

impl Names {
    /// Those that settings name as repositories.
    pub(super) fn of(repositories: &Repositories) -> Self {
        match repositories {
            Repositories::Pattern(pattern) => Self::from(pattern),
            Repositories::Expression(_) => Self::Matching(repositories.clone()),
        }
    }

    /// Whether a name is one of them.
    pub(super) fn contain(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Exactly(this) => **this == *name,
            Self::Below(prefix) => name.starts_with(&**prefix),
            Self::Matching(pattern) => pattern.contain(name),
        }
    }
}

impl From<&Pattern> for Names {
    fn from(pattern: &Pattern) -> Self {
        let text = pattern.as_str();
        match text.strip_suffix("/**") {
            _ if text == "**" => Self::All,
            _ if is_plain(text) => Self::Exactly(text.into()),
            Some(prefix) if is_plain(prefix) => Self::Below(format!("{prefix}/").into()),
            _ => Self::Matching(Repositories::Pattern(pattern.clone())),
        }
    }
}

/// Whether a pattern stands for itself. What has a meaning in some patterns is
/// left to their engine in all.
fn is_plain(pattern: &str) -> bool {
    !pattern.contains(['*', '?', '[', ']', '{', '}', '!', '\\'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn most_patterns_take_no_engine() {
        let of = |text: &str| Names::from(&text.parse::<Pattern>().unwrap());
        assert!(matches!(of("**"), Names::All));
        assert!(matches!(of("team/app"), Names::Exactly(name) if &*name == "team/app"));
        assert!(matches!(of("team/**"), Names::Below(name) if &*name == "team/"));
        for text in ["*", "team/*", "a/**/b", "t?am/**", "[a]/**", "a\\*"] {
            assert!(matches!(of(text), Names::Matching(_)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn they_are_those_that_the_pattern_matches(
            pattern in "[ab,]{0,2}(/|\\*|\\*\\*|\\?|[ab]|[{}\\[\\]!\\\\]){0,4}(/\\*\\*)?",
            name in "[ab]{0,2}(/|[ab,*]){0,5}",
        ) {
            if let Ok(parsed) = pattern.parse::<Pattern>() {
                let names = Names::from(&parsed);
                prop_assert_eq!(names.contain(&name), parsed.matches(&name));
                let own_name = names.contain(&pattern);
                prop_assert_eq!(own_name, parsed.matches(&pattern));
            }
        }
    }
}
