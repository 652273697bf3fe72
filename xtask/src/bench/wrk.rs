//! Load from wrk over HTTP/1.1, with figures written by a script of our own
//! rather than taken from its text.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command};
use std::time::Duration;

use rustix::process::{Signal, kill_process_group};
use tempfile::NamedTempFile;

use crate::bench::pace::Pace;
use crate::bench::server::Server;
use crate::error::Error;
use crate::interrupt::Foreground;
use crate::process;

/// Writes one line that [`parse`] understands, and what a case's own script
/// has to say.
const SCRIPT: &str = r#"
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    "figures %d %d %d %d %d %d\n",
    summary.requests,
    summary.duration,
    errors.connect + errors.read + errors.write + errors.timeout,
    errors.status,
    latency:percentile(50),
    latency:percentile(99)))
  if report then io.write(report()) end
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
    /// Threads of the client, not more than connections.
    pub(crate) threads: usize,
    /// How long it lasts.
    pub(crate) duration: Duration,
    /// Lua that makes other requests, or looks at answers.
    pub(crate) script: &'a str,
}

/// What came of a load.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figures {
    /// Answers received.
    pub(crate) requests: u64,
    /// Those with a status of 400 or above.
    pub(crate) refused: u64,
    /// How fast the answers came.
    pub(crate) pace: Pace,
    /// All that wrk wrote.
    pub(crate) text: String,
    failures: u64,
}

/// A wrk that runs. Dropping it ends it.
pub(crate) struct Running {
    server: &'static str,
    command: Command,
    child: Option<Child>,
    output: BufReader<ChildStdout>,
    /// What was read of it so far.
    text: String,
    // Removed when wrk has ended.
    _script: NamedTempFile,
    _group: Foreground,
}

impl<'a> Load<'a> {
    /// The same request again and again.
    pub(crate) fn get(
        path: &'a str,
        headers: &'a [&'a str],
        connections: usize,
        duration: Duration,
    ) -> Self {
        Self {
            path,
            headers,
            connections,
            threads: connections.min(2),
            duration,
            script: "",
        }
    }
}

/// Puts `load` on `server`. A single failed request fails it: wrk counts
/// failures as answers, and an error is quickly made.
pub(crate) fn run(server: &Server, load: Load<'_>) -> Result<Figures, Error> {
    let figures = start(server, load)?.finish()?;
    if figures.refused == 0 {
        return Ok(figures);
    }
    Err(Error::Failures {
        server: server.name,
        failures: figures.refused,
        requests: figures.requests,
    })
}

/// Begins to put `load` on `server`; requests may be refused.
pub(crate) fn start(server: &Server, load: Load<'_>) -> Result<Running, Error> {
    let script = tempfile::Builder::new().suffix(".lua").tempfile()?;
    fs_err::write(script.path(), format!("{}\n{SCRIPT}", load.script))?;
    let mut command = process::command("wrk");
    command
        .args(["--threads", &load.threads.to_string()])
        .args(["--connections", &load.connections.to_string()])
        .args(["--duration", &format!("{}s", load.duration.as_secs())])
        .args(["--timeout", "30s"])
        .arg("--script")
        .arg(script.path());
    for header in load.headers {
        command.args(["--header", header]);
    }
    command.arg(server.url(load.path));
    let mut child = process::start_quiet(&mut command)?;
    let output = child.stdout.take().expect("`start_quiet` keeps the output");
    Ok(Running {
        server: server.name,
        command,
        _group: Foreground::enter(process::leader(&child)),
        child: Some(child),
        output: BufReader::new(output),
        text: String::new(),
        _script: script,
    })
}

impl Running {
    /// Waits until wrk's script writes that line.
    pub(crate) fn wait_for(&mut self, expected: &str) -> Result<(), Error> {
        let mut line = String::new();
        while self.output.read_line(&mut line)? > 0 {
            if line.trim_end() == expected {
                return Ok(());
            }
            self.text.push_str(&std::mem::take(&mut line));
        }
        Err(Error::Answer {
            command: process::shown(&self.command),
            got: self.text.clone(),
            expected: format!("`{expected}` before the end"),
        })
    }

    /// Waits for the end of the load.
    pub(crate) fn finish(mut self) -> Result<Figures, Error> {
        self.output.read_to_string(&mut self.text)?;
        if let Some(child) = self.child.take() {
            process::finish(&self.command, child)?;
        }
        let figures = parse(&self.text).ok_or_else(|| Error::Answer {
            command: process::shown(&self.command),
            got: self.text.clone(),
            expected: "a line that begins with `figures`".to_owned(),
        })?;
        if figures.failures > 0 || figures.requests == 0 {
            return Err(Error::Failures {
                server: self.server,
                failures: figures.failures,
                requests: figures.requests,
            });
        }
        Ok(figures)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have just ended by itself, which is the aim.
            let _ = kill_process_group(process::leader(&child), Signal::TERM);
            let _ = child.wait();
        }
    }
}

fn parse(text: &str) -> Option<Figures> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("figures "))?;
    let numbers: Vec<u64> = line
        .split(' ')
        .map(|word| word.parse().ok())
        .collect::<Option<_>>()?;
    let [requests, duration_us, failures, refused, p50_us, p99_us] = numbers[..] else {
        return None;
    };
    Some(Figures {
        requests,
        refused,
        pace: Pace {
            count: count(requests),
            rate: count(requests) / (count(duration_us) / 1e6),
            p50_ms: count(p50_us) / 1e3,
            p99_ms: count(p99_us) / 1e3,
        },
        text: text.to_owned(),
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

    use super::parse;
    use crate::bench::pace::Pace;

    const TEXT: &str = "Running 5s test @ https://127.0.0.1:5043/v2/\n  2 threads and 16 connections\n\
        Requests/sec:    530.11\nfigures 2660 5018000 1 7 29500 83250\n";

    #[test]
    fn the_line_is_found_in_its_text() {
        let figures = parse(TEXT).unwrap();
        assert_eq!(
            (figures.requests, figures.failures, figures.refused),
            (2660, 1, 7)
        );
        let Pace {
            count,
            rate,
            p50_ms,
            p99_ms,
        } = figures.pace;
        assert_eq!((count, p50_ms, p99_ms), (2660.0, 29.5, 83.25));
        assert!((rate - 530.09).abs() < 0.01);
    }

    #[test]
    fn anything_else_is_refused() {
        assert_eq!(parse("Requests/sec: 530.11\n"), None);
        assert_eq!(parse("figures 1 2 3 4 5\n"), None);
        assert_eq!(parse("figures 1 2 3 4 5 6 7\n"), None);
        assert_eq!(parse("figures 1 2 3 4 5 -6\n"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(?s)(figures )?.*") {
            let _ = parse(&text);
        }
    }
}
