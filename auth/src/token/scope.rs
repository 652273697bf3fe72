//! What a client asks for: `repository:team/app:pull,push`.
//!
//! The notation of distribution's token authentication: a challenge names
//! scopes, a client hands them to the token server, and a token's `access` says
//! which of their actions were granted.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::Serialize;

/// Actions on one resource, asked for or granted.
///
/// The text is `type[(class)]:name:action[,action…]`; the name may begin with a
/// host and its port, as in `repository:localhost:5000/app:pull`. There may be no
/// action at all: such a scope asks for nothing and is granted so.
///
/// It serializes as an entry of a token's `access`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Scope {
    /// What kind of thing it is: `repository` or `registry`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Which sort of that kind: `plugin`. Older clients send it; rights do not
    /// depend on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Which one: the name of a repository, or `catalog`.
    pub name: String,
    /// `pull`, `push`, `delete` or `*`, in the order of the text, each once.
    pub actions: Vec<String>,
}

/// Why a text is no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// It has fewer parts.
    #[error("a scope is written as type:name:actions")]
    Parts,
    /// What stands before the first colon.
    #[error(
        "the type of a scope has lower-case letters and digits, as `repository` or `repository(plugin)`"
    )]
    Type,
    /// What stands between the first colon and the last.
    #[error(
        "the name in a scope has 1 to {} printable ASCII characters, without spaces, quotes and backslashes",
        Scope::LONGEST_NAME
    )]
    Name,
    /// What stands after the last colon.
    #[error(
        "an action is `*` or has lower-case letters only, and there are {} of them at most",
        Scope::MOST_ACTIONS
    )]
    Actions,
    /// There are too many.
    #[error("more than {} scopes at once", Scope::MOST)]
    TooMany,
}

impl Scope {
    /// How many scopes a text may hold: a push that mounts layers names one for
    /// each repository that they come from.
    pub const MOST: usize = 256;
    /// How many actions a scope may have.
    pub const MOST_ACTIONS: usize = 16;
    /// How long a name may be, in bytes: that of a host and a repository.
    pub const LONGEST_NAME: usize = 512;

    /// The scope of `actions` on a repository.
    #[must_use]
    pub fn repository(name: &str, actions: &[&str]) -> Self {
        Self::of("repository", name, actions)
    }

    /// The scope that listing all repositories needs: `registry:catalog:*`.
    #[must_use]
    pub fn catalog() -> Self {
        Self::of("registry", "catalog", &["*"])
    }

    fn of(kind: &str, name: &str, actions: &[&str]) -> Self {
        Self {
            kind: kind.to_owned(),
            class: None,
            name: name.to_owned(),
            actions: actions.iter().map(|&action| action.to_owned()).collect(),
        }
    }

    /// Reads the scopes of a text that has spaces between them, as a `scope`
    /// parameter may. Clients also repeat the parameter: then `so_far` counts.
    ///
    /// # Errors
    /// One of them is none, or with those `so_far` there are more than
    /// [`Scope::MOST`].
    pub fn parse_list(text: &str, so_far: usize) -> Result<Vec<Self>, ScopeError> {
        let mut scopes = Vec::new();
        for one in text.split(' ').filter(|one| !one.is_empty()) {
            if so_far.saturating_add(scopes.len()) >= Self::MOST {
                return Err(ScopeError::TooMany);
            }
            scopes.push(one.parse()?);
        }
        Ok(scopes)
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let (kind, rest) = text.split_once(':').ok_or(ScopeError::Parts)?;
        // The last colon, since a port has one too.
        let (name, actions) = rest.rsplit_once(':').ok_or(ScopeError::Parts)?;
        let (kind, class) = match kind.split_once('(') {
            None => (kind, None),
            Some((kind, class)) => (kind, Some(class.strip_suffix(')').ok_or(ScopeError::Type)?)),
        };
        if !is_type(kind) || !class.is_none_or(is_type) {
            return Err(ScopeError::Type);
        }
        if name.is_empty() || name.len() > Self::LONGEST_NAME || !name.bytes().all(is_of_name) {
            return Err(ScopeError::Name);
        }
        Ok(Self {
            kind: kind.to_owned(),
            class: class.map(str::to_owned),
            name: name.to_owned(),
            actions: read_actions(actions)?,
        })
    }
}

fn read_actions(text: &str) -> Result<Vec<String>, ScopeError> {
    let mut actions: Vec<String> = Vec::new();
    for action in text.split(',').filter(|action| !action.is_empty()) {
        let is_action = action == "*" || action.bytes().all(|byte| byte.is_ascii_lowercase());
        if !is_action || actions.len() == Scope::MOST_ACTIONS {
            return Err(ScopeError::Actions);
        }
        if !actions.iter().any(|known| known == action) {
            actions.push(action.to_owned());
        }
    }
    Ok(actions)
}

fn is_type(text: &str) -> bool {
    let is_of_type = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    !text.is_empty() && text.bytes().all(is_of_type)
}

