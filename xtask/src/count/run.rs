//! The server in callgrind.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::load::{Case, HTPASSWD, Load};
use crate::bench::server::free_address;
use crate::error::Error;
use crate::process;
use crate::service::Service;

/// How long the server may take to listen: callgrind is slow to begin.
const START_LIMIT: Duration = Duration::from_secs(180);

/// A server that can be started as often as needed, each time from the same
/// state.
pub(super) struct Server {
    /// Without what debuggers read, which callgrind would read as well.
    binary: PathBuf,
    /// What `tidegate up` made.
    directory: PathBuf,
    /// Where everything else of a run is.
    scratch: PathBuf,
    base: String,
    load: Load,
}

impl Server {
    /// Has `tidegate up` make a registry below `scratch`.
    pub(super) fn prepare(binary: &Path, scratch: &Path) -> Result<Self, Error> {
        let stripped = scratch.join("tidegate");
        process::run(
            process::command("strip")
                .args(["--strip-debug", "-o"])
                .args([&stripped, binary]),
        )?;
        let directory = scratch.join("registry");
        fs_err::create_dir_all(directory.join("auth"))?;
        fs_err::write(directory.join("auth/htpasswd"), HTPASSWD)?;
        let address = free_address()?.to_string();
        let server = Self {
            binary: stripped,
            base: format!("https://{address}"),
            load: Load::create(scratch)?,
            scratch: scratch.to_owned(),
            directory,
        };
        let mut up = Command::new(binary);
        up.args(["up", "--host", "127.0.0.1", "--listen", &address, "--dir"])
            .arg(&server.directory);
        drop(server.start(&mut up)?);
        Ok(server)
    }

    /// How many instructions a run takes that serves what every run begins
    /// with, and then the requests of `case`.
    pub(super) fn count(&self, case: Option<&Case>) -> Result<u64, Error> {
        let storage = self.directory.join("registry");
        if storage.exists() {
            fs_err::remove_dir_all(&storage)?;
        }
        let counted = self.scratch.join("callgrind.out");
        let mut callgrind = process::command("valgrind");
        callgrind
            .args(["--quiet", "--tool=callgrind", "--fair-sched=yes"])
            .arg(format!("--callgrind-out-file={}", counted.display()))
            .arg(&self.binary)
            .args(["serve", "--config"])
            .arg(self.directory.join("tidegate.toml"));
        let service = self.start(&mut callgrind)?;
        let mut requests = self.load.beginning(&self.base, &self.authority());
        if let Some(case) = case {
            self.load.add(case, &mut requests);
        }
        self.ask(&requests.text, &requests.statuses)?;
        drop(service);
        let text = fs_err::read_to_string(&counted)?;
        total(&text).ok_or_else(|| Error::File {
            path: counted,
            got: text.chars().take(80).collect(),
            expected: "callgrind's output with a line `totals:`",
        })
    }

    fn authority(&self) -> PathBuf {
        self.directory.join("certs/root-ca.crt")
    }

    /// Starts the server and waits until it listens.
    fn start(&self, command: &mut Command) -> Result<Service, Error> {
        let log = self.scratch.join("log");
        let mut service = Service::start("tidegate", command, &log)?;
        // Its words rather than a connection, which would be counted.
        service.wait_until(START_LIMIT, || {
            fs_err::read_to_string(&log).is_ok_and(|text| text.contains("listening on"))
        })?;
        Ok(service)
    }

    fn ask(&self, config: &str, expected: &[u16]) -> Result<(), Error> {
        let file = self.scratch.join("requests.curl");
        fs_err::write(&file, config)?;
        let mut curl = process::command("curl");
        curl.args(["--disable", "--config"]).arg(&file);
        let answer = process::output(&mut curl)?;
        let mut answers = answer.lines().map(|line| line.parse::<u16>().ok());
        for (number, status) in expected.iter().enumerate() {
            let got = answers.next().flatten();
            if got != Some(*status) {
                return Err(Error::Answer {
                    command: format!("request {number} of {}", process::shown(&curl)),
                    got: format!("{got:?}"),
                    expected: status.to_string(),
                });
            }
        }
        Ok(())
    }
}

/// The instructions that callgrind counted.
fn total(text: &str) -> Option<u64> {
    let totals = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("totals:"))?;
    totals.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::total;

    #[test]
    fn the_total_is_the_last_line() {
        assert_eq!(total("version: 1\nfn=x\n1 2\ntotals: 2150\n"), Some(2150));
        assert_eq!(total("version: 1\n"), None);
        assert_eq!(total("totals: many\n"), None);
    }
}
