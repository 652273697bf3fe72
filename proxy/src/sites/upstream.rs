//! Requests for the servers of a place: nginx's `proxy_pass`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderValue, Uri};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType, OrErr};
use tidegate_config::Upstream;
use tidegate_config::site::{PathMatch, Proxy, Template};
use tokio::time::Instant;
use tracing::warn;

use super::balance::Balancer;
use super::facts::{Facts, Within};
use super::location::Locations;
use super::path::{escape, without_foreign};
use super::progress::{Target, path_of, query_of};
use super::rules::header_name;
use super::trust::{self, Trusted};
use crate::bind_error::BindError;
use crate::edge::{FORWARDING_HEADERS, Origin};
use crate::forward::{name_host, peer_options, resolve_all, socket_path};

/// What belongs to a connection and not to the request: a file that sets one of
/// these does so for a reason that does not hold here.
const HOP_BY_HOP: [HeaderName; 7] = [
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    HeaderName::from_static("keep-alive"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Knows the way to the servers of a place.
pub(crate) struct Servers {
    balancer: Balancer,
    addresses: Vec<Upstream>,
    tls: Option<Tls>,
    pub(crate) host: String,
    path: Option<NewPath>,
    target: Option<Template>,
    headers: Vec<(HeaderName, Template)>,
    locations: Locations,
    connect_timeout: Duration,
    read_timeout: Duration,
    send_timeout: Duration,
}

struct Tls {
    name: String,
    verify: bool,
    trusted: Trusted,
}

/// What takes the place of what a place matched.
struct NewPath {
    /// How much of a path is replaced; `None`: all of it.
    matched: Option<String>,
    with: String,
}

/// How far a request has come among the servers.
#[derive(Debug, Default)]
pub(crate) struct Attempt {
    tried: Vec<usize>,
    /// Other addresses of the server that was tried last.
    left: Vec<SocketAddr>,
    last: Option<Peer>,
    failed: bool,
}

#[derive(Debug, Clone)]
enum Peer {
    Address(SocketAddr),
    Socket(PathBuf),
}

impl Servers {
    pub(crate) fn new(proxy: Proxy, place: &PathMatch) -> Result<Self, BindError> {
        for server in &proxy.servers {
            if let Upstream::Unix(path) = &server.to {
                socket_path(path).map_err(|source| BindError::UpstreamSocket {
                    path: path.clone(),
                    source,
                })?;
            }
        }
        let locations = Locations::of(&proxy, place);
        let matched = match place {
            PathMatch::Prefix { path, .. } => Some(path.clone()),
            PathMatch::Exact(_) | PathMatch::Expression(_) => None,
        };
        let tls = proxy.tls.map(|tls| {
            let host = without_port(&proxy.host).to_owned();
            Ok::<_, BindError>(Tls {
                name: tls.name.unwrap_or(host),
                verify: tls.verify,
                trusted: trust::load(tls.verify, tls.trusted.as_deref())?,
            })
        });
        let headers = proxy.headers.into_iter();
        let headers = headers.map(|(name, value)| (header_name(&name), value));
        Ok(Self {
            balancer: Balancer::new(&proxy.servers),
            addresses: proxy.servers.into_iter().map(|server| server.to).collect(),
            tls: tls.transpose()?,
            host: proxy.host,
            path: proxy.path.map(|with| NewPath { matched, with }),
            target: proxy.target,
            headers: headers
                .filter(|(name, _)| !HOP_BY_HOP.contains(name))
                .collect(),
            locations,
            connect_timeout: proxy.connect_timeout,
            read_timeout: proxy.read_timeout,
            send_timeout: proxy.send_timeout,
        })
    }

    /// How many times a request may have to be tried to reach each server.
    pub(crate) fn tries(&self) -> usize {
        // Names have several addresses.
        self.addresses.len() * 4
    }

    /// Whom to ask: the same as before, or the next if that one could not be
    /// reached.
    pub(crate) async fn peer(&self, attempt: &mut Attempt) -> pingora::Result<Box<HttpPeer>> {
        if let Some(last) = attempt.last.as_ref().filter(|_| !attempt.failed) {
            return self.peer_at(last);
        }
        loop {
            if let Some(address) = attempt.left.pop() {
                return self.turn_to(Peer::Address(address), attempt);
            }
            let now = Instant::now();
            let Some(server) = self.balancer.next(&attempt.tried, now) else {
                let error = Error::explain(ErrorType::ConnectError, "no server is left to ask");
                return Err(error.into_up());
            };
            attempt.tried.push(server);
            match &self.addresses[server] {
                Upstream::Unix(path) => return self.turn_to(Peer::Socket(path.clone()), attempt),
                Upstream::Http { host, port } => match resolve_all(host, *port).await {
                    Ok(addresses) => attempt.left = addresses.into_iter().rev().collect(),
                    Err(error) => {
                        warn!(%error, "a server is passed over");
                        self.balancer.failed(server, now);
                    }
                },
            }
        }
    }

    /// Connecting has failed: whether there is another address to try. Nothing
    /// of the request has been sent by then.
    pub(crate) fn has_another(&self, attempt: &mut Attempt) -> bool {
        attempt.failed = true;
        if !attempt.left.is_empty() {
            return true;
        }
        let now = Instant::now();
        if let Some(&server) = attempt.tried.last() {
            self.balancer.failed(server, now);
        }
        self.balancer.has_another(&attempt.tried, now)
    }

    /// A server was reached, and did not answer.
    pub(crate) fn failed(&self, attempt: &Attempt) {
        if let Some(&server) = attempt.tried.last().filter(|_| !attempt.failed) {
            self.balancer.failed(server, Instant::now());
        }
    }

    /// What the servers are asked for; `None` for what the client wrote.
    fn path_and_query(&self, facts: &Facts<'_>, keeps_path: bool) -> Option<String> {
        if let Some(template) = &self.target {
            let facts = Facts {
                within: Within::Path,
                ..*facts
            };
            let target = facts.fill_in(template);
            let slash = if target.starts_with('/') { "" } else { "/" };
            return Some(format!("{slash}{}", without_foreign(&target)));
        }
        match &self.path {
            Some(path) if !keeps_path => Some(path.target(facts.target, &facts.request.uri)),
            _ => facts.target?.written().map(|target| target.to_string()),
        }
    }

    /// The request as the servers see it, with the whole of its path if the place has
    /// kept that.
    pub(crate) fn prepare(
        &self,
        request: &mut RequestHeader,
        origin: &Origin,
        facts: &Facts<'_>,
        keeps_path: bool,
    ) -> pingora::Result<()> {
        if let Some(target) = self.path_and_query(facts, keeps_path) {
            let target = target.parse::<Uri>();
            request.set_uri(target.or_err(ErrorType::InternalError, "the path upstream")?);
        }
        for name in &FORWARDING_HEADERS {
            request.remove_header(name);
        }
        for (name, value) in origin.forwarding_fields(&facts.request.headers) {
            request.insert_header(name, value)?;
        }
        let host = HeaderValue::from_str(&self.host);
        request.insert_header(HOST, host.or_err(ErrorType::InternalError, "proxy_pass")?)?;
        for (name, value) in &self.headers {
            let value = facts.fill_in(value);
            request.remove_header(name);
            if !value.is_empty() {
                let value = HeaderValue::from_str(&value);
                let value = value.or_err(ErrorType::InvalidHTTPHeader, "a field for upstream");
                request.insert_header(name, value.map_err(Error::into_down)?)?;
            }
        }
        name_host(request, origin)
    }

    /// Takes note of an answer, and sees to where it leads.
    pub(crate) fn finish(
        &self,
        response: &mut ResponseHeader,
        attempt: &Attempt,
        facts: &Facts<'_>,
        here: &str,
    ) -> pingora::Result<()> {
        if let Some(&server) = attempt.tried.last() {
            self.balancer.answered(server);
        }
        self.locations.turn(response, facts, here)
    }

    fn turn_to(&self, peer: Peer, attempt: &mut Attempt) -> pingora::Result<Box<HttpPeer>> {
        attempt.failed = false;
        self.peer_at(attempt.last.insert(peer))
    }

    fn peer_at(&self, peer: &Peer) -> pingora::Result<Box<HttpPeer>> {
        let (is_tls, name) = match &self.tls {
            Some(tls) => (true, tls.name.clone()),
            None => (false, String::new()),
        };
        let mut peer = match peer {
            Peer::Address(address) => HttpPeer::new(address, is_tls, name),
            Peer::Socket(path) => {
                HttpPeer::new_uds(path.to_str().unwrap_or_default(), is_tls, name)?
            }
        };
        peer_options(&mut peer, self.connect_timeout, self.read_timeout);
        peer.options.write_timeout = Some(self.send_timeout);
        if let Some(tls) = &self.tls {
            peer.options.verify_cert = tls.verify;
            peer.options.verify_hostname = tls.verify;
            peer.options.ca = Some(Arc::clone(&tls.trusted));
        }
        Ok(Box::new(peer))
    }
}

impl NewPath {
    fn target(&self, changed: Option<&Target>, uri: &Uri) -> String {
        let path = path_of(changed, uri);
        let rest = match &self.matched {
            Some(matched) => path.strip_prefix(&**matched).unwrap_or_default(),
            None => "",
        };
        let query = query_of(changed, uri);
        let query = query.map_or_else(String::new, |q| format!("?{}", without_foreign(q)));
        format!("{}{}{query}", escape(&self.with), escape(rest))
    }
}

/// A host without its port, and an IPv6 address without its brackets.
fn without_port(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_that_was_matched_is_replaced() {
        let path = |matched: Option<&str>, with: &str, uri: &str| {
            let path = NewPath {
                matched: matched.map(str::to_owned),
                with: with.to_owned(),
            };
            path.target(None, &uri.parse().unwrap())
        };
        // As nginx 1.22 does it.
        assert_eq!(path(Some("/v2/"), "/", "/v2/a?n=1"), "/a?n=1");
        assert_eq!(
            path(Some("/b/"), "/k /", "/b/x%20y%3F%C3%A4?q=1"),
            "/k%20/x%20y%3F%C3%A4?q=1"
        );
        assert_eq!(path(Some("/a"), "/b", "/a/../a//c"), "/b/c");
        assert_eq!(path(None, "/other", "/v2/"), "/other");
    }

    #[test]
    fn a_host_is_more_than_its_port() {
        for (host, expected) in [
            ("registry:5000", "registry"),
            ("registry", "registry"),
            ("[::1]:5000", "::1"),
        ] {
            assert_eq!(without_port(host), expected);
        }
    }
}
