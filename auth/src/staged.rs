//! Files of secrets are written whole or not at all.

use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use fs_err as fs;
use tempfile::NamedTempFile;

/// Replaces a file, which is no link, so that whoever reads it sees the old
/// content or the new and nothing between, even after a power cut. Mode, owner
/// and group stay as they were; a new file gets mode 0600.
pub(crate) fn replace(target: &Path, prefix: &str, content: &[u8]) -> io::Result<()> {
    let directory = directory_of(target);
    let mut file = NamedTempFile::with_prefix_in(prefix, directory)?;
    file.write_all(content)?;
    match fs::metadata(target) {
        Ok(old) => keep_owner_and_mode(file.as_file(), &old)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    file.as_file().sync_all()?;
    file.persist(target).map_err(|error| error.error)?;
    // Until then the new name may be lost, if not the old content.
    fs::File::open(directory)?.sync_all()
}

/// Where a file lies.
pub(crate) fn directory_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
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
pub(crate) fn follow_links(path: &Path) -> io::Result<PathBuf> {
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
