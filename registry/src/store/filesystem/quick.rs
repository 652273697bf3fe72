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
use tokio::task::spawn_blocking;

/// Opens a file for reading.
pub(super) async fn open(path: &Path) -> io::Result<File> {
    let path = path.to_owned();
    match open_now(&path) {
        Some(opened) => Ok(File::from_parts(opened?.into(), path)),
        None => in_pool(move || File::open(path)).await,
    }
}

/// Reads a file of less than `N` bytes; of a longer one, the first `N`.
pub(super) async fn read<const N: usize>(path: &Path) -> io::Result<Head<N>> {
    if let Some(opened) = open_now(path) {
        let mut head = Head {
            bytes: [0; N],
            length: 0,
        };
        if let Some(read) = read_now(&opened?, &mut head.bytes, 0) {
            head.length = read?;
            return Ok(head);
        }
    }
    let path: PathBuf = path.to_owned();
    in_pool(move || read_blocking(&path)).await
}

/// As [`read`], for callers that may block.
pub(super) fn read_blocking<const N: usize>(path: &Path) -> io::Result<Head<N>> {
    let mut head = Head {
        bytes: [0; N],
        length: 0,
    };
    let mut file = File::open(path)?;
    while head.length < N {
        match file.read(&mut head.bytes[head.length..]) {
            Ok(0) => break,
            Ok(read) => head.length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(head)
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

fn open_now(path: &Path) -> Option<io::Result<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    match rustix::fs::openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED) {
        Ok(file) => Some(Ok(file)),
        // ENOENT comes from a cached entry too: it is as true as the rest.
        Err(error @ (Errno::NOENT | Errno::NOTDIR)) => Some(Err(at(path, error))),
        // EPERM is what an old seccomp profile answers to a call it does not
        // know. For everything else the pool finds out what the matter is.
        Err(_) => None,
    }
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

    #[tokio::test]
    async fn both_ways_read_the_same() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        fs_err::write(&path, b"0123456789").unwrap();
        assert_eq!(read::<16>(&path).await.unwrap().as_bytes(), b"0123456789");
        assert_eq!(
            read_blocking::<16>(&path).unwrap().as_bytes(),
            b"0123456789"
        );
        assert_eq!(read::<4>(&path).await.unwrap().as_bytes(), b"0123");
        assert_eq!(read_blocking::<4>(&path).unwrap().as_bytes(), b"0123");
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_found() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("absent");
        assert_eq!(
            read::<16>(&path).await.unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        assert_eq!(
            open(&path).await.unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
