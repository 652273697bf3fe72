//! `upstream` and `proxy_pass`.

use std::time::Duration;

use super::Reading;
use super::scope::Scope;
use super::tree::Directive;
use super::value;
use super::variables::settled;
use crate::diagnostic::Diagnostic;
use crate::site::{
    LocationRule, PathMatch, Piece, Proxy, Template, UpstreamServer, UpstreamTls, Variable,
};
use crate::upstream::Upstream;

/// The default of `max_fails`.
const MAX_FAILS: u32 = 1;
/// The default of `fail_timeout`.
const FAIL_TIMEOUT: Duration = Duration::from_secs(10);

impl Reading {
    /// Reads each `upstream` of an `http`.
    ///
    /// # Errors
    /// One that nginx would not take.
    pub(super) fn upstreams(&mut self, http: &[Directive]) -> Result<(), Box<Diagnostic>> {
        for directive in http
            .iter()
            .filter(|directive| directive.name() == "upstream")
        {
            let name = directive.word(0).unwrap_or_default().to_owned();
            let mut servers = Vec::new();
            for server in directive
                .children()
                .iter()
                .filter(|inner| inner.name() == "server")
            {
                servers.extend(self.upstream_server(server)?);
            }
            if !directive
                .children()
                .iter()
                .any(|inner| inner.name() == "server")
            {
                return Err(directive.mistake("there is no `server` in this `upstream`"));
            }
            if self.upstreams.insert(name.clone(), servers).is_some() {
                return Err(directive.mistake_in(0, format!("there are two upstreams `{name}`")));
            }
        }
        Ok(())
    }

    fn upstream_server(
        &mut self,
        directive: &Directive,
    ) -> Result<Option<UpstreamServer>, Box<Diagnostic>> {
        let address = directive.word(0).unwrap_or_default();
        let to = if address.starts_with("unix:") {
            address.to_owned()
        } else {
            format!("http://{address}")
        };
        let to: Upstream = to
            .parse()
            .map_err(|error: crate::UpstreamError| directive.mistake_in(0, error.to_string()))?;
        let mut server = UpstreamServer {
            to,
            weight: 1,
            is_backup: false,
            is_down: false,
            max_fails: MAX_FAILS,
            fail_timeout: FAIL_TIMEOUT,
        };
        for (index, word) in directive.words.iter().enumerate().skip(1) {
            let (name, value) = word.text.split_once('=').unwrap_or((&word.text, ""));
            let wrong = || {
                directive.mistake_in(
                    index,
                    format!("`{}` says nothing of a server that is known", word.text),
                )
            };
            let number = || {
                value::digits(value)
                    .and_then(|number| u32::try_from(number).ok())
                    .ok_or_else(wrong)
            };
            match name {
                "backup" if value.is_empty() => server.is_backup = true,
                "down" if value.is_empty() => server.is_down = true,
                "weight" => {
                    server.weight = Some(number()?)
                        .filter(|weight| *weight > 0)
                        .ok_or_else(wrong)?
                }
                "max_fails" => server.max_fails = number()?,
                "fail_timeout" => server.fail_timeout = value::time(value).ok_or_else(wrong)?,
                "max_conns" => self
                    .verdicts
                    .replaced(directive, "as many connections as it takes"),
                "resolve" | "slow_start" => self.verdicts.replaced(
                    directive,
                    "names that are looked up when a request comes, and servers that take turns",
                ),
                "route" | "service" | "drain" => self
                    .verdicts
                    .refused(directive, format!("`{name}` is not known here")),
                _ => return Err(wrong()),
            }
        }
        Ok(Some(server))
    }

    /// What a `proxy_pass` says, with what its place says of proxies.
    ///
    /// # Errors
    /// What nginx would not take.
    pub(super) fn proxy(
        &mut self,
        scope: &Scope,
        directive: &Directive,
        path: &PathMatch,
    ) -> Result<Option<Proxy>, Box<Diagnostic>> {
        let Some((url, target)) = self.passed_to(scope, directive)? else {
            return Ok(None);
        };
        let wrong = |why: String| directive.mistake_in(0, why);
        let (rest, is_tls) = match (strip(&url, "http://"), strip(&url, "https://")) {
            (Some(rest), _) => (rest, false),
            (_, Some(rest)) => (rest, true),
            _ => {
                return Err(wrong(format!(
                    "`{url}` is no URL: it begins with `http://` or `https://`"
                )));
            }
        };
        let (authority, uri) = match rest.strip_prefix("unix:") {
            Some(socket) => match socket.split_once(':') {
                Some((socket, uri)) => (format!("unix:{socket}"), uri.to_owned()),
                None => (format!("unix:{socket}"), String::new()),
            },
            None => {
                let end = rest.find(['/', '?']).unwrap_or(rest.len());
                (rest[..end].to_owned(), rest[end..].to_owned())
            }
        };
        if matches!(path, PathMatch::Expression(_)) && !uri.is_empty() {
            return Err(wrong(format!(
                "where the location is an expression, `proxy_pass` has no path, as `{uri}`"
            )));
        }
        if uri.contains('?') {
            self.verdicts
                .refused(directive, "a query is not put before that of the client");
            return Ok(None);
        }
        let (servers, host) = self.servers(directive, &authority, is_tls)?;
        if servers.is_empty() {
            self.verdicts.refused(
                directive,
                format!("no server of `{authority}` can be asked"),
            );
            return Ok(None);
        }
        self.verdicts.honoured(directive);
        Ok(Some(Proxy {
            servers,
            tls: is_tls.then(|| UpstreamTls {
                ..scope.tls.clone()
            }),
            host,
            path: (!uri.is_empty()).then_some(uri),
            target,
            headers: scope.proxy_headers.clone(),
            redirects: redirects(scope, directive),
            connect_timeout: scope.connect_timeout,
            read_timeout: scope.read_timeout,
            send_timeout: scope.send_timeout,
        }))
    }