/// What can stand in the quotes of a challenge as it is. What a repository may
/// be called is the registry's to say.
fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\')
}

impl Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        if let Some(class) = &self.class {
            write!(f, "({class})")?;
        }
        write!(f, ":{}:{}", self.name, self.actions.join(","))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_parts_are_told_apart() {
        for (text, kind, class, name, actions) in [
            (
                "repository:app:pull",
                "repository",
                None,
                "app",
                vec!["pull"],
            ),
            (
                "repository:samalba/my-app:pull,push",
                "repository",
                None,
                "samalba/my-app",
                vec!["pull", "push"],
            ),
            (
                "repository(plugin):samalba/my-app:pull",
                "repository",
                Some("plugin"),
                "samalba/my-app",
                vec!["pull"],
            ),
            (
                "repository:localhost:5000/a/b:push,pull",
                "repository",
                None,
                "localhost:5000/a/b",
                vec!["push", "pull"],
            ),
            ("registry:catalog:*", "registry", None, "catalog", vec!["*"]),
            ("repository:app:", "repository", None, "app", vec![]),
        ] {
            let scope: Scope = text.parse().unwrap();
            assert_eq!(scope.kind, kind, "{text}");
            assert_eq!(scope.class.as_deref(), class, "{text}");
            assert_eq!(scope.name, name, "{text}");
            assert_eq!(scope.actions, actions, "{text}");
            assert_eq!(scope.to_string(), text);
        }
        assert_eq!(Scope::catalog(), "registry:catalog:*".parse().unwrap());
        assert_eq!(
            Scope::repository("a/b", &["pull", "push"]).to_string(),
            "repository:a/b:pull,push"
        );
    }

    #[test]
    fn an_action_counts_once() {
        let scope: Scope = "repository:a:pull,,pull,push,".parse().unwrap();
        assert_eq!(scope.actions, ["pull", "push"]);
    }

    #[test]
    fn what_is_none_is_said() {
        for (text, error) in [
            ("", ScopeError::Parts),
            ("repository", ScopeError::Parts),
            ("repository:app", ScopeError::Parts),
            (":app:pull", ScopeError::Type),
            ("Repository:app:pull", ScopeError::Type),
            ("repository(:app:pull", ScopeError::Type),
            ("repository():app:pull", ScopeError::Type),
            ("repository(plugin:app:pull", ScopeError::Type),
            ("repository(plugin)x:app:pull", ScopeError::Type),
            ("repository::pull", ScopeError::Name),
            ("repository:a\"b:pull", ScopeError::Name),
            ("repository:a\\b:pull", ScopeError::Name),
            ("repository:a\nb:pull", ScopeError::Name),
            ("repository:é:pull", ScopeError::Name),
            ("repository:app:Pull", ScopeError::Actions),
            ("repository:app:pull;push", ScopeError::Actions),
            ("repository:app:**", ScopeError::Actions),
        ] {
            assert_eq!(text.parse::<Scope>(), Err(error), "{text}");
        }
        let long = format!("repository:{}:pull", "a".repeat(Scope::LONGEST_NAME + 1));
        assert_eq!(long.parse::<Scope>(), Err(ScopeError::Name));
        let letters = "abcdefghijklmnopq".chars().map(|c| c.to_string());
        let many = letters.collect::<Vec<_>>().join(",");
        let many = format!("repository:a:{many}");
        assert_eq!(many.parse::<Scope>(), Err(ScopeError::Actions));
    }

    #[test]
    fn a_text_may_hold_several() {
        let scopes = Scope::parse_list(" repository:a:pull  repository:b:push ", 0).unwrap();
        assert_eq!(
            scopes,
            [
                Scope::repository("a", &["pull"]),
                Scope::repository("b", &["push"])
            ]
        );
        assert_eq!(Scope::parse_list("", 0), Ok(Vec::new()));
        let many = "repository:a:pull ".repeat(Scope::MOST);
        assert_eq!(Scope::parse_list(&many, 0).unwrap().len(), Scope::MOST);
        assert_eq!(Scope::parse_list(&many, 1), Err(ScopeError::TooMany));
    }

    #[test]
    fn it_serializes_as_an_entry_of_access() {
        let json = |text: &str| serde_json::to_string(&text.parse::<Scope>().unwrap()).unwrap();
        assert_eq!(
            json("repository:a:pull,push"),
            r#"{"type":"repository","name":"a","actions":["pull","push"]}"#
        );
        assert_eq!(
            json("repository(plugin):a:"),
            r#"{"type":"repository","class":"plugin","name":"a","actions":[]}"#
        );
    }

    proptest! {
        #[test]
        fn any_text_is_a_scope_or_none(text in "\\PC{0,60}|[a-z():,*/]{0,30}") {
            if let Ok(scope) = text.parse::<Scope>() {
                prop_assert_eq!(scope.to_string().parse::<Scope>(), Ok(scope));
            }
            let _ = Scope::parse_list(&text, 0);
        }
    }
}
