//! Requests made with curl, and what it says about them.

use std::process::Command;

use crate::bench::server::Server;
use crate::error::Error;
use crate::process;

/// What curl is asked to write after the headers.
const TRAILER: &str = "\n%{http_code} %{http_version} %{time_total} %{size_download}\n";

/// What it is asked to write after each of several answers.
const KEPT_TRAILER: &str = "%{http_code} %{num_connects} %{time_total}\n";

/// A version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, agreed on by ALPN.
    Http2,
}

impl Protocol {
    /// curl's option.
    pub(crate) fn option(self) -> &'static str {
        match self {
            Self::Http1 => "--http1.1",
            Self::Http2 => "--http2",
        }
    }

    /// The header that makes curl send a file as if it did not know its
    /// length.
    pub(crate) fn unknown_length(self) -> &'static str {
        match self {
            Self::Http1 => "Transfer-Encoding: chunked",
            // HTTP/2 forbids that one (RFC 9113, section 8.2.2): leave out the
            // length.
            Self::Http2 => "Content-Length:",
        }
    }

    fn version(self) -> &'static str {
        match self {
            Self::Http1 => "1.1",
            Self::Http2 => "2",
        }
    }
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// The final status.
    pub(crate) status: u16,
    /// `1.1` or `2`.
    pub(crate) http_version: String,
    /// From before the connection to the last byte.
    pub(crate) seconds: f64,
    /// The length of the body as received.
    pub(crate) downloaded: u64,
    /// The header of that name, if there was one.
    pub(crate) location: Option<String>,
}

impl Answer {
    /// Checks that it came by `protocol`: servers and clients fall back
    /// silently.
    pub(crate) fn must_be(&self, protocol: Protocol, server: &Server) -> Result<(), Error> {
        if self.http_version == protocol.version() {
            return Ok(());
        }
        Err(Error::Answer {
            command: format!("a request to {}", server.name),
            got: format!("HTTP/{}", self.http_version),
            expected: format!("HTTP/{}", protocol.version()),
        })
    }
}

/// Requests `path` of `server` with curl's further arguments `options`; the
/// body is dropped unless those keep it.
pub(crate) fn request(server: &Server, path: &str, options: &[&str]) -> Result<Answer, Error> {
    request_url(server, &server.url(path), options)
}

/// As [`request`], for a URL that the server gave.
pub(crate) fn request_url(server: &Server, url: &str, options: &[&str]) -> Result<Answer, Error> {
    let mut curl = one(server, url, options);
    let text = process::output(&mut curl)?;
    understood(&curl, text)
}

/// As [`request_url`], so many times at once, by a client each.
pub(crate) fn together(
    server: &Server,
    url: &str,
    options: &[&str],
    clients: u32,
) -> Result<Vec<Answer>, Error> {
    let mut running = Vec::new();
    for _ in 0..clients {
        let mut curl = one(server, url, options);
        let child = process::start_quiet(&mut curl)?;
        running.push((curl, child));
    }
    running
        .into_iter()
        .map(|(curl, child)| {
            let (text, _) = process::finish(&curl, child)?;
            understood(&curl, text)
        })
        .collect()
}

/// Downloads `url` so many times at once over one HTTP/2 connection.
pub(crate) fn streams(server: &Server, url: &str, streams: u32) -> Result<Vec<Answer>, Error> {
    let mut curl = curl(server);
    curl.args(["--http2", "--parallel", "--parallel-max"])
        .arg(streams.to_string())
        .args(["--write-out", TRAILER]);
    for _ in 0..streams {
        curl.args(["--output", "/dev/null", url]);
    }
    let text = process::output(&mut curl)?;
    let lines = text.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| understood(&curl, line.to_owned()))
        .collect()
}

/// Requests `url` so many times, one after the other over one connection, and
/// gives the seconds that each took. The first, which makes the connection, is
/// not among them.
pub(crate) fn over_one_connection(
    server: &Server,
    url: &str,
    requests: u32,
) -> Result<Vec<f64>, Error> {
    let mut curl = curl(server);
    curl.args(["--write-out", KEPT_TRAILER]);
    for _ in 0..=requests {
        curl.args(["--output", "/dev/null", url]);
    }
    let text = process::output(&mut curl)?;
    kept(&text, requests).ok_or_else(|| Error::Answer {
        command: process::shown(&curl),
        got: text,
        expected: format!("one connection and {requests} answers with status 200 after the first"),
    })
}

