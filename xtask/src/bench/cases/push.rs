//! A large layer on its way to the disk.

use crate::bench::Effort;
use crate::bench::cases::Case;
use crate::bench::fixture::{Blob, Fixture, LAYER_MIB};
use crate::bench::report::{Aim, Metric};
use crate::bench::server::Server;
use crate::error::Error;

/// One blob that the server has not seen before, each time.
#[derive(Default)]
pub(crate) struct Push {
    blob: Option<Blob>,
    pushed: u64,
}

impl Case for Push {
    fn name(&self) -> &'static str {
        "push"
    }

    fn title(&self) -> &'static str {
        "512 MiB push (POST, PATCH, PUT), HTTP/1.1"
    }

    fn metrics(&self) -> &'static [Metric] {
        &[
            Metric {
                label: "MiB/s",
                aim: Some(Aim::RatioAtLeast(4.0)),
            },
            Metric {
                label: "server CPU-s/GiB",
                aim: Some(Aim::RatioAtMost(0.25)),
            },
        ]
    }

    fn measure(
        &mut self,
        server: &Server,
        fixture: &Fixture,
        _effort: Effort,
    ) -> Result<Vec<f64>, Error> {
        let blob = match &mut self.blob {
            Some(blob) => blob,
            none => none.insert(Blob::random(fixture.path("push"), LAYER_MIB << 20)?),
        };
        self.pushed += 1;
        blob.renew(self.pushed)?;
        // Or a server would wait for the disk on behalf of its predecessor.
        rustix::fs::sync();
        let before = server.cpu_seconds()?;
        let seconds = blob.push(server)?;
        let cpu = server.cpu_seconds()? - before;
        forget(blob, server)?;
        let [mib, gib] = [LAYER_MIB as f64, LAYER_MIB as f64 / 1024.0];
        Ok(vec![mib / seconds, cpu / gib])
    }
}

/// Checks that the blob is on the disk, and takes it away: a long run would
/// fill the disk, and writing out old pushes would slow down new ones.
fn forget(blob: &Blob, server: &Server) -> Result<(), Error> {
    let stored = blob.stored_in(&server.storage);
    let data = stored.join("data");
    let size = fs_err::metadata(&data)?.len();
    if size != LAYER_MIB << 20 {
        return Err(Error::File {
            path: data,
            got: format!("{size} bytes"),
            expected: "the 512 MiB that were pushed",
        });
    }
    Ok(fs_err::remove_dir_all(stored)?)
}
