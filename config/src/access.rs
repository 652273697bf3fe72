//! Who may do what to which repository, as the settings say it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;

use crate::pattern::{Expression, Pattern, PatternError};

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Reads manifests, blobs, tags and referrers of a repository.
    Pull,
    /// Sends blobs and manifests to a repository.
    Push,
    /// Removes manifests, tags and blobs of a repository.
    Delete,
    /// Lists repositories: those of which the caller may pull.
    Catalog,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pull, Self::Push, Self::Delete, Self::Catalog];

    /// The word for it in settings and in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
            Self::Catalog => "catalog",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        let found = Self::ALL.into_iter().find(|action| action.as_str() == text);
        found.ok_or_else(|| UnknownAction(text.to_owned()))
    }
}

/// A word that is no [`Action`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no action\nhint: one of pull, push, delete, catalog, or * for all")]
pub struct UnknownAction(pub String);

/// A set of actions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Actions(u8);

impl Actions {
    /// No action.
    pub const NONE: Self = Self(0);
    /// Every action.
    pub const ALL: Self = Self(0b1111);

    /// Whether an action is among them.
    #[must_use]
    pub fn contains(self, action: Action) -> bool {
        self.0 & Self::from(action).0 != 0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Action> {
        Action::ALL
            .into_iter()
            .filter(move |action| self.contains(*action))
    }
}

impl From<Action> for Actions {
    fn from(action: Action) -> Self {
        Self(match action {
            Action::Pull => 0b0001,
            Action::Push => 0b0010,
            Action::Delete => 0b0100,
            Action::Catalog => 0b1000,
        })
    }
}

impl FromIterator<Action> for Actions {
    fn from_iter<T: IntoIterator<Item = Action>>(actions: T) -> Self {
        let add = |set: Self, action| Self(set.0 | Self::from(action).0);
        actions.into_iter().fold(Self::NONE, add)
    }
}

impl FromStr for Actions {
    type Err = UnknownAction;

    /// Reads words separated by commas; `*` is all of them.
    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        let mut set = Self::NONE;
        for word in text.split(',').map(str::trim) {
            let more = match word {
                "*" => Self::ALL,
                word => word.parse::<Action>()?.into(),
            };
            set.0 |= more.0;
        }
        Ok(set)
    }
}

impl fmt::Display for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ALL {
            return f.write_str("*");
        }
        let mut between = "";
        for action in self.iter() {
            write!(f, "{between}{action}")?;
            between = ",";
        }
        Ok(())
    }
}

impl fmt::Debug for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}

/// The `[access]` section: what callers may do, once it is known who they are.
///
/// The first rule that is about the caller, the repository, the action and the
/// client's address decides. Without one, what anybody may do counts, and then:
/// where there are rules, nothing is allowed; where there are none, those who
/// have logged in may do everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccessRules {
    /// What anybody may do with every repository, also without logging in.
    pub anonymous: Actions,
    /// The users in each group.
    pub groups: BTreeMap<String, BTreeSet<String>>,
    /// In the order in which they are looked at.
    pub rules: Vec<AccessRule>,
}

/// One `[[access.rule]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRule {
    /// The line of the file on which it begins, counted from 1; `None` if it is
    /// from no file, or from one in which it has no line of its own.
    pub line: Option<usize>,
    /// The callers that it is about; never empty.
    pub who: Vec<Who>,
    /// The repositories that it is about; empty for all of them.
    pub repositories: Vec<Repositories>,
    /// The actions that it is about.
    pub actions: Actions,
    /// The client addresses that it is about; empty for all of them.
    pub addresses: Vec<IpNet>,
    /// Whether it allows them, or refuses.
    pub allows: bool,
}

impl AccessRule {
    /// Whether it is about every repository, and so about the list of them.
    #[must_use]
    pub fn is_about_all_repositories(&self) -> bool {
        let is_all = |some: &Repositories| matches!(some, Repositories::Pattern(pattern) if pattern.as_str() == "**");
        self.repositories.is_empty() || self.repositories.iter().any(is_all)
    }
}

/// Callers that a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Those who have not logged in.
    Anonymous,
    /// Users whose name matches; `*` for all who have logged in.
    Users(Pattern),
    /// The users of a group.
    Group(String),
}

/// Repositories, by a pattern of whole names or, after a `~`, by a regular
/// expression that has to match the whole name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repositories {
    /// `*` stops at a slash, `**` does not.
    Pattern(Pattern),
    /// Linear in the length of a name.
    Expression(Expression),
}

