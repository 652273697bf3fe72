//! What the servers hold in memory after everything before.

use std::time::Duration;

use crate::bench::args::Effort;
use crate::bench::cases::{Case, rest};
use crate::bench::fixture::Fixture;
use crate::bench::metric::{Aim, Metric};
use crate::bench::report::Heading;
use crate::bench::server::Server;
use crate::error::Error;

/// After that, what a server held for the clients before is given back, or
/// stays.
const SETTLED_AFTER: Duration = Duration::from_secs(10);

/// Looked at once, without doing anything.
pub(crate) struct ResidentMemory;

impl Case for ResidentMemory {
    fn heading(&self) -> Heading {
        const {
            Heading {
                name: "memory",
                title: "memory after all of that",
                metrics: &[
                    Metric::aimed("resident MiB, all processes", &[Aim::AtMost(40.0)]),
                    Metric::plain("the same, shared pages once"),
                ],
            }
        }
    }

    fn rounds(&self, _effort: Effort) -> usize {
        1
    }

    fn measure(
        &mut self,
        server: &Server,
        _fixture: &Fixture,
        _effort: Effort,
    ) -> Result<Vec<f64>, Error> {
        rest(SETTLED_AFTER);
        let memory = server.memory()?;
        Ok(vec![memory.resident_mib, memory.proportional_mib])
    }
}
