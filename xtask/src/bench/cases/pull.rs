//! A large layer on its way to one client.

use crate::bench::Effort;
use crate::bench::cases::Case;
use crate::bench::client;
use crate::bench::fixture::{Fixture, LAYER_MIB, digest};
use crate::bench::report::{Aim, Metric};
use crate::bench::server::Server;
use crate::error::Error;

/// One blob, the file in the page cache, over one new connection.
pub(crate) struct Pull {
    name: &'static str,
    title: &'static str,
    option: &'static str,
    version: &'static str,
    metrics: &'static [Metric],
}

const CPU: Metric = Metric {
    label: "server CPU-s/GiB",
    aim: Some(Aim::RatioAtMost(1.0 / 3.0)),
};

impl Pull {
    pub(crate) fn over_http_1() -> Self {
        Self {
            name: "pull-http1",
            title: "512 MiB blob pull, HTTP/1.1",
            option: "--http1.1",
            version: "1.1",
            metrics: &[
                Metric {
                    label: "MiB/s",
                    aim: Some(Aim::RatioAtLeast(1.7)),
                },
                CPU,
            ],
        }
    }

    pub(crate) fn over_http_2() -> Self {
        Self {
            name: "pull-http2",
            title: "512 MiB blob pull, HTTP/2",
            option: "--http2",
            version: "2",
            metrics: &[
                Metric {
                    label: "MiB/s",
                    aim: Some(Aim::RatioAtLeast(1.5)),
                },
                CPU,
            ],
        }
    }

    /// Pulls once; returns how long it took, in seconds.
    fn pull(&self, server: &Server, fixture: &Fixture, output: &str) -> Result<f64, Error> {
        let url = server.url(&fixture.layer.path());
        let answer = client::expect(server, &url, &[self.option, "--output", output], 200)?;
        if answer.http_version == self.version && answer.downloaded == LAYER_MIB << 20 {
            return Ok(answer.seconds);
        }
        Err(Error::Answer {
            command: format!("a pull from {}", server.name),
            got: format!(
                "{} bytes by HTTP/{}",
                answer.downloaded, answer.http_version
            ),
            expected: format!("{LAYER_MIB} MiB by HTTP/{}", self.version),
        })
    }
}

impl Case for Pull {
    fn name(&self) -> &'static str {
        self.name
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn metrics(&self) -> &'static [Metric] {
        self.metrics
    }

    fn prepare(&mut self, server: &Server, fixture: &Fixture) -> Result<(), Error> {
        let file = fixture.path("layer.got");
        self.pull(server, fixture, &file.to_string_lossy())?;
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
        let before = server.cpu_seconds()?;
        let seconds = self.pull(server, fixture, "/dev/null")?;
        let cpu = server.cpu_seconds()? - before;
        let [mib, gib] = [LAYER_MIB as f64, LAYER_MIB as f64 / 1024.0];
        Ok(vec![mib / seconds, cpu / gib])
    }
}
