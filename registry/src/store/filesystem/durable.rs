//! Changes that survive the loss of power.
//!
//! A file is durable when its bytes are synced and the directory that names
//! it is synced. All functions block, and are called on the blocking pool.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fs_err::File;
use uuid::Uuid;

use super::disk;

/// Makes directories, and remembers which of them could still be lost.
///
/// A directory that somebody else has just made may exist before it is
/// durable. Whoever puts something into it must not call that durable, and so
/// must either wait or sync it as well; here it syncs it as well.
#[derive(Debug, Default)]
pub(super) struct Directories {
    unsettled: Mutex<HashSet<PathBuf>>,
}

impl Directories {
    /// Makes a directory and its parents, and makes them durable.
    pub(super) fn ensure(&self, path: &Path) -> io::Result<()> {
        let missing: Vec<&Path> = path
            .ancestors()
            .take_while(|directory| !self.is_settled(directory))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        self.lock()
            .extend(missing.iter().map(|directory| directory.to_path_buf()));
        for directory in missing.iter().rev() {
            match disk::create_dir(directory) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => result?,
            }
        }
        for directory in &missing {
            if let Some(parent) = directory.parent() {
                disk::sync_directory(parent)?;
            }
        }
        let mut unsettled = self.lock();
        for directory in &missing {
            unsettled.remove(*directory);
        }
        Ok(())
    }

    fn is_settled(&self, directory: &Path) -> bool {
        directory.as_os_str().is_empty() || (!self.lock().contains(directory) && directory.is_dir())
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        // No code that holds the lock can panic half-way through a change.
        self.unsettled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often a directory may vanish while something is put into it.
const ATTEMPTS: usize = 100;

/// Makes the directory of `path` and does some work in it: again, if somebody
/// who tidies up removed the directory in between, because it was empty.
pub(super) fn in_directory(
    directories: &Directories,
    path: &Path,
    mut work: impl FnMut() -> io::Result<()>,
) -> io::Result<()> {
    let mut attempt = 1;
    loop {
        let done = path
            .parent()
            .map_or(Ok(()), |directory| directories.ensure(directory))
            .and_then(|()| work());
        match done {
            Err(error) if error.kind() == io::ErrorKind::NotFound && attempt < ATTEMPTS => {
                attempt += 1;
            }
            result => return result,
        }
    }
}

/// Writes a file so that it holds either what it held or all of `content`.
/// The directory has to exist.
pub(super) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut staged = path.as_os_str().to_owned();
    staged.push(format!(".{}.tmp", Uuid::new_v4()));
    let staged = PathBuf::from(staged);

    let written = write_new(&staged, content).and_then(|()| disk::rename(&staged, path));
    if written.is_err() {
        // The first error is the one to report; a leftover .tmp is ignored by all.
        let _ = disk::remove_file(&staged);
    }
    written?;
    sync_parent(path)
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let file = disk::create_file(path)?;
    disk::write_at(&file, content, 0)?;
    disk::sync(&file)
}

/// Makes a file durable that is already as it should be: whoever wrote it may
/// not have come to its own sync yet.
pub(super) fn sync_existing(path: &Path) -> io::Result<()> {
    File::open(path).and_then(|file| disk::sync(&file))?;
    sync_parent(path)
}

/// Removes a file for good. False if it was not there.
pub(super) fn remove(path: &Path) -> io::Result<bool> {
    match disk::remove_file(path) {
        Err(error) if is_absent(&error) => return Ok(false),
        result => result?,
    }
    sync_removal(path)?;
    Ok(true)
}

/// Makes it durable that there is nothing at `path`.
pub(super) fn sync_removal(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), sync_nearest)
}

/// Makes the names in a directory durable. It may have been removed meanwhile,
/// because it was empty: then that is what has to last.
pub(super) fn sync_nearest(directory: &Path) -> io::Result<()> {
    for directory in directory.ancestors() {
        match disk::sync_directory(directory) {
            Err(error) if is_absent(&error) => {}
            result => return result,
        }
    }
    Ok(())
}

/// Directories in which something was removed that need not have gone for good
/// yet. A sync waits for whatever else is being written on the disk, and so takes
/// longer than thousands of removals.
#[derive(Debug, Default)]
pub(super) struct Changed(Mutex<BTreeSet<PathBuf>>);

impl Changed {
    pub(super) fn note(&self, directory: &Path) {
        let mut noted = self.lock();
        if !noted.contains(directory) {
            noted.insert(directory.to_owned());
        }
    }

    /// Has all go for good that was removed before.
    pub(super) fn settle(&self) -> io::Result<()> {
        let noted = std::mem::take(&mut *self.lock());
        for directory in &noted {
            if let Err(error) = sync_nearest(directory) {
                // Whoever is next tries again.
                self.lock().extend(noted);
                return Err(error);
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        // The set is whole between any two calls on it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the names in the directory of `path` durable.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), disk::sync_directory)
}

/// Whether an error says that a file is not there. A parent that is a file
/// means the same for everything below it.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use super::*;

    #[test]
    fn replaces_a_file_and_leaves_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("link");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let occupied = root.path().join("occupied");
        fs::create_dir(&occupied).unwrap();
        let error = write(&occupied, b"x").unwrap_err();
        assert!(
            error.to_string().starts_with("failed to rename "),
            "{error}"
        );
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn directories_are_made_once_and_then_forgotten() {
        let root = tempfile::tempdir().unwrap();
        let directories = Directories::default();
        let path = root.path().join("a/b/c");
        directories.ensure(&path).unwrap();
        directories.ensure(&path).unwrap();
        assert!(path.is_dir());
        assert!(directories.lock().is_empty());
    }

    #[test]
    fn a_directory_of_somebody_else_is_synced_as_well() {
        let root = tempfile::tempdir().unwrap();
        let directories = Directories::default();
        let path = root.path().join("a");
        fs::create_dir(&path).unwrap();
        directories.lock().insert(path.clone());
        assert!(!directories.is_settled(&path));
        directories.ensure(&path.join("b")).unwrap();
        assert!(directories.is_settled(&path));
    }

    #[test]
    fn removing_says_whether_it_was_there() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("x");
        fs::write(&path, b"").unwrap();
        assert!(remove(&path).unwrap());
        assert!(!remove(&path).unwrap());
        assert!(!remove(&path.join("below")).unwrap());
    }
}
