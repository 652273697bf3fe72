//! How every client begins: without a password, and again with one.

use crate::bench::args::Effort;
use crate::bench::cases::Case;
use crate::bench::client;
use crate::bench::fixture::{AUTHORIZATION, Fixture};
use crate::bench::meter::Meter;
use crate::bench::pace::Pace;
use crate::bench::report::Heading;
use crate::bench::server::Server;
use crate::bench::wrk;
use crate::error::Error;

/// `/v2/` by turns without a password, answered 401, and with one, answered
/// 200.
pub(crate) struct Ping;

const CONNECTIONS: usize = 16;

impl Case for Ping {
    fn heading(&self) -> Heading {
        const {
            Heading {
                name: "ping",
                title: "`/v2/` without a password (401), then with one (200), 16 connections",
                metrics: Pace::METRICS,
            }
        }
    }

    /// The load generator tells only how many answers were refusals.
    fn prepare(&mut self, server: &Server, _fixture: &Fixture) -> Result<(), Error> {
        let url = server.url("/v2/");
        client::expect(server, &url, &[], 200)?;
        client::expect(server, &url, &["--header", "Authorization:"], 401)?;
        Ok(())
    }

    fn measure(
        &mut self,
        server: &Server,
        _fixture: &Fixture,
        effort: Effort,
    ) -> Result<Vec<f64>, Error> {
        let meter = Meter::begin(server)?;
        let (_, credentials) = AUTHORIZATION.split_once(": ").unwrap_or_default();
        let script = format!(
            "local known = false
function request()
  known = not known
  wrk.headers[\"Authorization\"] = known and \"{credentials}\" or nil
  return wrk.format()
end"
        );
        let load = wrk::Load {
            script: &script,
            ..wrk::Load::get("/v2/", &[], CONNECTIONS, effort.load)
        };
        let figures = wrk::start(server, load)?.finish()?;
        let spent = meter.spent()?;
        // Requests under way at the end make the halves differ a little.
        if (figures.requests / 2).abs_diff(figures.refused) > CONNECTIONS as u64 {
            return Err(Error::Answer {
                command: format!("{} requests to {}", figures.requests, server.name),
                got: format!("{} refusals", figures.refused),
                expected: "one half of them".to_owned(),
            });
        }
        Ok(figures.pace.with_cost(&spent))
    }
}
