//! Layers that the registry has already, in another repository.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use crate::bench::args::Effort;
use crate::bench::cases::{Case, rest};
use crate::bench::fixture::{AUTHORIZATION, Fixture, REPOSITORY};
use crate::bench::meter::Meter;
use crate::bench::metric::Metric;
use crate::bench::pace::Pace;
use crate::bench::report::Heading;
use crate::bench::server::Server;
use crate::bench::small::SmallBlobs;
use crate::bench::wrk;
use crate::error::Error;

/// Cross-repository mounts (OCI distribution specification, "Mounting a blob
/// from another repository"), of another blob or into another repository each
/// time.
#[derive(Default)]
pub(crate) struct Mount {
    blobs: Option<SmallBlobs>,
    measured: u32,
}

const CONNECTIONS: usize = 8;
/// How often a repository that will not go is removed again.
const TRIES: u32 = 50;

impl Case for Mount {
    fn heading(&self) -> Heading {
        const {
            Heading {
                name: "mount",
                title: "cross mounts of 1,000 blobs into new repositories, 8 connections",
                metrics: &Pace::metrics(
                    Metric::plain("mounts/s"),
                    Metric::plain("p99 ms"),
                    ["server CPU µs/mount", "client CPU µs/mount"],
                ),
            }
        }
    }

    fn prepare(&mut self, server: &Server, fixture: &Fixture) -> Result<(), Error> {
        SmallBlobs::once(&mut self.blobs, fixture)?.place(server)
    }

    fn measure(
        &mut self,
        server: &Server,
        fixture: &Fixture,
        effort: Effort,
    ) -> Result<Vec<f64>, Error> {
        self.measured += 1;
        let target = format!("mounted-{}", self.measured);
        let blobs = SmallBlobs::once(&mut self.blobs, fixture)?;
        let digests: Vec<_> = blobs.iter().map(|blob| blob.digest.as_str()).collect();
        let script = script(&digests, &target);
        let meter = Meter::begin(server)?;
        let load = wrk::Load {
            script: &script,
            ..wrk::Load::get("/", &[AUTHORIZATION], CONNECTIONS, effort.load)
        };
        let figures = wrk::run(server, load)?;
        let sample = figures.pace.with_cost(&meter.spent()?);
        let repositories = server.storage.join("docker/registry/v2/repositories");
        remove(&repositories.join(target))?;
        if let Some(line) = figures.text.lines().find(|line| line.starts_with("other ")) {
            return Err(Error::Answer {
                command: format!("mounts in {}", server.name),
                got: line.to_owned(),
                expected: "201 each".to_owned(),
            });
        }
        Ok(sample)
    }
}

/// A server that does not mount begins an upload, which is a success too.
fn script(digests: &[&str], target: &str) -> String {
    format!(
        "local digests, next = {{ \"{}\" }}, 0
local threads = {{}}
function setup(thread)
  table.insert(threads, thread)
  thread:set('id', #threads)
end
function request()
  local digest = digests[next % #digests + 1]
  local repository = '{target}/of-' .. id .. '-' .. math.floor(next / #digests)
  next = next + 1
  return wrk.format('POST', '/v2/' .. repository .. '/blobs/uploads/?mount=' .. digest ..
    '&from={REPOSITORY}', nil, '')
end
function response(status)
  if status ~= 201 then other = status end
end
function report()
  local text = ''
  for _, thread in ipairs(threads) do
    local other = thread:get('other')
    if other then text = text .. 'other ' .. other .. '\\n' end
  end
  return text
end",
        digests.join("\", \"")
    )
}

/// Removes a repository, to which a server may still be adding for connections that
/// have gone.
fn remove(repository: &Path) -> Result<(), Error> {
    for _ in 0..TRIES {
        match fs_err::remove_dir_all(repository) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {
                rest(Duration::from_millis(100));
            }
            result => return Ok(result?),
        }
    }
    Ok(fs_err::remove_dir_all(repository)?)
}
