//! Single values: what they may be, and what is said when they are not.
//!
//! A message may end in `\nhint: …`; the reader of the file takes it apart.

use std::fmt::Display;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use ipnet::IpNet;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use crate::listen_address::{ListenAddress, ListenAddressError, OVER_SOCKET};
use crate::settings::{AccessLog, LogFormat};
use crate::upstream::Upstream;

pub(super) fn duration<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(d)?;
    humantime::parse_duration(&text).map_err(|e| {
        wrong(
            format_args!("`{text}` is no duration ({e})"),
            "write it as \"30s\", \"15m\" or \"1h 30m\"",
        )
    })
}

/// A number of bytes that is not zero.
pub(super) fn bytes<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
    let text = String::deserialize(d)?;
    match text.parse::<ByteSize>() {
        Ok(ByteSize(0)) | Err(_) => Err(wrong(
            format_args!("`{text}` is no number of bytes"),
            "write it as \"64MiB\" or \"1GB\"",
        )),
        Ok(ByteSize(bytes)) => Ok(bytes),
    }
}

/// A time that is not zero, or `"off"`.
pub(super) fn interval<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(d)?;
    match humantime::parse_duration(&text) {
        _ if text == "off" => Ok(None),
        Ok(interval) if !interval.is_zero() => Ok(Some(interval)),
        _ => Err(wrong(
            format_args!("`{text}` is no time to wait"),
            "write it as \"24h\" or \"7d\", or \"off\"",
        )),
    }
}

/// What reads itself from a text and says what is wrong with it.
pub(super) fn parsed<'de, D, T>(d: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    String::deserialize(d)?.parse().map_err(D::Error::custom)
}

pub(super) fn socket_address<'de, D: Deserializer<'de>>(d: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(d)?;
    text.parse().map_err(|_| {
        wrong(
            format_args!("`{text}` is no address with a port"),
            "write it as \"0.0.0.0:5043\" or \"[::]:5043\"; names are not looked up",
        )
    })
}

pub(super) fn listen_address<'de, D: Deserializer<'de>>(d: D) -> Result<ListenAddress, D::Error> {
    let text = String::deserialize(d)?;
    text.parse().map_err(|error: ListenAddressError| {
        wrong(
            format_args!("{error}"),
            "write it as \"0.0.0.0:5043\", \"[::]:5043\" or \"unix:/run/tidegate.sock\"; names are \
             not looked up",
        )
    })
}

/// Permissions as chmod takes them: octal digits.
pub(super) fn mode(text: &str) -> Option<u32> {
    let mode = u32::from_str_radix(text, 8).ok()?;
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    (is_plain && mode <= 0o777).then_some(mode)
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum ProtocolName {
    #[default]
    Https,
    Http,
    RedirectToHttps,
}

pub(super) fn protocol<'de, D: Deserializer<'de>>(d: D) -> Result<ProtocolName, D::Error> {
    one_of(
        d,
        &[
            ("https", ProtocolName::Https),
            ("http", ProtocolName::Http),
            ("redirect-to-https", ProtocolName::RedirectToHttps),
        ],
    )
}

pub(super) fn log_format<'de, D: Deserializer<'de>>(d: D) -> Result<LogFormat, D::Error> {
    one_of(d, &[("text", LogFormat::Text), ("json", LogFormat::Json)])
}

pub(super) fn access_log<'de, D: Deserializer<'de>>(d: D) -> Result<AccessLog, D::Error> {
    one_of(
        d,
        &[
            ("combined", AccessLog::Combined),
            ("json", AccessLog::Json),
            ("off", AccessLog::Off),
        ],
    )
}

/// The filter is compiled where the log is set up; what can be checked here is
/// the mistake that people make: a level that does not exist.
pub(super) fn log_level<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    let text = String::deserialize(d)?;
    let known = text.split(',').all(|directive| {
        let level = directive.rsplit('=').next().unwrap_or(directive).trim();
        LEVELS.iter().any(|known| level.eq_ignore_ascii_case(known))
    });
    if known {
        Ok(text)
    } else {
        Err(wrong(
            format_args!("`{text}` is no log level"),
            "one of error, warn, info, debug, trace, off; one part alone: \"info,tidegate_proxy=debug\"",
        ))
    }
}

pub(super) fn expression<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    let text = String::deserialize(d)?;
    match fancy_regex::Regex::new(&text) {
        Ok(_) => Ok(text),
        Err(e) => Err(D::Error::custom(format!(
            "`{text}` is no regular expression: {e}"
        ))),
    }
}

pub(super) fn networks<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<IpNet>, D::Error> {
    /// Read by itself, so that a mistake is shown where it stands.
    #[derive(Deserialize)]
    struct Network(#[serde(deserialize_with = "network")] IpNet);

    let networks = Vec::<Network>::deserialize(d)?;
    Ok(networks.into_iter().map(|network| network.0).collect())
}

fn network<'de, D: Deserializer<'de>>(d: D) -> Result<IpNet, D::Error> {
    let text = String::deserialize(d)?;
    if text == "unix:" {
        return Ok(OVER_SOCKET.into());
    }
    text.parse::<IpNet>()
        .or_else(|_| text.parse().map(|address: std::net::IpAddr| address.into()))
        .map_err(|_| {
            wrong(
                format_args!("`{text}` is neither an address nor a network"),
                "write it as \"10.0.0.7\" or \"10.0.0.0/8\"",
            )
        })
}

/// Text that is sent in a header: no control characters.
pub(super) fn header_text<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    let text = String::deserialize(d)?;
    if text.chars().all(|c| (' '..='~').contains(&c)) {
        Ok(text)
    } else {
        Err(D::Error::custom(
            "the realm is sent in a header: only printable ASCII characters",
        ))
    }
}

pub(super) fn positive<'de, D: Deserializer<'de>>(d: D) -> Result<u32, D::Error> {
    match u32::deserialize(d)? {
        0 => Err(D::Error::custom("must be at least 1")),
        n => Ok(n),
    }
}

pub(super) fn upstream<'de, D: Deserializer<'de>>(d: D) -> Result<Upstream, D::Error> {
    const HINT: &str = "write it as \"http://127.0.0.1:5000\" or \"unix:/run/registry.sock\"";
    let text = String::deserialize(d)?;
    text.parse().map_err(|why| wrong(why, HINT))
}

pub(super) fn one_of<'de, D: Deserializer<'de>, T: Copy>(
    d: D,
    known: &[(&'static str, T)],
) -> Result<T, D::Error> {
    let text = String::deserialize(d)?;
    match known.iter().find(|(name, _)| *name == text) {
        Some((_, value)) => Ok(*value),
        None => {
            let names: Vec<String> = known.iter().map(|(n, _)| format!("\"{n}\"")).collect();
            Err(D::Error::custom(format!(
                "`{text}` is not known here\nhint: one of {}",
                names.join(", ")
            )))
        }
    }
}

pub(super) fn wrong<E: Error>(message: impl Display, hint: &str) -> E {
    E::custom(format_args!("{message}\nhint: {hint}"))
}

/// Ends the hint of an error in a value that may be a secret: the line is then
/// not shown.
pub(super) const SECRET: &str = "\u{0}";

/// As [`wrong`], where the value may be a secret. The message does not show it.
pub(super) fn wrong_secret<E: Error>(message: impl Display, hint: &str) -> E {
    E::custom(format_args!("{message}\nhint: {hint}{SECRET}"))
}
