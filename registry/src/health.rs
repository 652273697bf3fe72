//! Whether the storage works, seen from time to time.
//!
//! A look writes a small file beside the registry's data, syncs it and removes
//! it; in a read-only registry it reads the directory. After a number of
//! failures in a row requests are answered 503, until a look succeeds again.
//!
//! A disk that is full, or that was mounted anew for reading only, still serves
//! what it holds: then requests that write are refused, and others are not, so
//! that images can be pulled, and deleted to make room. That the disk is full is
//! said with 507, as it is to a request that finds it out itself.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fs_err::{self as fs, OpenOptions};
use tokio::task::JoinHandle;
use tokio::time::{self, MissedTickBehavior};
use uuid::Uuid;

use crate::store::is_full;

/// What distribution calls the check of a registry on a file system.
pub const CHECK_NAME: &str = "storagedriver_filesystem";

/// What is known of the storage. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Health {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// A [`Level`], read with each request.
    level: AtomicU8,
    trouble: Mutex<Option<String>>,
    /// What else is the matter, by its name.
    others: Mutex<BTreeMap<String, String>>,
    /// Whether there is anything of that, read with each request.
    others_fail: AtomicBool,
}

/// How much the storage can be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Level {
    Everything,
    /// There is no room to write to.
    Full,
    /// Nothing may be written.
    Reading,
    Nothing,
}

/// Why a request is refused before it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    Broken,
}

