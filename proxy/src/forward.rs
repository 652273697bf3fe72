//! Requests for another registry, over TCP or a Unix socket, in plain HTTP.
//!
//! `Authorization` is passed on although it has been checked here: the recipe
//! for nginx in front of a registry does so, and a registry that checks
//! passwords itself needs it. The registry thus sees the passwords; it must be
//! one that may.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use http::HeaderMap;
use http::header::{CONNECTION, HOST, HeaderName, PROXY_AUTHENTICATE, UPGRADE};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy};
use pingora::{Error, ErrorType, OrErr};
use tidegate_config::{Forward, Upstream};
use tokio::net::lookup_host;

use crate::answer::{API_VERSION, is_api};
use crate::edge::{FORWARDING_HEADERS, Origin};

/// How often connecting is tried again before the client is told.
const RECONNECTS: u32 = 2;
/// What is waited before the first new try, and twice that before the second: a
/// registry that restarts is back in less.
const RECONNECT_DELAY: Duration = Duration::from_millis(100);
/// How long an unused connection is kept. Shorter than servers keep theirs: an
/// upload over one that the registry has just closed cannot be repeated.
const IDLE: Duration = Duration::from_secs(10);

/// Tries of one request, which pingora counts with the first.
pub(crate) const TRIES: usize = RECONNECTS as usize + 1;

/// Knows the way to another registry.
pub(crate) struct Forwarder {
    settings: Forward,
}

impl Forwarder {
    /// # Errors
    /// If the path of the socket is not one that can be connected to.
    pub(crate) fn new(settings: Forward) -> io::Result<Self> {
        if let Upstream::Unix(path) = &settings.to {
            socket_path(path)?;
        }
        Ok(Self { settings })
    }

    /// The registry's address, asked anew for each request, so that one that
    /// has moved is found; after `failed` connects the next of several.
    pub(crate) async fn peer(&self, failed: u32) -> pingora::Result<Box<HttpPeer>> {
        if failed > 0 {
            tokio::time::sleep(RECONNECT_DELAY * failed).await;
        }
        let plain = false;
        let mut peer = match &self.settings.to {
            Upstream::Http { host, port } => {
                let address = resolve(host, *port, failed).await.map_err(Error::into_up)?;
                HttpPeer::new(address, plain, String::new())
            }
            Upstream::Unix(path) => {
                let path = path.to_str().unwrap_or_default();
                HttpPeer::new_uds(path, plain, String::new())?
            }
        };
        let settings = &self.settings;
        peer_options(&mut peer, settings.connect_timeout, settings.read_timeout);
        Ok(Box::new(peer))
    }

    /// Whether to try once more after `failed` connects. Nothing of the request
    /// has been sent by then. One that timed out has taken its time already.
    pub(crate) fn may_reconnect(error: &Error, failed: u32) -> bool {
        failed <= RECONNECTS && *error.etype() != ErrorType::ConnectTimedout
    }

    /// Tells the registry of the way so far. Hop-by-hop fields are gone already,
    /// and `Host` is the client's.
    pub(crate) fn prepare(
        received: &HeaderMap,
        request: &mut RequestHeader,
        origin: &Origin,
    ) -> pingora::Result<()> {
        for name in &FORWARDING_HEADERS {
            request.remove_header(name);
        }
        for (name, value) in origin.forwarding_fields(received) {
            request.insert_header(name, value)?;
        }
        name_host(request, origin)
    }

    /// Takes from the registry's answer what concerned its connection alone
    /// (RFC 9110, section 7.6.1), and marks the API's.
    pub(crate) fn finish(path: &str, response: &mut ResponseHeader) -> pingora::Result<()> {
        let nominated: Vec<HeaderName> = response
            .headers
            .get_all(CONNECTION)
            .iter()
            .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
            .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
            .collect();
        for name in &nominated {
            response.remove_header(name);
        }
        for name in [CONNECTION, UPGRADE, PROXY_AUTHENTICATE] {
            response.remove_header(&name);
        }
        response.remove_header("keep-alive");
        response.remove_header("proxy-connection");
        if is_api(path) {
            response.insert_header(API_VERSION, "registry/2.0")?;
        }
        Ok(())
    }
}

