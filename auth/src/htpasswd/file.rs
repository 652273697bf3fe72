//! From and to the disk.

use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use fs_err as fs;
use tempfile::NamedTempFile;

use super::document::Document;
use super::error::HtpasswdError;

/// Reads a file.
///
/// # Errors
/// If it cannot be read or is not text.
pub fn read(path: &Path) -> Result<Document, HtpasswdError> {
    let path = || path.to_owned();
    // Not `fs_err`: the error names the path itself.
    let bytes = std::fs::read(path()).map_err(|error| HtpasswdError::Read {
        path: path(),
        error,
    })?;
    Document::parse(&bytes).map_err(|error| HtpasswdError::Encoding {
        path: path(),
        error,
    })
}

/// Writes a file so that whoever reads it, a server that reloads included, sees
/// the old content or the new and nothing between, even after a power cut.
///
/// A symbolic link stays; the file it leads to is replaced. Mode, owner and
/// group stay as they were. A new file gets mode 0600: hashes can be searched
/// by whoever reads them, so widening that is for the operator to decide.
/// Of two writers at a time the later wins.
///
/// # Errors
/// If the directory cannot be written, the owner cannot be kept, or the disk
/// fails. The old file is then as it was.
pub fn write(path: &Path, document: &Document) -> Result<(), HtpasswdError> {
    let target = follow_links(path).map_err(|error| HtpasswdError::Write {
        path: path.to_owned(),
        error,
    })?;
    replace(&target, document.to_text().as_bytes()).map_err(|error| HtpasswdError::Write {
        path: target,
        error,
    })
}

fn replace(target: &Path, content: &[u8]) -> io::Result<()> {
    let directory = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = NamedTempFile::with_prefix_in(".htpasswd-", directory)?;
    file.write_all(content)?;
    match std::fs::metadata(target) {
        Ok(old) => keep_owner_and_mode(file.as_file(), &old)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    file.as_file().sync_all()?;
    file.persist(target).map_err(|error| error.error)?;
    // Until then the new name may be lost, if not the old content.
    std::fs::File::open(directory)?.sync_all()
}

fn keep_owner_and_mode(file: &std::fs::File, old: &std::fs::Metadata) -> io::Result<()> {
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        std::os::unix::fs::fchown(file, Some(old.uid()), Some(old.gid()))?;
    }
    let mode = old.permissions().mode() & 0o7777;
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}

/// Where a chain of symbolic links ends; the last target need not exist yet.
fn follow_links(path: &Path) -> io::Result<PathBuf> {
    /// As many as Linux follows.
    const MOST_LINKS: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&path) {
            Ok(next) => {
                path = path
                    .parent()
                    .map_or(next.clone(), |parent| parent.join(&next));
            }
            // Not a link, or not there.
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}
