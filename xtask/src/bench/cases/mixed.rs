//! Layers of very different sizes at once: two tenths of 1 MB, seven of 10 MB,
//! one of 100 MB, as zot's benchmark zb mixes them.

use crate::bench::args::Effort;
use crate::bench::batch::{self, Request};
use crate::bench::blob::{Blob, ended, location};
use crate::bench::cases::Case;
use crate::bench::fixture::{Fixture, REPOSITORY};
use crate::bench::meter::{Meter, mib};
use crate::bench::metric::Metric;
use crate::bench::report::Heading;
use crate::bench::server::Server;
use crate::error::Error;

/// Such a mix, pulled, pushed, or both at once.
pub(crate) struct Mixed {
    heading: Heading,
    pulls: bool,
    pushes: bool,
    /// What every server has; made before it is first pulled.
    pulled: Vec<Blob>,
    measured: u64,
}

const CONNECTIONS: usize = 8;
/// How many of which size, in the fixture's units.
const MIX: [(usize, u64); 3] = [(4, 1), (14, 10), (2, 100)];

const METRICS: &[Metric] = &[
    Metric::plain("MiB/s"),
    Metric::plain("server CPU-s/GiB"),
    Metric::plain("client CPU-s/GiB"),
    Metric::plain("peak MiB, all processes"),
];

impl Mixed {
    pub(crate) fn pull() -> Self {
        Self {
            heading: Heading {
                name: "mixed-pull",
                title: "20 blobs pulled, 4 of 1 MB, 14 of 10 MB, 2 of 100 MB, 8 connections",
                metrics: METRICS,
            },
            pulls: true,
            pushes: false,
            pulled: Vec::new(),
            measured: 0,
        }
    }

    pub(crate) fn push() -> Self {
        Self {
            heading: Heading {
                name: "mixed-push",
                title: "20 blobs pushed, 4 of 1 MB, 14 of 10 MB, 2 of 100 MB, 8 connections",
                metrics: METRICS,
            },
            pulls: false,
            pushes: true,
            ..Self::pull()
        }
    }

    pub(crate) fn both() -> Self {
        Self {
            heading: Heading {
                name: "mixed-both",
                title: "the same pulled while as much is pushed by another client, 4 connections each",
                metrics: METRICS,
            },
            pushes: true,
            ..Self::pull()
        }
    }
}

impl Case for Mixed {
    fn heading(&self) -> Heading {
        self.heading
    }

    fn prepare(&mut self, server: &Server, fixture: &Fixture) -> Result<(), Error> {
        if !self.pulls {
            return Ok(());
        }
        if self.pulled.is_empty() {
            self.pulled = blobs(fixture, &format!("{}-pulled", self.heading.name))?;
        }
        push(server, CONNECTIONS, &self.pulled)?;
        batch::run(server, CONNECTIONS, &pulls(server, &self.pulled))?;
        Ok(())
    }

    fn measure(
        &mut self,
        server: &Server,
        fixture: &Fixture,
        _effort: Effort,
    ) -> Result<Vec<f64>, Error> {
        self.measured += 1;
        let name = format!("{}-{}", self.heading.name, self.measured);
        let pushed = if self.pushes {
            blobs(fixture, &name)?
        } else {
            Vec::new()
        };
        // Or a server would wait for the disk on behalf of its predecessor.
        rustix::fs::sync();
        server.forget_peak()?;
        let pulls = pulls(server, &self.pulled);
        let each = if self.pulls && self.pushes {
            CONNECTIONS / 2
        } else {
            CONNECTIONS
        };
        let meter = Meter::begin(server)?;
        let pulling = if self.pulls {
            Some(batch::start(server, each, &pulls)?)
        } else {
            None
        };
        push(server, each, &pushed)?;
        if let Some(pulling) = pulling {
            pulling.finish()?;
        }
        let spent = meter.spent()?;
        let peak = server.peak_mib()?;
        let bytes = self
            .pulled
            .iter()
            .chain(&pushed)
            .map(|blob| blob.size)
            .sum();
        for blob in &pushed {
            blob.take_from(server)?;
            fs_err::remove_file(&blob.file)?;
        }
        let [server_cpu, client_cpu] = spent.per_gib(bytes);
        Ok(vec![mib(bytes) / spent.wall, server_cpu, client_cpu, peak])
    }
}

/// A new mix.
fn blobs(fixture: &Fixture, name: &str) -> Result<Vec<Blob>, Error> {
    let mut blobs = Vec::new();
    for (count, units) in MIX {
        let directory = fixture.path(name).join(units.to_string());
        let size = units * fixture.sizes.mixed_unit;
        blobs.extend(Blob::many(&directory, count, size)?);
    }
    Ok(blobs)
}

fn pulls(server: &Server, blobs: &[Blob]) -> Vec<Request<'static>> {
    let urls = blobs.iter().map(|blob| server.url(&blob.path()));
    urls.map(Request::Get).collect()
}

/// Pushes `blobs`: all POSTs, all PATCHes, all PUTs.
fn push(server: &Server, connections: usize, blobs: &[Blob]) -> Result<(), Error> {
    if blobs.is_empty() {
        return Ok(());
    }
    let begin = server.url(&format!("/v2/{REPOSITORY}/blobs/uploads/"));
    let posts = vec![Request::Post(begin); blobs.len()];
    let posted = batch::run(server, connections, &posts)?;

    let mut patches = Vec::new();
    for (blob, answer) in blobs.iter().zip(&posted) {
        patches.push(Request::Patch(location(server, answer)?, &blob.file));
    }
    let patched = batch::run(server, connections, &patches)?;

    let mut puts = Vec::new();
    for (blob, answer) in blobs.iter().zip(&patched) {
        let end = ended(&location(server, answer)?, &blob.digest);
        puts.push(Request::Put(end));
    }
    batch::run(server, connections, &puts)?;
    Ok(())
}
