//! Lists: of tags, of repositories, of links. Everything in here blocks.

mod parallel;
mod repositories;
mod witnesses;

use std::io;
use std::path::Path;

use fs_err as fs;

pub(super) use self::repositories::{places, repositories};
pub(super) use self::witnesses::Witnesses;
use super::Shared;
use super::durable::is_absent;
use super::layout::{LINK, Layout, TAG_LINK};
use super::opened::Opened;
use crate::oci::{Digest, RepoName, Tag};
use crate::store::{Missing, Page, StoreError};

/// The tags after `after`. A directory without a current link is what an
/// interrupted push or deletion leaves, and is no tag.
pub(super) fn tags(
    shared: &Shared,
    repo: &RepoName,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Tag>, StoreError> {
    let layout = &shared.layout;
    let mut page = PageBuilder::new(limit);
    let Some(directory) = Opened::open(&layout.tags(repo))? else {
        // Without tags; but is it a repository at all?
        return if fs::exists(layout.manifests(repo))? {
            Ok(page.finish())
        } else {
            Err(StoreError::NotFound(Missing::Repository(repo.clone())))
        };
    };
    let names = shared.listings.of(&directory, "", |name, tags| {
        if name.parse::<Tag>().is_ok() {
            tags.push(&[name])
        } else {
            Ok(())
        }
    })?;
    let mut rest = names.from(|name| after.is_some_and(|after| name <= after));
    while !rest.is_empty() && !page.is_full() {
        let round = rest.start..rest.end.min(rest.start.saturating_add(page.room()));
        let found = parallel::find(round.len(), |index, link| {
            let name = names.at(round.start + index);
            link.clear();
            link.extend([name, "/", TAG_LINK]);
            match name.parse() {
                Ok(tag) if directory.holds(link)? => Ok::<_, StoreError>(Some(tag)),
                _ => Ok(None),
            }
        })?;
        page.items.extend(found);
        rest.start = round.end;
    }
    Ok(page.finish())
}

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
mod tests;
