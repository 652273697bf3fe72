//! Every change that the store makes on disk.
//!
//! No other file here changes anything, which a test holds: so faults can be
//! put in front of each single step, and what a crash would leave behind each
//! of them can be built and looked at (see `faults`).

#[cfg(test)]
pub(super) mod script;

use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::path::Path;

use fs_err::os::unix::fs::FileExt;
use fs_err::{self as fs, File, OpenOptions};
use rustix::fs::{FallocateFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};

#[cfg(test)]
use self::script::Step;

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

/// Has the disk begin to write a range of a file, which the kernel alone would put
/// off. Waits for nothing but room in the disk's queue, and promises nothing: that it
/// failed, or cannot be, is seen by [`sync`], or makes no difference.
#[expect(
    unsafe_code,
    reason = "the libraries that wrap system calls leave this one out; it takes numbers only"
)]
pub(super) fn begin_to_write_out(file: &File, range: Range<u64>) {
    let (Ok(offset), Ok(length)) = (range.start.try_into(), (range.end - range.start).try_into())
    else {
        return;
    };
    // SAFETY: the descriptor is open as long as `file` is borrowed, and nothing in
    // memory is touched.
    let _started = unsafe {
        libc::sync_file_range(
            file.as_raw_fd(),
            offset,
            length,
            libc::SYNC_FILE_RANGE_WRITE,
        )
    };
}

/// Has ext4 find the room for a range of a file at once, and not for each page that is
/// written. The file's length stays what it is; [`truncate`] gives back what is not
/// needed. That there is no room is seen by whoever writes.
///
/// Not on other file systems: XFS does so by itself, tmpfs fills the memory at once,
/// over a network it is one more question, and nothing was measured on the others.
pub(super) fn set_room_aside(file: &File, offset: u64, length: u64) {
    if is_on_ext4(file) {
        let _ = rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, offset, length);
    }
}

pub(super) fn is_on_ext4(file: &File) -> bool {
    /// `EXT4_SUPER_MAGIC` of `statfs(2)`, whose type is not the same on all machines.
    const EXT4: rustix::fs::FsWord = 0xEF53;
    rustix::fs::fstatfs(file).is_ok_and(|system| system.f_type == EXT4)
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
