//! One line for each request.
//!
//! Everything that comes from a client is escaped: no field can end a line,
//! close a quote or move a terminal's cursor.

use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

use http::Version;
use http::header::{HeaderName, REFERER, USER_AGENT};
use pingora::proxy::Session;
use serde_json::json;
use tidegate_auth::Identity;
use tidegate_auth::log_line::{escaped, rfc3339};
use tidegate_config::{AccessLog, ShownClient};
use time::OffsetDateTime;
use tracing::info;

use crate::context::RequestContext;

/// What is logged when a client went before it was answered; nginx's code.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// Logs the request that `session` has served.
pub(crate) fn record(format: AccessLog, session: &Session, context: &RequestContext) {
    let line = match format {
        AccessLog::Off => return,
        AccessLog::Combined => combined(&Entry::of(session, context)),
        AccessLog::Json => json(&Entry::of(session, context)),
    };
    info!(target: "tidegate::access", "{line}");
}

/// What a line tells.
struct Entry<'a> {
    client: Option<IpAddr>,
    user: Option<&'a str>,
    at: OffsetDateTime,
    method: &'a str,
    target: &'a [u8],
    version: Version,
    status: u16,
    bytes: usize,
    referer: Option<&'a [u8]>,
    user_agent: Option<&'a [u8]>,
    took: Duration,
    upstream: Option<u16>,
}

impl<'a> Entry<'a> {
    fn of(session: &'a Session, context: &'a RequestContext) -> Self {
        let request = session.req_header();
        let header = |name: HeaderName| request.headers.get(name).map(|value| value.as_bytes());
        let written = session.response_written();
        let answered = written.filter(|written| !written.status.is_informational());
        Self {
            client: context.client,
            user: context.user().map(Identity::name),
            at: OffsetDateTime::now_utc(),
            method: request.method.as_str(),
            target: request.raw_path(),
            version: request.version,
            status: answered.map_or(CLIENT_CLOSED_REQUEST, |written| written.status.as_u16()),
            bytes: session.body_bytes_sent(),
            referer: header(REFERER),
            user_agent: header(USER_AGENT),
            took: context.started.elapsed(),
            upstream: context.upstream_status,
        }
    }
}

/// Apache's Combined format, then the seconds taken and the status of the
/// registry behind, if there is one.
fn combined(entry: &Entry<'_>) -> String {
    let mut line = String::with_capacity(256);
    write_combined(&mut line, entry).expect("writing to a string cannot fail");
    line
}

fn write_combined(line: &mut String, entry: &Entry<'_>) -> std::fmt::Result {
    match entry.client {
        Some(client) => write!(line, "{}", ShownClient(client))?,
        None => line.push('-'),
    }
    line.push_str(" - ");
    escape(line, entry.user.unwrap_or("-").as_bytes(), true)?;
    line.push_str(" [");
    write_time(line, entry.at)?;
    line.push_str("] \"");
    line.push_str(entry.method);
    line.push(' ');
    escape(line, entry.target, true)?;
    let (version, status, bytes) = (entry.version, entry.status, entry.bytes);
    write!(line, " {version:?}\" {status} {bytes} \"")?;
    escape(line, entry.referer.unwrap_or(b"-"), false)?;
    line.push_str("\" \"");
    escape(line, entry.user_agent.unwrap_or(b"-"), false)?;
    let thousandths = (entry.took.as_micros() + 500) / 1000;
    let (seconds, thousandths) = (thousandths / 1000, thousandths % 1000);
    write!(line, "\" time={seconds}.{thousandths:03} upstream=")?;
    match entry.upstream {
        Some(status) => write!(line, "{status}"),
        None => {
            line.push('-');
            Ok(())
        }
    }
}

/// `10/Oct/2000:13:55:36 +0000`
fn write_time(line: &mut String, at: OffsetDateTime) -> std::fmt::Result {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let two = |line: &mut String, number: u8| {
        line.extend([number / 10, number % 10].map(|digit| char::from(b'0' + digit)));
    };
    two(line, at.day());
    line.push('/');
    line.push_str(MONTHS[usize::from(u8::from(at.month()) - 1)]);
    write!(line, "/{:04}", at.year())?;
    for part in [at.hour(), at.minute(), at.second()] {
        line.push(':');
        two(line, part);
    }
    line.push_str(" +0000");
    Ok(())
}

/// Apache's escapes: `\"`, `\\`, and `\xhh` for what is not visible ASCII;
/// spaces too where one would shift the fields that follow.
fn escape(line: &mut String, text: &[u8], spaces: bool) -> std::fmt::Result {
    let stands = |byte: u8| match byte {
        b'"' | b'\\' => false,
        b' ' => !spaces,
        _ => matches!(byte, b'!'..=b'~'),
    };
    // What needs no escapes, which is nearly everything, goes in as it is.
    for chunk in text.chunk_by(|&one, &next| stands(one) == stands(next)) {
        match std::str::from_utf8(chunk) {
            Ok(plain) if stands(chunk[0]) => line.push_str(plain),
            _ => write_escaped(line, chunk)?,
        }
    }
    Ok(())
}

