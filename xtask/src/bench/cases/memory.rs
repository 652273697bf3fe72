//! What the servers hold in memory after everything before.

use crate::bench::Effort;
use crate::bench::cases::Case;
use crate::bench::fixture::Fixture;
use crate::bench::report::{Aim, Metric};
use crate::bench::server::Server;
use crate::error::Error;

/// Looked at once, without doing anything.
pub(crate) struct ResidentMemory;

impl Case for ResidentMemory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn title(&self) -> &'static str {
        "memory after all of that"
    }

    fn metrics(&self) -> &'static [Metric] {
        &[
            Metric {
                label: "resident MiB, all processes",
                aim: Some(Aim::AtMost(40.0)),
            },
            Metric {
                label: "the same, shared pages once",
                aim: None,
            },
        ]
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
        let memory = server.memory()?;
        Ok(vec![memory.resident_mib, memory.proportional_mib])
    }
}
