//! What templates are filled in with.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use http::header::{AUTHORIZATION, HOST, HeaderMap};
use http::{Uri, Version};
use pingora::http::{RequestHeader, ResponseHeader};
use tidegate_auth::basic;
use tidegate_config::ShownClient;
use tidegate_config::site::{
    CertificateFact, Condition, Found, Piece, Template, Test, Translation, Variable,
};

use super::hosts::lower;
use super::path::{escape, escape_argument};
use super::progress::{Captures, Target, path_of, query_of};
use crate::client_certificates::{Shown, subject};

/// How deep `map`s may lead to one another; one that leads to itself has an end.
const DEPTH: usize = 8;

/// What is known of a request, of its connection and of its answer.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) request: &'a RequestHeader,
    /// The host that the client asked for, without a port.
    pub(crate) host: &'a str,
    pub(crate) over_tls: bool,
    /// The address of the client, be it behind trusted proxies.
    pub(crate) client: Option<IpAddr>,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) local: Option<SocketAddr>,
    /// The first name of the site.
    pub(crate) server_name: &'a str,
    /// What the client showed where it was asked for a certificate.
    pub(crate) shown: Option<&'a Shown>,
    /// What `proxy_pass` names.
    pub(crate) proxy_host: &'a str,
    /// Path and query, where a `rewrite` has changed them.
    pub(crate) target: Option<&'a Target>,
    /// What the groups of expressions found.
    pub(crate) found: &'a Captures,
    /// Where in a URL that comes to stand.
    pub(crate) within: Within,
    /// Once there is one.
    pub(crate) answer: Option<&'a ResponseHeader>,
}

/// What a text is a part of, which decides how what was found is escaped there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Within {
    /// No URL.
    Nothing,
    /// The path of one.
    Path,
    /// The query of one.
    Query,
}

impl<'a> Facts<'a> {
    /// The text that a template makes. Variables that are not known are empty.
    pub(crate) fn fill_in<'t>(&'t self, template: &'t Template) -> Cow<'t, str> {
        self.fill_in_within(template, DEPTH)
    }

    /// Whether a condition holds, and what was found, be it nothing, if it looks for
    /// an expression and that is `asked_for`.
    pub(crate) fn hold(&self, condition: &Condition, asked_for: bool) -> (bool, Option<Found>) {
        let subject = self.fill_in(&condition.subject);
        let mut found = None;
        let passes = match &condition.test {
            Test::IsSet => !subject.is_empty() && subject != "0",
            Test::Equals(other) => subject == self.fill_in(other),
            Test::Finds(expression) if asked_for => {
                let now = expression.find_in(&subject);
                let passes = now.is_some();
                found = Some(now.unwrap_or_default());
                passes
            }
            Test::Finds(expression) => expression.is_found_in(&subject),
        };
        (passes != condition.negated, found)
    }

    fn fill_in_within<'t>(&'t self, template: &'t Template, depth: usize) -> Cow<'t, str> {
        let mut pieces = template.0.iter().map(|piece| match piece {
            Piece::Text(text) => Cow::Borrowed(text.as_str()),
            Piece::Variable(variable) => self.variable(variable, depth),
        });
        let Some(first) = pieces.next() else {
            return Cow::Borrowed("");
        };
        let Some(second) = pieces.next() else {
            return first;
        };
        let mut text = first.into_owned();
        text.push_str(&second);
        for piece in pieces {
            text.push_str(&piece);
        }
        Cow::Owned(text)
    }

    fn variable<'t>(&'t self, variable: &'t Variable, depth: usize) -> Cow<'t, str> {
        let uri = &self.request.uri;
        match variable {
            Variable::Host => lower(if self.host.is_empty() {
                self.server_name
            } else {
                self.host
            }),
            Variable::Scheme => Cow::Borrowed(if self.over_tls { "https" } else { "http" }),
            Variable::RequestMethod => Cow::Borrowed(self.request.method.as_str()),
            Variable::RequestUri => Cow::Borrowed(target(uri)),
            Variable::Uri => path_of(self.target, uri),
            Variable::Args => Cow::Borrowed(query_of(self.target, uri).unwrap_or_default()),
            Variable::IsArgs => Cow::Borrowed(match query_of(self.target, uri) {
                None | Some("") => "",
                Some(_) => "?",
            }),
            Variable::ServerName => Cow::Borrowed(self.server_name),
            Variable::ServerAddress => shown(self.local.map(|a| a.ip().to_canonical())),
            Variable::ServerPort => shown(self.local.map(|address| address.port())),
            Variable::ServerProtocol => Cow::Borrowed(match self.request.version {
                Version::HTTP_09 => "HTTP/0.9",
                Version::HTTP_10 => "HTTP/1.0",
                Version::HTTP_2 => "HTTP/2.0",
                _ => "HTTP/1.1",
            }),
            Variable::Https => Cow::Borrowed(if self.over_tls { "on" } else { "" }),
            Variable::RemoteAddress => shown(self.client.map(ShownClient)),
            Variable::RemotePort => {
                let port = self.peer.map(|address| address.port());
                // Whoever comes through a Unix socket has none.
                shown(port.filter(|port| *port != 0))
            }
            Variable::RemoteUser => self.user(),
            Variable::ProxyAddXForwardedFor => {
                let hops = joined(&self.request.headers, "x-forwarded-for");
                match (hops.is_empty(), self.client.map(ShownClient)) {
                    (false, Some(client)) => Cow::Owned(format!("{hops}, {client}")),
                    (true, client) => shown(client),
                    (false, None) => hops,
                }
            }
            Variable::ProxyHost => Cow::Borrowed(self.proxy_host),
            Variable::RequestHeader(name) => self.request_header(name),
            Variable::ResponseHeader(name) => self
                .answer
                .map_or(Cow::Borrowed(""), |answer| joined(&answer.headers, name)),
            Variable::Client(fact) => self.certificate(*fact),
            Variable::Status => shown(self.answer.map(|answer| answer.status.as_u16())),
            Variable::Capture(group) => self.capture(self.found.numbered(*group)),
            Variable::NamedCapture(name) => self.capture(self.found.named(name)),
            Variable::Translated(translation) => self.translate(translation, depth),
        }
    }

