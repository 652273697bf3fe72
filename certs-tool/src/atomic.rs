//! Single files, written in one step.

use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use fs_err as fs;

use crate::error::CertsError;

/// Writes a file of this mode, from its first byte on; it is on the disk when
/// this returns. One that is there is replaced if `force` says so.
pub(crate) fn write(path: &Path, content: &[u8], mode: u32, force: bool) -> Result<(), CertsError> {
    let written = stage(path, content, mode).and_then(|staged| {
        if force {
            staged.persist(path).map_err(io::Error::from)?;
        } else {
            staged.persist_noclobber(path).map_err(io::Error::from)?;
        }
        fs::File::open(directory(path))?.sync_all()
    });
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => CertsError::Exists {
            path: path.to_owned(),
        },
        _ => CertsError::Write {
            path: path.to_owned(),
            error,
        },
    })
}

fn stage(path: &Path, content: &[u8], mode: u32) -> io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .prefix(".certs-tool-")
        .permissions(std::fs::Permissions::from_mode(mode))
        .tempfile_in(directory(path))?;
    file.write_all(content)?;
    // The umask had its say when the file was made.
    file.as_file()
        .set_permissions(std::fs::Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
