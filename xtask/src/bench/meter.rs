//! What work costs: CPU time of the server and of the clients.

use std::time::Instant;

use crate::bench::proc;
use crate::bench::server::Server;
use crate::error::Error;

/// Runs while a server works.
#[derive(Debug)]
pub(crate) struct Meter<'a> {
    server: &'a Server,
    begun: Instant,
    server_cpu: f64,
    all_cpu: f64,
}

/// What was used while a meter ran, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spent {
    /// On the clock.
    pub(crate) wall: f64,
    /// CPU time of all the server's processes.
    pub(crate) server: f64,
    /// CPU time of the load generators and of this process.
    pub(crate) clients: f64,
}

impl<'a> Meter<'a> {
    /// Begins to count. What clients have used is counted when they end, so
    /// that none may run yet.
    pub(crate) fn begin(server: &'a Server) -> Result<Self, Error> {
        Ok(Self {
            server,
            server_cpu: server.cpu_seconds()?,
            all_cpu: proc::cpu_seconds(&[std::process::id()])?,
            begun: Instant::now(),
        })
    }

    /// What was used so far.
    pub(crate) fn spent(&self) -> Result<Spent, Error> {
        let wall = self.begun.elapsed().as_secs_f64();
        let server = self.server.cpu_seconds()? - self.server_cpu;
        // Servers are children of this process too.
        let all = proc::cpu_seconds(&[std::process::id()])? - self.all_cpu;
        Ok(Spent {
            wall,
            server,
            clients: (all - server).max(0.0),
        })
    }
}

impl Spent {
    /// CPU time of server and clients for each of `count` requests, in
    /// microseconds.
    pub(crate) fn micros_each(&self, count: f64) -> [f64; 2] {
        [self.server * 1e6 / count, self.clients * 1e6 / count]
    }

    /// CPU seconds of server and clients for each GiB of `bytes`.
    pub(crate) fn per_gib(&self, bytes: u64) -> [f64; 2] {
        let gib = mib(bytes) / 1024.0;
        [self.server / gib, self.clients / gib]
    }
}

/// Bytes as MiB.
#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::Spent;

    #[test]
    fn time_is_divided_by_the_work() {
        let spent = Spent {
            wall: 9.0,
            server: 2.0,
            clients: 1.0,
        };
        assert_eq!(spent.micros_each(1000.0), [2000.0, 1000.0]);
        assert_eq!(spent.per_gib(512 << 20), [4.0, 2.0]);
    }
}
