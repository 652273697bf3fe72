//! How templates, conditions, paths and names are written: as nginx writes them.

mod names;

use std::fmt::{self, Display};
use std::sync::Arc;

use super::{
    Condition, PathMatch, PerlExpression, PerlExpressionError, Piece, ServerName, Template, Test,
    Translation, Variable,
};

/// Why a text cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotationError {
    /// A dollar sign with a name behind it that nothing goes by.
    #[error("`${0}` is no variable that is known here")]
    UnknownVariable(String),
    /// A dollar sign with no name behind it.
    #[error("a `$` without the name of a variable")]
    NoVariable,
    /// `${` without its end.
    #[error("`${{` without `}}`")]
    Unclosed,
    /// A regular expression that is none.
    #[error(transparent)]
    Expression(#[from] PerlExpressionError),
    /// Not a condition.
    #[error("`{0}` is no condition")]
    Condition(String),
    /// Not a path.
    #[error("`{0}` is no path: it does not begin with `/`")]
    Path(String),
    /// A name with a star in its middle.
    #[error("`{0}` is no name: a star stands alone at one of its ends")]
    Star(String),
    /// An empty name.
    #[error("an empty name")]
    EmptyName,
}

/// What variables a text may name beside those that are always there.
#[derive(Debug, Clone, Copy, Default)]
pub struct Names<'a> {
    /// Those that `map` makes.
    pub translations: &'a [Arc<Translation>],
    /// The groups of expressions that have a name.
    pub captures: &'a [String],
}

impl Template {
    /// Reads a text in which `$name` and `${name}` are variables. Nothing is
    /// quoted: a dollar sign always begins a variable.
    ///
    /// # Errors
    /// A dollar sign has no known variable behind it.
    pub fn parse(text: &str, names: Names<'_>) -> Result<Self, NotationError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            if at > 0 {
                pieces.push(Piece::Text(rest[..at].to_owned()));
            }
            rest = &rest[at + 1..];
            // One digit, whatever follows it.
            if let Some(group @ b'1'..=b'9') = rest.bytes().next() {
                pieces.push(Piece::Variable(Variable::Capture(group - b'0')));
                rest = &rest[1..];
                continue;
            }
            let name = match rest.strip_prefix('{') {
                Some(enclosed) => {
                    let end = enclosed.find('}').ok_or(NotationError::Unclosed)?;
                    rest = &enclosed[end + 1..];
                    &enclosed[..end]
                }
                None => {
                    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
                    let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                    let (name, after) = rest.split_at(end);
                    rest = after;
                    name
                }
            };
            if name.is_empty() {
                return Err(NotationError::NoVariable);
            }
            let variable = Variable::of_name(name, names)
                .ok_or_else(|| NotationError::UnknownVariable(name.to_owned()))?;
            pieces.push(Piece::Variable(variable));
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// The translations that it uses, each before those that use it.
    pub fn translations(&self, found: &mut Vec<Arc<Translation>>) {
        for piece in &self.0 {
            let Piece::Variable(Variable::Translated(translation)) = piece else {
                continue;
            };
            if found.contains(translation) {
                continue;
            }
            let texts = translation.texts.iter().map(|(_, to)| to);
            let expressions = translation.expressions.iter().map(|(_, to)| to);
            let others = [&translation.source, &translation.default];
            for template in texts.chain(expressions).chain(others) {
                template.translations(found);
            }
            found.push(Arc::clone(translation));
        }
    }
}