    fn capture(&self, text: &'a str) -> Cow<'a, str> {
        // Who has escaped nothing is taken at their word.
        let is_escaped = target(&self.request.uri).contains(['%', '+']);
        match self.within {
            Within::Path if is_escaped => escape(text),
            Within::Query if is_escaped => escape_argument(text),
            _ => Cow::Borrowed(text),
        }
    }

    fn certificate(&self, fact: CertificateFact) -> Cow<'_, str> {
        let shown = self
            .shown
            .and_then(|shown| Some((shown, shown.certificate()?)));
        let Some((shown, der)) = shown else {
            let is_asked = fact == CertificateFact::Verify && self.over_tls;
            return Cow::Borrowed(if is_asked { "NONE" } else { "" });
        };
        let names = || subject::distinguished_names(der);
        match fact {
            CertificateFact::Verify => match shown.verified() {
                Ok(()) => Cow::Borrowed("SUCCESS"),
                Err(rejection) => Cow::Owned(format!("FAILED:{}", rejection.openssl())),
            },
            CertificateFact::Subject => {
                Cow::Owned(names().map(|names| names.subject).unwrap_or_default())
            }
            CertificateFact::Issuer => {
                Cow::Owned(names().map(|names| names.issuer).unwrap_or_default())
            }
            CertificateFact::Serial => Cow::Owned(subject::serial(der).unwrap_or_default()),
            CertificateFact::Fingerprint => Cow::Owned(subject::fingerprint(der)),
            CertificateFact::Escaped => Cow::Owned(subject::escaped_pem(der)),
        }
    }

    fn request_header(&self, name: &str) -> Cow<'_, str> {
        // HTTP/2 says it in the URI.
        let authority = self.request.uri.authority();
        match authority {
            Some(authority) if name == HOST && !self.request.headers.contains_key(HOST) => {
                Cow::Borrowed(authority.as_str())
            }
            _ => joined(&self.request.headers, name),
        }
    }

    /// As nginx: the name that is claimed, whether or not it was checked.
    fn user(&self) -> Cow<'_, str> {
        let value = self.request.headers.get(AUTHORIZATION);
        let claimed = value.and_then(|value| value.to_str().ok());
        match claimed.and_then(basic::parse) {
            Some(credentials) => Cow::Owned(credentials.user().to_owned()),
            None => Cow::Borrowed(""),
        }
    }

    fn translate<'t>(&'t self, translation: &'t Translation, depth: usize) -> Cow<'t, str> {
        let Some(depth) = depth.checked_sub(1) else {
            return Cow::Borrowed("");
        };
        let source = self.fill_in_within(&translation.source, depth);
        let mut texts = translation.texts.iter();
        let text = texts.find(|(text, _)| text.eq_ignore_ascii_case(&source));
        if let Some((_, to)) = text {
            return self.fill_in_within(to, depth);
        }
        let mut expressions = translation.expressions.iter();
        let Some((expression, to)) = expressions.find(|(e, _)| e.is_found_in(&source)) else {
            return self.fill_in_within(&translation.default, depth);
        };
        if !to.uses_captures() {
            return self.fill_in_within(to, depth);
        }
        // What a line of a map tells of is what its own expression found.
        let found = expression
            .find_in(&source)
            .map_or(Captures::NONE, Captures::from);
        let facts = Facts {
            found: &found,
            ..*self
        };
        Cow::Owned(facts.fill_in_within(to, depth).into_owned())
    }
}

/// Path and query as they were written.
pub(crate) fn target(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |target| target.as_str())
}

fn shown<'a>(value: Option<impl ToString>) -> Cow<'a, str> {
    value.map_or(Cow::Borrowed(""), |value| Cow::Owned(value.to_string()))
}

