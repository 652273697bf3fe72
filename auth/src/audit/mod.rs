//! The audit log: who did what to which repository, and what became of it. One
//! JSON object a line, in a file of its own; never a secret.
//!
//! Requests hand an [`Event`] over and go on: a thread writes. A disk that is
//! full or slow delays nobody. Events wait in memory then, and those for which
//! there is no room are counted, and their number is said in the log.

mod event;
mod file;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use time::OffsetDateTime;

pub use self::event::{Deed, Event, Object, Outcome, Shown};
use self::file::LogFile;

/// How many events wait: some MiB, and some seconds of a busy registry.
const MOST: usize = 16_384;
/// How long to wait before a file is tried again that could not be written.
const PAUSE: Duration = Duration::from_secs(1);

/// Where events are handed in. Cheap to clone; by default nobody takes them.
#[derive(Clone, Default)]
pub struct Audit(Option<Arc<Queue>>);

/// The thread that writes. When this is dropped, it writes what still waits, and
/// ends.
pub struct AuditWriter {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    /// Told when there is something to do.
    work: Condvar,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<(OffsetDateTime, Event)>,
    dropped: u64,
    reopen: bool,
    stop: bool,
}

impl Audit {
    /// Begins to write to a file, which is made if it is not there, with mode
    /// 0600. It is opened again when it was moved away.
    ///
    /// # Errors
    /// If it cannot be opened now. What happens to it later is logged.
    pub fn open(path: &Path) -> io::Result<(Self, AuditWriter)> {
        let file = LogFile::open(path.to_owned())?;
        let queue = Arc::<Queue>::default();
        let writer = Writer {
            queue: Arc::clone(&queue),
            file,
            failed: false,
        };
        let thread = std::thread::Builder::new().name("audit".to_owned());
        let thread = thread.spawn(move || writer.run())?;
        let writer = AuditWriter {
            queue: Arc::clone(&queue),
            thread: Some(thread),
        };
        Ok((Self(Some(queue)), writer))
    }

    /// Whether anybody takes events: otherwise they need not be made.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Hands in an event that happens now.
    pub fn record(&self, event: Event) {
        let Some(queue) = &self.0 else { return };
        let now = OffsetDateTime::now_utc();
        let mut waiting = queue.lock();
        if waiting.events.len() >= MOST {
            waiting.dropped += 1;
            return;
        }
        waiting.events.push_back((now, event));
        drop(waiting);
        queue.work.notify_one();
    }

    /// Has the file closed and opened again.
    pub fn reopen(&self) {
        if let Some(queue) = &self.0 {
            queue.lock().reopen = true;
            queue.work.notify_one();
        }
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Audit").field(&self.is_on()).finish()
    }
}

impl Drop for AuditWriter {
    fn drop(&mut self) {
        self.queue.lock().stop = true;
        self.queue.work.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer of the audit log panicked");
        }
    }
}

impl Queue {
    /// Nothing panics while this is locked.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is something to do.
    fn next(&self) -> Waiting {
        let mut waiting = self.lock();
        while waiting.events.is_empty() && waiting.dropped == 0 && !waiting.reopen && !waiting.stop
        {
            let woken = self.work.wait(waiting);
            waiting = woken.unwrap_or_else(PoisonError::into_inner);
        }
        let stop = waiting.stop;
        let next = std::mem::take(&mut *waiting);
        waiting.stop = stop;
        next
    }

    /// Waits for a while; less if there is somebody who will not.
    fn pause(&self) {
        let busy = |waiting: &mut Waiting| !waiting.stop && !waiting.reopen;
        let paused = self.work.wait_timeout_while(self.lock(), PAUSE, busy);
        drop(paused);
    }
}

struct Writer {
    queue: Arc<Queue>,
    file: LogFile,
    /// Whether the last try to write failed.
    failed: bool,
}

impl Writer {
    fn run(mut self) {
        loop {
            let next = self.queue.next();
            if next.reopen {
                self.file.close();
            }
            let lines = self.file.lines();
            for (at, event) in &next.events {
                event::write(lines, *at, event);
            }
            if next.dropped > 0 {
                event::write_gap(lines, OffsetDateTime::now_utc(), next.dropped);
                tracing::warn!(
                    events = next.dropped,
                    "the audit log could not keep up: events are missing in it"
                );
            }
            let mut stop = next.stop;
            // Meanwhile events wait in the queue, which has an end.
            while !self.write() && !stop {
                self.queue.pause();
                let mut waiting = self.queue.lock();
                stop = waiting.stop;
                if std::mem::take(&mut waiting.reopen) {
                    self.file.close();
                }
            }
            if stop {
                self.finish();
                return;
            }
        }
    }

