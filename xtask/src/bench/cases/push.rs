//! A large layer on its way to the disk.

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

/// One blob that the server has not seen before, each time.
pub(crate) struct Push {
    heading: Heading,
    protocol: Protocol,
    blob: Option<Blob>,
    pushed: u64,
}

const SERVER_CPU: Metric =
    Metric::aimed("server CPU-s/GiB", &[Aim::RatioAtMost(0.25)]).bounded(Bound::PushCpu);
const CLIENT_CPU: Metric = Metric::plain("client CPU-s/GiB");
const PEAK: Metric = Metric::plain("peak MiB, all processes");

impl Push {
    pub(crate) fn over_http_1() -> Self {
        Self {
            heading: const {
                Heading {
                    name: "push-http1",
                    title: "512 MiB push (POST, PATCH, PUT), HTTP/1.1, fsynced before the answer \
                            (by docker-registry without the directories)",
                    metrics: &[
                        Metric::aimed("MiB/s", &[Aim::RatioAtLeast(4.0)]).bounded(Bound::Disk),
                        SERVER_CPU,
                        CLIENT_CPU,
                        PEAK,
                    ],
                }
            },
            protocol: Protocol::Http1,
            blob: None,
            pushed: 0,
        }
    }

    pub(crate) fn over_http_2() -> Self {
        Self {
            heading: const {
                Heading {
                    name: "push-http2",
                    title: "512 MiB push (POST, PATCH, PUT), HTTP/2, fsynced before the answer \
                            (by docker-registry without the directories)",
                    metrics: &[
                        Metric::aimed("MiB/s", &[Aim::RatioAtLeast(3.0)]).bounded(Bound::Disk),
                        SERVER_CPU,
                        CLIENT_CPU,
                        PEAK,
                    ],
                }
            },
            protocol: Protocol::Http2,
            ..Self::over_http_1()
        }
    }
}

impl Case for Push {
    fn heading(&self) -> Heading {
        self.heading
    }

    fn measure(
        &mut self,
        server: &Server,
        fixture: &Fixture,
        _effort: Effort,
    ) -> Result<Vec<f64>, Error> {
        let blob = match &mut self.blob {
            Some(blob) => blob,
            none => none.insert(Blob::random(
                fixture.path(self.heading.name),
                fixture.sizes.layer,
            )?),
        };
        self.pushed += 1;
        blob.renew(self.pushed)?;
        // Or a server would wait for the disk on behalf of its predecessor.
        rustix::fs::sync();
        server.forget_peak()?;
        let meter = Meter::begin(server)?;
        let seconds = blob.push(server, self.protocol)?;
        let [server_cpu, client_cpu] = meter.spent()?.per_gib(blob.size);
        let peak = server.peak_mib()?;
        blob.take_from(server)?;
        Ok(vec![mib(blob.size) / seconds, server_cpu, client_cpu, peak])
    }
}
