//! Who uses a file, and when it was last used. Everything in here blocks.
//!
//! A claim is a file's modification time, so that every process that shares
//! the directory sees it, and docker-registry's own writes count as one. What
//! makes it safe is a lock on the file: a claim holds it shared, a removal
//! exclusively, and neither looks at a file that has lost its name meanwhile.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, SystemTime};

use fs_err::File;

use super::base::Base;
use super::disk;
use super::durable::{Changed, is_absent};
use super::pool::blocking;
use crate::store::StoreError;

/// A claim that is younger than this is not renewed: pushes ask for the same
/// blobs again and again. No collector may grant less.
pub(super) const RENEWED_AFTER: Duration = Duration::from_secs(1);

/// How often a file may be replaced while it is being claimed.
const ATTEMPTS: usize = 16;

/// Marks a file as used now. False if it is not there.
pub(super) fn renew(path: &Path) -> io::Result<bool> {
    for _ in 0..ATTEMPTS {
        let file = match File::open(path) {
            Err(error) if is_absent(&error) => return Ok(false),
            result => result?,
        };
        if is_recent(&file)? {
            return Ok(true);
        }
        lock(&file, false)?;
        match disk::touch(&file) {
            // Nobody can remove what lies on a read-only file system.
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                warn_of_foreign_file(path, &error);
                return Ok(true);
            }
            result => result?,
        }
        if is_named(&file)? {
            return Ok(true);
        }
        // It was replaced or removed: whatever has the name now is looked at.
    }
    Err(io::Error::other(format!(
        "{} is being replaced all the time",
        path.display()
    )))
}

/// Says once that claims cannot be kept: a registry that somebody else's
/// program filled is served all the same.
fn warn_of_foreign_file(path: &Path, error: &io::Error) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        tracing::warn!(
            store.file = %path.display(),
            error = %error,
            hint = "give the registry's directory and all in it to the user that the server runs as",
            "cannot mark what pushes rely on as used: garbage collection may remove it"
        );
    });
}

/// Removes files that were last used before `unused_since`, each with its
/// directory if nothing else is in there. Returns their lengths, with `None` for
/// those that are used, or not there.
///
/// The directories that this leaves to be synced are noted in `changed`.
pub(super) fn remove_unused(
    paths: &[PathBuf],
    unused_since: SystemTime,
    changed: &Changed,
) -> io::Result<Vec<Option<u64>>> {
    let mut lengths = Vec::with_capacity(paths.len());
    for path in paths {
        let length = remove_one(path, unused_since)?;
        if let (Some(_), Some(directory)) = (length, path.parent()) {
            // Whoever puts something there makes it again.
            let emptied = disk::remove_dir(directory).is_ok();
            let above = directory.parent().filter(|_| emptied);
            changed.note(above.unwrap_or(directory));
        }
        lengths.push(length);
    }
    Ok(lengths)
}

/// As [`remove_unused`] for one file, without its directory and not yet for
/// good.
fn remove_one(path: &Path, unused_since: SystemTime) -> io::Result<Option<u64>> {
    let Some(file) = lock_exclusively(path)? else {
        return Ok(None);
    };
    let metadata = file.metadata()?;
    if metadata.modified()? >= unused_since {
        return Ok(None);
    }
    disk::remove_file(path)?;
    Ok(Some(metadata.len()))
}

/// Keeps everybody who claims or removes a file away from it until the result
/// is dropped. `None` if it is not there.
pub(super) fn lock_exclusively(path: &Path) -> io::Result<Option<File>> {
    for _ in 0..ATTEMPTS {
        let file = match File::open(path) {
            Err(error) if is_absent(&error) => return Ok(None),
            result => result?,
        };
        lock(&file, true)?;
        if is_named(&file)? {
            return Ok(Some(file));
        }
    }
    Err(io::Error::other(format!(
        "{} is being replaced all the time",
        path.display()
    )))
}

/// Takes the lock of a file or directory. Where the file system has no locks,
/// no other process shares it that could be kept away.
pub(super) fn lock(file: &File, exclusively: bool) -> io::Result<()> {
    let locked = if exclusively {
        file.lock()
    } else {
        file.lock_shared()
    };
    match locked {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        result => result,
    }
}

/// Whether a file still has a name.
pub(super) fn is_named(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;

    Ok(file.metadata()?.nlink() > 0)
}

/// As [`renew`], without a thread if the claim is a recent one.
pub(super) async fn renew_soon(base: &Base, path: PathBuf) -> Result<bool, StoreError> {
    let file = match base.open(&path).await {
        Err(error) if is_absent(&error) => return Ok(false),
        result => result?,
    };
    if is_recent(&file)? {
        return Ok(true);
    }
    blocking(move || Ok(renew(&path)?)).await
}

fn is_recent(file: &File) -> io::Result<bool> {
    let used = file.metadata()?.modified()?;
    Ok(used.elapsed().is_ok_and(|age| age < RENEWED_AFTER))
}
