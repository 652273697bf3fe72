//! Virtual servers: several sets of rules behind the same listeners, chosen by
//! the name that a client asks for and the path of its request, as nginx
//! chooses them.
//!
//! A request is answered like this. Among the sites of its listener the one is
//! chosen that has the name of its host ([`ServerName`]), or else the one that is
//! the listener's default. The site's own [`Rewrite`]s come first, then a
//! [`Place`] is chosen by the path ([`PathMatch`]); there the limit of the body is
//! looked at, the place's rewrites, who may come in ([`Access`]), and then the
//! [`Action`] answers.

mod access;
mod expression;
mod notation;
mod rewrite;
mod template;

use std::path::PathBuf;
use std::time::Duration;

pub use self::access::{Access, AddressRule, MethodRule};
pub(crate) use self::expression::named_groups;
pub use self::expression::{Found, PerlExpression, PerlExpressionError};
pub use self::notation::{Names, NotationError};
pub use self::rewrite::{Condition, NewTarget, Return, Rewrite, Test, Then};
pub use self::template::{CertificateFact, Piece, Template, Translation, Variable};
use crate::client_auth::ClientAuth;
use crate::header::HeaderFieldName;
use crate::upstream::Upstream;

/// One virtual server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Where it is served.
    pub attachments: Vec<Attachment>,
    /// The names it goes by; none if it is only ever the default of a listener.
    pub names: Vec<ServerName>,
    /// What certificates are asked of clients over TLS. `None`: what the listener
    /// says.
    pub client_auth: Option<ClientAuth>,
    /// Whether HTTP/2 is offered to those who ask for its names in the handshake.
    /// `None`: what the listener says.
    pub http2: Option<bool>,
    /// Looked at before a place is chosen, in this order.
    pub rewrites: Vec<Rewrite>,
    /// Its places, in the order of the file, which counts for expressions. What
    /// none of them is about is not found.
    pub places: Vec<Place>,
    /// What holds for requests that no place is about.
    pub elsewhere: Rules,
}

impl Site {
    /// Every text in it that is filled in for a request.
    #[must_use]
    pub fn templates(&self) -> Vec<&Template> {
        let mut found = Vec::new();
        let places = self.places.iter().map(|place| &place.rules);
        let rules = places.chain([&self.elsewhere]);
        let rewrites = rules.clone().flat_map(|rules| &rules.rewrites);
        for rewrite in self.rewrites.iter().chain(rewrites) {
            rewrite.templates(&mut found);
        }
        for rules in rules {
            found.extend(rules.headers.iter().map(|header| &header.value));
        }
        for place in &self.places {
            if let Action::Proxy(proxy) = &place.action {
                found.extend(&proxy.target);
                found.extend(proxy.headers.iter().map(|(_, value)| value));
                for rule in &proxy.redirects {
                    match rule {
                        LocationRule::Place => {}
                        LocationRule::Expression { to, .. } => found.push(to),
                        LocationRule::Prefix { from, to } => found.extend([from, to]),
                    }
                }
            }
        }
        found
    }
}

/// A listener that a site is served at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attachment {
    /// Its index among [`crate::Settings::listeners`].
    pub listener: usize,
    /// Whether the site answers there for names that no site has. One site of
    /// each listener does.
    pub is_default: bool,
}

/// A name of a site, compared without case and without the port. Exact names are
/// looked at first, then the longest with leading stars, then the longest with
/// trailing ones, then expressions in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerName {
    /// The name itself, in lower case.
    Exact(String),
    /// `*.example.org`: the part after the star, in lower case, with its dot.
    /// With `.example.org` goes the exact name as well.
    Leading(String),
    /// `registry.*`: the part before the star, in lower case, with its dot.
    Trailing(String),
    /// `~^registry\d+\.`: found anywhere in the name.
    Expression(PerlExpression),
}

/// What is done with the requests to some paths: nginx's `location`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The paths.
    pub path: PathMatch,
    /// What holds for them.
    pub rules: Rules,
    /// What answers what passes.
    pub action: Action,
}

