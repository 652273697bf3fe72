//! Every change that the store makes on disk.
//!
//! No other file here changes anything, which a test holds: so faults can be
//! put in front of each single step, and what a crash would leave behind each
//! of them can be built and looked at (see `faults`).

#[cfg(test)]
pub(super) mod script;

use std::io::{self, IoSlice};
use std::path::Path;

use bytes::Bytes;
use fs_err::os::unix::fs::FileExt;
use fs_err::{self as fs, File, OpenOptions};
use rustix::fs::{Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};

#[cfg(test)]
use self::script::Step;

/// Fewer pieces than any system takes at once (POSIX guarantees sixteen, Linux
/// takes 1,024).
const PIECES_AT_ONCE: usize = 512;

/// Does a step, unless a test has it fail.
macro_rules! step {
    ($step:expr, $work:expr) => {{
        #[cfg(test)]
        if let Some(outcome) = script::before(|| $step) {
            return outcome.map(|()| Default::default());
        }
        $work
    }};
}

pub(super) fn create_dir(path: &Path) -> io::Result<()> {
    step!(Step::CreateDir(path.into()), fs::create_dir(path))
}

/// Makes a file that must not be there yet, for reading and writing.
pub(super) fn create_file(path: &Path) -> io::Result<File> {
    #[cfg(test)]
    script::before_creation(path)?;
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)
}

/// Opens a file for reading and writing, and makes it if it is not there.
pub(super) fn open_or_create(path: &Path) -> io::Result<File> {
    match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => create_file(path),
        result => result,
    }
}

/// Writes all of `bytes` at an offset. After an error a part may be written.
pub(super) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    #[cfg(test)]
    if let Some(outcome) = script::before(|| Step::Write {
        path: file.path().into(),
        offset,
        data: bytes.into(),
    }) {
        file.write_all_at(&bytes[..bytes.len() / 2], offset)?;
        return outcome;
    }
    file.write_all_at(bytes, offset)
}

/// As [`write_at`] for bytes in pieces, of which the kernel takes many at once:
/// then it also finds memory for all of them at once.
pub(super) fn write_pieces_at(file: &File, pieces: &[Bytes], mut offset: u64) -> io::Result<()> {
    if pieces.is_empty() {
        return Ok(());
    }
    #[cfg(test)]
    if let Some(outcome) = script::before(|| Step::Write {
        path: file.path().into(),
        offset,
        data: pieces.concat(),
    }) {
        let written = pieces.iter().map(Bytes::len).sum::<usize>() / 2;
        file.write_all_at(&pieces.concat()[..written], offset)?;
        return outcome;
    }
    for some in pieces.chunks(PIECES_AT_ONCE) {
        let mut slices: Vec<_> = some.iter().map(|piece| IoSlice::new(piece)).collect();
        let mut left = &mut slices[..];
        // Those without a byte are done before anything is written.
        IoSlice::advance_slices(&mut left, 0);
        while !left.is_empty() {
            let written = rustix::io::retry_on_intr(|| rustix::io::pwritev(file, left, offset));
            let written = match written {
                Ok(0) => Err(io::ErrorKind::WriteZero.into()),
                result => result.map_err(io::Error::from),
            };
            let written = written.map_err(|error: io::Error| {
                let path = file.path().display();
                io::Error::new(
                    error.kind(),
                    format!("failed to write to file `{path}`: {error}"),
                )
            })?;
            IoSlice::advance_slices(&mut left, written);
            offset += written as u64;
        }
    }
    Ok(())
}

pub(super) fn truncate(file: &File, length: u64) -> io::Result<()> {
    step!(
        Step::Truncate {
            path: file.path().into(),
            length
        },
        file.set_len(length)
    )
}

/// Makes the bytes of a file durable.
pub(super) fn sync(file: &File) -> io::Result<()> {
    step!(Step::Sync(file.path().into()), file.sync_data())
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = File::open(path)?;
    step!(Step::SyncDirectory(path.into()), directory.sync_all())
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    step!(Step::Rename(from.into(), to.into()), fs::rename(from, to))
}

pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    step!(Step::RemoveFile(path.into()), fs::remove_file(path))
}

pub(super) fn remove_dir(path: &Path) -> io::Result<()> {
    step!(Step::RemoveDir(path.into()), fs::remove_dir(path))
}

/// Removes a directory and all in it.
pub(super) fn remove_tree(path: &Path) -> io::Result<()> {
    step!(Step::RemoveTree(path.into()), fs::remove_dir_all(path))
}

/// Sets the time of the last change to now.
pub(super) fn touch(file: &File) -> io::Result<()> {
    let omit = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_OMIT,
    };
    let now = Timestamps {
        last_access: omit,
        last_modification: Timespec {
            tv_nsec: UTIME_NOW,
            ..omit
        },
    };
    step!(
        Step::Touch(file.path().into()),
        Ok(rustix::fs::futimens(file, &now)?)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_written_one_after_the_other() {
        let root = tempfile::tempdir().unwrap();
        let file = create_file(&root.path().join("file")).unwrap();
        write_pieces_at(&file, &[], 0).unwrap();
        write_pieces_at(&file, &[Bytes::new()], 0).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 0);
        let pieces: Vec<_> = (0..3 * PIECES_AT_ONCE + 1)
            .map(|number| Bytes::from(vec![(number % 251) as u8; number % 7]))
            .collect();
        write_pieces_at(&file, &pieces, 3).unwrap();
        let expected = [vec![0; 3], pieces.concat()].concat();
        assert!(fs::read(file.path()).unwrap() == expected);
    }

    #[test]
    fn a_file_that_takes_nothing_is_named() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        fs::write(&path, b"").unwrap();
        let read_only = File::open(&path).unwrap();
        let error = write_pieces_at(&read_only, &[Bytes::from_static(b"x")], 0).unwrap_err();
        assert!(
            error.to_string().contains(path.to_str().unwrap()),
            "{error}"
        );
    }

    /// What is not in this file cannot be made to fail.
    #[test]
    fn nothing_else_changes_the_disk() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/filesystem");
        let changes = [
            "fs::create_dir",
            "fs::write",
            "fs::rename",
            "fs::remove",
            "fs::hard_link",
            "fs::copy",
            "OpenOptions",
            "write_all",
            "pwritev",
            ".set_len(",
            ".sync_",
            "set_modified",
            "futimens",
        ];
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if !name.ends_with(".rs") || matches!(name, "disk.rs" | "tests.rs") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            for change in changes {
                assert!(!code.contains(change), "{name} has {change}");
            }
        }
    }
}
