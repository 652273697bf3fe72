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
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use fs_err::File;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, ReadWriteFlags};
use rustix::path::Arg;
use tokio::task::spawn_blocking;

use super::durable::is_absent;

/// How long a [`Base`] is believed to be still there: this soon at the latest
/// another directory is seen that was moved or mounted to its place.
const BELIEVED: Duration = Duration::from_secs(1);

/// The directory that all is in, kept open: what is above it has not to be looked
/// up for each of its files.
pub(super) struct Base {
    path: PathBuf,
    /// The name of something in it that few have: the others need not look for what
    /// it is about.
    mark: &'static str,
    is_marked: AtomicBool,
    kept: ArcSwapOption<Kept>,
}

struct Kept {
    directory: OwnedFd,
    since: Instant,
    /// Whether the mark was there, if somebody asked.
    marked: OnceLock<bool>,
}

impl Base {
    /// Opens nothing yet.
    pub(super) fn new(path: &Path, mark: &'static str) -> Self {
        Self {
            path: path.to_owned(),
            mark,
            is_marked: AtomicBool::new(false),
            kept: ArcSwapOption::empty(),
        }
    }

    /// Takes note that the mark is there.
    pub(super) fn has_mark(&self) {
        self.is_marked.store(true, Ordering::Release);
    }

    /// Whether the mark is there. What another process has just made is seen when
    /// the directory is opened anew.
    pub(super) async fn is_marked(&self) -> bool {
        if self.is_marked.load(Ordering::Acquire) {
            return true;
        }
        if let Some(kept) = &*self.kept.load()
            && let Some(marked) = kept.marked.get()
        {
            return *marked;
        }
        let looked = open(self, &self.path.join(self.mark)).await;
        // Where it cannot be said, it is to be looked further.
        let marked = !matches!(&looked, Err(error) if is_absent(error));
        if let Some(kept) = &*self.kept.load() {
            // Others who looked at the same time saw the same.
            let _ = kept.marked.set(marked);
        }
        marked
    }

