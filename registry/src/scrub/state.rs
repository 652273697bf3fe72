//! How far the hashing has come, in a file.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use fs_err as fs;
use serde::{Deserialize, Serialize};
use tidegate_failure::Explain;

use super::Finding;
use crate::oci::Digest;

/// What the file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// When everything was last read to its end, in seconds since 1970.
    #[serde(default)]
    pub(super) completed: Option<u64>,
    /// The last content that was hashed since then, in the order of digests.
    pub(super) last: Option<Digest>,
    pub(super) contents: u64,
    pub(super) bytes: u64,
    /// What was found so far.
    pub(super) findings: Vec<Finding>,
}

/// Reads the file; what is not there has not begun.
pub(super) fn load(path: &Path) -> Result<State, StateError> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::default()),
        result => result.map_err(StateError::Io)?,
    };
    serde_json::from_slice(&bytes).map_err(|source| StateError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

/// Writes the file, whole or not at all.
pub(super) fn save(path: &Path, state: &State) -> Result<(), StateError> {
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory).map_err(StateError::Io)?;
    let staged = path.with_extension("tmp");
    let written = fs::File::create(&staged).and_then(|mut file| {
        serde_json::to_writer(&mut file, state)?;
        file.flush()?;
        fs::rename(&staged, path)
    });
    written.map_err(StateError::Io)
}

/// Says that everything was read to its end, now.
pub(super) fn complete(path: &Path) -> Result<(), StateError> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let state = State {
        completed: Some(now.map_or(0, |now| now.as_secs())),
        ..State::default()
    };
    save(path, &state)
}

/// Removes the file, if it is there: the next run begins anew.
///
/// # Errors
///
/// If it cannot be removed.
pub fn forget(path: &Path) -> Result<(), StateError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(StateError::Io),
    }
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be read or written. The source names it.
    #[error("cannot keep how far the scrub has come: {0}")]
    Io(#[source] io::Error),
    /// It holds something else.
    #[error("{}: cannot be read as the state of a scrub: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl Explain for StateError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Io(_) => "give the registry's directory to the user that runs this",
            Self::Unreadable { .. } => "begin anew with --restart",
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;
    use crate::oci::Algorithm;

    #[test]
    fn what_is_saved_is_loaded() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("new/scrub.json");
        assert_eq!(load(&path).unwrap(), State::default());
        forget(&path).unwrap();
        let state = State {
            completed: Some(1),
            last: Some(Algorithm::Sha256.digest(b"x")),
            contents: 1,
            bytes: 2,
            findings: vec![Finding {
                kind: Kind::Corrupt,
                subject: "a".to_owned(),
                problem: "b".to_owned(),
                mend: "c".to_owned(),
            }],
        };
        save(&path, &state).unwrap();
        assert_eq!(load(&path).unwrap(), state);
        forget(&path).unwrap();
        assert_eq!(load(&path).unwrap(), State::default());
        fs::write(&path, b"{").unwrap();
        let error = load(&path).unwrap_err();
        assert!(error.hint().unwrap().contains("--restart"), "{error}");
    }
}
