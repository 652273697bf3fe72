//! By which name, over which scheme and from which address a client came.
//!
//! `X-Forwarded-*` is believed from configured proxies alone; from anybody
//! else it is a claim, and is dropped or replaced.

use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, HOST, HeaderName};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Uri};
use ipnet::IpNet;
use tidegate_config::ShownClient;

use super::authority::parse_authority;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// What speaks of the way a request took. It has been evaluated here, so a
/// backend must not evaluate it again.
pub(crate) const FORWARDING_HEADERS: [HeaderName; 5] = [
    X_FORWARDED_FOR,
    X_FORWARDED_PROTO,
    X_FORWARDED_HOST,
    X_REAL_IP,
    FORWARDED,
];

/// The networks of `edge.trusted_proxies`.
#[derive(Debug, Clone, Default)]
pub(crate) struct TrustedProxies(Vec<IpNet>);

/// Where a request came from and by which name it reached the front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
    pub(crate) client: IpAddr,
    /// The socket's peer, and whether it may speak for others.
    peer: IpAddr,
    peer_is_trusted: bool,
}

/// The request does not say which host it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadHost {
    #[error("the request names no host")]
    Missing,
    #[error("the Host header is not a host")]
    Malformed,
    #[error("the X-Forwarded-Host header is not a host")]
    MalformedForwarded,
}

impl TrustedProxies {
    pub(crate) fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The address of the client that a peer speaks for: the peer, or, when
    /// the peer is trusted, the right-most address of `X-Forwarded-For` that is
    /// not. A field that cannot be read ends the chain: what stands to its left
    /// was not vouched for.
    pub(crate) fn client(&self, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
        let mut client = peer;
        if !self.contains(peer) {
            return client;
        }
        let hops = headers.get_all(X_FORWARDED_FOR).iter().rev();
        let hops = hops.flat_map(|value| value.as_bytes().rsplit(|&byte| byte == b','));
        for hop in hops {
            let Some(address) = parse_hop(hop) else {
                break;
            };
            client = address;
            if !self.contains(address) {
                break;
            }
        }
        client
    }
}

impl Origin {
    /// The origin of a request with `headers`, for the authority in its `uri`
    /// (HTTP/2) or its `Host`, from `peer`.
    ///
    /// # Errors
    /// If it names no host, or something else than one.
    pub(crate) fn of(
        uri: &Uri,
        headers: &HeaderMap,
        peer: IpAddr,
        over_tls: bool,
        proxies: &TrustedProxies,
    ) -> Result<Self, BadHost> {
        let peer_is_trusted = proxies.contains(peer);
        let trusted = |name: &HeaderName| headers.get(name).filter(|_| peer_is_trusted);

        let authority = match trusted(&X_FORWARDED_HOST) {
            Some(value) => parse_authority(first(value)).ok_or(BadHost::MalformedForwarded)?,
            None => match (uri.authority(), headers.get(HOST)) {
                (Some(authority), _) => {
                    parse_authority(authority.as_str().as_bytes()).ok_or(BadHost::Malformed)?
                }
                (None, Some(host)) => parse_authority(host.as_bytes()).ok_or(BadHost::Malformed)?,
                (None, None) => return Err(BadHost::Missing),
            },
        };
        let scheme = match trusted(&X_FORWARDED_PROTO).map(first) {
            Some(proto) if proto.eq_ignore_ascii_case(b"https") => Scheme::HTTPS,
            Some(proto) if proto.eq_ignore_ascii_case(b"http") => Scheme::HTTP,
            _ if over_tls => Scheme::HTTPS,
            _ => Scheme::HTTP,
        };
        Ok(Self {
            scheme,
            authority,
            client: proxies.client(headers, peer),
            peer,
            peer_is_trusted,
        })
    }

