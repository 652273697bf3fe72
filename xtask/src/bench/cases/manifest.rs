//! What a fleet does all day: ask whether a tag has moved.

use std::time::Duration;

use crate::bench::args::Effort;
use crate::bench::cases::Case;
use crate::bench::fixture::{AUTHORIZATION, Fixture, MANIFEST_TYPE, manifest_path};
use crate::bench::kind::Kind;
use crate::bench::meter::Meter;
use crate::bench::metric::{Aim, Metric};
use crate::bench::report::Heading;
use crate::bench::server::Server;
use crate::bench::{client, wrk};
use crate::error::Error;

/// Manifests by tag, with a password, over kept connections.
pub(crate) struct ManifestGet {
    heading: Heading,
    connections: u32,
}

const SERVER_CPU: Metric = Metric::plain("server CPU µs/request");
const CLIENT_CPU: Metric = Metric::plain("client CPU µs/request");

impl ManifestGet {
    pub(crate) fn over_1() -> Self {
        Self {
            heading: const {
                Heading {
                    name: "manifest-1",
                    title: "manifest GET with a password, 1 connection",
                    metrics: &[
                        Metric::plain("requests/s"),
                        Metric::plain("p50 ms"),
                        Metric::plain("p99 ms"),
                        SERVER_CPU,
                        CLIENT_CPU,
                    ],
                }
            },
            connections: 1,
        }
    }

    pub(crate) fn over_16() -> Self {
        Self {
            heading: const {
                Heading {
                    name: "manifest-16",
                    title: "manifest GET with a password, 16 connections",
                    metrics: &[
                        Metric::aimed(
                            "requests/s",
                            &[Aim::RatioAtLeast(60.0), Aim::StaticAtLeast(0.7)],
                        ),
                        Metric::plain("p50 ms"),
                        Metric::aimed("p99 ms", &[Aim::AtMost(3.0)]),
                        SERVER_CPU,
                        CLIENT_CPU,
                    ],
                }
            },
            connections: 16,
        }
    }

    pub(crate) fn over_256() -> Self {
        Self {
            heading: Heading {
                name: "manifest-256",
                title: "manifest GET with a password, 256 connections",
                ..Self::over_1().heading
            },
            connections: 256,
        }
    }
}

impl Case for ManifestGet {
    fn heading(&self) -> Heading {
        self.heading
    }

    fn servers(&self) -> &'static [Kind] {
        Kind::ALL
    }

    fn prepare(&mut self, server: &Server, fixture: &Fixture) -> Result<(), Error> {
        let file = fixture.path("manifest.got");
        let accept = format!("Accept: {MANIFEST_TYPE}");
        client::expect(
            server,
            &server.url(&manifest_path()),
            &["--header", &accept, "--output", &file.to_string_lossy()],
            200,
        )?;
        let got = fs_err::read_to_string(&file)?;
        if got == fixture.manifest {
            return Ok(());
        }
        Err(Error::File {
            path: file,
            got: got.chars().take(200).collect(),
            expected: "the manifest that was pushed",
        })
    }

    fn measure(
        &mut self,
        server: &Server,
        _fixture: &Fixture,
        effort: Effort,
    ) -> Result<Vec<f64>, Error> {
        let accept = format!("Accept: {MANIFEST_TYPE}");
        let (path, headers) = (manifest_path(), [AUTHORIZATION, &accept]);
        let meter = Meter::begin(server)?;
        // Many handshakes come first, which are part of no request.
        let handshakes = Duration::from_millis(10) * self.connections;
        let duration = effort.load + handshakes;
        let load = wrk::Load::get(&path, &headers, self.connections as usize, duration);
        let figures = wrk::run(server, load)?;
        let [server_cpu, client_cpu] = meter.spent()?.micros_each(figures.count());
        Ok(vec![
            figures.rate(),
            figures.p50_ms,
            figures.p99_ms,
            server_cpu,
            client_cpu,
        ])
    }
}