    /// Opens a file for reading, if the kernel can do that without waiting.
    fn open(&self, path: &Path) -> Opened {
        let whole = path.as_os_str().as_encoded_bytes();
        let below = whole
            .strip_prefix(self.path.as_os_str().as_encoded_bytes())
            .and_then(|rest| rest.strip_prefix(b"/"));
        let Some(below) = below else {
            return open_now(CWD, whole);
        };
        let now = Instant::now();
        if let Some(kept) = &*self.kept.load()
            && now.duration_since(kept.since) < BELIEVED
        {
            return open_now(&kept.directory, below);
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(directory) = openat2(CWD, &self.path, flags) else {
            self.kept.store(None);
            return open_now(CWD, whole);
        };
        let opened = open_now(&directory, below);
        self.kept.store(Some(Arc::new(Kept {
            directory,
            since: now,
            marked: OnceLock::new(),
        })));
        opened
    }
}

/// Opens a file for reading.
pub(super) async fn open(base: &Base, path: &Path) -> io::Result<File> {
    let path = path.to_owned();
    match base.open(&path) {
        Opened::File(file) => Ok(File::from_parts(file.into(), path)),
        Opened::Absent(errno) => Err(at(&path, errno)),
        Opened::Unknown => in_pool(move || File::open(path)).await,
    }
}

/// Reads a file of less than `N` bytes; of a longer one, the first `N`. `None`
/// if it is not there, which is the usual answer for some files: no error is
/// made up to say so.
pub(super) async fn read<const N: usize>(base: &Base, path: &Path) -> io::Result<Option<Head<N>>> {
    match base.open(path) {
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
enum Opened {
    File(OwnedFd),
    Absent(Errno),
    /// The pool finds out.
    Unknown,
}

fn open_now(directory: impl AsFd, path: &[u8]) -> Opened {
    match openat2(directory, path, OFlags::RDONLY | OFlags::CLOEXEC) {
        Ok(file) => Opened::File(file),
        // This comes from a cached entry too: it is as true as the rest.
        Err(errno @ (Errno::NOENT | Errno::NOTDIR)) => Opened::Absent(errno),
        // EPERM is what an old seccomp profile answers to a call it does not
        // know. For everything else the pool finds out what the matter is.
        Err(_) => Opened::Unknown,
    }
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

    const MARK: &str = "mark";

    #[tokio::test]
    async fn both_ways_read_the_same() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        fs_err::write(&path, b"0123456789").unwrap();
        let base = Base::new(root.path(), MARK);
        for (found, expected) in [
            (read::<16>(&base, &path).await, "0123456789"),
            (read_blocking::<16>(&path), "0123456789"),
        ] {
            let head = found.unwrap().unwrap();
            assert_eq!(head.as_bytes(), expected.as_bytes());
        }
        for found in [read::<4>(&base, &path).await, read_blocking::<4>(&path)] {
            assert_eq!(found.unwrap().unwrap().as_bytes(), b"0123");
        }
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_found() {
        let root = tempfile::tempdir().unwrap();
        fs_err::write(root.path().join("file"), b"").unwrap();
        let base = Base::new(root.path(), MARK);
        for (below, kind) in [
            ("absent", io::ErrorKind::NotFound),
            ("file/absent", io::ErrorKind::NotADirectory),
        ] {
            let path = root.path().join(below);
            assert!(read::<16>(&base, &path).await.unwrap().is_none());
            assert!(read_blocking::<16>(&path).unwrap().is_none());
            let error = open(&base, &path).await.unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(
                error.to_string().contains(path.to_str().unwrap()),
                "{error}"
            );
        }
    }

    fn let_time_pass(base: &Base) {
        let kept = base.kept.swap(None).and_then(Arc::into_inner).unwrap();
        let since = kept.since.checked_sub(BELIEVED).unwrap();
        base.kept.store(Some(Arc::new(Kept { since, ..kept })));
    }

    async fn said(base: &Base, path: &Path) -> Option<Vec<u8>> {
        let head = read::<16>(base, path).await.unwrap();
        head.map(|head| head.as_bytes().to_vec())
    }

    #[tokio::test]
    async fn another_directory_in_the_place_of_the_base_is_seen_soon() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("base/file");
        for name in ["base", "other"] {
            fs_err::create_dir(root.path().join(name)).unwrap();
            fs_err::write(root.path().join(name).join("file"), name).unwrap();
        }
        let base = Base::new(&root.path().join("base"), MARK);
        assert_eq!(said(&base, &path).await.unwrap(), b"base");

        fs_err::rename(root.path().join("base"), root.path().join("old")).unwrap();
        fs_err::rename(root.path().join("other"), root.path().join("base")).unwrap();
        let_time_pass(&base);
        assert_eq!(said(&base, &path).await.unwrap(), b"other");
    }

    #[tokio::test]
    async fn what_is_elsewhere_or_comes_later_is_read_as_well() {
        let root = tempfile::tempdir().unwrap();
        let base = Base::new(&root.path().join("base"), MARK);
        for name in ["base/file", "based"] {
            let path = root.path().join(name);
            assert_eq!(said(&base, &path).await, None);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(&path, name).unwrap();
            assert_eq!(said(&base, &path).await.unwrap(), name.as_bytes());
        }
    }

    #[tokio::test]
    async fn a_mark_is_seen_at_once_by_whoever_made_it_and_soon_by_others() {
        let root = tempfile::tempdir().unwrap();
        let [own, other] = [(); 2].map(|()| Base::new(root.path(), MARK));
        assert!(!own.is_marked().await);
        assert!(!other.is_marked().await);

        fs_err::write(root.path().join(MARK), "").unwrap();
        own.has_mark();
        assert!(own.is_marked().await);
        let_time_pass(&other);
        assert_eq!(said(&other, &root.path().join("x")).await, None);
        assert!(other.is_marked().await);
    }
}
