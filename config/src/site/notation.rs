//! How templates, conditions, paths and names are written: as nginx writes them.

use std::fmt::{self, Display};
use std::sync::Arc;

use super::{
    CertificateFact, Condition, PathMatch, PerlExpression, PerlExpressionError, Piece, ServerName,
    Template, Test, Translation, Variable,
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

/// The variables that have one name each.
const VARIABLES: [(&str, Variable); 25] = [
    ("host", Variable::Host),
    ("scheme", Variable::Scheme),
    ("request_method", Variable::RequestMethod),
    ("request_uri", Variable::RequestUri),
    ("uri", Variable::Uri),
    ("args", Variable::Args),
    ("is_args", Variable::IsArgs),
    ("server_name", Variable::ServerName),
    ("server_addr", Variable::ServerAddress),
    ("server_port", Variable::ServerPort),
    ("server_protocol", Variable::ServerProtocol),
    ("https", Variable::Https),
    ("remote_addr", Variable::RemoteAddress),
    ("remote_port", Variable::RemotePort),
    ("remote_user", Variable::RemoteUser),
    ("proxy_add_x_forwarded_for", Variable::ProxyAddXForwardedFor),
    ("proxy_host", Variable::ProxyHost),
    ("status", Variable::Status),
    (
        "ssl_client_verify",
        Variable::Client(CertificateFact::Verify),
    ),
    (
        "ssl_client_s_dn",
        Variable::Client(CertificateFact::Subject),
    ),
    ("ssl_client_i_dn", Variable::Client(CertificateFact::Issuer)),
    (
        "ssl_client_serial",
        Variable::Client(CertificateFact::Serial),
    ),
    (
        "ssl_client_fingerprint",
        Variable::Client(CertificateFact::Fingerprint),
    ),
    (
        "ssl_client_escaped_cert",
        Variable::Client(CertificateFact::Escaped),
    ),
    // What nginx has two names for is written by the first.
    ("document_uri", Variable::Uri),
];

impl Variable {
    /// The variable of that name, without the dollar sign, if there is one.
    #[must_use]
    pub fn of_name(name: &str, translations: &[Arc<Translation>]) -> Option<Self> {
        let translated = translations.iter().find(|known| known.name == name);
        if let Some(translation) = translated {
            return Some(Self::Translated(Arc::clone(translation)));
        }
        if name == "query_string" {
            return Some(Self::Args);
        }
        if let Some((_, variable)) = VARIABLES.iter().find(|(known, _)| *known == name) {
            return Some(variable.clone());
        }
        let field = |name: &str| (!name.is_empty()).then(|| name.replace('_', "-"));
        if let Some(name) = name.strip_prefix("http_") {
            return field(name).map(Self::RequestHeader);
        }
        let of_answer = ["upstream_http_", "sent_http_"];
        let name = of_answer
            .iter()
            .find_map(|prefix| name.strip_prefix(prefix))?;
        field(name).map(Self::ResponseHeader)
    }
}

impl Display for Variable {
    /// The name, without the dollar sign.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RequestHeader(name) => write!(f, "http_{}", name.replace('-', "_")),
            Self::ResponseHeader(name) => write!(f, "upstream_http_{}", name.replace('-', "_")),
            Self::Translated(translation) => f.write_str(&translation.name),
            plain => {
                let known = VARIABLES.iter().find(|(_, variable)| variable == plain);
                f.write_str(known.map_or("", |(name, _)| name))
            }
        }
    }
}