    /// Whether nothing is left to be written.
    fn write(&mut self) -> bool {
        if !self.file.has_lines() {
            return true;
        }
        match self.file.write() {
            Ok(()) => {
                if self.failed {
                    tracing::info!("the audit log is written again");
                }
                self.failed = false;
                true
            }
            Err(error) => {
                if !self.failed {
                    tracing::error!(
                        %error,
                        "the audit log cannot be written; requests are served, and what they did \
                         is kept in memory for a while"
                    );
                }
                self.failed = true;
                false
            }
        }
    }

    /// Writes what came since, if that can be done at once.
    fn finish(&mut self) {
        let rest = std::mem::take(&mut *self.queue.lock());
        for (at, event) in &rest.events {
            event::write(self.file.lines(), *at, event);
        }
        if rest.dropped > 0 {
            event::write_gap(self.file.lines(), OffsetDateTime::now_utc(), rest.dropped);
        }
        if !self.write() {
            let lost = self
                .file
                .lines()
                .iter()
                .filter(|byte| **byte == b'\n')
                .count();
            tracing::error!(
                events = lost as u64 + rest.dropped,
                "the audit log ends without the last events"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use super::event::tests::event;
    use super::*;

    fn numbered(number: usize) -> Event {
        Event {
            bytes: Some(number as u64),
            ..event()
        }
    }

    fn read(path: &Path) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(path).unwrap();
        let lines = text.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn what_was_handed_in_is_written_in_order_before_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.log");
        let (audit, writer) = Audit::open(&path).unwrap();
        assert!(audit.is_on());
        for number in 0..1000 {
            audit.record(numbered(number));
        }
        audit.reopen();
        drop(writer);
        let numbers: Vec<_> = read(&path)
            .iter()
            .map(|line| line["bytes"].as_u64())
            .collect();
        assert_eq!(numbers, (0..1000).map(Some).collect::<Vec<_>>());
        // Nobody waits for a writer that has gone.
        audit.record(event());
    }

    #[test]
    fn nobody_takes_events_by_default() {
        let audit = Audit::default();
        assert!(!audit.is_on());
        audit.record(event());
        audit.reopen();
        assert_eq!(format!("{audit:?}"), "Audit(false)");
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_an_error_at_the_start() {
        let error = Audit::open(Path::new("/no/such/audit.log")).err().unwrap();
        assert!(error.to_string().contains("/no/such/audit.log"), "{error}");
    }

    /// A writer that has not begun, and that ends as soon as it may.
    fn late(path: &Path) -> (Audit, Writer) {
        let queue = Arc::<Queue>::default();
        queue.lock().stop = true;
        let writer = Writer {
            queue: Arc::clone(&queue),
            file: LogFile::open(path.to_owned()).unwrap(),
            failed: false,
        };
        (Audit(Some(queue)), writer)
    }

    #[test]
    fn what_is_missing_is_counted_and_said() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.log");
        let (audit, writer) = late(&path);
        for number in 0..MOST + 100 {
            audit.record(numbered(number));
        }
        writer.run();
        let lines = read(&path);
        assert_eq!(lines.len(), MOST + 1);
        assert_eq!(lines[MOST - 1]["bytes"], MOST - 1);
        assert_eq!(lines[MOST]["action"], "dropped");
        assert_eq!(lines[MOST]["events"], 100);
    }

    #[test]
    fn a_full_disk_does_not_hold_up_the_end() {
        let (audit, writer) = late(Path::new("/dev/full"));
        audit.record(event());
        writer.run();
        audit.record(event());
    }

    #[test]
    fn events_wait_for_room_on_the_disk() {
        let directory = tempfile::tempdir().unwrap();
        let (path, link) = (
            directory.path().join("audit.log"),
            directory.path().join("link"),
        );
        std::os::unix::fs::symlink("/dev/full", &link).unwrap();
        let (audit, writer) = Audit::open(&link).unwrap();
        for number in 0..100 {
            audit.record(numbered(number));
        }
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        drop(writer);
        assert_eq!(read(&path).len(), 100);
    }
}
