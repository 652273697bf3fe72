//! Which clients are turned away by the name they give themselves.

use fancy_regex::{CompileError, Error, Regex, RegexBuilder};

/// Steps that matching one `User-Agent` may take. An expression that needs
/// more is taken not to match: the rule is a courtesy to old clients, and
/// refusing everybody else would be the worse mistake.
const BACKTRACK_LIMIT: usize = 10_000;

/// The compiled `edge.refused_user_agents`.
#[derive(Debug, Default)]
pub(crate) struct RefusedUserAgents(Option<Regex>);

/// `edge.refused_user_agents` is not a regular expression.
#[derive(Debug, thiserror::Error)]
#[error("edge.refused_user_agents: `{expression}`: {}{reason}", at(.position))]
pub struct BadExpression {
    expression: String,
    /// The byte at which reading it failed, counted from 1.
    position: Option<usize>,
    reason: String,
}

fn at(position: &Option<usize>) -> String {
    position.map_or_else(String::new, |position| format!("at character {position}: "))
}

impl RefusedUserAgents {
    /// Compiles `expression`; `None` refuses nobody.
    ///
    /// # Errors
    /// If it is not a regular expression.
    pub(crate) fn compile(expression: Option<&str>) -> Result<Self, BadExpression> {
        expression
            .map(|expression| {
                RegexBuilder::new(expression)
                    .backtrack_limit(BACKTRACK_LIMIT)
                    .build()
                    .map_err(|error| BadExpression::new(expression, &error))
            })
            .transpose()
            .map(Self)
    }

    /// Whether a client with this `User-Agent` is turned away. A client that
    /// sends none is matched as the empty string, as nginx does.
    pub(crate) fn refuses(&self, user_agent: &[u8]) -> bool {
        let Some(expression) = &self.0 else {
            return false;
        };
        expression
            .is_match(&*String::from_utf8_lossy(user_agent))
            .unwrap_or(false)
    }
}

impl BadExpression {
    fn new(expression: &str, error: &Error) -> Self {
        let (position, reason) = match error {
            Error::ParseError(position, reason) => {
                let before = expression.get(..*position).unwrap_or(expression);
                (Some(before.chars().count() + 1), reason.to_string())
            }
            Error::CompileError(reason) => match &**reason {
                CompileError::InnerError(inner) => (None, inner.to_string()),
                other => (None, other.to_string()),
            },
            other => (None, other.to_string()),
        };
        Self {
            expression: expression.to_owned(),
            position,
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tidegate_config::Edge;

    use super::*;

    fn default_rule() -> RefusedUserAgents {
        RefusedUserAgents::compile(Some(Edge::DEFAULT_REFUSED_USER_AGENTS)).unwrap()
    }

    #[test]
    fn the_default_expression_tells_old_clients_from_new() {
        let rule = default_rule();
        for old in [
            "docker/1.3.0",
            "docker/1.4.1",
            "docker/1.5.0",
            "docker/1.5.0 go/go1.3.3 git-commit/a8a31ef kernel/3.13.0 os/linux arch/amd64",
            "docker/1.5.10-dev",
            "Go 1.1 package http",
            "Go 1.x client",
        ] {
            assert!(rule.refuses(old.as_bytes()), "{old}");
        }
        for new in [
            "",
            "docker/1.5.0-dev",
            "docker/1.6.0",
            "docker/1.13.1 go/go1.7.5",
            "docker/27.1.0 go/go1.21.12 git-commit/a21b1a2 kernel/6.1.0 os/linux arch/amd64",
            "Go-http-client/1.1",
            "containerd/1.7.0",
            "containers/5.29.0 (github.com/containers/image)",
            "my docker/1.4.1",
        ] {
            assert!(!rule.refuses(new.as_bytes()), "{new}");
        }
    }

    #[test]
    fn without_an_expression_everybody_passes() {
        let rule = RefusedUserAgents::compile(None).unwrap();
        assert!(!rule.refuses(b"docker/1.4.1"));
    }

    #[test]
    fn a_bad_expression_is_shown_with_the_place() {
        let error = RefusedUserAgents::compile(Some("^docker/(1")).unwrap_err();
        let message = error.to_string();
        assert!(
            message.starts_with("edge.refused_user_agents: `^docker/(1`: "),
            "{message}"
        );
        assert!(message.contains("at character"), "{message}");
    }

    #[test]
    fn an_expression_that_explodes_lets_the_client_pass() {
        // The back-reference forces the backtracking engine.
        let rule = RefusedUserAgents::compile(Some(r"^(a+)+\1b$")).unwrap();
        assert!(!rule.refuses("a".repeat(4096).as_bytes()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_answer(user_agent in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = default_rule().refuses(&user_agent);
        }
    }
}
