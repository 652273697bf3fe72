//! The client's address, as a proxy passes it on.

use std::net::{IpAddr, Ipv6Addr};

use crate::header::HeaderFieldName;

/// The field of a header that lists addresses, and which of them is the client's.
///
/// Whoever reaches the server without the proxy may send any address in it: the
/// port should be the proxy's alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealIp {
    /// The name of the field.
    pub header: HeaderFieldName,
    /// Which one of its addresses: from the first, which is 0, or if it is
    /// negative from the last, which is -1.
    pub position: i64,
}

impl RealIp {
    /// The client's address by the field's value. `None` if there is none where it
    /// should be: the request is to be refused, by 400.
    ///
    /// A port after it is passed over. Before the first address from the end is
    /// the first.
    #[must_use]
    pub fn address_in(&self, value: &str) -> Option<IpAddr> {
        let addresses: Vec<&str> = value.split(',').collect();
        let position = match usize::try_from(self.position) {
            Ok(from_first) => from_first,
            Err(_) => {
                let from_last = usize::try_from(self.position.unsigned_abs()).ok();
                addresses
                    .len()
                    .saturating_sub(from_last.unwrap_or(usize::MAX))
            }
        };
        without_port(addresses.get(position)?.trim()).parse().ok()
    }
}

/// `192.0.2.1:80`, `[2001:db8::1]:80`, or either without the port.
fn without_port(text: &str) -> &str {
    let is_port = |port: &str| !port.is_empty() && port.chars().all(|c| c.is_ascii_digit());
    match text.rsplit_once(':') {
        _ if text.parse::<Ipv6Addr>().is_ok() => text,
        Some((host, port)) if is_port(port) => {
            let within = host
                .strip_prefix('[')
                .and_then(|host| host.strip_suffix(']'));
            within.unwrap_or(host)
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_from_either_end() {
        for (position, value, address) in [
            (0, "192.0.2.1", Some("192.0.2.1")),
            (0, " 192.0.2.1 , 192.0.2.2", Some("192.0.2.1")),
            (1, "192.0.2.1, 192.0.2.2", Some("192.0.2.2")),
            (2, "192.0.2.1, 192.0.2.2", None),
            (-1, "192.0.2.1, 192.0.2.2", Some("192.0.2.2")),
            (-2, "192.0.2.1, 192.0.2.2", Some("192.0.2.1")),
            (-3, "192.0.2.1, 192.0.2.2", Some("192.0.2.1")),
            (i64::MIN, "192.0.2.1", Some("192.0.2.1")),
            (i64::MAX, "192.0.2.1", None),
            (0, "", None),
            (0, "unknown", None),
            (0, "192.0.2.1:4711", Some("192.0.2.1")),
            (0, "[2001:db8::1]:4711", Some("2001:db8::1")),
            (0, "2001:db8::1", Some("2001:db8::1")),
            (0, "2001:db8::1:22", Some("2001:db8::1:22")),
            (0, "192.0.2.1:http", None),
        ] {
            let real_ip = RealIp {
                header: HeaderFieldName::new("X-Forwarded-For").unwrap(),
                position,
            };
            let address = address.map(|text| text.parse().unwrap());
            assert_eq!(
                real_ip.address_in(value),
                address,
                "{position} of {value:?}"
            );
        }
    }
}
