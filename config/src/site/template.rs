//! Texts with variables in them.

use std::collections::HashSet;
use std::sync::Arc;

use super::expression::PerlExpression;

/// A text with variables in it, as `https://$host$request_uri`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template(pub Vec<Piece>);

/// A part of a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text as it is.
    Text(String),
    /// What a variable is for the request at hand; nothing, if it is not known.
    Variable(Variable),
}

/// What a request, its answer and its connection are known by. The names are
/// nginx's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// `$host`: the host in lower case, without the port.
    Host,
    /// `$scheme`: `http` or `https`, as the connection is.
    Scheme,
    /// `$request_method`
    RequestMethod,
    /// `$request_uri`: path and query as the client wrote them.
    RequestUri,
    /// `$uri`: the decoded path.
    Uri,
    /// `$args`: the query, without the question mark.
    Args,
    /// `$is_args`: a question mark if there is a query.
    IsArgs,
    /// `$server_name`: the first name of the site.
    ServerName,
    /// `$server_addr`
    ServerAddress,
    /// `$server_port`
    ServerPort,
    /// `$server_protocol`: `HTTP/1.1` or `HTTP/2.0`.
    ServerProtocol,
    /// `$https`: `on` over TLS.
    Https,
    /// `$remote_addr`: the client's address.
    RemoteAddress,
    /// `$remote_port`
    RemotePort,
    /// `$remote_user`: who came in with a password.
    RemoteUser,
    /// `$proxy_add_x_forwarded_for`: the client's `X-Forwarded-For`, if any, and
    /// the client's address after a comma.
    ProxyAddXForwardedFor,
    /// `$proxy_host`
    ProxyHost,
    /// `$http_…`: a field of the request, by its name in lower case with dashes.
    RequestHeader(String),
    /// `$upstream_http_…` and `$sent_http_…`: a field of the answer.
    ResponseHeader(String),
    /// `$ssl_client_…`: the certificate that the client showed.
    Client(CertificateFact),
    /// `$status`: the status of the answer.
    Status,
    /// `$1` to `$9`: what a group found of the expression that was found last.
    Capture(u8),
    /// What a group with that name found, of any expression.
    NamedCapture(String),
    /// What a `map` makes of another text.
    Translated(Arc<Translation>),
}

/// What is known of the certificate that a client showed; empty if it showed none,
/// unless it is said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateFact {
    /// `$ssl_client_verify`: `SUCCESS`, `FAILED:` with the reason, or `NONE`.
    /// Empty without TLS.
    Verify,
    /// `$ssl_client_s_dn`: the subject (RFC 2253).
    Subject,
    /// `$ssl_client_i_dn`: the issuer (RFC 2253).
    Issuer,
    /// `$ssl_client_serial`, in hexadecimal digits.
    Serial,
    /// `$ssl_client_fingerprint`: its SHA-1, in hexadecimal digits.
    Fingerprint,
    /// `$ssl_client_escaped_cert`: in PEM, escaped as in a URL.
    Escaped,
}

/// nginx's `map`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// The variable that it makes, without the dollar sign.
    pub name: String,
    /// What is looked up.
    pub source: Template,
    /// Whole texts, compared without case, and what stands for them.
    pub texts: Vec<(String, Template)>,
    /// Expressions, tried in order after the texts.
    pub expressions: Vec<(PerlExpression, Template)>,
    /// What stands for all else.
    pub default: Template,
}

impl Template {
    /// A text without variables.
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() {
            return Self::default();
        }
        Self(vec![Piece::Text(text)])
    }

    /// Whether it tells what the groups of an expression found.
    #[must_use]
    pub fn uses_captures(&self) -> bool {
        self.uses_captures_beside(&mut HashSet::new())
    }

    /// The same, if none of those `seen` does: one may be used many times over.
    fn uses_captures_beside(&self, seen: &mut HashSet<*const Translation>) -> bool {
        self.0.iter().any(|piece| match piece {
            Piece::Variable(Variable::Capture(_) | Variable::NamedCapture(_)) => true,
            Piece::Variable(Variable::Translated(translation)) => {
                if !seen.insert(Arc::as_ptr(translation)) {
                    return false;
                }
                let texts = translation.texts.iter().map(|(_, to)| to);
                let expressions = translation.expressions.iter().map(|(_, to)| to);
                let others = [&translation.source, &translation.default];
                let mut all = texts.chain(expressions).chain(others);
                all.any(|template| template.uses_captures_beside(seen))
            }
            _ => false,
        })
    }

    /// A variable alone.
    #[must_use]
    pub fn variable(variable: Variable) -> Self {
        Self(vec![Piece::Variable(variable)])
    }
}