impl Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pieces = self.0.iter().peekable();
        while let Some(piece) = pieces.next() {
            match piece {
                Piece::Text(text) => f.write_str(text)?,
                Piece::Variable(variable) => {
                    let is_group = matches!(variable, Variable::Capture(_));
                    let joins = !is_group
                        && matches!(
                            pieces.peek(),
                            Some(Piece::Text(next))
                                if next.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                        );
                    if joins {
                        write!(f, "${{{variable}}}")?;
                    } else {
                        write!(f, "${variable}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Condition {
    /// Reads what stands between the brackets of an `if`: `$scheme = http`,
    /// `$http_user_agent !~* "^docker"`, `$http_x_token`.
    ///
    /// # Errors
    /// It is no condition.
    pub fn parse(text: &str, names: Names<'_>) -> Result<Self, NotationError> {
        let text = text.trim();
        let wrong = || NotationError::Condition(text.to_owned());
        if !text.starts_with('$') {
            return Err(wrong());
        }
        let (subject, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let subject = Template::parse(subject, names)?;
        let rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(Self {
                subject,
                test: Test::IsSet,
                negated: false,
            });
        }
        let (operator, operand) = rest.split_once(char::is_whitespace).ok_or_else(wrong)?;
        let operand = unquoted(operand.trim());
        let (negated, operator) = match operator.strip_prefix('!') {
            Some(operator) => (true, operator),
            None => (false, operator),
        };
        let test = match operator {
            "=" => Test::Equals(Template::parse(operand, names)?),
            "~" => Test::Finds(PerlExpression::new(operand, false)?),
            "~*" => Test::Finds(PerlExpression::new(operand, true)?),
            _ => return Err(wrong()),
        };
        Ok(Self {
            subject,
            test,
            negated,
        })
    }
}

/// Without the quotes around it, if there are any.
fn unquoted(text: &str) -> &str {
    for quote in ['"', '\''] {
        let inside = text
            .strip_prefix(quote)
            .and_then(|text| text.strip_suffix(quote));
        if let Some(inside) = inside {
            return inside;
        }
    }
    text
}

impl Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not = if self.negated { "!" } else { "" };
        match &self.test {
            Test::IsSet => write!(f, "{}", self.subject),
            Test::Equals(text) => write!(f, "{} {not}= \"{text}\"", self.subject),
            Test::Finds(expression) => {
                let any_case = if expression.ignores_case() { "*" } else { "" };
                let text = expression.as_str();
                write!(f, "{} {not}~{any_case} \"{text}\"", self.subject)
            }
        }
    }
}

impl PathMatch {
    /// Reads what stands behind `location`: `/v2/`, `= /v2/`, `^~ /v2/`,
    /// `~ \.php$`, `~* \.PHP$`.
    ///
    /// # Errors
    /// It is no path.
    pub fn parse(text: &str) -> Result<Self, NotationError> {
        let (modifier, path) = match text.trim().split_once(char::is_whitespace) {
            Some((modifier @ ("=" | "^~" | "~" | "~*"), path)) => (modifier, path.trim()),
            _ => ("", text.trim()),
        };
        match modifier {
            "~" => return Ok(Self::Expression(PerlExpression::new(path, false)?)),
            "~*" => return Ok(Self::Expression(PerlExpression::new(path, true)?)),
            _ => {}
        }
        if !path.starts_with('/') {
            return Err(NotationError::Path(path.to_owned()));
        }
        let path = path.to_owned();
        Ok(match modifier {
            "=" => Self::Exact(path),
            modifier => Self::Prefix {
                path,
                is_final: modifier == "^~",
            },
        })
    }
}

impl Display for PathMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => write!(f, "= {path}"),
            Self::Prefix {
                path,
                is_final: true,
            } => write!(f, "^~ {path}"),
            Self::Prefix { path, .. } => f.write_str(path),
            Self::Expression(expression) if expression.ignores_case() => {
                write!(f, "~* {}", expression.as_str())
            }
            Self::Expression(expression) => write!(f, "~ {}", expression.as_str()),
        }
    }
}

impl ServerName {
    /// Reads one word behind `server_name`. `.example.org` is two names: the
    /// caller asks for each.
    ///
    /// # Errors
    /// It is no name.
    pub fn parse(text: &str) -> Result<Self, NotationError> {
        if let Some(expression) = text.strip_prefix('~') {
            // Names of hosts have no case.
            return Ok(Self::Expression(PerlExpression::new(expression, true)?));
        }
        let name = text.to_ascii_lowercase();
        if name.is_empty() {
            return Err(NotationError::EmptyName);
        }
        let parsed = if let Some(tail) = name.strip_prefix('*') {
            Self::Leading(tail.to_owned())
        } else if let Some(head) = name.strip_suffix('*') {
            Self::Trailing(head.to_owned())
        } else {
            Self::Exact(name)
        };
        let is_plain = match &parsed {
            Self::Leading(tail) => tail.starts_with('.') && tail.len() > 1 && !tail.contains('*'),
            Self::Trailing(head) => head.ends_with('.') && head.len() > 1 && !head.contains('*'),
            Self::Exact(name) => !name.contains('*'),
            Self::Expression(_) => true,
        };
        if is_plain {
            Ok(parsed)
        } else {
            Err(NotationError::Star(text.to_owned()))
        }
    }
}

impl Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Leading(tail) => write!(f, "*{tail}"),
            Self::Trailing(head) => write!(f, "{head}*"),
            Self::Expression(expression) => write!(f, "~{}", expression.as_str()),
        }
    }
}

#[cfg(test)]
mod tests;