    /// The absolute URI of a request for `target` (RFC 9112, section 3.3).
    pub(crate) fn absolute(&self, target: Option<&PathAndQuery>) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(match target {
            Some(target) if target.as_str().starts_with('/') => target.clone(),
            // `OPTIONS *` and a bare query have no path of their own.
            _ => PathAndQuery::from_static("/"),
        });
        Uri::from_parts(parts).expect("scheme, authority and an absolute path make a URI")
    }

    /// The fields that tell another registry of the way so far, replacing those
    /// of the request except that a trusted proxy's `X-Forwarded-For` is
    /// continued.
    pub(crate) fn forwarding_fields(&self, headers: &HeaderMap) -> [(HeaderName, HeaderValue); 4] {
        let text = |value: &str| {
            HeaderValue::try_from(value).expect("addresses and hosts are visible ASCII")
        };
        let mut hops = Vec::new();
        if self.peer_is_trusted {
            for value in headers.get_all(X_FORWARDED_FOR) {
                hops.extend_from_slice(value.as_bytes());
                hops.extend_from_slice(b", ");
            }
        }
        hops.extend_from_slice(ShownClient(self.peer).to_string().as_bytes());
        let hops = HeaderValue::try_from(hops).expect("parts of header values make a header value");
        [
            (X_FORWARDED_FOR, hops),
            (X_REAL_IP, text(&ShownClient(self.client).to_string())),
            (X_FORWARDED_PROTO, text(self.scheme.as_str())),
            (X_FORWARDED_HOST, text(self.authority.as_str())),
        ]
    }
}

/// The first of several comma-separated values: the one the client's own
/// connection had.
fn first(value: &HeaderValue) -> &[u8] {
    let bytes = value.as_bytes();
    let end = bytes.iter().position(|&byte| byte == b',');
    bytes[..end.unwrap_or(bytes.len())].trim_ascii()
}

