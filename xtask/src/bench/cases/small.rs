//! Many small layers, as images of scripts and configuration have.

use crate::bench::args::Effort;
use crate::bench::cases::Case;
use crate::bench::fixture::{AUTHORIZATION, Fixture};
use crate::bench::kind::Kind;
use crate::bench::meter::Meter;
use crate::bench::metric::Metric;
use crate::bench::pace::Pace;
use crate::bench::report::Heading;
use crate::bench::server::Server;
use crate::bench::small::SmallBlobs;
use crate::bench::{client, wrk};
use crate::error::Error;

/// All of them in turn, over kept connections.
#[derive(Default)]
pub(crate) struct PullSmall(Option<SmallBlobs>);

const CONNECTIONS: usize = 8;

impl Case for PullSmall {
    fn heading(&self) -> Heading {
        const {
            Heading {
                name: "pull-small",
                title: "1,000 blobs of 10 KiB pulled in turn, HTTP/1.1, 8 connections",
                metrics: &Pace::metrics(
                    Metric::plain("blobs/s"),
                    Metric::plain("p99 ms"),
                    ["server CPU µs/blob", "client CPU µs/blob"],
                ),
            }
        }
    }

    fn servers(&self) -> &'static [Kind] {
        Kind::ALL
    }

    fn prepare(&mut self, server: &Server, fixture: &Fixture) -> Result<(), Error> {
        let blobs = SmallBlobs::once(&mut self.0, fixture)?;
        blobs.place(server)?;
        for blob in blobs.iter() {
            client::expect(server, &server.url(&blob.path()), &[], 200)?;
        }
        Ok(())
    }

    fn measure(
        &mut self,
        server: &Server,
        fixture: &Fixture,
        effort: Effort,
    ) -> Result<Vec<f64>, Error> {
        let blobs = SmallBlobs::once(&mut self.0, fixture)?;
        let paths: Vec<_> = blobs
            .iter()
            .map(|blob| format!("{:?}", blob.path()))
            .collect();
        let script = format!(
            "local paths, next = {{ {} }}, 0
function request()
  next = next % #paths + 1
  return wrk.format(nil, paths[next])
end",
            paths.join(", ")
        );
        let meter = Meter::begin(server)?;
        let load = wrk::Load {
            script: &script,
            ..wrk::Load::get("/", &[AUTHORIZATION], CONNECTIONS, effort.load)
        };
        let figures = wrk::run(server, load)?;
        Ok(figures.pace.with_cost(&meter.spent()?))
    }
}
