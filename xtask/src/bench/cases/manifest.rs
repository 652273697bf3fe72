//! What a fleet does all day: ask whether a tag has moved.

use std::time::Duration;

use crate::bench::args::Effort;
use crate::bench::cases::Case;
use crate::bench::fixture::{ACCEPT_MANIFEST, AUTHORIZATION, Fixture, manifest_path};
use crate::bench::kind::Kind;
use crate::bench::meter::Meter;
use crate::bench::metric::{Aim, Metric};
use crate::bench::pace::{Pace, REQUEST_CLIENT_CPU, REQUEST_SERVER_CPU};
use crate::bench::report::Heading;
use crate::bench::server::Server;
use crate::bench::{client, wrk};
use crate::error::Error;

/// Manifests by tag, with a password, over kept connections.
pub(crate) struct ManifestGet {
    heading: Heading,
    connections: u32,
}

impl ManifestGet {
    pub(crate) fn over_1() -> Self {
        Self {
            heading: const {
                Heading {
                    name: "manifest-1",
                    title: "manifest GET with a password, 1 connection",
                    metrics: Pace::METRICS,
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
                    metrics: &Pace::metrics(
                        Metric::aimed(
                            "requests/s",
                            &[Aim::RatioAtLeast(60.0), Aim::StaticAtLeast(0.7)],
                        ),
                        Metric::aimed("p99 ms", &[Aim::AtMost(3.0)]),
                        [REQUEST_SERVER_CPU, REQUEST_CLIENT_CPU],
                    ),
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
        client::expect(
            server,
            &server.url(&manifest_path()),
            &[
                "--header",
                ACCEPT_MANIFEST,
                "--output",
                &file.to_string_lossy(),
            ],
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
        let (path, headers) = (manifest_path(), [AUTHORIZATION, ACCEPT_MANIFEST]);
        let meter = Meter::begin(server)?;
        // Many handshakes come first, which are part of no request.
        let handshakes = Duration::from_millis(10) * self.connections;
        let duration = effort.load + handshakes;
        let load = wrk::Load::get(&path, &headers, self.connections as usize, duration);
        let figures = wrk::run(server, load)?;
        Ok(figures.pace.with_cost(&meter.spent()?))
    }
}
