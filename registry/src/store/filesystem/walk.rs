//! Lists: of tags, of repositories, of links. Everything in here blocks.

mod parallel;
mod repositories;
mod tags;
mod witnesses;

use std::io;
use std::path::Path;

use fs_err as fs;

pub(super) use self::repositories::{places, repositories};
pub(super) use self::tags::tags;
pub(super) use self::witnesses::Witnesses;
use super::durable::is_absent;
use super::layout::{LINK, Layout};
use crate::oci::{Digest, RepoName, Tag};
use crate::store::{Page, StoreError};

/// The names of all directories of tags, in no order.
pub(super) fn tag_names(layout: &Layout, repo: &RepoName) -> Result<Vec<Tag>, StoreError> {
    let names = directory_names(&layout.tags(repo))?;
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}

/// The digests for which a directory holds a link, in order.
pub(super) fn linked_digests(directory: &Path) -> Result<Vec<Digest>, StoreError> {
    let mut linked = Vec::new();
    for digest in digests_of(directory)? {
        let below = directory.join(digest.algorithm().as_str());
        if fs::exists(below.join(digest.hex()).join(LINK))? {
            linked.push(digest);
        }
    }
    Ok(linked)
}

/// The digests that a directory has directories for, sorted.
pub(super) fn digests_of(directory: &Path) -> Result<Vec<Digest>, StoreError> {
    let mut digests = Vec::new();
    for algorithm in directory_names(directory)? {
        let names = directory_names(&directory.join(&algorithm))?;
        let parsed = names
            .iter()
            .map(|hex| format!("{algorithm}:{hex}").parse::<Digest>());
        digests.extend(parsed.filter_map(Result::ok));
    }
    digests.sort_unstable();
    Ok(digests)
}

/// The names of the directories in a directory; none if it is not there.
/// Names that are not text are nobody's of ours.
pub(super) fn directory_names(directory: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        result => result?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string()
            && is_directory(&entry)?
        {
            names.push(name);
        }
    }
    Ok(names)
}

/// Follows a symbolic link, by which some people spread a registry over disks.
fn is_directory(entry: &fs::DirEntry) -> io::Result<bool> {
    let file_type = entry.file_type()?;
    if !file_type.is_symlink() {
        return Ok(file_type.is_dir());
    }
    match fs::metadata(entry.path()) {
        Err(error) if is_absent(&error) => Ok(false),
        result => Ok(result?.is_dir()),
    }
}

/// Gathers one entry more than the limit, to know whether there are more.
struct PageBuilder<T> {
    items: Vec<T>,
    limit: usize,
}

impl<T> PageBuilder<T> {
    fn new(limit: usize) -> Self {
        Self {
            items: Vec::new(),
            limit,
        }
    }

    fn push(&mut self, item: T) -> &Self {
        self.items.push(item);
        self
    }

    fn is_full(&self) -> bool {
        self.room() == 0
    }

    /// How many entries it still takes.
    fn room(&self) -> usize {
        self.limit
            .saturating_add(1)
            .saturating_sub(self.items.len())
    }

    fn finish(mut self) -> Page<T> {
        let more = self.is_full();
        self.items.truncate(self.limit);
        Page {
            items: self.items,
            more,
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