/// All values of a field (RFC 9110, section 5.3).
fn joined<'h>(headers: &'h HeaderMap, name: &str) -> Cow<'h, str> {
    let mut values = headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    let Some(first) = values.next() else {
        return Cow::Borrowed("");
    };
    values.fold(first, |all, value| Cow::Owned(format!("{all}, {value}")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tidegate_config::site::{Names, PerlExpression};

    use super::*;

    fn request(target: &[u8], fields: &[(&'static str, &str)]) -> RequestHeader {
        let mut request = RequestHeader::build("GET", target, None).unwrap();
        for (name, value) in fields {
            request.append_header(*name, *value).unwrap();
        }
        request
    }

    const NOTHING: &Captures = &Captures::NONE;

    fn facts(request: &RequestHeader) -> Facts<'_> {
        Facts {
            request,
            host: "Registry.example.org",
            over_tls: true,
            client: Some([192, 0, 2, 1].into()),
            peer: Some(([192, 0, 2, 1], 4711).into()),
            local: Some(([198, 51, 100, 1], 443).into()),
            server_name: "registry.example.org",
            shown: None,
            proxy_host: "registry:5000",
            target: None,
            found: NOTHING,
            within: Within::Nothing,
            answer: None,
        }
    }

    #[test]
    fn variables_are_what_they_are_in_nginx() {
        let request = request(
            b"/v2//a%20b/?n=1",
            &[
                ("host", "registry.example.org:443"),
                ("authorization", "Basic YWxpY2U6c2VjcmV0"),
                ("x-forwarded-for", "1.1.1.1"),
                ("x-forwarded-for", "2.2.2.2"),
                ("user-agent", "docker/27"),
            ],
        );
        let facts = facts(&request);
        for (template, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("$host", "registry.example.org"),
            ("$http_host", "registry.example.org:443"),
            (
                "$scheme://$host$request_uri",
                "https://registry.example.org/v2//a%20b/?n=1",
            ),
            ("$uri$is_args$args", "/v2/a b/?n=1"),
            ("$request_method $server_protocol", "GET HTTP/1.1"),
            ("$remote_addr:$remote_port", "192.0.2.1:4711"),
            ("$server_addr:$server_port", "198.51.100.1:443"),
            ("$server_name $https", "registry.example.org on"),
            ("$remote_user", "alice"),
            (
                "$ssl_client_verify$ssl_client_s_dn$ssl_client_serial",
                "NONE",
            ),
            ("$proxy_add_x_forwarded_for", "1.1.1.1, 2.2.2.2, 192.0.2.1"),
            ("$proxy_host", "registry:5000"),
            ("$http_user_agent", "docker/27"),
            ("[$http_x_none$status$upstream_http_x]", "[]"),
        ] {
            let template = Template::parse(template, Names::default()).unwrap();
            assert_eq!(facts.fill_in(&template), expected, "{template}");
        }
    }

    #[test]
    fn the_host_of_http2_is_in_its_uri() {
        let mut request = request(b"/v2/", &[]);
        request.set_uri(Uri::from_static("https://r.example.org:5043/v2/"));
        let template = Template::parse("$http_host$request_uri", Names::default()).unwrap();
        assert_eq!(facts(&request).fill_in(&template), "r.example.org:5043/v2/");
    }

    #[test]
    fn a_map_looks_for_texts_then_expressions() {
        let request = request(b"/", &[("user-agent", "Docker/1.5.0")]);
        let translation = Translation {
            name: "old".to_owned(),
            source: Template::parse("$http_user_agent", Names::default()).unwrap(),
            texts: vec![("CURL".to_owned(), Template::text("curl"))],
            expressions: vec![(
                PerlExpression::new(r"docker/1\.5", true).unwrap(),
                Template::parse("old $scheme", Names::default()).unwrap(),
            )],
            default: Template::text("new"),
        };
        let template = Template::variable(Variable::Translated(Arc::new(translation)));
        assert_eq!(facts(&request).fill_in(&template), "old https");
        let request = self::request(b"/", &[("user-agent", "curl")]);
        assert_eq!(facts(&request).fill_in(&template), "curl");
        let request = self::request(b"/", &[]);
        assert_eq!(facts(&request).fill_in(&template), "new");
    }

    #[test]
    fn conditions_are_those_of_if() {
        let request = request(b"/?x=0", &[("user-agent", "docker/1.5.0")]);
        let facts = facts(&request);
        for (condition, holds) in [
            ("$http_user_agent ~ ^docker", true),
            ("$http_user_agent ~ ^Docker", false),
            ("$http_user_agent !~* ^Docker", false),
            ("$scheme = https", true),
            ("$scheme != https", false),
            ("$http_user_agent", true),
            ("$http_x_none", false),
        ] {
            let parsed = Condition::parse(condition, Names::default()).unwrap();
            assert_eq!(facts.hold(&parsed, false).0, holds, "{condition}");
        }
    }
}