impl Template {
    /// Reads a text in which `$name` and `${name}` are variables. Nothing is
    /// quoted: a dollar sign always begins a variable.
    ///
    /// # Errors
    /// A dollar sign has no known variable behind it.
    pub fn parse(text: &str, translations: &[Arc<Translation>]) -> Result<Self, NotationError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            if at > 0 {
                pieces.push(Piece::Text(rest[..at].to_owned()));
            }
            rest = &rest[at + 1..];
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
            let variable = Variable::of_name(name, translations)
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
                    let joins = matches!(
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
    pub fn parse(text: &str, translations: &[Arc<Translation>]) -> Result<Self, NotationError> {
        let text = text.trim();
        let wrong = || NotationError::Condition(text.to_owned());
        if !text.starts_with('$') {
            return Err(wrong());
        }
        let (subject, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let subject = Template::parse(subject, translations)?;
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
            "=" => Test::Equals(Template::parse(operand, translations)?),
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn translation(name: &str, source: &str) -> Arc<Translation> {
        Arc::new(Translation {
            name: name.to_owned(),
            source: Template::parse(source, &[]).unwrap(),
            texts: vec![(String::new(), Template::text("registry/2.0"))],
            expressions: Vec::new(),
            default: Template::default(),
        })
    }

    #[test]
    fn a_template_comes_out_as_it_was_written() {
        let map = translation(
            "api_version",
            "$upstream_http_docker_distribution_api_version",
        );
        for text in [
            "",
            "plain",
            "https://$host$request_uri",
            "${scheme}s",
            "$http_x_forwarded_proto, $proxy_add_x_forwarded_for",
            "v$api_version",
        ] {
            let template = Template::parse(text, &[Arc::clone(&map)]).unwrap();
            assert_eq!(template.to_string(), text);
        }
        let template = Template::parse("v$api_version", &[Arc::clone(&map)]).unwrap();
        let mut found = Vec::new();
        template.translations(&mut found);
        assert_eq!(found, [map]);
    }

    #[test]
    fn what_is_no_variable_is_named() {
        for (text, said) in [
            ("$", "a `$` without the name of a variable"),
            ("a$-", "a `$` without the name of a variable"),
            ("${host", "`${` without `}`"),
            ("$hots", "`$hots` is no variable that is known here"),
            ("$http_", "`$http_` is no variable that is known here"),
        ] {
            assert_eq!(Template::parse(text, &[]).unwrap_err().to_string(), said);
        }
    }

    #[test]
    fn every_variable_is_known_by_its_name() {
        for (name, variable) in VARIABLES {
            assert_eq!(Variable::of_name(name, &[]), Some(variable.clone()));
            let shown = Template::variable(variable).to_string();
            assert!(Template::parse(&shown, &[]).is_ok(), "{shown}");
        }
        assert_eq!(
            Variable::of_name("http_user_agent", &[]),
            Some(Variable::RequestHeader("user-agent".to_owned()))
        );
    }

    #[test]
    fn a_condition_comes_out_as_it_was_written() {
        for text in [
            "$http_x_token",
            "$scheme = \"http\"",
            "$request_method != \"GET\"",
            "$http_user_agent ~ \"^(docker\\/1\\.(3|4|5(?!\\.[0-9]-dev))|Go ).*$\"",
            "$host !~* \"^a b$\"",
        ] {
            let condition = Condition::parse(text, &[]).unwrap();
            assert_eq!(condition.to_string(), text);
        }
        let bare = Condition::parse("$scheme = http", &[]).unwrap();
        assert_eq!(bare.test, Test::Equals(Template::text("http")));
        for text in [
            "",
            "scheme = http",
            "$scheme http",
            "$scheme =",
            "$host ~ (",
        ] {
            assert!(Condition::parse(text, &[]).is_err(), "{text}");
        }
    }

    #[test]
    fn paths_and_names_come_out_as_they_were_written() {
        for text in ["/", "= /v2/", "^~ /v2/", "~ \\.php$", "~* ^/V2/"] {
            assert_eq!(PathMatch::parse(text).unwrap().to_string(), text);
        }
        assert!(PathMatch::parse("v2").is_err());
        for text in ["a.example", "*.example.org", "registry.*", "~^r\\d+\\."] {
            assert_eq!(ServerName::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(
            ServerName::parse("A.Example").unwrap(),
            ServerName::Exact("a.example".to_owned())
        );
        for text in ["", "*", "a*b", "*.*", "*a.example", "~("] {
            assert!(ServerName::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_can_be_read_comes_back(text in "[a-z$ {}_~=!*/\"^.]{0,30}") {
            if let Ok(template) = Template::parse(&text, &[]) {
                prop_assert_eq!(Template::parse(&template.to_string(), &[]), Ok(template));
            }
            if let Ok(path) = PathMatch::parse(&text) {
                prop_assert_eq!(PathMatch::parse(&path.to_string()), Ok(path));
            }
            if let Ok(name) = ServerName::parse(&text) {
                prop_assert_eq!(ServerName::parse(&name.to_string()), Ok(name));
            }
            if let Ok(condition) = Condition::parse(&text, &[]) {
                prop_assert_eq!(Condition::parse(&condition.to_string(), &[]), Ok(condition));
            }
        }
    }
}
