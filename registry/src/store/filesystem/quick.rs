//! Reading what the kernel has in memory, without a thread to wait in.
//!
//! A link is 71 bytes, nearly always in the page cache, and read several times
//! per request. Handing such a read to the blocking pool costs more than the
//! read. So the kernel is asked to do it only if it need not wait
//! (`RESOLVE_CACHED` since Linux 5.12, `RWF_NOWAIT` since 4.14), and the pool
//! takes what remains: cold files, older kernels, other file systems.

use std::io::{self, IoSliceMut, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use fs_err::File;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, ReadWriteFlags};
use rustix::path::Arg;
use tokio::task::spawn_blocking;

use super::durable::is_absent;

/// A file of which this much is known, opened for reading.
pub(super) async fn open(opened: Opened, path: &Path) -> io::Result<File> {
    let path = path.to_owned();
    match opened {
        Opened::File(file) => Ok(File::from_parts(file.into(), path)),
        Opened::Absent(errno) => Err(at(&path, errno)),
        Opened::Unknown => in_pool(move || File::open(path)).await,
    }
}

/// Reads a file of less than `N` bytes; of a longer one, the first `N`. `None`
/// if it is not there, which is the usual answer for some files: no error is
/// made up to say so.
pub(super) async fn read<const N: usize>(
    opened: Opened,
    path: &Path,
) -> io::Result<Option<Head<N>>> {
    match opened {
        Opened::Absent(_) => return Ok(None),
        Opened::File(file) => {
            let mut head = Head {
                bytes: [0; N],
                length: 0,
            };
            if let Some(read) = read_now(&file, &mut head.bytes, 0) {
                head.length = read?;
                return Ok(Some(head));
            }
        }
        Opened::Unknown => {}
    }
    let path: PathBuf = path.to_owned();
    in_pool(move || read_blocking(&path)).await
}

/// As [`read`], for callers that may block.
pub(super) fn read_blocking<const N: usize>(path: &Path) -> io::Result<Option<Head<N>>> {
    let mut head = Head {
        bytes: [0; N],
        length: 0,
    };
    let mut file = match File::open(path) {
        Err(error) if is_absent(&error) => return Ok(None),
        result => result?,
    };
    while head.length < N {
        match file.read(&mut head.bytes[head.length..]) {
            Ok(0) => break,
            Ok(read) => head.length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some(head))
}

/// Reads at an offset if that needs no waiting. `None`: it would, or nobody
/// can tell.
pub(super) fn read_now(
    file: impl AsFd,
    buffer: &mut [u8],
    offset: u64,
) -> Option<io::Result<usize>> {
    loop {
        let mut slices = [IoSliceMut::new(buffer)];
        return match rustix::io::preadv2(&file, &mut slices, offset, ReadWriteFlags::NOWAIT) {
            Ok(read) => Some(Ok(read)),
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => None,
            Err(error) => Some(Err(error.into())),
        };
    }
}

/// What the kernel says of a file without waiting.
pub(super) enum Opened {
    File(OwnedFd),
    Absent(Errno),
    /// The pool finds out.
    Unknown,
}

/// Opens a file for reading, by its path from `directory`, if that needs no waiting.
pub(super) fn open_now(directory: impl AsFd, path: &[u8]) -> Opened {
    match openat2(directory, path, OFlags::RDONLY | OFlags::CLOEXEC) {
        Ok(file) => Opened::File(file),
        // This comes from a cached entry too: it is as true as the rest.
        Err(errno @ (Errno::NOENT | Errno::NOTDIR)) => Opened::Absent(errno),
        // EPERM is what an old seccomp profile answers to a call it does not
        // know. For everything else the pool finds out what the matter is.
        Err(_) => Opened::Unknown,
    }
}

/// Opens a directory, for paths from there, if that needs no waiting.
pub(super) fn open_directory(path: &Path) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat2(CWD, path, flags).ok()
}

fn openat2(directory: impl AsFd, path: impl Arg, flags: OFlags) -> Result<OwnedFd, Errno> {
    rustix::fs::openat2(directory, path, flags, Mode::empty(), ResolveFlags::CACHED)
}

/// Names the file, as the functions of `fs_err` do.
fn at(path: &Path, error: Errno) -> io::Error {
    let error = io::Error::from(error);
    io::Error::new(
        error.kind(),
        format!("failed to open file `{}`: {error}", path.display()),
    )
}

async fn in_pool<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}

/// The first bytes of a file.
#[derive(Debug)]
pub(super) struct Head<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Head<N> {
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(path: &Path) -> Opened {
        open_now(CWD, path.as_os_str().as_encoded_bytes())
    }

    #[tokio::test]
    async fn both_ways_read_the_same() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        fs_err::write(&path, b"0123456789").unwrap();
        for (found, expected) in [
            (read::<16>(now(&path), &path).await, "0123456789"),
            (read_blocking::<16>(&path), "0123456789"),
        ] {
            let head = found.unwrap().unwrap();
            assert_eq!(head.as_bytes(), expected.as_bytes());
        }
        for found in [
            read::<4>(now(&path), &path).await,
            read_blocking::<4>(&path),
        ] {
            assert_eq!(found.unwrap().unwrap().as_bytes(), b"0123");
        }
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_found() {
        let root = tempfile::tempdir().unwrap();
        fs_err::write(root.path().join("file"), b"").unwrap();
        for (below, kind) in [
            ("absent", io::ErrorKind::NotFound),
            ("file/absent", io::ErrorKind::NotADirectory),
        ] {
            let path = root.path().join(below);
            assert!(read::<16>(now(&path), &path).await.unwrap().is_none());
            assert!(read_blocking::<16>(&path).unwrap().is_none());
            let error = open(now(&path), &path).await.unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(
                error.to_string().contains(path.to_str().unwrap()),
                "{error}"
            );
        }
    }
}
