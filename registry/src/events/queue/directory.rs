//! Whose a queue is.
//!
//! Several processes may serve one registry, and each has a queue of its own for
//! the same webhook: a directory with a number, and a lock in it. Who starts
//! takes over what processes left that are no more.

use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};

use fs_err::{self as fs, File, OpenOptions};

use super::{Bounds, Queue, segment, sync_directory};

/// The file of which the lock says whose a queue is.
const LOCK: &str = "lock";

/// Opens a queue below `directory` that no other process has, with all that
/// waits in any of those.
pub(in crate::events) fn claim(directory: &Path, bounds: Bounds) -> io::Result<Queue> {
    fs::create_dir_all(directory)?;
    let mut free = Vec::new();
    for place in places(directory)? {
        if let Some(lock) = lock(&place)? {
            free.push((place, lock));
        }
    }
    let mut free = free.into_iter();
    let mut queue = match free.next() {
        Some((place, lock)) => Queue::open(&place, bounds, lock)?,
        None => {
            let (place, lock) = make(directory)?;
            Queue::open(&place, bounds, lock)?
        }
    };
    for (place, lock) in free {
        adopt(&mut queue, &place, lock)?;
    }
    Ok(queue)
}

/// Moves all that waits in a queue to the end of another. If that is
/// interrupted, some of it is in both.
fn adopt(queue: &mut Queue, place: &Path, lock: File) -> io::Result<()> {
    let mut other = Queue::open(place, queue.bounds, lock)?;
    while let Some((position, line)) = other.first() {
        queue.append(&line?)?;
        other.remove(position)?;
    }
    queue.unsynced().sync()?;
    // The directory stays, and with it the lock: another process may be about
    // to take it.
    for number in segment::numbers(place)? {
        segment::remove_number(place, number)?;
    }
    Ok(())
}

/// The directories of queues, by their numbers.
fn places(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut places = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let number = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        if let Some(number) = number {
            places.push((number, entry.path()));
        }
    }
    places.sort_unstable_by_key(|(number, _): &(u32, PathBuf)| *number);
    Ok(places.into_iter().map(|(_, path)| path).collect())
}

/// Makes a directory that is nobody else's.
fn make(directory: &Path) -> io::Result<(PathBuf, File)> {
    for number in 0_u32.. {
        let place = directory.join(number.to_string());
        match fs::create_dir(&place) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            result => result?,
        }
        // Another process that starts may have been quicker.
        if let Some(lock) = lock(&place)? {
            sync_directory(directory)?;
            return Ok((place, lock));
        }
    }
    Err(io::Error::other("every number has a queue"))
}

/// The lock of a queue, unless another process has it.
fn lock(place: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(place.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
