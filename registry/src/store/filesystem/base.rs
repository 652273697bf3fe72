//! The directory that all of a store is in, kept open.
//!
//! What is above it has then not to be looked up for each of its files.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use fs_err::File;
use rustix::fs::CWD;

use super::durable::is_absent;
use super::quick::{self, Head, Opened, open_now};

/// How long a [`Base`] is believed to be still there: this soon at the latest
/// another directory is seen that was moved or mounted to its place.
const BELIEVED: Duration = Duration::from_secs(1);

/// The directory, and what is known of it.
pub(super) struct Base {
    path: PathBuf,
    /// The name of something in it that few have: the others need not look for what
    /// it is about.
    mark: &'static str,
    /// That it is there is known for good.
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
    pub(super) fn note_mark(&self) {
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
        let looked = self.open(&self.path.join(self.mark)).await;
        // Where it cannot be said, it is to be looked further.
        let marked = !matches!(&looked, Err(error) if is_absent(error));
        if let Some(kept) = &*self.kept.load() {
            // Others who looked at the same time saw the same.
            let _ = kept.marked.set(marked);
        }
        marked
    }

    /// Opens a file for reading.
    pub(super) async fn open(&self, path: &Path) -> io::Result<File> {
        quick::open(self.open_now(path), path).await
    }

    /// See [`quick::read`].
    pub(super) async fn read<const N: usize>(&self, path: &Path) -> io::Result<Option<Head<N>>> {
        quick::read(self.open_now(path), path).await
    }

    fn open_now(&self, path: &Path) -> Opened {
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
        let Some(directory) = quick::open_directory(&self.path) else {
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

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: &str = "mark";

    fn let_time_pass(base: &Base) {
        let kept = base.kept.swap(None).and_then(Arc::into_inner).unwrap();
        let since = kept.since.checked_sub(BELIEVED).unwrap();
        base.kept.store(Some(Arc::new(Kept { since, ..kept })));
    }

    async fn said(base: &Base, path: &Path) -> Option<Vec<u8>> {
        let head = base.read::<16>(path).await.unwrap();
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
        own.note_mark();
        assert!(own.is_marked().await);
        let_time_pass(&other);
        assert_eq!(said(&other, &root.path().join("x")).await, None);
        assert!(other.is_marked().await);
    }
}
