//! A server under test: where it listens, and what it costs.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use crate::bench::client;
use crate::bench::kind::Kind;
use crate::bench::proc::{self, Memory};
use crate::error::Error;
use crate::service::Service;

/// How long a server may take to answer after its start.
const START_LIMIT: Duration = Duration::from_secs(30);

/// The certificate that both servers show, and its authority's.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// PEM.
    pub(crate) authority: PathBuf,
    /// PEM, the leaf first.
    pub(crate) certificate: PathBuf,
    /// PEM.
    pub(crate) key: PathBuf,
}

/// A server that runs. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Server {
    /// As messages call it.
    pub(crate) name: &'static str,
    /// Its column in the report.
    pub(crate) kind: Kind,
    /// Where it speaks TLS.
    pub(crate) address: SocketAddr,
    /// The registry's program; nginx where there is no registry.
    pub(crate) program: PathBuf,
    /// What distribution calls `rootdirectory`.
    pub(crate) storage: PathBuf,
    /// What it shows to clients, and what they must trust.
    pub(crate) site: Site,
    /// curl's configuration: trust and credentials.
    pub(crate) client_config: PathBuf,
    /// What was started for it, the one that clients talk to first.
    pub(crate) services: Vec<Service>,
}

impl Server {
    /// The URL of `path`, which begins with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    /// CPU time of all its processes so far, in seconds.
    pub(crate) fn cpu_seconds(&self) -> Result<f64, Error> {
        proc::cpu_seconds(&self.roots())
    }

    /// Memory of all its processes now.
    pub(crate) fn memory(&self) -> Result<Memory, Error> {
        proc::memory(&self.roots())
    }

    /// The most that its processes have held at once since
    /// [`Server::forget_peak`], in MiB: the sum of their own peaks.
    pub(crate) fn peak_mib(&self) -> Result<f64, Error> {
        proc::peak_mib(&self.roots())
    }

    /// Begins to watch for a new peak.
    pub(crate) fn forget_peak(&self) -> Result<(), Error> {
        proc::forget_peak(&self.roots())
    }

    /// What its processes have read from disks so far, in bytes.
    pub(crate) fn read_bytes(&self) -> Result<u64, Error> {
        proc::read_bytes(&self.roots())
    }

    /// Waits until an authenticated request is answered.
    pub(crate) fn wait_until_ready(&mut self) -> Result<(), Error> {
        let mut services = std::mem::take(&mut self.services);
        let outcome = services.iter_mut().try_for_each(|service| {
            service.wait_until(START_LIMIT, || {
                client::request(self, "/v2/", &[]).is_ok_and(|answer| answer.status == 200)
            })
        });
        self.services = services;
        outcome
    }

    fn roots(&self) -> Vec<u32> {
        self.services.iter().map(Service::id).collect()
    }
}

/// An address on loopback where nobody listens. Somebody else could take it
/// before it is used; the server's start would then fail and say so.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
