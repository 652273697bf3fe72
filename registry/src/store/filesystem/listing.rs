//! Directories that were read before, and are read again only if they changed.
//! Everything in here blocks.
//!
//! A directory of 100,000 tags takes longer to read and sort than a request
//! may take. What was read is kept with the directory's times, and is used as
//! long as these are the same, so that what another process writes is seen at
//! once. A directory that changed a moment ago may change again within the same
//! tick of the file system's clock: what is read then is used only once.

use std::cmp::Ordering;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fs_err as fs;
use moka::ops::compute::Op;
use moka::sync::Cache;

use super::durable::is_absent;
use super::walk;

/// Bytes of names that are kept: a million tags or so.
const KEPT_BYTES: u64 = 16 * 1024 * 1024;

/// What an entry costs beside its names.
const ENTRY_BYTES: usize = 300;

/// How long ago a directory must have changed for its times to be trusted:
/// more than a tick of any file system's clock, of which FAT has the longest.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// Directories by their path.
#[derive(Debug)]
pub(super) struct Listings {
    kept: Cache<PathBuf, Arc<Listing>>,
}

/// Turns the name of a directory into what is listed of it.
pub(super) type Expand = fn(String, &mut Vec<String>);

/// What a directory holds, in byte order.
#[derive(Debug)]
pub(super) struct Listing {
    stamp: Option<Stamp>,
    names: Names,
}

/// What changes whenever a name comes or goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Listings {
    pub(super) fn new() -> Self {
        let weigh = |path: &PathBuf, listing: &Arc<Listing>| {
            let bytes = path.as_os_str().len() + listing.names.bytes() + ENTRY_BYTES;
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        Self {
            kept: Cache::builder()
                .max_capacity(KEPT_BYTES)
                .weigher(weigh)
                .build(),
        }
    }

    /// What a directory holds, as it is now; nothing if it is not there.
    /// `expand` turns the name of each directory in it into what is listed. It
    /// has to be the same function for the same directory at all times.
    pub(super) fn of(&self, directory: &Path, expand: Expand) -> io::Result<Arc<Listing>> {
        let now = SystemTime::now();
        let metadata = match fs::metadata(directory) {
            Err(error) if is_absent(&error) => return Ok(Arc::new(Listing::empty())),
            result => result?,
        };
        let stamp = Stamp::of(&metadata);
        if let Some(kept) = self.kept.get(directory)
            && kept.stamp == Some(stamp)
        {
            return Ok(kept);
        }
        let is_settled = metadata.modified().is_ok_and(|modified| {
            now.duration_since(modified)
                .is_ok_and(|age| age >= SETTLED_AFTER)
        });
        if !is_settled {
            return Ok(Arc::new(Listing::read(directory, None, expand)?));
        }
        // One reads, and all others who want the same wait for it.
        let entry = self.kept.entry_by_ref(directory);
        let computed = entry.and_try_compute_with(|kept| match kept {
            Some(kept) if kept.value().stamp == Some(stamp) => Ok(Op::Nop),
            _ => Listing::read(directory, Some(stamp), expand).map(|read| Op::Put(Arc::new(read))),
        })?;
        match computed.into_entry() {
            Some(entry) => Ok(entry.into_value()),
            None => Ok(Arc::new(Listing::read(directory, None, expand)?)),
        }
    }
}

impl Listing {
    fn empty() -> Self {
        Self {
            stamp: None,
            names: Names::of(Vec::new()),
        }
    }

    fn read(directory: &Path, stamp: Option<Stamp>, expand: Expand) -> io::Result<Self> {
        let mut names = Vec::new();
        for name in walk::directory_names(directory)? {
            expand(name, &mut names);
        }
        names.sort_unstable();
        Ok(Self {
            stamp,
            names: Names::of(names),
        })
    }

    /// The names in byte order, from the first for which `is_before` is false.
    /// It has to be true for those at the beginning and false for the rest.
    pub(super) fn from(&self, is_before: impl Fn(&str) -> bool) -> impl Iterator<Item = &str> {
        let first = self.names.partition_point(is_before);
        (first..self.names.len()).map(|index| self.names.at(index))
    }

    /// Whether there is an entry of this name.
    pub(super) fn contains(&self, name: &str) -> bool {
        let first = self
            .names
            .partition_point(|other| other.cmp(name) == Ordering::Less);
        first < self.names.len() && self.names.at(first) == name
    }
}

impl Stamp {
    fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Sorted names in one piece of memory: 100,000 small allocations would cost
/// more than the names.
#[derive(Debug)]
struct Names {
    text: Box<str>,
    /// Where each name ends.
    ends: Box<[u32]>,
}

impl Names {
    fn of(sorted: Vec<String>) -> Self {
        let mut text = String::with_capacity(sorted.iter().map(String::len).sum());
        let mut ends = Vec::with_capacity(sorted.len());
        for name in sorted {
            let end = u32::try_from(text.len() + name.len());
            // Beyond 4 GiB of names nothing would fit anywhere else either.
            let Ok(end) = end else { break };
            text.push_str(&name);
            ends.push(end);
        }
        Self {
            text: text.into(),
            ends: ends.into(),
        }
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn at(&self, index: usize) -> &str {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start as usize..self.ends[index] as usize]
    }

    fn partition_point(&self, is_before: impl Fn(&str) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if is_before(self.at(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    fn bytes(&self) -> usize {
        self.text.len() + size_of_val(&*self.ends)
    }
}
