//! What a fleet does all day: ask whether a tag has moved.

use crate::bench::Effort;
use crate::bench::cases::Case;
use crate::bench::fixture::{AUTHORIZATION, Fixture, MANIFEST_TYPE, manifest_path};
use crate::bench::report::{Aim, Metric};
use crate::bench::server::Server;
use crate::bench::{client, wrk};
use crate::error::Error;

/// Manifests by tag, with a password, over kept connections.
pub(crate) struct ManifestGet;

impl Case for ManifestGet {
    fn name(&self) -> &'static str {
        "manifest"
    }

    fn title(&self) -> &'static str {
        "manifest GET with a password (bcrypt cost 5), 16 connections"
    }

    fn metrics(&self) -> &'static [Metric] {
        &[
            Metric {
                label: "requests/s",
                aim: Some(Aim::RatioAtLeast(60.0)),
            },
            Metric {
                label: "p50 ms",
                aim: None,
            },
            Metric {
                label: "p99 ms",
                aim: Some(Aim::AtMost(3.0)),
            },
            Metric {
                label: "server CPU µs/request",
                aim: None,
            },
        ]
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
        let before = server.cpu_seconds()?;
        let figures = wrk::run(
            server,
            wrk::Load {
                path: &manifest_path(),
                headers: &[AUTHORIZATION, &accept],
                connections: 16,
                duration: effort.load,
            },
        )?;
        let cpu = server.cpu_seconds()? - before;
        Ok(vec![
            figures.rate(),
            figures.p50_ms,
            figures.p99_ms,
            figures.cpu_micros(cpu),
        ])
    }
}
