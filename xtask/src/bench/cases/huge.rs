//! A layer of the size that models and disk images have.

use crate::bench::args::Effort;
use crate::bench::blob::Blob;
use crate::bench::bound::Bound;
use crate::bench::cases::Case;
use crate::bench::client::Protocol;
use crate::bench::fixture::Fixture;
use crate::bench::meter::{Meter, mib};
use crate::bench::metric::{Aim, Metric};
use crate::bench::report::Heading;
use crate::bench::server::Server;
use crate::error::Error;

/// Pushed once to each, for what it takes of memory.
#[derive(Default)]
pub(crate) struct PushHuge {
    blob: Option<Blob>,
    pushed: u64,
}

impl Case for PushHuge {
    fn heading(&self) -> Heading {
        const {
            Heading {
                name: "huge",
                title: "10 GiB push, HTTP/1.1",
                metrics: &[
                    Metric::aimed("peak MiB, all processes", &[Aim::AtMost(64.0)]),
                    Metric::plain("MiB/s").bounded(Bound::Disk),
                    Metric::plain("server CPU-s/GiB").bounded(Bound::PushCpu),
                ],
            }
        }
    }

    fn rounds(&self, _effort: Effort) -> usize {
        1
    }

    /// It takes 20 GiB of disk, for nginx buffers what it passes on.
    fn must_be_named(&self) -> bool {
        true
    }

    fn measure(
        &mut self,
        server: &Server,
        fixture: &Fixture,
        _effort: Effort,
    ) -> Result<Vec<f64>, Error> {
        let blob = match &mut self.blob {
            Some(blob) => blob,
            none => none.insert(Blob::hollow(fixture.path("huge"), fixture.sizes.huge)?),
        };
        self.pushed += 1;
        blob.renew(self.pushed)?;
        rustix::fs::sync();
        server.forget_peak()?;
        let meter = Meter::begin(server)?;
        let seconds = blob.push(server, Protocol::Http1)?;
        let [cpu, _] = meter.spent()?.per_gib(blob.size);
        let peak = server.peak_mib()?;
        blob.take_from(server)?;
        Ok(vec![peak, mib(blob.size) / seconds, cpu])
    }
}
