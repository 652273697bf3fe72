//! A large layer on its way to its clients.

use crate::bench::args::Effort;
use crate::bench::blob::digest;
use crate::bench::bound::Bound;
use crate::bench::cases::Case;
use crate::bench::client::{self, Protocol};
use crate::bench::fixture::Fixture;
use crate::bench::kind::Kind;
use crate::bench::meter::{Meter, mib};
use crate::bench::metric::{Aim, Metric};
use crate::bench::report::Heading;
use crate::bench::server::Server;
use crate::error::Error;

/// One blob, the file in the page cache, over new connections.
pub(crate) struct Pull {
    heading: Heading,
    protocol: Protocol,
    at_once: u32,
}

const RATE_1: Metric = Metric::aimed("MiB/s", &[Aim::RatioAtLeast(1.7), Aim::StaticAtLeast(1.0)]);
const RATE_2: Metric = Metric::aimed("MiB/s", &[Aim::RatioAtLeast(1.5), Aim::StaticAtLeast(1.0)]);
const SERVER_CPU: Metric =
    Metric::aimed("server CPU-s/GiB", &[Aim::RatioAtMost(1.0 / 3.0)]).bounded(Bound::PullCpu);
const CLIENT_CPU: Metric = Metric::plain("client CPU-s/GiB");
const PEAK: Metric = Metric::plain("peak MiB, all processes");

impl Pull {
    pub(crate) fn one_over_http_1() -> Self {
        Self {
            heading: const {
                Heading {
                    name: "pull-http1",
                    title: "512 MiB blob pull, HTTP/1.1",
                    metrics: &[RATE_1, SERVER_CPU, CLIENT_CPU, PEAK],
                }
            },
            protocol: Protocol::Http1,
            at_once: 1,
        }
    }

    pub(crate) fn four_over_http_1() -> Self {
        Self {
            heading: const {
                Heading {
                    name: "pull-http1-4",
                    title: "512 MiB blob pull, HTTP/1.1, four clients at once",
                    metrics: &[RATE_1, SERVER_CPU, CLIENT_CPU, PEAK],
                }
            },
            at_once: 4,
            ..Self::one_over_http_1()
        }
    }

    pub(crate) fn one_over_http_2() -> Self {
        Self {
            heading: const {
                Heading {
                    name: "pull-http2",
                    title: "512 MiB blob pull, HTTP/2",
                    metrics: &[RATE_2, SERVER_CPU, CLIENT_CPU, PEAK],
                }
            },
            protocol: Protocol::Http2,
            at_once: 1,
        }
    }

    pub(crate) fn four_over_http_2() -> Self {
        Self {
            heading: const {
                Heading {
                    name: "pull-http2-4",
                    title: "512 MiB blob pull, HTTP/2, four at once on one connection",
                    metrics: &[RATE_2, SERVER_CPU, CLIENT_CPU, PEAK],
                }
            },
            at_once: 4,
            ..Self::one_over_http_2()
        }
    }

    /// Pulls as often as is due; returns how long it took, in seconds.
    fn pull(&self, server: &Server, fixture: &Fixture) -> Result<f64, Error> {
        let url = server.url(&fixture.layer.path());
        let one = [self.protocol.option(), "--output", "/dev/null"];
        let meter = Meter::begin(server)?;
        let answers = match (self.protocol, self.at_once) {
            (_, 1) => vec![client::request_url(server, &url, &one)?],
            // As Docker does: a stream for each layer.
            (Protocol::Http2, at_once) => client::streams(server, &url, at_once)?,
            (Protocol::Http1, at_once) => client::together(server, &url, &one, at_once)?,
        };
        let seconds = match &answers[..] {
            // Without the start of the client.
            [one] => one.seconds,
            _ => meter.spent()?.wall,
        };
        for answer in &answers {
            answer.must_be(self.protocol, server)?;
            if (answer.status, answer.downloaded) != (200, fixture.layer.size) {
                return Err(Error::Answer {
                    command: format!("a pull from {}", server.name),
                    got: format!("{} with {} bytes", answer.status, answer.downloaded),
                    expected: format!("200 with {} bytes", fixture.layer.size),
                });
            }
        }
        Ok(seconds)
    }
}

impl Case for Pull {
    fn heading(&self) -> Heading {
        self.heading
    }

    fn servers(&self) -> &'static [Kind] {
        Kind::ALL
    }

    /// Checks the bytes, which also brings them into the page cache.
    fn prepare(&mut self, server: &Server, fixture: &Fixture) -> Result<(), Error> {
        let file = fixture.path("layer.got");
        let url = server.url(&fixture.layer.path());
        let output = file.to_string_lossy();
        client::expect(
            server,
            &url,
            &[self.protocol.option(), "--output", &output],
            200,
        )?;
        let got = digest(&file)?;
        if got == fixture.layer.digest {
            return Ok(fs_err::remove_file(&file)?);
        }
        Err(Error::File {
            path: file,
            got,
            expected: "the digest of the layer that was pushed",
        })
    }

    fn measure(
        &mut self,
        server: &Server,
        fixture: &Fixture,
        _effort: Effort,
    ) -> Result<Vec<f64>, Error> {
        server.forget_peak()?;
        let meter = Meter::begin(server)?;
        let seconds = self.pull(server, fixture)?;
        let bytes = fixture.layer.size * u64::from(self.at_once);
        let [server_cpu, client_cpu] = meter.spent()?.per_gib(bytes);
        Ok(vec![
            mib(bytes) / seconds,
            server_cpu,
            client_cpu,
            server.peak_mib()?,
        ])
    }
}