/// One element of `X-Forwarded-For`; some proxies add the port.
fn parse_hop(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let address = text
        .parse::<IpAddr>()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn proxies(networks: &[&str]) -> TrustedProxies {
        TrustedProxies::new(networks.iter().map(|n| n.parse().unwrap()).collect())
    }

    fn headers(fields: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_client_is_the_right_most_address_that_is_not_ours() {
        let ours = proxies(&["10.0.0.0/8", "fd00::/8"]);
        let client = |peer: &str, hops: &[&str]| {
            let fields: Vec<_> = hops.iter().map(|hop| (X_FORWARDED_FOR, *hop)).collect();
            ours.client(&headers(&fields), ip(peer))
        };
        assert_eq!(client("192.0.2.1", &["198.51.100.7"]), ip("192.0.2.1"));
        assert_eq!(client("10.0.0.1", &[]), ip("10.0.0.1"));
        assert_eq!(client("10.0.0.1", &["198.51.100.7"]), ip("198.51.100.7"));
        // Whatever the client wrote itself stands further left.
        assert_eq!(
            client("10.0.0.1", &["1.1.1.1, 198.51.100.7, 10.0.0.9"]),
            ip("198.51.100.7")
        );
        assert_eq!(
            client("10.0.0.1", &["1.1.1.1", "198.51.100.7"]),
            ip("198.51.100.7")
        );
        assert_eq!(client("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), ip("10.0.0.3"));
        assert_eq!(client("10.0.0.1", &["1.1.1.1, junk"]), ip("10.0.0.1"));
        assert_eq!(
            client("fd00::1", &["[2001:db8::5]:4711"]),
            ip("2001:db8::5")
        );
        assert_eq!(client("10.0.0.1", &["198.51.100.7:80"]), ip("198.51.100.7"));
        assert_eq!(client("10.0.0.1", &["::ffff:10.0.0.4"]), ip("10.0.0.4"));
    }

    #[test]
    fn forwarded_fields_are_believed_from_trusted_proxies_alone() {
        let fields = headers(&[
            (HOST, "inner:5000"),
            (X_FORWARDED_PROTO, "https, http"),
            (X_FORWARDED_HOST, "registry.example.com, inner"),
            (X_FORWARDED_FOR, "198.51.100.7"),
        ]);
        let uri = Uri::from_static("/v2/");
        let ours = proxies(&["10.0.0.0/8"]);

        let origin = Origin::of(&uri, &fields, ip("10.0.0.1"), false, &ours).unwrap();
        assert_eq!(origin.scheme, Scheme::HTTPS);
        assert_eq!(origin.authority, "registry.example.com");
        assert_eq!(origin.client, ip("198.51.100.7"));

        let origin = Origin::of(&uri, &fields, ip("192.0.2.1"), false, &ours).unwrap();
        assert_eq!(origin.scheme, Scheme::HTTP);
        assert_eq!(origin.authority, "inner:5000");
        assert_eq!(origin.client, ip("192.0.2.1"));

        let origin = Origin::of(&uri, &fields, ip("192.0.2.1"), true, &ours).unwrap();
        assert_eq!(origin.scheme, Scheme::HTTPS);
    }

    #[test]
    fn forwarding_fields_continue_a_trusted_chain_and_replace_any_other() {
        let fields = headers(&[
            (HOST, "r.example.com"),
            (X_FORWARDED_FOR, "198.51.100.7, 10.0.0.2"),
        ]);
        let uri = Uri::from_static("/v2/");
        let of = |peer: &str| {
            Origin::of(&uri, &fields, ip(peer), true, &proxies(&["10.0.0.0/8"]))
                .unwrap()
                .forwarding_fields(&fields)
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        };
        assert_eq!(
            of("10.0.0.1"),
            [
                "x-forwarded-for: 198.51.100.7, 10.0.0.2, 10.0.0.1",
                "x-real-ip: 198.51.100.7",
                "x-forwarded-proto: https",
                "x-forwarded-host: r.example.com",
            ]
        );
        assert_eq!(
            of("192.0.2.1"),
            [
                "x-forwarded-for: 192.0.2.1",
                "x-real-ip: 192.0.2.1",
                "x-forwarded-proto: https",
                "x-forwarded-host: r.example.com",
            ]
        );
    }

    #[test]
    fn a_request_must_name_its_host() {
        let nobody = TrustedProxies::default();
        let of = |uri: &str, fields: &[(HeaderName, &str)]| {
            let uri = uri.parse().unwrap();
            Origin::of(&uri, &headers(fields), ip("192.0.2.1"), true, &nobody)
                .map(|origin| origin.absolute(uri.path_and_query()).to_string())
        };
        assert_eq!(of("/v2/", &[]), Err(BadHost::Missing));
        assert_eq!(of("/v2/", &[(HOST, "")]), Err(BadHost::Malformed));
        assert_eq!(of("/v2/", &[(HOST, "a b")]), Err(BadHost::Malformed));
        assert_eq!(
            of("/v2/?n=1", &[(HOST, "r.example.com:5043")]).unwrap(),
            "https://r.example.com:5043/v2/?n=1"
        );
        // HTTP/2 carries the authority in the URI.
        assert_eq!(
            of("https://r.example.com/v2/", &[]).unwrap(),
            "https://r.example.com/v2/"
        );
        assert_eq!(
            of("*", &[(HOST, "r.example.com")]).unwrap(),
            "https://r.example.com/"
        );

        let trusting = proxies(&["192.0.2.0/24"]);
        let fields = headers(&[(HOST, "r"), (X_FORWARDED_HOST, "a/b")]);
        assert_eq!(
            Origin::of(
                &Uri::from_static("/"),
                &fields,
                ip("192.0.2.1"),
                true,
                &trusting
            ),
            Err(BadHost::MalformedForwarded)
        );
    }

    proptest! {
        #[test]
        fn whatever_the_fields_say_an_untrusted_peer_is_the_client(
            hops in "[ -~]{0,64}", host in "[ -~]{0,32}",
        ) {
            let fields = headers(&[
                (HOST, "r"), (X_FORWARDED_FOR, &hops), (X_FORWARDED_HOST, &host),
            ]);
            let origin = Origin::of(
                &Uri::from_static("/"), &fields, ip("192.0.2.1"), true, &TrustedProxies::default(),
            ).unwrap();
            prop_assert_eq!(origin.client, ip("192.0.2.1"));
            prop_assert_eq!(origin.authority.as_str(), "r");
        }

        #[test]
        fn whatever_a_trusted_proxy_says_there_is_an_origin_or_an_error(
            hops in "[ -~]{0,64}", host in "[ -~]{0,32}", proto in "[ -~]{0,16}",
        ) {
            let fields = headers(&[
                (HOST, "r"), (X_FORWARDED_FOR, &hops), (X_FORWARDED_HOST, &host),
                (X_FORWARDED_PROTO, &proto),
            ]);
            let proxies = proxies(&["192.0.2.0/24"]);
            if let Ok(origin) =
                Origin::of(&Uri::from_static("/"), &fields, ip("192.0.2.1"), true, &proxies)
            {
                let _ = origin.absolute(None);
                let _ = origin.forwarding_fields(&fields);
            }
        }
    }
}
