//! One file of a queue: lines, of which the first have been taken out.

use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use fs_err::{self as fs, File, OpenOptions};

/// How the name of a segment ends.
const SUFFIX: &str = ".jsonl";

/// A file of lines. It is written at its end, and removed as a whole.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    path: PathBuf,
    file: File,
    /// The lines that wait: their lengths, with the end of line.
    lengths: VecDeque<u32>,
    /// Where the first of them begins.
    start: u64,
    /// Where the next one will begin.
    end: u64,
}

impl Segment {
    /// Makes an empty segment, over whatever has its name.
    pub(super) fn create(directory: &Path, number: u64) -> io::Result<Self> {
        let path = path(directory, number);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)?;
        Ok(Self {
            number,
            path,
            file,
            lengths: VecDeque::new(),
            start: 0,
            end: 0,
        })
    }

    /// Opens a segment of which everything before `start` was taken out. If no
    /// line begins there, nothing was.
    ///
    /// What comes after the last end of line was being written when the process
    /// or the machine stopped: it goes.
    pub(super) fn open(directory: &Path, number: u64, start: u64) -> io::Result<Self> {
        let path = path(directory, number);
        let content = fs::read(&path)?;
        let begins_line = |at: usize| at == 0 || content.get(at - 1) == Some(&b'\n');
        let start = usize::try_from(start)
            .ok()
            .filter(|start| begins_line(*start))
            .unwrap_or(0);
        let whole = content
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |last| last + 1);
        let lengths = content[start..whole]
            .split_inclusive(|byte| *byte == b'\n')
            .map(|line| u32::try_from(line.len()).map_err(io::Error::other))
            .collect::<io::Result<_>>()?;
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        if whole < content.len() {
            file.set_len(whole as u64)?;
        }
        Ok(Self {
            number,
            path,
            file,
            lengths,
            start: start as u64,
            end: whole as u64,
        })
    }

    /// Adds a line.
    pub(super) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let mut ended = Vec::with_capacity(line.len() + 1);
        ended.extend_from_slice(line);
        ended.push(b'\n');
        let length = u32::try_from(ended.len()).map_err(io::Error::other)?;
        // At its place, so that what a failed write left is written over.
        self.file
            .file()
            .write_all_at(&ended, self.end)
            .map_err(|error| at(&self.path, "write to", &error))?;
        self.end += u64::from(length);
        self.lengths.push_back(length);
        Ok(())
    }

    /// Reads the first line that waits, without its end.
    pub(super) fn first(&self) -> Option<io::Result<Vec<u8>>> {
        let length = *self.lengths.front()?;
        let mut line = vec![0; length.saturating_sub(1) as usize];
        let read = self.file.file().read_exact_at(&mut line, self.start);
        Some(
            read.map(|()| line)
                .map_err(|error| at(&self.path, "read", &error)),
        )
    }

    /// Takes the first line out, and returns how long it was with its end.
    pub(super) fn take_first(&mut self) -> Option<u32> {
        let length = self.lengths.pop_front()?;
        self.start += u64::from(length);
        Some(length)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// How many lines wait, and how many bytes they have.
    pub(super) fn waiting(&self) -> (usize, u64) {
        (self.lengths.len(), self.end - self.start)
    }

    /// Where the first line begins that waits.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// How large the file is.
    pub(super) fn size(&self) -> u64 {
        self.end
    }

    /// A handle to make the file durable with.
    pub(super) fn handle(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Removes the file.
    pub(super) fn remove(self) -> io::Result<()> {
        remove(&self.path)
    }
}

/// The numbers of the segments in a directory, in order.
pub(super) fn numbers(directory: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_suffix(SUFFIX))
            .and_then(|digits| digits.parse().ok())
            // Only what `path` makes.
            .filter(|number| name == *file_name(*number));
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Removes a segment that is not open.
pub(super) fn remove_number(directory: &Path, number: u64) -> io::Result<()> {
    remove(&path(directory, number))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(file_name(number))
}

fn file_name(number: u64) -> String {
    format!("{number:020}{SUFFIX}")
}

fn at(path: &Path, what: &str, error: &io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("failed to {what} file `{}`: {error}", path.display()),
    )
}
