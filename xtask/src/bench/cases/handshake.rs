//! New connections: full TLS handshakes, and sessions that are resumed.

use std::process::Command;

use crate::bench::args::Effort;
use crate::bench::cases::Case;
use crate::bench::fixture::Fixture;
use crate::bench::kind::Kind;
use crate::bench::meter::Meter;
use crate::bench::metric::{Aim, Metric};
use crate::bench::report::Heading;
use crate::bench::server::Server;
use crate::error::Error;
use crate::process;

/// Connections that are made and closed, one after another by each client.
pub(crate) struct Handshakes {
    heading: Heading,
    options: &'static [&'static str],
    /// What openssl writes for each connection as it should be.
    mark: char,
}

/// Enough to keep the server busy while a client computes.
const CLIENTS: usize = 4;

const METRICS: &[Metric] = &[
    Metric::aimed("handshakes/s", &[Aim::RatioAtLeast(1.0)]),
    Metric::plain("server CPU µs/handshake"),
    Metric::plain("client CPU µs/handshake"),
];

impl Handshakes {
    pub(crate) fn full() -> Self {
        Self {
            heading: Heading {
                name: "handshake-full",
                title: "full TLS handshakes, ECDSA P-256",
                metrics: METRICS,
            },
            options: &["-new"],
            mark: '*',
        }
    }

    /// With a request each, for a TLS 1.3 client must read before it has a
    /// ticket (RFC 8446, section 4.6.1).
    pub(crate) fn resumed() -> Self {
        Self {
            heading: Heading {
                name: "handshake-resumed",
                title: "resumed TLS 1.3 sessions, each with a request without a password",
                metrics: METRICS,
            },
            options: &["-reuse", "-www", "/v2/"],
            mark: 'r',
        }
    }
}

impl Case for Handshakes {
    fn heading(&self) -> Heading {
        self.heading
    }

    fn servers(&self) -> &'static [Kind] {
        Kind::ALL
    }

    fn measure(
        &mut self,
        server: &Server,
        _fixture: &Fixture,
        effort: Effort,
    ) -> Result<Vec<f64>, Error> {
        let meter = Meter::begin(server)?;
        let mut running = Vec::new();
        for _ in 0..CLIENTS {
            let mut command = self.client(server, effort);
            let child = process::start_quiet(&mut command)?;
            running.push((command, child));
        }
        let mut connections = 0.0;
        for (command, child) in running {
            let (answer, _) = process::finish(&command, child)?;
            connections += parse(&answer, self.mark).ok_or_else(|| Error::Answer {
                command: process::shown(&command),
                got: answer.chars().take(400).collect(),
                expected: format!(
                    "`N connections in N real seconds`, each marked `{}`",
                    self.mark
                ),
            })?;
        }
        // openssl tells whole seconds only.
        let spent = meter.spent()?;
        let [server_cpu, client_cpu] = spent.micros_each(connections);
        Ok(vec![connections / spent.wall, server_cpu, client_cpu])
    }
}

impl Handshakes {
    fn client(&self, server: &Server, effort: Effort) -> Command {
        let mut openssl = process::command("openssl");
        openssl
            .arg("s_time")
            .args(self.options)
            .args(["-connect", &server.address.to_string()])
            .args(["-time", &effort.load.as_secs().to_string()])
            .args(["-verify", "3", "-CAfile"])
            .arg(&server.site.authority);
        openssl
    }
}

/// The number of connections in real time; the line before tells it in CPU
/// time of the client. `None` if one was not marked with `mark`.
fn parse(answer: &str, mark: char) -> Option<f64> {
    let of_marks = |line: &&str| !line.is_empty() && line.chars().all(|c| "*rt".contains(c));
    let mut marks = answer.lines().map(str::trim).filter(of_marks);
    if !marks.all(|line| line.chars().all(|c| c == mark)) {
        return None;
    }
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
        assert_eq!(parse(answer, '*'), Some(1431.0));
        assert_eq!(parse(answer, 'r'), None, "not resumed");
        assert_eq!(parse(&answer.replace("****", "rr*r"), 'r'), None);
    }

    #[test]
    fn no_connections_are_no_answer() {
        assert_eq!(parse("", '*'), None);
        assert_eq!(parse("0 connections in 3 real seconds, 0 bytes", '*'), None);
        assert_eq!(parse("x connections in 3 real seconds, 0 bytes", '*'), None);
    }
}