fn write_escaped(line: &mut String, bytes: &[u8]) -> std::fmt::Result {
    bytes.iter().try_for_each(|&byte| match byte {
        b'"' | b'\\' => write!(line, "\\{}", char::from(byte)),
        _ => write!(line, "\\x{byte:02x}"),
    })
}

/// One JSON object with the same fields; what is absent is null.
fn json(entry: &Entry<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let line = json!({
        "time": rfc3339(entry.at),
        "client": entry.client.map(|client| ShownClient(client).to_string()),
        "user": entry.user,
        "method": entry.method,
        "target": text(entry.target),
        "protocol": format!("{:?}", entry.version),
        "status": entry.status,
        "bytes": entry.bytes,
        "referer": entry.referer.map(text),
        "user_agent": entry.user_agent.map(text),
        "seconds": (entry.took.as_secs_f64() * 1e6).round() / 1e6,
        "upstream": entry.upstream,
    });
    // JSON lets DEL and the C1 controls stand as they are; a terminal does not.
    escaped(line.to_string(), |character| {
        !('\x7f'..='\u{9f}').contains(&character)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    fn entry() -> Entry<'static> {
        Entry {
            client: Some(IpAddr::from([192, 0, 2, 1])),
            user: Some("alice"),
            at: datetime!(2000-10-10 13:55:36.5 UTC),
            method: "GET",
            target: b"/v2/",
            version: Version::HTTP_11,
            status: 200,
            bytes: 2326,
            referer: None,
            user_agent: Some(b"docker/27.1.0 go/go1.21"),
            took: Duration::from_micros(3210),
            upstream: Some(200),
        }
    }

    #[test]
    fn a_line_in_the_combined_format() {
        assert_eq!(
            combined(&entry()),
            "192.0.2.1 - alice [10/Oct/2000:13:55:36 +0000] \"GET /v2/ HTTP/1.1\" 200 2326 \
             \"-\" \"docker/27.1.0 go/go1.21\" time=0.003 upstream=200"
        );
        let anonymous = Entry {
            client: None,
            user: None,
            upstream: None,
            version: Version::HTTP_2,
            ..entry()
        };
        assert_eq!(
            combined(&anonymous),
            "- - - [10/Oct/2000:13:55:36 +0000] \"GET /v2/ HTTP/2.0\" 200 2326 \
             \"-\" \"docker/27.1.0 go/go1.21\" time=0.003 upstream=-"
        );
    }

    #[test]
    fn a_line_of_json() {
        let line: serde_json::Value = serde_json::from_str(&json(&entry())).unwrap();
        assert_eq!(
            line,
            json!({
                "time": "2000-10-10T13:55:36.500Z",
                "client": "192.0.2.1",
                "user": "alice",
                "method": "GET",
                "target": "/v2/",
                "protocol": "HTTP/1.1",
                "status": 200,
                "bytes": 2326,
                "referer": null,
                "user_agent": "docker/27.1.0 go/go1.21",
                "seconds": 0.00321,
                "upstream": 200,
            })
        );
    }

    #[test]
    fn nothing_a_client_sends_can_forge_a_line() {
        let forged = Entry {
            user: Some("a b\" 200"),
            target: b"/v2/\" 200 1\r\n1.2.3.4",
            user_agent: Some(b"x\" \x1b[2J\n\\\xff"),
            ..entry()
        };
        assert_eq!(
            combined(&forged),
            "192.0.2.1 - a\\x20b\\\"\\x20200 [10/Oct/2000:13:55:36 +0000] \
             \"GET /v2/\\\"\\x20200\\x201\\x0d\\x0a1.2.3.4 HTTP/1.1\" 200 2326 \
             \"-\" \"x\\\" \\x1b[2J\\x0a\\\\\\xff\" time=0.003 upstream=200"
        );
    }

    proptest! {
        #[test]
        fn every_line_is_one_line_with_its_fields_in_place(
            user in any::<String>(),
            target in proptest::collection::vec(any::<u8>(), 0..64),
            referer in proptest::collection::vec(any::<u8>(), 0..64),
            user_agent in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let hostile = Entry {
                user: Some(&user),
                target: &target,
                referer: Some(&referer),
                user_agent: Some(&user_agent),
                ..entry()
            };
            let line = combined(&hostile);
            prop_assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            // Without the escaped quotes, three quoted fields remain.
            let bare = line.replace("\\\\", "").replace("\\\"", "");
            prop_assert_eq!(bare.matches('"').count(), 6);
            prop_assert_eq!(bare.split('"').nth(2), Some(" 200 2326 "));

            let line = json(&hostile);
            prop_assert!(!line.contains(char::is_control));
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(read["user"].as_str(), Some(user.as_str()));
        }
    }
}
