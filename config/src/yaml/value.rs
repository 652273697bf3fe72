//! Single values as Go writes them, and what is said of wrong ones.

use std::fmt::{self, Display};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

/// Something wrong with a key that stands nowhere in the file: it is missing, or
/// a variable of the environment says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    key: String,
    problem: String,
    variable: Option<String>,
    hint: Option<String>,
}

impl Mistake {
    pub(crate) fn new(
        key: &str,
        problem: &str,
        variable: Option<&str>,
        hint: Option<&str>,
    ) -> Self {
        Self {
            key: key.to_owned(),
            problem: problem.to_owned(),
            variable: variable.map(str::to_owned),
            hint: hint.map(str::to_owned),
        }
    }

    /// What is wrong with a variable of the environment. Its value is not
    /// shown: it may be a secret.
    pub(crate) fn of_variable(variable: &str, problem: &str) -> Self {
        Self::new("", problem, Some(variable), None)
    }

    /// How to mend it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key,
            problem,
            variable,
            ..
        } = self;
        match variable {
            Some(variable) if key.is_empty() => write!(f, "{variable}: {problem}"),
            Some(variable) => write!(f, "`{key}`, as {variable} has it: {problem}"),
            None => write!(f, "`{key}`: {problem}"),
        }
    }
}

impl std::error::Error for Mistake {}

/// A time as Go's `time.ParseDuration` reads it: `168h`, `1h30m`, `1.5s`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, f64); 7] = [
        ("ns", 1e-9),
        ("us", 1e-6),
        ("µs", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3600.0),
    ];
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut seconds = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let (_, length) = UNITS.iter().find(|(name, _)| *name == &rest[..unit])?;
        seconds += number * length;
        rest = &rest[unit..];
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// An address as Go's `net.Listen` takes it: `:5000` is every address of this
/// machine, and a name is looked up.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(format!("`{text}` has no port"));
    };
    let Ok(port) = port.parse::<u16>() else {
        return Err(format!("`{text}` does not end with the number of a port"));
    };
    let ip = match host {
        "" => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        "localhost" => IpAddr::from(Ipv4Addr::LOCALHOST),
        name => {
            let found: Vec<_> = (name, port)
                .to_socket_addrs()
                .map_err(|_| format!("`{name}` is no address, and no name that is known here"))?
                .collect();
            // As Go does, where there are both.
            let first = found.iter().find(|address| address.is_ipv4());
            let first = first.or(found.first());
            first
                .ok_or_else(|| format!("`{name}` has no address"))?
                .ip()
        }
    };
    Ok(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for (text, seconds) in [
            ("168h", 604_800.0),
            ("1h30m", 5400.0),
            ("1.5s", 1.5),
            ("500ms", 0.5),
            ("1m0s", 60.0),
            ("0", 0.0),
            ("0s", 0.0),
            ("10us", 1e-5),
            ("+3s", 3.0),
        ] {
            assert_eq!(
                duration(text),
                Some(Duration::from_secs_f64(seconds)),
                "{text}"
            );
        }
        for text in [
            "",
            "10",
            "3 fortnights",
            "1 h",
            "-1s",
            "s",
            "1d",
            "1.1.1s",
            "h1",
            "é",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn addresses_are_those_of_go() {
        for (text, address) in [
            (":5000", "[::]:5000"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::1]:5000", "[::1]:5000"),
            ("localhost:5001", "127.0.0.1:5001"),
        ] {
            assert_eq!(listen_address(text), Ok(address.parse().unwrap()), "{text}");
        }
        for text in ["", "5000", "127.0.0.1", ":port", ":70000", "::1"] {
            assert!(listen_address(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_duration_or_none(text in ".{0,12}|[0-9.]{1,9}[a-zµ]{0,3}") {
            let _ = duration(&text);
        }
    }
}
