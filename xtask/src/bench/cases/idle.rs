//! Clients that stay connected and want nothing.

use std::time::Duration;

use crate::bench::args::Effort;
use crate::bench::cases::Case;
use crate::bench::fixture::Fixture;
use crate::bench::kind::Kind;
use crate::bench::metric::{Aim, Metric};
use crate::bench::report::Heading;
use crate::bench::server::Server;
use crate::bench::{self, net, wrk};
use crate::error::Error;

/// Connections that have made a handshake and one request each: to the server
/// that the other cases were about, and to one that has just been started.
#[derive(Default)]
pub(crate) struct Idle {
    measured: u32,
}

/// All must be connected before that, and none is closed before that.
const LIMIT: Duration = Duration::from_secs(60);

impl Case for Idle {
    fn heading(&self) -> Heading {
        const {
            Heading {
                name: "idle",
                title: "2,000 TLS connections, idle after one request",
                metrics: &[
                    Metric::aimed("resident MiB, all processes", &[Aim::AtMost(100.0)]),
                    Metric::plain("more than before, MiB"),
                    Metric::aimed(
                        "resident MiB of a server just started",
                        &[Aim::AtMost(100.0)],
                    ),
                    Metric::plain("more than before, MiB, just started"),
                ],
            }
        }
    }

    fn servers(&self) -> &'static [Kind] {
        Kind::ALL
    }

    fn measure(
        &mut self,
        server: &Server,
        fixture: &Fixture,
        _effort: Effort,
    ) -> Result<Vec<f64>, Error> {
        let connections = fixture.sizes.idle;
        let [with_them, more] = memory_for(server, connections)?;
        self.measured += 1;
        let fixture = fixture.beneath(&format!("idle-{}", self.measured))?;
        let fresh = bench::start_another(server, &fixture)?;
        let [fresh_with_them, fresh_more] = memory_for(&fresh, connections)?;
        Ok(vec![with_them, more, fresh_with_them, fresh_more])
    }
}

/// What `server` holds in memory while so many connections are idle, in MiB,
/// and how much more that is than before.
fn memory_for(server: &Server, connections: usize) -> Result<[f64; 2], Error> {
    let before = server.memory()?.resident_mib;
    let script = script(connections);
    let load = wrk::Load {
        threads: 1,
        script: &script,
        ..wrk::Load::get("/v2/", &[], connections, LIMIT)
    };
    let mut clients = wrk::start(server, load)?;
    clients.wait_for("all answered")?;
    let with_them = server.memory()?.resident_mib;
    let connected = net::connections_to(server.address)?;
    drop(clients);
    if connected < connections {
        return Err(Error::Answer {
            command: format!("{connections} connections to {}", server.name),
            got: format!("{connected} that stay"),
            expected: "all of them".to_owned(),
        });
    }
    Ok([with_them, with_them - before])
}

/// One request on each connection at once, and no second one.
fn script(connections: usize) -> String {
    let rest_ms = 2 * LIMIT.as_millis();
    format!(
        "local begun, answered = 0, 0
function delay()
  begun = begun + 1
  return begun > {connections} and {rest_ms} or 0
end
function response()
  answered = answered + 1
  if answered == {connections} then
    io.write('all answered\\n')
    io.flush()
  end
end"
    )
}
