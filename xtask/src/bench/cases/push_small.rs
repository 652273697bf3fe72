//! Many layers at once on their way to the disk.

use crate::bench::args::Effort;
use crate::bench::blob::Blob;
use crate::bench::bound::Bound;
use crate::bench::cases::Case;
use crate::bench::fixture::Fixture;
use crate::bench::meter::Meter;
use crate::bench::metric::{Aim, Metric};
use crate::bench::pusher;
use crate::bench::report::Heading;
use crate::bench::server::Server;
use crate::error::Error;

/// Blobs that the server has not seen before, each by POST, PATCH, PUT over a
/// kept connection.
#[derive(Default)]
pub(crate) struct PushSmall {
    measured: u64,
}

const CONNECTIONS: usize = 8;
const BYTES: u64 = 1 << 20;

impl Case for PushSmall {
    fn heading(&self) -> Heading {
        const {
            Heading {
                name: "push-small",
                title: "100 × 1 MiB pushed (POST, PATCH, PUT), HTTP/1.1, 8 connections",
                metrics: &[
                    Metric::aimed("blobs/s", &[Aim::RatioAtLeast(4.0)]),
                    Metric::plain("server CPU-s/GiB").bounded(Bound::PushCpu),
                    Metric::plain("client CPU-s/GiB"),
                    Metric::plain("peak MiB, all processes"),
                ],
            }
        }
    }

    fn measure(
        &mut self,
        server: &Server,
        fixture: &Fixture,
        _effort: Effort,
    ) -> Result<Vec<f64>, Error> {
        self.measured += 1;
        let directory = fixture.path(&format!("pushed-{}", self.measured));
        let blobs = Blob::many(&directory, fixture.sizes.pushed_blobs, BYTES)?;
        // Or a server would wait for the disk on behalf of its predecessor.
        rustix::fs::sync();
        server.forget_peak()?;
        let meter = Meter::begin(server)?;
        let seconds = pusher::push(server, fixture, CONNECTIONS, &blobs)?;
        let spent = meter.spent()?;
        let peak = server.peak_mib()?;
        for blob in &blobs {
            blob.take_from(server)?;
        }
        fs_err::remove_dir_all(&directory)?;
        let count = blobs.len() as f64;
        let [server_cpu, client_cpu] = spent.per_gib(BYTES * blobs.len() as u64);
        Ok(vec![count / seconds, server_cpu, client_cpu, peak])
    }
}
