//! A directory that is open, and what lies below it. Everything in here blocks.
//!
//! A page of a list asks for a thousand links in the same place. By their whole
//! paths, the kernel would go through the same ten directories for each.

use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, Stat};
use rustix::io::Errno;

/// Room for some hundred entries at a time; one has at most 280 bytes.
const ENTRIES_BYTES: usize = 32 * 1024;

/// A directory for as long as it is held, also if it is renamed or removed.
#[derive(Debug)]
pub(super) struct Opened {
    path: PathBuf,
    descriptor: OwnedFd,
}

/// What changes whenever a name comes into a directory or goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    modified: Time,
    changed: Time,
}

/// Seconds since 1970, and nanoseconds.
type Time = (i64, u32);

impl Opened {
    /// Opens a directory; `None` if it is not there.
    pub(super) fn open(path: &Path) -> io::Result<Option<Self>> {
        let opened = Self {
            path: path.to_owned(),
            // Only a place to look from, for which it need not be readable.
            descriptor: match open(CWD, path, OFlags::PATH) {
                Err(errno) if is_absent(errno) => return Ok(None),
                result => result.map_err(|errno| failed("open", path, errno))?,
            },
        };
        Ok(Some(opened))
    }

    /// The path of something below, or of the directory itself by an empty name.
    pub(super) fn path_of(&self, below: &str) -> PathBuf {
        // With room for all of it: `join` would grow.
        let mut path = PathBuf::with_capacity(self.path.as_os_str().len() + 1 + below.len());
        path.push(&self.path);
        if !below.is_empty() {
            path.push(below);
        }
        path
    }

    /// Whether something is there. Symbolic links are followed.
    pub(super) fn holds(&self, below: &str) -> io::Result<bool> {
        Ok(self.stat(below, |_| ())?.is_some())
    }

    /// The stamp of a directory below, or of this one by an empty name; `None`
    /// if there is no such directory.
    pub(super) fn stamp(&self, below: &str) -> io::Result<Option<Stamp>> {
        let stamp = self.stat(below, |stat| {
            let file_type = FileType::from_raw_mode(stat.st_mode);
            (file_type == FileType::Directory).then(|| Stamp::of(stat))
        })?;
        Ok(stamp.flatten())
    }

    /// Gives `each` the names in a directory below, or in this one by an empty
    /// name, in no order, until it breaks off; none if it is not there. What is
    /// known to be no directory is left out, and names that are not text are
    /// nobody's of ours. Of each comes what is known of its type.
    ///
    /// Symbolic links are given without a look at what they lead to, which may
    /// come and go while this directory stays the same.
    pub(super) fn for_each_name(
        &self,
        below: &str,
        mut each: impl FnMut(&str, FileType) -> io::Result<ControlFlow<()>>,
    ) -> io::Result<()> {
        let fail = |errno| failed("read", &self.path_of(below), errno);
        let here = if below.is_empty() { "." } else { below };
        let directory = match open(&self.descriptor, Path::new(here), OFlags::RDONLY) {
            Err(errno) if is_absent(errno) => return Ok(()),
            result => result.map_err(fail)?,
        };
        let mut entries = Vec::with_capacity(ENTRIES_BYTES);
        let mut directory = RawDir::new(&directory, entries.spare_capacity_mut());
        while let Some(entry) = directory.next() {
            let entry = match entry {
                // It was removed while it was read.
                Err(Errno::NOENT) => break,
                result => result.map_err(fail)?,
            };
            let may_be_directory = matches!(
                entry.file_type(),
                FileType::Directory | FileType::Symlink | FileType::Unknown
            );
            if let Ok(name) = entry.file_name().to_str()
                && may_be_directory
                && !matches!(name, "." | "..")
                && each(name, entry.file_type())?.is_break()
            {
                break;
            }
        }
        Ok(())
    }

    /// What `of` takes from the state of something; `None` if it is not there.
    fn stat<T>(&self, below: &str, of: impl FnOnce(&Stat) -> T) -> io::Result<Option<T>> {
        match rustix::fs::statat(&self.descriptor, below, flags_for(below)) {
            Ok(stat) => Ok(Some(of(&stat))),
            Err(errno) if is_absent(errno) => Ok(None),
            Err(errno) => Err(failed("look at", &self.path_of(below), errno)),
        }
    }
}

impl Stamp {
    fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            modified: (stat.st_mtime, nanoseconds(stat.st_mtime_nsec)),
            changed: (stat.st_ctime, nanoseconds(stat.st_ctime_nsec)),
        }
    }

    /// Whether the directory was modified at least `age` before `now`.
    pub(super) fn is_older_than(&self, age: Duration, now: SystemTime) -> bool {
        let (seconds, nanoseconds) = self.modified;
        let Ok(seconds) = u64::try_from(seconds) else {
            return true;
        };
        SystemTime::UNIX_EPOCH
            .checked_add(Duration::new(seconds, nanoseconds))
            .is_some_and(|modified| {
                now.duration_since(modified)
                    .is_ok_and(|passed| passed >= age)
            })
    }
}

