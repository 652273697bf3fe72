//! New clients: full TLS handshakes, without a session to resume.

use std::process::Command;
use std::time::Instant;

use crate::bench::Effort;
use crate::bench::cases::Case;
use crate::bench::fixture::Fixture;
use crate::bench::report::{Aim, Metric};
use crate::bench::server::Server;
use crate::error::Error;
use crate::process;

/// Connections that are made and closed, one after another by each client.
pub(crate) struct Handshakes;

/// Enough to keep the server busy while a client computes.
const CLIENTS: usize = 4;

impl Case for Handshakes {
    fn name(&self) -> &'static str {
        "handshake"
    }

    fn title(&self) -> &'static str {
        "full TLS handshakes, ECDSA P-256"
    }

    fn metrics(&self) -> &'static [Metric] {
        &[
            Metric {
                label: "handshakes/s",
                aim: Some(Aim::RatioAtLeast(1.0)),
            },
            Metric {
                label: "server CPU µs/handshake",
                aim: None,
            },
        ]
    }

    fn measure(
        &mut self,
        server: &Server,
        _fixture: &Fixture,
        effort: Effort,
    ) -> Result<Vec<f64>, Error> {
        let before = server.cpu_seconds()?;
        let start = Instant::now();
        let mut running = Vec::new();
        for _ in 0..CLIENTS {
            let mut command = client(server, effort);
            let child = process::start_quiet(&mut command)?;
            running.push((command, child));
        }
        let mut connections = 0.0;
        for (command, child) in running {
            let (answer, _) = process::finish(&command, child)?;
            connections += parse(&answer).ok_or_else(|| Error::Answer {
                command: process::shown(&command),
                got: answer,
                expected: "`N connections in N real seconds`".to_owned(),
            })?;
        }
        // openssl tells whole seconds only.
        let seconds = start.elapsed().as_secs_f64();
        let cpu = server.cpu_seconds()? - before;
        Ok(vec![connections / seconds, cpu * 1e6 / connections])
    }
}

fn client(server: &Server, effort: Effort) -> Command {
    let mut openssl = process::command("openssl");
    openssl
        .args(["s_time", "-new", "-connect", &server.address.to_string()])
        .args(["-time", &effort.load.as_secs().to_string()])
        .args(["-verify", "3", "-CAfile"])
        .arg(&server.authority);
    openssl
}

/// The number of connections in real time; the line before tells it in CPU
/// time of the client.
fn parse(answer: &str) -> Option<f64> {
    answer
        .lines()
        .filter(|line| line.contains(" real seconds"))
        .find_map(|line| line.split_once(" connections in "))
        .and_then(|(count, _)| count.trim().parse().ok())
        .filter(|count| *count > 0.0)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn connections_are_counted_over_real_time() {
        let answer = "Collecting connection statistics for 2 seconds\n****\n\n\
            1431 connections in 0.95s; 1506.32 connections/user sec, bytes read 0\n\
            1431 connections in 3 real seconds, 0 bytes read per connection\n";
        assert_eq!(parse(answer), Some(1431.0));
    }

    #[test]
    fn no_connections_are_no_answer() {
        assert_eq!(parse(""), None);
        assert_eq!(parse("0 connections in 3 real seconds, 0 bytes"), None);
        assert_eq!(parse("x connections in 3 real seconds, 0 bytes"), None);
    }
}
