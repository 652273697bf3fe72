//! A server that a task runs for itself, and stops whatever happens.

use std::fmt;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process, kill_process_group};

use crate::error::Error;
use crate::{interrupt, process};

/// How long a server may take to stop before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);
const LOG_LINES: usize = 30;

/// A running server. Dropping it stops it.
pub(crate) struct Service {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Starts `command` with both outputs going to the file `log`.
    pub(crate) fn start(
        name: &'static str,
        command: &mut Command,
        log: &Path,
    ) -> Result<Self, Error> {
        interrupt::check()?;
        let file = fs_err::File::create(log)?.into_parts().0;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0)
            .spawn()
            .map_err(|source| Error::Start {
                command: process::shown(command),
                source,
            })?;
        Ok(Self {
            name,
            child,
            log: log.to_owned(),
        })
    }

    /// Waits until `ready` says so, for `limit` at most; fails at once if the
    /// server stops.
    pub(crate) fn wait_until(
        &mut self,
        limit: Duration,
        mut ready: impl FnMut() -> bool,
    ) -> Result<(), Error> {
        let deadline = Instant::now() + limit;
        loop {
            interrupt::check()?;
            if let Some(status) = self.child.try_wait()? {
                return Err(self.error(format!("stopped with {status}")));
            }
            if ready() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(self.error(format!("did not answer within {} s", limit.as_secs())));
            }
            pause();
        }
    }

    /// The process that was started; it may have children.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The last lines of its log.
    pub(crate) fn log_tail(&self) -> String {
        fs_err::read(&self.log).map_or_else(
            |error| error.to_string(),
            |log| last_lines(&String::from_utf8_lossy(&log), LOG_LINES),
        )
    }

    fn error(&self, what: String) -> Error {
        Error::Server {
            name: self.name,
            what,
            log: self.log_tail(),
        }
    }

    /// Asks it to stop, and kills its process group if it will not.
    fn stop(&mut self) {
        let pid = process::leader(&self.child);
        // Each may fail only because the process has ended, which is the aim.
        let _ = kill_process(pid, Signal::TERM);
        if self.wait_for_exit(STOP_LIMIT).is_none() {
            let _ = kill_process_group(pid, Signal::KILL);
            let _ = self.child.wait();
        }
    }

    fn wait_for_exit(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < deadline => pause(),
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.name, self.child.id())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "foreign servers announce neither their readiness nor their end"
)]
fn pause() {
    std::thread::sleep(POLL);
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use rustix::process::{Pid, test_kill_process};

    use super::{Service, last_lines};

    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn the_end_of_a_log_is_its_last_lines() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a\n", 2), "a");
        assert_eq!(last_lines("", 2), "");
    }

    #[test]
    fn a_server_runs_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo up; while :; do sleep 1; done"]);
        let mut service = Service::start("sh", &mut shell, &dir.path().join("log")).unwrap();
        let log = dir.path().join("log");
        service
            .wait_until(LIMIT, || {
                fs_err::read_to_string(&log).is_ok_and(|text| text == "up\n")
            })
            .unwrap();
        let pid = Pid::from_raw(i32::try_from(service.id()).unwrap()).unwrap();
        test_kill_process(pid).unwrap();
        drop(service);
        test_kill_process(pid).unwrap_err();
    }

    #[test]
    fn a_server_that_stops_is_reported_with_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo the port is taken; exit 7"]);
        let mut service = Service::start("sh", &mut shell, &dir.path().join("log")).unwrap();
        let error = service.wait_until(LIMIT, || false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "sh stopped with exit status: 7; the end of its log:\n    the port is taken"
        );
    }
}
