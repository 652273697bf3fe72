//! What is to be written and removed, made before anything is.

use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;
use tempfile::NamedTempFile;

use super::error::TrustError;

/// The changes that a store needs. Empty if it needs none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The files, in the order in which they are written.
    pub changes: Vec<Change>,
    /// Directories that are removed where the changes left them empty.
    pub directories: Vec<PathBuf>,
    /// What the user should know besides, such as what has to be restarted.
    pub notes: Vec<String>,
    /// A program that takes up what was written, with its arguments; it is run
    /// if something was.
    pub command: Option<Vec<String>>,
    /// The file of somebody else by which all is as it should be.
    pub already: Option<PathBuf>,
    /// The directory that no change may lead out of, by a link in it.
    pub(super) within: Option<PathBuf>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub path: PathBuf,
    /// What it holds now, if it is there. May hold passwords of others.
    pub before: Option<String>,
    /// What it will hold; `None` removes it.
    pub content: Option<String>,
}

impl Plan {
    /// Has `path` hold `content`, unless it does.
    pub(super) fn write(&mut self, path: &Path, content: String) -> Result<(), TrustError> {
        let before = read(path)?;
        if before.as_deref() != Some(&content) {
            self.changes.push(Change {
                path: path.to_owned(),
                before,
                content: Some(content),
            });
        }
        Ok(())
    }

    /// Has `path` be gone, unless it is.
    pub(super) fn remove(&mut self, path: &Path) {
        if fs::symlink_metadata(path).is_ok() {
            self.changes.push(Change {
                path: path.to_owned(),
                before: read(path).ok().flatten(),
                content: None,
            });
        }
    }

    /// Has a directory be gone that the changes leave empty, and the one that
    /// it is in.
    pub(super) fn clear(&mut self, directory: &Path) {
        self.directories.push(directory.to_owned());
        self.directories
            .extend(directory.parent().map(Path::to_owned));
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.command.is_none()
    }

    /// Does it: all, or nothing. Each file is replaced in one step, and is on
    /// the disk when this returns. Directories get mode 0755 and files 0644,
    /// since clients run as other users; a file that was there keeps its mode.
    ///
    /// # Errors
    /// If the disk fails; then everything is as it was. If the program fails;
    /// then the files are written, and a second run calls it again.
    pub fn apply(&self) -> Result<(), TrustError> {
        self.stay_within()?;
        let mut work = Work::default();
        if let Err((change, error)) = work.all(&self.changes) {
            work.undo();
            let path = change.path.clone();
            return Err(TrustError::Write { path, error });
        }
        if !self.changes.is_empty() {
            for directory in &self.directories {
                // Refused for one that holds anything, which is what is wanted.
                let _ = fs::remove_dir(directory);
            }
        }
        self.command.as_deref().map_or(Ok(()), run)
    }

    fn stay_within(&self) -> Result<(), TrustError> {
        let Some(root) = &self.within else {
            return Ok(());
        };
        let root = fs::canonicalize(root).map_err(TrustError::Read)?;
        for Change { path, .. } in &self.changes {
            let there = path
                .ancestors()
                .find_map(|path| fs::canonicalize(path).ok());
            if let Some(leads_to) = there.filter(|there| !there.starts_with(&root)) {
                return Err(TrustError::Refused {
                    path: path.clone(),
                    reason: format!("a link leads out of the root, to {}", leads_to.display()),
                    hint: Some("run it there instead, as with chroot".to_owned()),
                });
            }
        }
        Ok(())
    }
}

/// What has been done, and can be undone.
#[derive(Default)]
struct Work<'a> {
    done: Vec<&'a Change>,
    directories: Vec<PathBuf>,
}

impl<'a> Work<'a> {
    fn all(&mut self, changes: &'a [Change]) -> Result<(), (&'a Change, io::Error)> {
        // What may fail mostly fails here, before anything has its name.
        let mut staged = vec![];
        for change in changes {
            let file = match &change.content {
                Some(content) => self.stage(&change.path, content).map(Some),
                None => Ok(None),
            };
            staged.push((change, file.map_err(|error| (change, error))?));
        }
        for (change, file) in staged {
            let done = match file {
                Some((file, target)) => name(file, &target),
                None => fs::remove_file(&change.path),
            };
            done.map_err(|error| (change, error))?;
            self.done.push(change);
        }
        Ok(())
    }

    fn stage(&mut self, path: &Path, content: &str) -> io::Result<(NamedTempFile, PathBuf)> {
        // What a link leads to is what its owner means to be changed.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let directory = path.parent().unwrap_or(Path::new("."));
        self.make_directories(directory)?;
        let mut file = tempfile::Builder::new()
            .prefix(".tidegate-")
            .tempfile_in(directory)?;
        file.write_all(content.as_bytes())?;
        let mode = match fs::metadata(&path) {
            Ok(old) => {
                // Who may not give files away owns it, or nearly so.
                let _ = std::os::unix::fs::chown(file.path(), Some(old.uid()), Some(old.gid()));
                old.permissions().mode() & 0o777
            }
            Err(_) => 0o644,
        };
        file.as_file()
            .set_permissions(std::fs::Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        Ok((file, path))
    }

    fn make_directories(&mut self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.make_directories(parent)?;
        }
        match fs::create_dir(path) {
            Ok(()) => {
                self.directories.push(path.to_owned());
                // Whatever the umask of this user says.
                fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// As well as the disk allows, which has failed a moment ago.
    fn undo(mut self) {
        for change in std::mem::take(&mut self.done).into_iter().rev() {
            let _ = match &change.before {
                Some(content) => self
                    .stage(&change.path, content)
                    .and_then(|(file, target)| name(file, &target)),
                None => fs::remove_file(&change.path),
            };
        }
        for directory in self.directories.iter().rev() {
            let _ = fs::remove_dir(directory);
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

fn name(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.persist(path)?;
    fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
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
