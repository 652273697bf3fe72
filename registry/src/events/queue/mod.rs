//! Events on disk, in order, for as long as a receiver does not take them.
//!
//! A queue is a directory. Its segments hold one event a line, and can be read
//! with any tool; `head` says which segment and which byte comes next. An event
//! is added with one write and no sync, [`Queue::unsynced`] is synced by somebody
//! else and elsewhere, and so nobody who adds waits for the disk.
//!
//! After a crash the end of the last segment may be torn, or `head` be older
//! than what was sent: a torn line is removed, and what was sent is sent again.

mod directory;
mod segment;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use fs_err::{self as fs, File, OpenOptions};

pub(super) use self::directory::claim;
use self::segment::Segment;

/// The file that says what comes next.
const HEAD: &str = "head";

/// How large a segment becomes: an eighth of the queue, within reason.
const SEGMENT_BYTES: std::ops::RangeInclusive<u64> = 64 * 1024..=8 * 1024 * 1024;

/// How much may wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) events: usize,
    pub(super) bytes: u64,
}

/// Lines on disk, in order. All functions block.
#[derive(Debug)]
pub(super) struct Queue {
    directory: PathBuf,
    bounds: Bounds,
    /// Never empty; lines are added to the last.
    segments: VecDeque<Segment>,
    head: File,
    /// What the first line that waits is known by.
    first: Position,
    waiting: usize,
    waiting_bytes: u64,
    unsynced: Unsynced,
    /// Held as long as the queue is this process's.
    _lock: File,
}

/// What a line is known by, for as long as the queue is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position(u64);

/// What has changed and is perhaps not on disk.
#[derive(Debug, Default)]
pub(super) struct Unsynced {
    /// By the numbers of their segments.
    files: Vec<(u64, File)>,
    directory: Option<PathBuf>,
}

impl Queue {
    /// Opens the queue in a directory, with what it held. `lock` is the lock of
    /// the directory.
    fn open(directory: &Path, bounds: Bounds, lock: File) -> io::Result<Self> {
        let head = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(directory.join(HEAD))?;
        let (number, start) = read_head(directory).unwrap_or((0, 0));
        let mut segments = VecDeque::new();
        let mut last = number;
        for found in segment::numbers(directory)? {
            last = last.max(found);
            if found < number {
                segment::remove_number(directory, found)?;
                continue;
            }
            let start = if found == number { start } else { 0 };
            segments.push_back(Segment::open(directory, found, start)?);
        }
        if segments.is_empty() {
            // A number is not used again: `head` may still name it.
            segments.push_back(Segment::create(directory, last + 1)?);
        }
        let (waiting, waiting_bytes) = segments
            .iter()
            .map(Segment::waiting)
            .fold((0, 0), |(lines, bytes), (l, b)| (lines + l, bytes + b));
        let mut queue = Self {
            directory: directory.to_owned(),
            bounds,
            segments,
            head,
            first: Position(0),
            waiting,
            waiting_bytes,
            unsynced: Unsynced {
                files: Vec::new(),
                directory: Some(directory.to_owned()),
            },
            _lock: lock,
        };
        queue.remove_what_is_empty()?;
        queue.head.set_len(0)?;
        queue.write_head()?;
        Ok(queue)
    }

    /// Adds a line at the end; where there is no room, lines at the head are
    /// dropped. Returns how many.
    ///
    /// # Errors
    ///
    /// If it cannot be written. The queue is then as before, apart from what was
    /// dropped.
    pub(super) fn append(&mut self, line: &[u8]) -> io::Result<usize> {
        let length = line.len() as u64 + 1;
        let mut dropped = 0;
        while self.waiting > 0
            && (self.waiting >= self.bounds.events
                || self.waiting_bytes + length > self.bounds.bytes)
        {
            self.take_first()?;
            dropped += 1;
        }
        let full = (self.bounds.bytes / 8).clamp(*SEGMENT_BYTES.start(), *SEGMENT_BYTES.end());
        if self.last().size() >= full {
            let number = self.last().number + 1;
            let next = Segment::create(&self.directory, number)?;
            self.segments.push_back(next);
            self.unsynced.directory = Some(self.directory.clone());
            self.remove_what_is_empty()?;
        }
        self.last().append(line)?;
        self.waiting += 1;
        self.waiting_bytes += length;
        let number = self.last().number;
        if !self
            .unsynced
            .files
            .iter()
            .any(|(known, _)| *known == number)
        {
            let handle = self.last().handle()?;
            self.unsynced.files.push((number, handle));
        }
        Ok(dropped)
    }

    /// The line that comes next.
    pub(super) fn first(&self) -> Option<(Position, io::Result<Vec<u8>>)> {
        let line = self.segments.front()?.first()?;
        Some((self.first, line))
    }

    /// Takes a line out, unless it is no longer the next: it was dropped then.
    ///
    /// # Errors
    ///
    /// If that cannot be written down: the line comes again after a restart.
    pub(super) fn remove(&mut self, position: Position) -> io::Result<()> {
        if position == self.first {
            self.take_first()?;
        }
        Ok(())
    }

    /// How many lines wait.
    pub(super) fn len(&self) -> usize {
        self.waiting
    }

    /// What has to be synced since the last time that this was asked.
    pub(super) fn unsynced(&mut self) -> Unsynced {
        std::mem::take(&mut self.unsynced)
    }

    fn take_first(&mut self) -> io::Result<()> {
        let taken = self.segments.front_mut().and_then(Segment::take_first);
        if let Some(length) = taken {
            self.first.0 += 1;
            self.waiting -= 1;
            self.waiting_bytes -= u64::from(length);
        }
        self.remove_what_is_empty()?;
        self.write_head()
    }

    /// Removes segments of which nothing waits, apart from the last.
    fn remove_what_is_empty(&mut self) -> io::Result<()> {
        while self.segments.len() > 1 && self.segments.front().is_some_and(Segment::is_empty) {
            if let Some(segment) = self.segments.pop_front() {
                segment.remove()?;
            }
        }
        Ok(())
    }

    /// Writes down what comes next: in place and without a sync, since an old
    /// one does no harm.
    fn write_head(&self) -> io::Result<()> {
        let Some(segment) = self.segments.front() else {
            return Ok(());
        };
        let text = format!("{:020} {:020}\n", segment.number, segment.start());
        self.head.file().write_all_at(text.as_bytes(), 0)
    }

    fn last(&mut self) -> &mut Segment {
        self.segments
            .back_mut()
            .expect("it is opened with a segment, and the last is never removed")
    }
}

impl Unsynced {
    /// Makes it durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        for (_, file) in &self.files {
            file.sync_data()?;
        }
        self.directory.as_deref().map_or(Ok(()), sync_directory)
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path).and_then(|directory| directory.sync_all())
}

/// The segment and the byte that come next, if they are known.
fn read_head(directory: &Path) -> Option<(u64, u64)> {
    let text = fs::read_to_string(directory.join(HEAD)).ok()?;
    let (number, start) = text.strip_suffix('\n')?.split_once(' ')?;
    Some((number.parse().ok()?, start.parse().ok()?))
}
