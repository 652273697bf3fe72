//! What a certificate can be for: a DNS name or an IP address.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use tidegate_failure::Explain;

/// A name that a client may use to reach a server: a DNS name in lower case, a
/// wildcard such as `*.example.com`, or an IP address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName(Inner);

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Inner {
    Dns(Box<str>),
    Ip(IpAddr),
}

/// Why a text is no [`HostName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is neither a DNS name nor an IP address: {problem}")]
pub struct HostNameError {
    /// What was given.
    text: String,
    problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error("it is empty")]
    Empty,
    #[error("it is a URL")]
    Url { host: String },
    #[error("it has a path")]
    Path,
    #[error("it has a port")]
    Port { host: String },
    #[error("it has an interface (`%…`), which means nothing to other machines")]
    Zone,
    #[error("it looks like an IP address and is none")]
    Address,
    #[error("it contains white space")]
    Space,
    #[error("`_` is allowed in DNS records, but not in the names of hosts")]
    Underscore,
    #[error("`{}` is not a letter, digit or hyphen", .0.escape_debug())]
    Character(char),
    #[error("it has {0} bytes; a name has at most 253")]
    TooLong(usize),
    #[error("a label, the part between dots, is empty")]
    EmptyLabel,
    #[error("the label `{0}` has more than 63 bytes")]
    LongLabel(String),
    #[error("the label `{0}` starts or ends with a hyphen")]
    Hyphen(String),
    #[error("`*` stands only for the whole of the first label")]
    Wildcard,
    #[error("clients accept `*.` only before two labels or more")]
    BroadWildcard,
}

impl HostName {
    /// Reads a name or an address. A dot at the end of a name is dropped, as
    /// certificates are written without it; so are brackets around IPv6.
    ///
    /// # Errors
    /// If clients could not use it as the name of a host (RFC 1123 section 2.1,
    /// RFC 9525 section 6.3 for wildcards).
    pub fn parse(text: &str) -> Result<Self, HostNameError> {
        Self::read(text).map_err(|problem| HostNameError {
            text: text.escape_debug().to_string(),
            problem,
        })
    }

    /// The address, if it is one.
    #[must_use]
    pub fn as_ip(&self) -> Option<IpAddr> {
        match self.0 {
            Inner::Ip(address) => Some(address),
            Inner::Dns(_) => None,
        }
    }

    /// The DNS name, if it is one, perhaps with a wildcard.
    #[must_use]
    pub fn as_dns(&self) -> Option<&str> {
        match &self.0 {
            Inner::Dns(name) => Some(name),
            Inner::Ip(_) => None,
        }
    }

    /// Whether it starts with `*.`.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.as_dns().is_some_and(|name| name.starts_with("*."))
    }

    fn read(text: &str) -> Result<Self, Problem> {
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
        if let Some(Ok(address)) = bare.map(Ipv6Addr::from_str) {
            return Ok(Self(Inner::Ip(address.into())));
        }
        if let Ok(address) = text.parse() {
            return Ok(Self(Inner::Ip(address)));
        }
        refuse_other_things(text)?;
        let name = text.strip_suffix('.').unwrap_or(text);
        check_dns(name)?;
        Ok(Self(Inner::Dns(name.to_ascii_lowercase().into())))
    }
}

impl Explain for HostNameError {
    fn hint(&self) -> Option<String> {
        match &self.problem {
            Problem::Url { host } => Some(format!("give the name alone: {host}")),
            Problem::Port { host } => Some(format!(
                "certificates know no ports; give the name alone: {host}"
            )),
            Problem::Character(c) if !c.is_ascii() => {
                Some("give the form that starts with `xn--`, as DNS has it".to_owned())
            }
            _ => None,
        }
    }
}

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl From<IpAddr> for HostName {
    fn from(address: IpAddr) -> Self {
        Self(Inner::Ip(address))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::Dns(name) => f.write_str(name),
            Inner::Ip(address) => address.fmt(f),
        }
    }
}

/// The things that people have at hand, and that contain a name.
fn refuse_other_things(text: &str) -> Result<(), Problem> {
    if text.is_empty() {
        return Err(Problem::Empty);
    }
    if text.contains(char::is_whitespace) {
        return Err(Problem::Space);
    }
    if let Some((_, rest)) = text.split_once("://") {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        let host = without_port(authority).unwrap_or(authority);
        return Err(Problem::Url { host: host.into() });
    }
    if text.contains('/') {
        return Err(Problem::Path);
    }
    if let Some(host) = without_port(text) {
        return Err(Problem::Port { host: host.into() });
    }
    match text.split_once('%') {
        Some((address, _)) if address.parse::<Ipv6Addr>().is_ok() => Err(Problem::Zone),
        _ if text.contains([':', '[', ']']) => Err(Problem::Address),
        _ => Ok(()),
    }
}

/// `host` of `host:port` or `[address]:port`.
fn without_port(text: &str) -> Option<&str> {
    let (host, port) = text.rsplit_once(':')?;
    let is_port = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(address) if is_port => Some(address),
        None if is_port && !host.is_empty() && !host.contains(':') => Some(host),
        _ => None,
    }
}