impl Repositories {
    /// Whether a repository is meant.
    #[must_use]
    pub fn contain(&self, name: &str) -> bool {
        match self {
            Self::Pattern(pattern) => pattern.matches(name),
            Self::Expression(expression) => expression.is_found_in(name),
        }
    }
}

impl FromStr for Repositories {
    type Err = RepositoriesError;

    fn from_str(text: &str) -> Result<Self, RepositoriesError> {
        match text.strip_prefix('~') {
            Some(expression) => {
                let refused = |error| RepositoriesError::expression(text, error);
                // Alone first: what closes a group that is not open would
                // otherwise close ours.
                expression.parse::<Expression>().map_err(refused)?;
                let whole = format!("^(?:{expression})$").parse().map_err(refused)?;
                Ok(Self::Expression(whole))
            }
            None => Ok(Self::Pattern(text.parse()?)),
        }
    }
}

impl fmt::Display for Repositories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(pattern) => pattern.fmt(f),
            Self::Expression(expression) => {
                let text = expression.as_str();
                let inner = text.strip_prefix("^(?:").and_then(|t| t.strip_suffix(")$"));
                write!(f, "~{}", inner.unwrap_or(text))
            }
        }
    }
}

/// Why a text names no [`Repositories`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RepositoriesError {
    /// The pattern cannot be read.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The expression cannot be read.
    #[error("`{written}` is no regular expression: {problem}")]
    Syntax {
        /// What was written.
        written: String,
        /// Why not.
        problem: String,
    },
    /// The expression would take too much memory.
    #[error(
        "`{written}` is too big: made ready, it takes more than {limit} bytes\n\
         hint: counted repetitions multiply, as in `([a-z]{{1,100}}){{1,100}}`; \
         `*` and `+` are small"
    )]
    TooBig {
        /// What was written.
        written: String,
        /// How much it may take.
        limit: usize,
    },
}

impl RepositoriesError {
    fn expression(written: &str, error: regex::Error) -> Self {
        let written = written.to_owned();
        match error {
            regex::Error::CompiledTooBig(limit) => Self::TooBig { written, limit },
            error => Self::Syntax {
                written,
                // What precedes it draws the expression; the file is shown anyway.
                problem: match error.to_string().rsplit_once("error: ") {
                    Some((_, problem)) => problem.trim_end().to_owned(),
                    None => error.to_string(),
                },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_read_and_written() {
        for (text, written) in [
            ("pull", "pull"),
            ("push, pull", "pull,push"),
            ("*", "*"),
            ("pull,push,delete,catalog", "*"),
            ("catalog", "catalog"),
        ] {
            let actions: Actions = text.parse().unwrap();
            assert_eq!(actions.to_string(), written, "{text}");
        }
        for text in ["", "read", "pull,,push", "Pull"] {
            assert!(text.parse::<Actions>().is_err(), "{text}");
        }
        assert!(Actions::NONE.is_empty());
        assert_eq!(Action::ALL.into_iter().collect::<Actions>(), Actions::ALL);
    }

    #[test]
    fn repositories_are_named_by_pattern_or_expression() {
        for (text, name, is_meant) in [
            ("team/*", "team/app", true),
            ("team/*", "team/app/base", false),
            ("team/**", "team/app/base", true),
            ("~team/[a-c]+", "team/abc", true),
            ("~team/[a-c]+", "team/abcd", false),
            ("~a|b", "b", true),
            ("~a|b", "ab", false),
            ("~^nginx$", "nginx", true),
        ] {
            let repositories: Repositories = text.parse().unwrap();
            assert_eq!(repositories.contain(name), is_meant, "{text} and {name}");
            assert_eq!(repositories.to_string(), text);
        }
        for text in ["", "~(", "~a)(b", "team/", "~(?x)a # b"] {
            assert!(text.parse::<Repositories>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_an_expression_is_said_in_one_line() {
        let said = |text: &str| text.parse::<Repositories>().unwrap_err().to_string();
        assert_eq!(
            said("~team/("),
            "`~team/(` is no regular expression: unclosed group"
        );
        let said = said("~([a-z]{1,200}){1,200}");
        assert!(
            said.starts_with("`~([a-z]{1,200}){1,200}` is too big: made ready, it takes more than"),
            "{said}"
        );
        assert!(said.contains("\nhint: "), "{said}");
    }
}