/// Says which host a request is for, if it does not: HTTP/1.1, in which it goes on,
/// asks for that (RFC 9112, section 3.2), and HTTP/1.0, in which it may have come,
/// does not.
pub(crate) fn name_host(request: &mut RequestHeader, origin: &Origin) -> pingora::Result<()> {
    if !request.headers.contains_key(HOST) && request.uri.authority().is_none() {
        request.insert_header(HOST, origin.authority.as_str())?;
    }
    Ok(())
}

/// What holds for every connection to an upstream.
pub(crate) fn peer_options(peer: &mut HttpPeer, connect: Duration, read: Duration) {
    peer.options.connection_timeout = Some(connect);
    peer.options.total_connection_timeout = Some(connect);
    peer.options.read_timeout = Some(read);
    peer.options.write_timeout = Some(read);
    peer.options.idle_timeout = Some(IDLE);
    peer.options.http_upstream_request_policy = HttpUpstreamRequestPolicy::deny_upgrades();
}

/// Whether a path can be that of a socket to connect to.
///
/// # Errors
/// Why it cannot.
pub(crate) fn socket_path(path: &Path) -> io::Result<()> {
    std::os::unix::net::SocketAddr::from_pathname(path)?;
    match path.to_str() {
        Some(_) => Ok(()),
        None => Err(io::Error::other("the path is not UTF-8")),
    }
}

/// One address of `host`; which one, `turn` decides.
async fn resolve(host: &str, port: u16, turn: u32) -> pingora::Result<SocketAddr> {
    let addresses = resolve_all(host, port).await?;
    Ok(addresses[turn as usize % addresses.len()])
}

/// The addresses of `host`; one at least.
pub(crate) async fn resolve_all(host: &str, port: u16) -> pingora::Result<Vec<SocketAddr>> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let addresses: Vec<_> = lookup_host((host, port))
        .await
        .or_err_with(ErrorType::ConnectError, || format!("resolving `{host}`"))?
        .collect();
    if addresses.is_empty() {
        return Error::e_explain(ErrorType::ConnectError, format!("`{host}` has no address"));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn what_concerns_the_upstreams_connection_stays_there() {
        let mut response = ResponseHeader::build(200, None).unwrap();
        for (name, value) in [
            ("Connection", "keep-alive, X-Internal"),
            ("Keep-Alive", "timeout=5"),
            ("X-Internal", "1"),
            ("X-Public", "2"),
            ("Docker-Distribution-Api-Version", "registry/2.0"),
            ("Docker-Distribution-Api-Version", "registry/2.0"),
        ] {
            response.append_header(name, value).unwrap();
        }
        Forwarder::finish("/v2/", &mut response).unwrap();
        let names: Vec<_> = response.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["x-public", "docker-distribution-api-version"]);
        assert_eq!(response.headers.get_all(API_VERSION).iter().count(), 1);
    }

    #[tokio::test]
    async fn addresses_need_no_resolver() {
        for (host, expected) in [
            ("127.0.0.1", "127.0.0.1:5000"),
            ("::1", "[::1]:5000"),
            ("[::1]", "[::1]:5000"),
        ] {
            assert_eq!(resolve(host, 5000, 0).await.unwrap().to_string(), expected);
        }
    }

    #[test]
    fn connecting_is_tried_again_unless_it_took_all_its_time() {
        let refused = Error::new(ErrorType::ConnectRefused);
        assert!(Forwarder::may_reconnect(&refused, 1));
        assert!(Forwarder::may_reconnect(&refused, 2));
        assert!(!Forwarder::may_reconnect(&refused, 3));
        assert!(!Forwarder::may_reconnect(
            &Error::new(ErrorType::ConnectTimedout),
            1
        ));
    }

    #[test]
    fn a_socket_path_that_cannot_be_is_refused() {
        let to = |path: &str| Forward {
            to: Upstream::Unix(PathBuf::from(path)),
            connect_timeout: Duration::from_secs(1),
            read_timeout: Duration::from_secs(1),
        };
        assert!(Forwarder::new(to("/run/registry.sock")).is_ok());
        assert!(Forwarder::new(to(&"x".repeat(200))).is_err());
    }
}
