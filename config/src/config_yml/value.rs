//! Values of a `config.yml`, read by their key.

use std::fmt::{self, Display};
use std::time::Duration;

use serde_json::Value;

/// A key that does not say what it should, and what overruled it, if anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    key: String,
    problem: String,
    variable: Option<String>,
    hint: Option<String>,
}

impl Mistake {
    /// What is wrong with a variable of the environment. Its value is not
    /// shown: it may be a secret.
    pub(super) fn of_variable(variable: &str, problem: impl Display) -> Self {
        Self {
            key: String::new(),
            problem: problem.to_string(),
            variable: Some(variable.to_owned()),
            hint: None,
        }
    }

    pub(super) fn with_hint(mut self, hint: &str) -> Self {
        self.hint = Some(hint.to_owned());
        self
    }

    /// How to mend it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key,
            problem,
            variable,
            ..
        } = self;
        match variable {
            Some(variable) if key.is_empty() => write!(f, "{variable}: {problem}"),
            Some(variable) => write!(f, "`{key}`, as {variable} has it: {problem}"),
            None => write!(f, "`{key}`: {problem}"),
        }
    }
}

impl std::error::Error for Mistake {}

/// A value of the tree and its key. What is not there is a node as well.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    key: String,
    value: Option<&'a Value>,
    overruled: &'a [(String, String)],
}

impl<'a> Node<'a> {
    pub(super) fn root(value: &'a Value, overruled: &'a [(String, String)]) -> Self {
        Self {
            key: String::new(),
            value: Some(value),
            overruled,
        }
    }

    /// The node below a key.
    pub(super) fn child(&self, key: &str) -> Self {
        let path = match self.key.as_str() {
            "" => key.to_owned(),
            parent => format!("{parent}.{key}"),
        };
        Self {
            key: path,
            value: self
                .value
                .and_then(|value| value.get(key))
                .filter(|value| !value.is_null()),
            overruled: self.overruled,
        }
    }

    /// The keys below.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let entries = self.value.and_then(Value::as_object);
        entries
            .into_iter()
            .flat_map(|entries| entries.keys())
            .map(String::as_str)
    }

    /// Text; a number or a truth value as it is written.
    pub(super) fn text(&self) -> Result<Option<String>, Mistake> {
        match self.value {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(plain @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(plain.to_string())),
            Some(other) => Err(self.expected("text", other)),
        }
    }

    /// A truth value, also by the words that YAML 1.1 has for it.
    pub(super) fn truth(&self) -> Result<Option<bool>, Mistake> {
        match self.value {
            None => Ok(None),
            Some(Value::Bool(truth)) => Ok(Some(*truth)),
            Some(other) => match other.as_str().map(str::to_ascii_lowercase).as_deref() {
                Some("true" | "yes" | "on" | "y") => Ok(Some(true)),
                Some("false" | "no" | "off" | "n") => Ok(Some(false)),
                _ => Err(self.expected("true or false", other)),
            },
        }
    }

    /// A time as Go writes it: `168h`, `1h30m`.
    pub(super) fn duration(&self) -> Result<Option<Duration>, Mistake> {
        let Some(text) = self.text()? else {
            return Ok(None);
        };
        match humantime::parse_duration(&text) {
            Ok(duration) => Ok(Some(duration)),
            Err(_) => Err(self
                .mistake(format!("`{text}` is no duration"))
                .with_hint("write it as 168h or 1h30m")),
        }
    }

    /// Something is wrong with what is here.
    pub(super) fn mistake(&self, problem: impl Into<String>) -> Mistake {
        let overruled = self.overruled.iter().rev();
        let variable = overruled
            .filter(|(path, _)| {
                self.key
                    .strip_prefix(path.as_str())
                    .is_some_and(|below| below.is_empty() || below.starts_with('.'))
            })
            .map(|(_, variable)| variable.clone())
            .next();
        Mistake {
            key: self.key.clone(),
            problem: problem.into(),
            variable,
            hint: None,
        }
    }

    fn expected(&self, what: &str, got: &Value) -> Mistake {
        let got = match got {
            Value::Object(_) => "a mapping",
            Value::Array(_) => "a list",
            Value::String(_) => "a text",
            Value::Number(_) => "a number",
            Value::Bool(_) => "a truth value",
            Value::Null => "nothing",
        };
        self.mistake(format!("expected {what}, got {got}"))
    }
}
