//! Single values, as nginx writes them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;

use crate::listen_address::OVER_SOCKET;

/// A number of bytes: `0`, `512`, `10k`, `1m`, `2g`.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, unit) = match text.as_bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], 1 << 10),
        b'm' | b'M' => (&text[..text.len() - 1], 1 << 20),
        b'g' | b'G' => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    digits(number)?.checked_mul(unit)
}

/// A time: `60`, `60s`, `1m30s`, `1d`, `500ms`. A number alone is seconds.
pub(super) fn time(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let number = digits(&rest[..end])?;
        rest = &rest[end..];
        let unit_end = rest
            .find(|c: char| c.is_ascii_digit() || c == ' ')
            .unwrap_or(rest.len());
        let (unit, behind) = rest.split_at(unit_end);
        let seconds = match unit {
            "ms" => 0,
            "" | "s" => 1,
            "m" => 60,
            "h" => 60 * 60,
            "d" => 24 * 60 * 60,
            "w" => 7 * 24 * 60 * 60,
            "M" => 30 * 24 * 60 * 60,
            "y" => 365 * 24 * 60 * 60,
            _ => return None,
        };
        let part = if seconds == 0 {
            Duration::from_millis(number)
        } else {
            Duration::from_secs(number.checked_mul(seconds)?)
        };
        total = total.checked_add(part)?;
        rest = behind.trim_start();
    }
    Some(total)
}

/// An address or a network: `10.0.0.0/8`, `::1`; `unix:` for those who have none.
pub(super) fn network(text: &str) -> Option<IpNet> {
    if text == "unix:" {
        return Some(OVER_SOCKET.into());
    }
    let net: Result<IpNet, _> = text.parse();
    net.ok()
        .map(|net| net.trunc())
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// What stands behind `listen`, if it is no name: a port, an address, or both.
pub(super) fn listen_address(text: &str) -> Option<SocketAddr> {
    const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let port = |text: &str| {
        digits(text)
            .and_then(|port| u16::try_from(port).ok())
            .filter(|port| *port > 0)
    };
    if let Some(rest) = text.strip_prefix('[') {
        let (address, behind) = rest.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        let port = match behind.strip_prefix(':') {
            Some(text) => port(text)?,
            None if behind.is_empty() => 80,
            None => return None,
        };
        return Some(SocketAddr::new(address.into(), port));
    }
    let host = |host: &str| match host {
        "*" => Some(ANY),
        "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        host => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    };
    if let Some((name, number)) = text.rsplit_once(':') {
        return Some(SocketAddr::new(host(name)?, port(number)?));
    }
    if let Some(port) = port(text) {
        return Some(SocketAddr::new(ANY, port));
    }
    Some(SocketAddr::new(host(text)?, 80))
}

/// A number without a sign.
pub(super) fn digits(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_nginx_s() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("10k", Some(10_240)),
            ("1M", Some(1 << 20)),
            ("2g", Some(2 << 30)),
            ("1t", None),
            ("", None),
            ("-1", None),
            ("m", None),
            ("99999999999g", None),
            ("1ä", None),
        ] {
            assert_eq!(size(text), bytes, "{text}");
        }
        for (text, millis) in [
            ("60", Some(60_000)),
            ("900s", Some(900_000)),
            ("1m30s", Some(90_000)),
            ("1h 5m", Some(3_900_000)),
            ("500ms", Some(500)),
            ("1x", None),
            ("", None),
            ("s", None),
            ("ä", None),
        ] {
            assert_eq!(time(text), millis.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn what_is_listened_to_may_be_short() {
        for (text, address) in [
            ("443", Some("0.0.0.0:443")),
            ("*:80", Some("0.0.0.0:80")),
            ("[::]:443", Some("[::]:443")),
            ("[::1]", Some("[::1]:80")),
            ("127.0.0.1", Some("127.0.0.1:80")),
            ("localhost:5000", Some("127.0.0.1:5000")),
            ("0", None),
            ("65536", None),
            ("registry.lan:443", None),
            ("[::", None),
        ] {
            let address = address.map(|address| address.parse().unwrap());
            assert_eq!(listen_address(text), address, "{text}");
        }
        assert_eq!(network("10.1.2.3/8").unwrap().to_string(), "10.0.0.0/8");
        assert_eq!(network("::1").unwrap().to_string(), "::1/128");
        assert_eq!(network("all"), None);
    }
}
