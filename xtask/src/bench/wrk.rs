//! Load from wrk, with figures written by a script of our own rather than
//! taken from its text.

use std::time::Duration;

use crate::bench::server::Server;
use crate::error::Error;
use crate::process;

/// Writes one line that [`parse`] understands.
const SCRIPT: &str = r#"
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    "figures %d %d %d %d %d\n",
    summary.requests,
    summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50),
    latency:percentile(99)))
end
"#;

/// What a load is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load<'a> {
    /// What every request asks for; begins with a slash.
    pub(crate) path: &'a str,
    /// `Name: value`, each.
    pub(crate) headers: &'a [&'a str],
    /// Kept alive, each with one request at a time.
    pub(crate) connections: usize,
    /// How long it lasts.
    pub(crate) duration: Duration,
}

/// What came of a load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Figures {
    /// Answers received.
    pub(crate) requests: u64,
    /// How long it lasted in fact.
    pub(crate) seconds: f64,
    /// Half of the answers took no longer.
    pub(crate) p50_ms: f64,
    /// 99 of 100 answers took no longer.
    pub(crate) p99_ms: f64,
    failures: u64,
}

impl Figures {
    /// Requests a second.
    pub(crate) fn rate(&self) -> f64 {
        count(self.requests) / self.seconds
    }

    /// CPU time for each request, in microseconds.
    pub(crate) fn cpu_micros(&self, cpu_seconds: f64) -> f64 {
        cpu_seconds * 1e6 / count(self.requests)
    }
}

/// Puts `load` on `server`. A single failed request fails it: wrk counts
/// failures as answers, and an error is quickly made.
pub(crate) fn run(server: &Server, load: Load<'_>) -> Result<Figures, Error> {
    let script = tempfile::Builder::new().suffix(".lua").tempfile()?;
    fs_err::write(script.path(), SCRIPT)?;
    let connections = load.connections.to_string();
    let mut wrk = process::command("wrk");
    wrk.args(["--threads", "2", "--connections", &connections])
        .args(["--duration", &format!("{}s", load.duration.as_secs())])
        .args(["--timeout", "30s"])
        .arg("--script")
        .arg(script.path());
    for header in load.headers {
        wrk.args(["--header", header]);
    }
    wrk.arg(server.url(load.path));
    let text = process::output(&mut wrk)?;
    let figures = parse(&text).ok_or_else(|| Error::Answer {
        command: process::shown(&wrk),
        got: text,
        expected: "a line that begins with `figures`".to_owned(),
    })?;
    if figures.failures > 0 || figures.requests == 0 {
        return Err(Error::Failures {
            server: server.name,
            failures: figures.failures,
            requests: figures.requests,
        });
    }
    Ok(figures)
}

fn parse(text: &str) -> Option<Figures> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("figures "))?;
    let numbers: Vec<u64> = line
        .split(' ')
        .map(|word| word.parse().ok())
        .collect::<Option<_>>()?;
    let [requests, duration_us, failures, p50_us, p99_us] = numbers[..] else {
        return None;
    };
    Some(Figures {
        requests,
        seconds: count(duration_us) / 1e6,
        p50_ms: count(p50_us) / 1e3,
        p99_ms: count(p99_us) / 1e3,
        failures,
    })
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn count(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Figures, parse};

    const TEXT: &str = "Running 5s test @ https://127.0.0.1:5043/v2/\n  2 threads and 16 connections\n\
        Requests/sec:    530.11\nfigures 2660 5018000 0 29500 83250\n";

    #[test]
    fn the_line_is_found_in_its_text() {
        let figures = parse(TEXT).unwrap();
        assert_eq!(
            figures,
            Figures {
                requests: 2660,
                seconds: 5.018,
                p50_ms: 29.5,
                p99_ms: 83.25,
                failures: 0,
            }
        );
        assert!((figures.rate() - 530.09).abs() < 0.01);
        assert!((figures.cpu_micros(2.66) - 1000.0).abs() < 1e-6);
    }

    #[test]
    fn anything_else_is_refused() {
        assert_eq!(parse("Requests/sec: 530.11\n"), None);
        assert_eq!(parse("figures 1 2 3 4\n"), None);
        assert_eq!(parse("figures 1 2 3 4 5 6\n"), None);
        assert_eq!(parse("figures 1 2 3 4 -5\n"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(?s)(figures )?.*") {
            let _ = parse(&text);
        }
    }
}