/// Which paths are meant: of the decoded path, with `.`, `..` and doubled slashes
/// resolved. An exact path is chosen first. Then the longest prefix is found; if
/// it is not final, the first expression that is found in the path goes before
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathMatch {
    /// `location = /path`
    Exact(String),
    /// `location /path`
    Prefix {
        /// What the path begins with.
        path: String,
        /// `location ^~ /path`: no expression is looked at.
        is_final: bool,
    },
    /// `location ~ expression`
    Expression(PerlExpression),
}

/// What holds for a request before it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    /// Answers that come before all that follows, in this order.
    pub rewrites: Vec<Rewrite>,
    /// The longest body in bytes; others are answered 413. `None`: any.
    pub max_body: Option<u64>,
    /// Who may come in.
    pub access: Access,
    /// Put on the answers.
    pub headers: Vec<AddedHeader>,
}

/// nginx's `add_header`. One whose value comes out empty is not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedHeader {
    /// The name.
    pub name: HeaderFieldName,
    /// The value.
    pub value: Template,
    /// Whether errors have it as well. If not, only answers 200, 201, 204, 206,
    /// 301, 302, 303, 304, 307 and 308 do.
    pub always: bool,
}

/// What answers the requests that were let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The registry in this process: the one of [`crate::Settings::backend`].
    Registry,
    /// Another server.
    Proxy(Box<Proxy>),
    /// Nothing: 404.
    NotFound,
}

/// nginx's `proxy_pass` with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// The servers that share the work; never empty.
    pub servers: Vec<UpstreamServer>,
    /// Whether and how they are spoken to in TLS.
    pub tls: Option<UpstreamTls>,
    /// The `Host` of a request unless [`Proxy::headers`] has one: nginx's
    /// `$proxy_host`, what stands after the scheme of `proxy_pass`.
    pub host: String,
    /// Takes the place of the part of the path that the place matched. `None`:
    /// the path goes on as the client wrote it.
    pub path: Option<String>,
    /// Path and query that are asked for in place of the client's, whatever
    /// [`Proxy::path`] is.
    pub target: Option<Template>,
    /// Fields of the request that are set, and taken away if they come out empty:
    /// `proxy_set_header`.
    pub headers: Vec<(HeaderFieldName, Template)>,
    /// Where the servers' answers lead: the first rule that fits a `Location`
    /// counts, and one that none fits is passed on as it is. `proxy_redirect`.
    pub redirects: Vec<LocationRule>,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long the server may be silent.
    pub read_timeout: Duration,
    /// How long the server may take nothing.
    pub send_timeout: Duration,
}

/// How a `Location` of an upstream becomes one for clients. What comes out with a
/// slash in front leads to this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocationRule {
    /// `proxy_redirect default`: what `proxy_pass` names becomes the place.
    Place,
    /// `proxy_redirect ~FROM TO`: the whole of one in which it is found becomes
    /// something else.
    Expression {
        /// What is looked for.
        from: PerlExpression,
        /// What takes its place.
        to: Template,
    },
    /// `proxy_redirect FROM TO`: what it begins with becomes something else.
    Prefix {
        /// What is taken away.
        from: Template,
        /// What takes its place.
        to: Template,
    },
}

/// TLS towards an upstream: `proxy_pass https://…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamTls {
    /// The name that is asked for (SNI) and that a certificate must be for;
    /// `None` for the host of `proxy_pass`.
    pub name: Option<String>,
    /// Whether the certificate is checked. nginx does not, unless told to.
    pub verify: bool,
    /// The CAs that are trusted, PEM.
    pub trusted: Option<PathBuf>,
}

/// One `server` of an `upstream`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamServer {
    /// Its address.
    pub to: Upstream,
    /// Its share of the requests; 1 if nothing is said.
    pub weight: u32,
    /// Asked only if none of the others can be.
    pub is_backup: bool,
    /// Not asked at all.
    pub is_down: bool,
    /// After how many failures within [`UpstreamServer::fail_timeout`] it is left
    /// alone for as long. 0: never.
    pub max_fails: u32,
    /// See [`UpstreamServer::max_fails`].
    pub fail_timeout: Duration,
}