fn check_dns(name: &str) -> Result<(), Problem> {
    if name.len() > 253 {
        return Err(Problem::TooLong(name.len()));
    }
    let plain = match name.strip_prefix("*.") {
        Some(rest) if !rest.contains('.') => return Err(Problem::BroadWildcard),
        Some(rest) => rest,
        None => name,
    };
    plain.split('.').try_for_each(check_label)?;
    // No top-level domain is a number; `10.0.0.256` is a slip of the pen.
    let last = plain.rsplit('.').next().unwrap_or(plain);
    if last.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Problem::Address);
    }
    Ok(())
}

fn check_label(label: &str) -> Result<(), Problem> {
    match label
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && *c != '-')
    {
        Some('*') => return Err(Problem::Wildcard),
        Some('_') => return Err(Problem::Underscore),
        Some(other) => return Err(Problem::Character(other)),
        None => {}
    }
    if label.is_empty() {
        Err(Problem::EmptyLabel)
    } else if label.len() > 63 {
        Err(Problem::LongLabel(label.to_owned()))
    } else if label.starts_with('-') || label.ends_with('-') {
        Err(Problem::Hyphen(label.to_owned()))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn takes_names_addresses_and_wildcards() {
        for (text, shown) in [
            ("localhost", "localhost"),
            ("Registry.Example.COM", "registry.example.com"),
            ("registry.example.com.", "registry.example.com"),
            ("*.example.com", "*.example.com"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("3com.example", "3com.example"),
            ("10.0.0.7", "10.0.0.7"),
            ("::1", "::1"),
            ("[2001:DB8::1]", "2001:db8::1"),
        ] {
            assert_eq!(HostName::parse(text).unwrap().to_string(), shown);
        }
        let wildcard = HostName::parse("*.example.com").unwrap();
        assert!(wildcard.is_wildcard() && wildcard.as_ip().is_none());
        let address = HostName::parse("::1").unwrap();
        assert_eq!(address.as_ip(), Some(Ipv6Addr::LOCALHOST.into()));
        assert_eq!(address.as_dns(), None);
    }

    #[test]
    fn says_why_a_text_is_refused() {
        let long = format!("{}.example", "a".repeat(64));
        for (text, reason) in [
            ("", "it is empty"),
            ("a b", "it contains white space"),
            ("https://x", "it is a URL"),
            ("x/y", "it has a path"),
            ("10.0.0.0/8", "it has a path"),
            ("x:5000", "it has a port"),
            ("[::1]:5000", "it has a port"),
            (
                "fe80::1%eth0",
                "it has an interface (`%…`), which means nothing to other machines",
            ),
            ("10.0.0.256", "it looks like an IP address and is none"),
            ("1:2:3", "it looks like an IP address and is none"),
            (
                "my_host",
                "`_` is allowed in DNS records, but not in the names of hosts",
            ),
            ("bücher.example", "`ü` is not a letter, digit or hyphen"),
            // Nothing that a terminal would obey.
            ("a\u{1b}c", "`\\u{1b}` is not a letter, digit or hyphen"),
            ("a..b", "a label, the part between dots, is empty"),
            ("-a.b", "the label `-a` starts or ends with a hyphen"),
            ("*", "`*` stands only for the whole of the first label"),
            (
                "a.*.example.com",
                "`*` stands only for the whole of the first label",
            ),
            (
                "w*.example.com",
                "`*` stands only for the whole of the first label",
            ),
            (
                "*.com",
                "clients accept `*.` only before two labels or more",
            ),
            (
                &long,
                &format!("the label `{}` has more than 63 bytes", "a".repeat(64)),
            ),
            (
                &"a.".repeat(150),
                "it has 299 bytes; a name has at most 253",
            ),
        ] {
            let error = HostName::parse(text).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "`{}` is neither a DNS name nor an IP address: {reason}",
                    text.escape_debug()
                )
            );
        }
    }

    #[test]
    fn hints_at_the_name_within() {
        let hint = |text: &str| {
            HostName::parse(text)
                .unwrap_err()
                .hint()
                .unwrap_or_default()
        };
        assert_eq!(
            hint("registry.lan:5000"),
            "certificates know no ports; give the name alone: registry.lan"
        );
        assert_eq!(
            hint("[::1]:5000"),
            "certificates know no ports; give the name alone: ::1"
        );
        assert_eq!(
            hint("https://registry.lan:5043/v2/"),
            "give the name alone: registry.lan"
        );
        assert!(hint("bücher.example").contains("xn--"));
        assert_eq!(hint("a b"), "");
    }

    proptest! {
        #[test]
        fn never_panics_and_reads_what_it_shows(text in "[\\PC\\s]{0,40}|([a-z0-9_.:%/*\\[\\]-]){0,30}") {
            match HostName::parse(&text) {
                Ok(name) => prop_assert_eq!(HostName::parse(&name.to_string()), Ok(name)),
                Err(error) => { let _ = (error.to_string(), error.hint()); }
            }
        }

        #[test]
        fn every_address_is_taken(address in any::<IpAddr>()) {
            let name = HostName::parse(&address.to_string()).unwrap();
            prop_assert_eq!(name.as_ip(), Some(address));
        }
    }
}
