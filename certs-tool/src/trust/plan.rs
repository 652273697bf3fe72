//! What is to be written and removed, made before anything is.

use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;

use super::error::TrustError;

/// The changes that a store needs. Empty if it needs none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The files, in the order in which they are written.
    pub changes: Vec<Change>,
    /// Directories of ours, removed where the files left them empty.
    pub directories: Vec<PathBuf>,
    /// What the user should know besides, such as what has to be restarted.
    pub notes: Vec<String>,
    /// A program that takes up what was written, with its arguments; it is run
    /// if something was.
    pub command: Option<Vec<String>>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub path: PathBuf,
    /// What it will hold; `None` removes it.
    pub content: Option<String>,
}

impl Plan {
    /// Has `path` hold `content`, unless it does.
    pub(super) fn write(&mut self, path: &Path, content: String) -> Result<(), TrustError> {
        if read(path)?.as_deref() != Some(&content) {
            self.changes.push(Change {
                path: path.to_owned(),
                content: Some(content),
            });
        }
        Ok(())
    }

    /// Has `path` hold `content`, even if it does already.
    pub(super) fn write_again(&mut self, path: &Path, content: String) {
        self.changes.push(Change {
            path: path.to_owned(),
            content: Some(content),
        });
    }

    /// Has `path` be gone, unless it is.
    pub(super) fn remove(&mut self, path: &Path) {
        if fs::symlink_metadata(path).is_ok() {
            self.changes.push(Change {
                path: path.to_owned(),
                content: None,
            });
        }
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Does it. Each file is replaced in one step, and is on the disk when this
    /// returns. Directories get mode 0755 and files 0644: clients run as other
    /// users.
    ///
    /// # Errors
    /// If the disk or the program fails; what was done before stays, and a
    /// second run goes on.
    pub fn apply(&self) -> Result<(), TrustError> {
        for change in &self.changes {
            let done = match &change.content {
                Some(content) => write(&change.path, content),
                None => fs::remove_file(&change.path),
            };
            done.map_err(|error| TrustError::Write {
                path: change.path.clone(),
                error,
            })?;
        }
        for directory in &self.directories {
            // Refused for one that holds anything, which is what is wanted.
            let _ = fs::remove_dir(directory);
        }
        match &self.command {
            Some(command) if !self.is_empty() => run(command),
            _ => Ok(()),
        }
    }
}

/// The text of a file; `None` if it is not there.
pub(super) fn read(path: &Path) -> Result<Option<String>, TrustError> {
    match fs::read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(TrustError::Refused {
                path: path.to_owned(),
                reason: "it is not UTF-8".to_owned(),
                hint: None,
            }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(TrustError::Read(error)),
    }
}

fn write(path: &Path, content: &str) -> io::Result<()> {
    // What a link leads to is what its owner means to be changed.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let directory = path.parent().unwrap_or(Path::new("."));
    make_directories(directory)?;
    let mut file = tempfile::Builder::new()
        .prefix(".tidegate-")
        .tempfile_in(directory)?;
    file.write_all(content.as_bytes())?;
    let mode = match fs::metadata(path) {
        Ok(old) => {
            let _ = std::os::unix::fs::chown(file.path(), Some(old.uid()), Some(old.gid()));
            old.permissions().mode() & 0o777
        }
        Err(_) => 0o644,
    };
    file.as_file()
        .set_permissions(std::fs::Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    fs::File::open(directory)?.sync_all()
}

fn make_directories(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_directories(parent)?;
    }
    match fs::create_dir(path) {
        // Whatever the umask of this user says.
        Ok(()) => fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn run(command: &[String]) -> Result<(), TrustError> {
    let Some((program, arguments)) = command.split_first() else {
        return Ok(());
    };
    let failed = |reason: String| TrustError::Command {
        command: command.join(" "),
        reason,
    };
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(format!("{}: {}", output.status, said.trim())))
}
