//! Load from h2load over HTTP/2, with figures taken from its log of requests.

use std::time::Duration;

use crate::bench::pace::Pace;
use crate::bench::server::Server;
use crate::error::Error;
use crate::process;

/// Sends `method` for `path` over so many connections, each with one request
/// at a time. Every answer must be 200.
pub(crate) fn run(
    server: &Server,
    method: &str,
    path: &str,
    headers: &[&str],
    connections: usize,
    duration: Duration,
) -> Result<Pace, Error> {
    let log = tempfile::NamedTempFile::new()?;
    let mut command = process::command("h2load");
    command
        .args(["--threads", &connections.min(2).to_string()])
        .args(["--clients", &connections.to_string()])
        .args(["--max-concurrent-streams", "1"])
        .args(["--duration", &duration.as_secs().to_string()])
        .arg(format!("--log-file={}", log.path().display()))
        .args(["--header", &format!(":method: {method}")]);
    for header in headers {
        command.args(["--header", header]);
    }
    command.arg(server.url(path));
    let said = process::output(&mut command)?;
    let text = fs_err::read_to_string(log.path())?;
    let requests = parse(&text).ok_or_else(|| Error::Answer {
        command: process::shown(&command),
        got: said,
        expected: "a log with three numbers on each line".to_owned(),
    })?;
    let failures = requests.iter().filter(|(status, _)| *status != 200).count();
    if failures > 0 || requests.is_empty() {
        return Err(Error::Failures {
            server: server.name,
            failures: failures as u64,
            requests: requests.len() as u64,
        });
    }
    Ok(pace(requests, duration))
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn pace(requests: Vec<(i32, u64)>, duration: Duration) -> Pace {
    let mut micros: Vec<u64> = requests.into_iter().map(|(_, micros)| micros).collect();
    micros.sort_unstable();
    let percentile = |share: usize| micros[(micros.len() - 1) * share / 100] as f64 / 1e3;
    Pace {
        count: micros.len() as f64,
        rate: micros.len() as f64 / duration.as_secs_f64(),
        p50_ms: percentile(50),
        p99_ms: percentile(99),
    }
}

/// Status and microseconds of each request; the status is -1 where the
/// connection ended first.
fn parse(log: &str) -> Option<Vec<(i32, u64)>> {
    log.lines()
        .map(|line| {
            let mut words = line.split('\t').skip(1);
            let request = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            words.next().is_none().then_some(request)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{pace, parse};
    use crate::bench::pace::Pace;

    #[test]
    fn a_log_is_summed_up() {
        let log = "1795281348868213\t200\t3000\n1795281348868257\t200\t1000\n\
            1795281348868259\t200\t2000\n";
        let requests = parse(log).unwrap();
        assert_eq!(
            pace(requests, Duration::from_secs(2)),
            Pace {
                count: 3.0,
                rate: 1.5,
                p50_ms: 2.0,
                p99_ms: 2.0,
            }
        );
    }

    #[test]
    fn a_lost_connection_is_seen() {
        assert_eq!(parse("1\t-1\t7\n"), Some(vec![(-1, 7)]));
        assert_eq!(parse("1\t200\n"), None);
        assert_eq!(parse("1\t200\t7\t8\n"), None);
    }

    proptest! {
        #[test]
        fn no_log_makes_the_parser_panic(log in "(?s)[0-9\t\n-]*.*") {
            let _ = parse(&log);
        }
    }
}
