//! Lists of a registry that has grown: 10,000 repositories, and 100,000 tags.

use std::path::Path;
use std::time::Duration;

use crate::bench::args::Effort;
use crate::bench::cases::{Case, rest};
use crate::bench::client;
use crate::bench::fixture::Fixture;
use crate::bench::metric::{Aim, Metric};
use crate::bench::report::Heading;
use crate::bench::server::Server;
use crate::bench::stats::Summary;
use crate::error::Error;

/// Tidegate keeps the names in a directory only if it has not changed for two
/// seconds, for until then a further change could bear the same time. Pages are
/// measured after warm-up, which begins when the lists are that old.
const SETTLED_AFTER: Duration = Duration::from_secs(3);

/// What is asked for, from the middle of each list.
const PATHS: [&str; 4] = [
    "/v2/_catalog?n=100&last=group-50/app-5049",
    "/v2/_catalog?n=1000&last=group-50/app-5049",
    "/v2/many/tags/list?n=1000&last=v050000",
    "/v2/many/tags/list",
];

/// How often each list is asked for in a round.
const REQUESTS: u32 = 10;

/// Pages of long lists, as curl sees them over a connection that is there: what
/// a new one takes has a case of its own.
pub(crate) struct Lists;

impl Case for Lists {
    fn heading(&self) -> Heading {
        const {
            Heading {
                name: "lists",
                title: "lists of 10,000 repositories and 100,000 tags, over a kept connection",
                metrics: &[
                    Metric::aimed("100 repositories, ms", &[Aim::RatioAtMost(0.05)]),
                    Metric::aimed("1,000 repositories, ms", &[Aim::RatioAtMost(0.05)]),
                    Metric::aimed(
                        "1,000 tags, ms (docker-registry sends all)",
                        &[Aim::RatioAtMost(0.05)],
                    ),
                    Metric::aimed("all 100,000 tags, ms", &[Aim::RatioAtMost(0.05)]),
                ],
            }
        }
    }

    /// Makes the lists on disk, as pushes would, and asks for each once when
    /// they are at rest.
    fn prepare(&mut self, server: &Server, fixture: &Fixture) -> Result<(), Error> {
        let repositories = server.storage.join("docker/registry/v2/repositories");
        let digest = "a".repeat(64);
        for number in 0..fixture.sizes.repositories {
            let name = format!("group-{:02}/app-{number:04}", number / 100);
            let repository = repositories.join(name);
            link(
                &repository.join(format!("_layers/sha256/{digest}")),
                &digest,
            )?;
            let revisions = repository.join("_manifests/revisions/sha256");
            link(&revisions.join(&digest), &digest)?;
        }
        let tags = repositories.join("many/_manifests/tags");
        for number in 0..fixture.sizes.tags {
            link(&tags.join(format!("v{number:06}/current")), &digest)?;
        }
        rest(SETTLED_AFTER);
        for path in PATHS {
            client::expect(server, &server.url(path), &[], 200)?;
        }
        Ok(())
    }

    fn measure(
        &mut self,
        server: &Server,
        _fixture: &Fixture,
        _effort: Effort,
    ) -> Result<Vec<f64>, Error> {
        let ask = |path: &&str| {
            let seconds = client::over_one_connection(server, &server.url(path), REQUESTS)?;
            Ok(Summary::of(seconds).map_or(f64::NAN, |summary| summary.median * 1000.0))
        };
        PATHS.iter().map(ask).collect()
    }
}

fn link(directory: &Path, hex: &str) -> Result<(), Error> {
    fs_err::create_dir_all(directory)?;
    fs_err::write(directory.join("link"), format!("sha256:{hex}"))?;
    Ok(())
}