    /// The URL as far as it is known before requests come, which are the servers at
    /// least, and what is asked for there if that depends on the request.
    fn passed_to(
        &mut self,
        scope: &Scope,
        directive: &Directive,
    ) -> Result<Option<(String, Option<Template>)>, Box<Diagnostic>> {
        let written = directive.word(0).unwrap_or_default();
        if !written.contains('$') {
            return Ok(Some((written.to_owned(), None)));
        }
        let Some(template) = self.template(directive, 0, &scope.set)? else {
            return Ok(None);
        };
        let mut url = String::new();
        let mut target = Vec::new();
        let mut pieces = template.0.into_iter();
        while let Some(piece) = pieces.next() {
            let begins_path =
                matches!(piece, Piece::Variable(Variable::RequestUri | Variable::Uri));
            let piece = Template(vec![piece]);
            match settled(&piece) {
                Some(text) => {
                    url.push_str(&text);
                    let Some(at) = target_in(&url) else {
                        continue;
                    };
                    let text = url.split_off(at);
                    let text = text.strip_prefix(':').unwrap_or(&text);
                    target.extend(Template::text(text).0);
                }
                None if begins_path => target.extend(piece.0),
                None => {
                    self.verdicts.refused(
                        directive,
                        "which servers are asked has to be known before requests come",
                    );
                    return Ok(None);
                }
            }
            target.extend(pieces.by_ref());
        }
        // Without a path of its own, nginx passes on that of the client.
        let as_it_is = [Piece::Variable(Variable::RequestUri)];
        let is_changed = !target.is_empty() && target != as_it_is;
        Ok(Some((url, is_changed.then_some(Template(target)))))
    }

    /// The servers that a name means, and the `Host` that they are asked with.
    fn servers(
        &self,
        directive: &Directive,
        authority: &str,
        is_tls: bool,
    ) -> Result<(Vec<UpstreamServer>, String), Box<Diagnostic>> {
        let wrong = |why: String| directive.mistake_in(0, why);
        if let Some(servers) = self.upstreams.get(authority) {
            return Ok((servers.clone(), authority.to_owned()));
        }
        if let Some((name, port)) = authority.split_once(':')
            && self.upstreams.contains_key(name)
        {
            return Err(wrong(format!(
                "`{name}` is an `upstream`, and has no port of its own, as {port}"
            )));
        }
        let has_port = authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| !port.ends_with(']'));
        let to = match (authority.starts_with("unix:"), has_port, is_tls) {
            (true, _, _) => authority.to_owned(),
            (false, false, true) => format!("http://{authority}:443"),
            _ => format!("http://{authority}"),
        };
        let to: Upstream = to
            .parse()
            .map_err(|error: crate::UpstreamError| wrong(error.to_string()))?;
        let default_port = if is_tls { ":443" } else { ":80" };
        let host = match &to {
            Upstream::Unix(_) => "localhost",
            Upstream::Http { .. } => authority.strip_suffix(default_port).unwrap_or(authority),
        };
        let server = UpstreamServer {
            to,
            weight: 1,
            is_backup: false,
            is_down: false,
            max_fails: MAX_FAILS,
            fail_timeout: FAIL_TIMEOUT,
        };
        Ok((vec![server], host.to_owned()))
    }
}

/// Where answers lead. What a `proxy_pass` with variables names is not known to
/// nginx, so that no `Location` begins with it.
fn redirects(scope: &Scope, directive: &Directive) -> Vec<LocationRule> {
    let is_known = !directive.word(0).unwrap_or_default().contains('$');
    let rules = scope.redirects.iter();
    rules
        .filter(|rule| is_known || **rule != LocationRule::Place)
        .cloned()
        .collect()
}

/// Where path and query begin in a URL with variables, if they have begun: behind a
/// socket's own path, with the colon that ends that.
fn target_in(url: &str) -> Option<usize> {
    let rest = strip(url, "http://").or_else(|| strip(url, "https://"))?;
    let at = match rest.strip_prefix("unix:") {
        Some(_) => rest.match_indices(':').nth(1)?.0,
        None => rest.find(['/', '?'])?,
    };
    Some(url.len() - rest.len() + at)
}

/// What follows a scheme, which has no case.
fn strip<'a>(url: &'a str, scheme: &str) -> Option<&'a str> {
    let begin = url.get(..scheme.len())?;
    begin
        .eq_ignore_ascii_case(scheme)
        .then(|| &url[scheme.len()..])
}