/// Its type is not the same on every processor; it is less than 10⁹ on each.
fn nanoseconds(count: impl TryInto<u32>) -> u32 {
    count.try_into().unwrap_or_default()
}

fn flags_for(below: &str) -> AtFlags {
    if below.is_empty() {
        AtFlags::EMPTY_PATH
    } else {
        AtFlags::empty()
    }
}

fn open(from: impl AsFd, path: &Path, how: OFlags) -> Result<OwnedFd, Errno> {
    let flags = how | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::io::retry_on_intr(|| rustix::fs::openat(&from, path, flags, Mode::empty()))
}

/// As [`super::durable::is_absent`], before it is made an [`io::Error`].
fn is_absent(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::NOTDIR)
}

fn failed(to: &str, path: &Path, errno: Errno) -> io::Error {
    let source = io::Error::from(errno);
    io::Error::new(
        source.kind(),
        format!("failed to {to} `{}`: {source}", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use fs_err as fs;

    use super::*;

    fn names(opened: &Opened, below: &str) -> Vec<String> {
        let mut names = Vec::new();
        opened
            .for_each_name(below, |name, _| {
                names.push(name.to_owned());
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
        names.sort_unstable();
        names
    }

    #[test]
    fn files_are_left_out_and_symbolic_links_are_not() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a/directory")).unwrap();
        fs::write(root.path().join("a/file"), b"").unwrap();
        symlink("/nowhere/at/all", root.path().join("a/link")).unwrap();
        let opened = Opened::open(root.path()).unwrap().unwrap();
        assert_eq!(names(&opened, "a"), ["directory", "link"]);
        assert_eq!(names(&opened, ""), ["a"]);
        assert!(opened.holds("a/file").unwrap());
        assert!(!opened.holds("a/link").unwrap());
    }

    #[test]
    fn more_than_one_buffer_of_names_is_read_once_each() {
        let root = tempfile::tempdir().unwrap();
        let made: Vec<String> = (0..600).map(|number| format!("{number:0>200}")).collect();
        for name in &made {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        let opened = Opened::open(root.path()).unwrap().unwrap();
        assert_eq!(names(&opened, ""), made);
    }

    #[test]
    fn what_is_not_there_or_no_directory_has_neither_names_nor_a_stamp() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("file"), b"").unwrap();
        let opened = Opened::open(root.path()).unwrap().unwrap();
        for below in ["none", "none/", "none/x", "file", "file/", "file/x"] {
            assert_eq!(names(&opened, below), [""; 0], "{below}");
            assert_eq!(opened.stamp(below).unwrap(), None, "{below}");
        }
        assert!(Opened::open(&root.path().join("none")).unwrap().is_none());
        assert!(Opened::open(&root.path().join("file")).unwrap().is_none());
    }

    #[test]
    fn a_stamp_changes_with_the_names() {
        let root = tempfile::tempdir().unwrap();
        let opened = Opened::open(root.path()).unwrap().unwrap();
        let old = SystemTime::now() - Duration::from_secs(60);
        fs::File::open(root.path())
            .unwrap()
            .set_modified(old)
            .unwrap();
        let before = opened.stamp("").unwrap().unwrap();
        assert_eq!(opened.stamp("").unwrap().unwrap(), before);
        fs::create_dir(root.path().join("new")).unwrap();
        let after = opened.stamp("").unwrap().unwrap();
        assert_ne!(after, before);
        assert_eq!((after.device, after.inode), (before.device, before.inode));

        let limit = Duration::from_secs(30);
        assert!(before.is_older_than(limit, SystemTime::now()));
        assert!(!after.is_older_than(limit, SystemTime::now()));
    }

    #[test]
    fn a_stamp_of_the_future_is_not_old() {
        let stamp = |seconds| Stamp {
            device: 0,
            inode: 0,
            modified: (seconds, 0),
            changed: (seconds, 0),
        };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let age = Duration::from_secs(2);
        assert!(stamp(998).is_older_than(age, now));
        assert!(!stamp(999).is_older_than(age, now));
        assert!(!stamp(1001).is_older_than(age, now));
        assert!(!stamp(i64::MAX).is_older_than(age, now));
        assert!(stamp(-1).is_older_than(age, now));
    }

    #[test]
    fn errors_name_what_was_looked_at() {
        let root = tempfile::tempdir().unwrap();
        symlink("loop", root.path().join("loop")).unwrap();
        let opened = Opened::open(root.path()).unwrap().unwrap();
        let error = opened.holds("loop/current/link").unwrap_err().to_string();
        let path = root.path().join("loop/current/link");
        assert!(error.starts_with(&format!("failed to look at `{}`: ", path.display())));
    }
}
