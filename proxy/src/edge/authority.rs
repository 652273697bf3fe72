//! The host a request is for, as far as it can be one.

use std::net::Ipv6Addr;

use http::uri::Authority;

/// `host` or `host:port` with a host made of what host names and addresses are
/// made of (RFC 3986, section 3.2.2, without its exotic characters, so that it
/// can stand in a `Location` or a log without surprises). Underscores are let
/// through: container networks are full of them.
pub(crate) fn parse_authority(bytes: &[u8]) -> Option<Authority> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (host, rest) = match text.strip_prefix('[') {
        Some(bracketed) => {
            let (address, rest) = bracketed.split_once(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            (address, rest)
        }
        None => {
            let (host, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            if !host.bytes().all(plain) {
                return None;
            }
            (host, rest)
        }
    };
    if host.is_empty() {
        return None;
    }
    if let Some(port) = rest.strip_prefix(':') {
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        port.parse::<u16>().ok()?;
    } else if !rest.is_empty() {
        return None;
    }
    Authority::try_from(text).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hosts_and_what_is_none() {
        for good in [
            "localhost",
            "registry.example.com:5043",
            "my_registry:5000",
            "127.0.0.1",
            "[::1]:443",
            "[2001:db8::1]",
        ] {
            assert_eq!(parse_authority(good.as_bytes()).unwrap(), good);
        }
        for bad in [
            "", ":443", "a:", "a:x", "a:70000", "a:+1", "a b", "a/b", "user@a", "a,b", "[::1",
            "[x]:1", "[::1]x", "::1", "a\\b", "a?b", "a#b", "ä",
        ] {
            assert!(parse_authority(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_host_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some(authority) = parse_authority(&bytes) {
                prop_assert_eq!(authority.as_str().as_bytes(), &bytes[..]);
            }
        }
    }
}