impl Health {
    /// What has been the matter with the storage for so long that requests are
    /// refused.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.lock().clone()
    }

    /// All that has been the matter for so long, each by the name of its check.
    #[must_use]
    pub fn troubles(&self) -> BTreeMap<String, String> {
        let mut troubles = self.others().clone();
        troubles.extend(self.trouble().map(|said| (CHECK_NAME.to_owned(), said)));
        troubles
    }

    /// Takes note of what is the matter with something beside the storage, or that
    /// nothing is. While there is anything, all requests are refused.
    pub fn note(&self, name: &str, trouble: Option<String>) {
        let mut others = self.others();
        match trouble {
            Some(trouble) => others.insert(name.to_owned(), trouble),
            None => others.remove(name),
        };
        let fail = !others.is_empty();
        self.shared.others_fail.store(fail, Ordering::Relaxed);
    }

    fn others(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        // An entry is whole or not there.
        self.shared
            .others
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Has requests refused, as this error of the storage demands: for a store
    /// that [`HealthCheck`], which knows directories, cannot look at.
    pub fn fail(&self, error: &io::Error) {
        self.set(level_after(error), Some(error.to_string()));
    }

    /// Has all requests answered again.
    pub fn recover(&self) {
        self.set(Level::Everything, None);
    }

    /// Whether a request is to be refused that writes, or one that does not.
    pub(crate) fn refuses(&self, writes: bool) -> Option<Refused> {
        const FULL: u8 = Level::Full as u8;
        const READING: u8 = Level::Reading as u8;
        const NOTHING: u8 = Level::Nothing as u8;
        if self.shared.others_fail.load(Ordering::Relaxed) {
            return Some(Refused::Broken);
        }
        match self.shared.level.load(Ordering::Relaxed) {
            NOTHING => Some(Refused::Broken),
            READING if writes => Some(Refused::Broken),
            FULL if writes => Some(Refused::Full),
            _ => None,
        }
    }

    fn set(&self, level: Level, trouble: Option<String>) {
        *self.lock() = trouble;
        self.shared.level.store(level as u8, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        // Whoever holds it replaces the whole value.
        self.shared
            .trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at the storage from time to time.
#[derive(Debug)]
pub struct HealthCheck {
    settings: tidegate_config::Health,
    probe: Probe,
    health: Health,
    failures: u32,
    /// A look that has not come back: another would not either.
    pending: Option<JoinHandle<io::Result<()>>>,
}

impl HealthCheck {
    pub(crate) fn new(
        settings: tidegate_config::Health,
        root: &Path,
        read_only: bool,
        health: Health,
    ) -> Self {
        Self {
            settings,
            probe: Probe {
                root: root.to_owned(),
                read_only,
            },
            health,
            failures: 0,
            pending: None,
        }
    }

    /// Looks again and again, until the future is dropped.
    pub async fn run(mut self) {
        let mut ticks = time::interval(self.settings.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick comes at once, and the storage was just opened.
        ticks.tick().await;
        loop {
            ticks.tick().await;
            let seen = self.look().await;
            self.take(seen);
        }
    }

    async fn look(&mut self) -> io::Result<()> {
        let probe = self.probe.clone();
        let look = self
            .pending
            .get_or_insert_with(|| tokio::task::spawn_blocking(move || probe.look()));
        let Ok(seen) = time::timeout(self.settings.interval, look).await else {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!(
                    "{} has not answered for {:?}",
                    self.probe.root.display(),
                    self.settings.interval
                ),
            ));
        };
        self.pending = None;
        seen.map_err(io::Error::other)?
    }

    fn take(&mut self, seen: io::Result<()>) {
        let threshold = self.settings.threshold;
        let Err(error) = seen else {
            self.health.recover();
            if self.failures >= threshold {
                tracing::info!(
                    storage = %self.probe.root.display(),
                    "the storage works again"
                );
            }
            self.failures = 0;
            return;
        };
        self.failures = self.failures.saturating_add(1);
        if self.failures < threshold {
            tracing::warn!(
                error = %error,
                failures = self.failures,
                "the storage did not work when it was tried"
            );
            return;
        }
        self.health.fail(&error);
        if self.failures == threshold {
            let refused = match level_after(&error) {
                Level::Full | Level::Reading => "what would write",
                Level::Everything | Level::Nothing => "everything",
            };
            tracing::error!(
                error = %error,
                failures = self.failures,
                refused,
                "the storage does not work: requests are refused"
            );
        }
    }
}

/// What can still be done after a failure.
fn level_after(error: &io::Error) -> Level {
    match error.kind() {
        _ if is_full(error) => Level::Full,
        io::ErrorKind::ReadOnlyFilesystem => Level::Reading,
        _ => Level::Nothing,
    }
}

/// One look.
#[derive(Debug, Clone)]
struct Probe {
    root: PathBuf,
    read_only: bool,
}

impl Probe {
    fn look(&self) -> io::Result<()> {
        if self.read_only {
            return fs::read_dir(&self.root)?
                .next()
                .map_or(Ok(()), |entry| entry.map(drop));
        }
        // A name of its own: other processes look at the same directory.
        let path = self.root.join(format!(".health-{}", Uuid::new_v4()));
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)?;
        let written = io::Write::write_all(&mut file, b"tidegate\n").and_then(|()| file.sync_all());
        let removed = fs::remove_file(&path);
        written.and(removed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn check(root: &Path, read_only: bool) -> (HealthCheck, Health) {
        let health = Health::default();
        let settings = tidegate_config::Health {
            interval: Duration::from_secs(10),
            threshold: 2,
        };
        let check = HealthCheck::new(settings, root, read_only, health.clone());
        (check, health)
    }

    #[tokio::test]
    async fn a_storage_that_works_is_left_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        for read_only in [false, true] {
            let (mut check, health) = check(root.path(), read_only);
            let seen = check.look().await;
            check.take(seen);
            assert_eq!(health.trouble(), None);
            assert_eq!((health.refuses(true), health.refuses(false)), (None, None));
        }
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn requests_are_refused_after_some_failures_and_until_one_success() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("root");
        for read_only in [false, true] {
            let (mut check, health) = check(&root, read_only);
            let seen = check.look().await;
            check.take(seen);
            assert_eq!(health.refuses(true), None);
            let seen = check.look().await;
            check.take(seen);
            assert_eq!(health.refuses(true), Some(Refused::Broken));
            assert_eq!(health.refuses(false), Some(Refused::Broken));
            let trouble = health.trouble().unwrap();
            assert!(trouble.contains(root.to_str().unwrap()), "{trouble}");

            fs::create_dir(&root).unwrap();
            let seen = check.look().await;
            check.take(seen);
            assert_eq!((health.refuses(true), health.refuses(false)), (None, None));
            assert_eq!(health.trouble(), None);
            fs::remove_dir(&root).unwrap();
        }
    }

    #[test]
    fn what_else_has_to_be_well_refuses_everything() {
        let health = Health::default();
        health.note("a", Some("down".to_owned()));
        health.note("b", Some("gone".to_owned()));
        health.note("a", None);
        assert_eq!(health.refuses(false), Some(Refused::Broken));
        health.fail(&io::ErrorKind::NotADirectory.into());
        let names: Vec<_> = health.troubles().into_keys().collect();
        assert_eq!(names, ["b", CHECK_NAME]);
        health.recover();
        assert_eq!(health.refuses(false), Some(Refused::Broken));
        health.note("b", None);
        assert_eq!(health.refuses(true), None);
        assert!(health.troubles().is_empty());
    }

    #[test]
    fn a_full_or_read_only_disk_refuses_what_writes() {
        let (mut check, health) = check(Path::new("/nowhere"), false);
        for (kind, refused) in [
            (io::ErrorKind::StorageFull, Refused::Full),
            (io::ErrorKind::QuotaExceeded, Refused::Full),
            (io::ErrorKind::ReadOnlyFilesystem, Refused::Broken),
        ] {
            check.take(Err(kind.into()));
            check.take(Err(kind.into()));
            assert_eq!(health.refuses(true), Some(refused), "{kind}");
            assert_eq!(health.refuses(false), None, "{kind}");
            assert!(health.trouble().is_some());
            // And if it gets worse, so does the answer.
            check.take(Err(io::ErrorKind::NotADirectory.into()));
            assert_eq!(health.refuses(false), Some(Refused::Broken));
            check.take(Ok(()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_storage_that_does_not_answer_has_failed_and_is_not_asked_twice() {
        let (mut check, health) = check(Path::new("/nowhere"), false);
        check.pending = Some(tokio::spawn(std::future::pending()));
        for _ in 0..2 {
            let seen = check.look().await;
            assert_eq!(seen.as_ref().unwrap_err().kind(), io::ErrorKind::TimedOut);
            check.take(seen);
        }
        assert_eq!(health.refuses(false), Some(Refused::Broken));
        assert!(check.pending.is_some());
    }
}
