//! Directories that were read before, and are read again only if they changed.
//! Everything in here blocks.
//!
//! A directory of 100,000 tags takes longer to read and sort than a request
//! may take. What was read is kept with the directory's times, and is used as
//! long as these are the same, so that what another process writes is seen at
//! once. A directory that changed a moment ago may change again within the same
//! tick of the file system's clock: what is read then is used only once.
//!
//! What was found out about a name may be kept with it (see [`Listed::mark`]).

mod seen;

use std::ffi::{OsStr, OsString};
use std::io;
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use moka::ops::compute::Op;
use moka::sync::Cache;
use rustix::fs::FileType;

use self::seen::Seen;
use super::opened::{Opened, Stamp};
use crate::store::names::{Names, Unsorted};

/// Bytes of names that are kept: a million tags or so.
const KEPT_BYTES: u64 = 16 * 1024 * 1024;

/// What an entry costs beside its names.
const ENTRY_BYTES: usize = 300;

/// How long ago a directory must have changed for its times to be trusted:
/// more than a tick of any file system's clock, of which FAT has the longest.
pub(super) const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// Directories by their path.
#[derive(Debug)]
pub(super) struct Listings {
    // Not by `Path`, which is compared part by part.
    kept: Cache<OsString, Listing>,
}

/// Turns the name of a directory into what is listed of it.
pub(super) type Expand = fn(&str, &mut Unsorted) -> io::Result<()>;

/// What a directory held when it had a stamp.
#[derive(Debug, Clone)]
struct Listing {
    stamp: Stamp,
    listed: Listed,
}

/// The names of a directory, and what was found out about them.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    /// In byte order.
    pub(super) names: Arc<Names>,
    /// `None` where there may be symbolic links, which lead elsewhere.
    seen: Option<Arc<Seen>>,
}

impl Listed {
    fn new(names: Unsorted, are_directories: bool) -> Self {
        let names = Arc::new(names.sort());
        let seen = are_directories.then(|| Arc::new(Seen::new(names.len())));
        Self { names, seen }
    }

    /// Notes that what was looked for below the directory of this name is
    /// there. It has to be something that nobody removes without removing that
    /// directory too, which changes the stamp that the names are kept with: so
    /// there is no need to look again.
    pub(super) fn mark(&self, index: usize) {
        if let Some(seen) = &self.seen {
            seen.mark(index);
        }
    }

    /// Those names of a range, by their numbers, that have to be looked at.
    pub(super) fn unseen(&self, range: Range<usize>) -> Vec<usize> {
        match &self.seen {
            Some(seen) => seen.unmarked(range),
            None => range.collect(),
        }
    }
}

impl Listings {
    pub(super) fn new() -> Self {
        let weigh = |path: &OsString, listing: &Listing| {
            let names = &listing.listed.names;
            let bytes = path.len() + names.bytes() + Seen::bytes(names.len()) + ENTRY_BYTES;
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        Self {
            kept: Cache::builder()
                .max_capacity(KEPT_BYTES)
                .weigher(weigh)
                .build(),
        }
    }

    /// What the directory `below` another one holds, in byte order and as it is
    /// now; nothing if it is not there. An empty name is the other one itself.
    ///
    /// `expand` turns each name that may be a directory's into what is listed.
    /// It has to be the same function for the same directory at all times.
    pub(super) fn of(&self, directory: &Opened, below: &str, expand: Expand) -> io::Result<Listed> {
        let Some(stamp) = directory.stamp(below)? else {
            return Ok(Listed::new(Unsorted::default(), false));
        };
        let path = directory.path_of(below).into_os_string();
        if let Some(kept) = self.kept.get::<OsStr>(&path)
            && kept.stamp == stamp
        {
            return Ok(kept.listed);
        }
        let read = || read(directory, below, expand);
        // What happens to the directory from here on has a later time.
        if !stamp.is_older_than(SETTLED_AFTER, SystemTime::now()) {
            return read();
        }
        // One reads, and all others who want the same wait for it.
        let entry = self.kept.entry_by_ref::<OsStr>(&path);
        let computed = entry.and_try_compute_with(|kept| match kept {
            Some(kept) if kept.value().stamp == stamp => Ok(Op::Nop),
            _ => read().map(|listed| Op::Put(Listing { stamp, listed })),
        })?;
        match computed.into_entry() {
            Some(entry) => Ok(entry.into_value().listed),
            None => read(),
        }
    }

    /// Forgets what is known of a directory, for those who change something in
    /// it that its times do not show. What was seen before this returns is not
    /// used by a list that is begun after it.
    pub(super) fn forget(&self, directory: &Path) {
        self.kept.invalidate(directory.as_os_str());
    }
}

fn read(directory: &Opened, below: &str, expand: Expand) -> io::Result<Listed> {
    let mut names = Unsorted::default();
    let mut are_directories = true;
    directory.for_each_name(below, |name, file_type| {
        are_directories &= file_type == FileType::Directory;
        expand(name, &mut names)?;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(Listed::new(names, are_directories))
}
