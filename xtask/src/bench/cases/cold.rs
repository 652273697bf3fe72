//! A large layer that nobody has asked for in a long time.

use std::num::NonZeroU64;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::bench::args::Effort;
use crate::bench::bound::Bound;
use crate::bench::cases::Case;
use crate::bench::client::{self, Protocol};
use crate::bench::fixture::{ACCEPT_MANIFEST, AUTHORIZATION, Fixture, manifest_path};
use crate::bench::kind::Kind;
use crate::bench::meter::{Meter, mib};
use crate::bench::metric::{Aim, Metric};
use crate::bench::report::Heading;
use crate::bench::server::Server;
use crate::bench::static_files;
use crate::bench::wrk;
use crate::error::Error;

/// One blob, the file not in the page cache, while others ask for manifests.
#[derive(Default)]
pub(crate) struct PullCold {
    /// Sends the same file from a process of its own: what others wait for then
    /// is the machine's doing, and not the server's that they ask.
    elsewhere: Option<Server>,
}

/// Those others do not use up the cores: what is looked for is whether one who
/// waits for the disk makes them wait.
const OTHERS: usize = 8;
const PAUSE: &str = "function delay() return 25 end";

impl Case for PullCold {
    fn heading(&self) -> Heading {
        const {
            Heading {
                name: "pull-cold",
                title: "512 MiB blob pull, HTTP/1.1, dropped from the page cache before \
                        (posix_fadvise)",
                metrics: &[
                    Metric::aimed("MiB/s", &[Aim::RatioAtLeast(1.0)]),
                    Metric::plain("server CPU-s/GiB").bounded(Bound::PullCpu),
                    Metric::plain("p99 ms of 320 manifest GETs/s when nothing else runs"),
                    Metric::aimed(
                        "p99 ms of 320 manifest GETs/s during such pulls",
                        &[Aim::AtMost(3.0)],
                    ),
                    Metric::plain(
                        "p99 ms of 320 manifest GETs/s while another process, nginx, sends the file",
                    ),
                    Metric::aimed("the former by the latter", &[Aim::AtMost(1.25)]),
                ],
            }
        }
    }

    fn servers(&self) -> &'static [Kind] {
        Kind::ALL
    }

    fn prepare(&mut self, server: &Server, fixture: &Fixture) -> Result<(), Error> {
        if self.elsewhere.is_none() {
            let fixture = fixture.beneath("pull-cold")?;
            self.elsewhere = Some(static_files::start(&server.site, &fixture)?);
        }
        Ok(())
    }

    fn measure(
        &mut self,
        server: &Server,
        fixture: &Fixture,
        effort: Effort,
    ) -> Result<Vec<f64>, Error> {
        let layer = file(server, fixture);
        cold_pull(server, fixture)?;
        forget(&layer)?;
        let before = server.read_bytes()?;
        let meter = Meter::begin(server)?;
        let seconds = pull(server, fixture)?;
        let [cpu, _] = meter.spent()?.per_gib(fixture.layer.size);
        let read = server.read_bytes()? - before;
        if read < fixture.layer.size / 2 {
            return Err(Error::File {
                path: layer,
                got: format!("{read} bytes read from the disk"),
                expected: "the layer, which was dropped from the page cache",
            });
        }

        let (path, headers) = (manifest_path(), [AUTHORIZATION, ACCEPT_MANIFEST]);
        let others = wrk::Load {
            script: PAUSE,
            ..wrk::Load::get(&path, &headers, OTHERS, effort.load)
        };
        // The worst of few answers would differ from one round to the next.
        let long = 2 * effort.load;
        let beside_pulls_from = |sender: &Server| {
            cold_pull(sender, fixture)?;
            let duration = long;
            let meanwhile = wrk::start(server, wrk::Load { duration, ..others })?;
            let begun = Instant::now();
            while begun.elapsed() < long {
                cold_pull(sender, fixture)?;
            }
            Ok::<_, Error>(meanwhile.finish()?.pace.p99_ms)
        };
        let alone = wrk::run(server, others)?.pace.p99_ms;
        let during = beside_pulls_from(server)?;
        let elsewhere = self.elsewhere.as_ref().expect("`prepare` starts it");
        let control = beside_pulls_from(elsewhere)?;
        Ok(vec![
            mib(fixture.layer.size) / seconds,
            cpu,
            alone,
            during,
            control,
            during / control,
        ])
    }
}

/// Pulls what is not in the page cache.
///
/// Done once, without the clock, before such pulls are measured: after a rest
/// a virtual machine's host may have taken the unused memory back, and the first
/// pull waits for that too.
fn cold_pull(server: &Server, fixture: &Fixture) -> Result<(), Error> {
    forget(&file(server, fixture))?;
    pull(server, fixture)?;
    Ok(())
}

fn pull(server: &Server, fixture: &Fixture) -> Result<f64, Error> {
    let url = server.url(&fixture.layer.path());
    let answer = client::expect(server, &url, &[Protocol::Http1.option()], 200)?;
    Ok(answer.seconds)
}

fn file(server: &Server, fixture: &Fixture) -> PathBuf {
    match server.kind {
        Kind::Static => fixture.layer.file.clone(),
        _ => fixture.layer.stored_in(&server.storage).join("data"),
    }
}

/// Drops a file from the page cache; one that is not written out would stay.
fn forget(file: &Path) -> Result<(), Error> {
    let file = fs_err::OpenOptions::new().write(true).open(file)?;
    file.sync_all()?;
    let all: Option<NonZeroU64> = None;
    rustix::fs::fadvise(file.as_fd(), 0, all, rustix::fs::Advice::DontNeed)
        .map_err(std::io::Error::from)?;
    Ok(())
}