fn one(server: &Server, url: &str, options: &[&str]) -> Command {
    let mut curl = curl(server);
    if !options.contains(&"--output") {
        curl.args(["--output", "/dev/null"]);
    }
    curl.args(["--dump-header", "-", "--write-out", TRAILER])
        .args(options)
        .arg(url);
    curl
}

fn understood(curl: &Command, text: String) -> Result<Answer, Error> {
    parse(&text).ok_or_else(|| Error::Answer {
        command: process::shown(curl),
        got: text,
        expected: "headers and a line of figures".to_owned(),
    })
}

/// As [`request`], and the answer's status must be `expected`.
pub(crate) fn expect(
    server: &Server,
    url: &str,
    options: &[&str],
    expected: u16,
) -> Result<Answer, Error> {
    let answer = request_url(server, url, options)?;
    if answer.status == expected {
        return Ok(answer);
    }
    Err(Error::Status {
        server: server.name,
        request: [&["curl"], options, &[url]].concat().join(" "),
        got: answer.status,
        expected,
    })
}

fn curl(server: &Server) -> Command {
    let mut curl = process::command("curl");
    // First of all: without the user's configuration.
    curl.arg("--disable")
        .arg("--config")
        .arg(&server.client_config)
        .args(["--silent", "--show-error", "--noproxy", "*"]);
    curl
}

/// Reads an answer from its headers and the line that [`TRAILER`] asks for.
pub(crate) fn parse(text: &str) -> Option<Answer> {
    let mut figures = text.lines().next_back()?.split(' ');
    let answer = Answer {
        status: figures.next()?.parse().ok()?,
        http_version: figures.next()?.to_owned(),
        seconds: figures.next()?.parse().ok()?,
        downloaded: figures.next()?.parse().ok()?,
        location: text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("location"))
            .map(|(_, value)| value.trim().to_owned()),
    };
    figures.next().is_none().then_some(answer)
}

/// Reads what [`KEPT_TRAILER`] asks for of a first answer and so many more.
fn kept(text: &str, more: u32) -> Option<Vec<f64>> {
    let mut lines = text.lines();
    let first = lines.next()?;
    let seconds = lines
        .map(|line| line.strip_prefix("200 0 ")?.parse().ok())
        .collect::<Option<Vec<f64>>>()?;
    (first.starts_with("200 1 ") && seconds.len() == usize::try_from(more).ok()?).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Answer, kept, parse};

    #[test]
    fn headers_and_figures_are_read() {
        let text = "HTTP/1.1 202 Accepted\r\nServer: x\r\nLocation: https://h:1/v2/?_state=a:b\r\n\
            \r\n\n202 1.1 0.012345 0\n";
        assert_eq!(
            parse(text),
            Some(Answer {
                status: 202,
                http_version: "1.1".to_owned(),
                seconds: 0.012_345,
                downloaded: 0,
                location: Some("https://h:1/v2/?_state=a:b".to_owned()),
            })
        );
    }

    #[test]
    fn http_2_writes_header_names_small() {
        let text = "HTTP/2 201 \r\nlocation: /v2/a\r\n\r\n\n201 2 1.5 536870912\n";
        let answer = parse(text).unwrap();
        assert_eq!(answer.location.as_deref(), Some("/v2/a"));
        assert_eq!(answer.downloaded, 512 << 20);
    }

    #[test]
    fn anything_else_is_refused() {
        assert_eq!(parse(""), None);
        assert_eq!(parse("curl: (7) Failed to connect\n"), None);
        assert_eq!(parse("200 1.1 0.1 5 more\n"), None);
    }

    #[test]
    fn a_connection_that_is_kept_is_one() {
        let first = "200 1 0.006\n";
        let two = format!("{first}200 0 0.001\n200 0 0.002\n");
        assert_eq!(kept(&two, 2), Some(vec![0.001, 0.002]));
        assert_eq!(kept(&two, 3), None);
        assert_eq!(kept(&format!("{first}200 1 0.006\n"), 1), None);
        assert_eq!(kept(&format!("{first}404 0 0.001\n"), 1), None);
        assert_eq!(kept("401 1 0.006\n200 0 0.001\n", 1), None);
        assert_eq!(kept("", 0), None);
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_parser_panic(text in "(?s).*") {
            let _ = parse(&text);
            let _ = kept(&text, 1);
        }
    }
}
