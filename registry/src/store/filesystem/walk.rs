//! Lists: of tags, of repositories, of links. Everything in here blocks.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use fs_err as fs;
use moka::sync::Cache;

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
    let mut link = String::new();
    for name in names.from(|name| after.is_some_and(|after| name <= after)) {
        link.clear();
        link.extend([name, "/", TAG_LINK]);
        if let Ok(tag) = name.parse()
            && directory.holds(&link)?
            && page.push(tag).is_full()
        {
            break;
        }
    }
    Ok(page.finish())
}

/// How many repositories are remembered to have a manifest, and by what: about
/// 10 MiB.
const WITNESSES: u64 = 32 * 1024;

/// A link of each repository that says that it has a manifest: its path below
/// that of all repositories.
pub(super) type Witnesses = Cache<RepoName, Arc<str>>;

pub(super) fn new_witnesses() -> Witnesses {
    Cache::new(WITNESSES)
}

/// The names of all directories of tags, in no order.
pub(super) fn tag_names(layout: &Layout, repo: &RepoName) -> Result<Vec<Tag>, StoreError> {
    let names = directory_names(&layout.tags(repo))?;
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}

/// The repositories after `after`.
///
/// Names are listed in byte order, in which `a-b` comes between `a` and `a/b`,
/// and directories whose names all come before `after` are not looked at: a
/// page costs what is in it.
pub(super) fn repositories(
    shared: &Shared,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<RepoName>, StoreError> {
    walk_repositories(shared, after, limit, has_manifests)
}

/// As [`repositories`], with all that have anything at all.
pub(super) fn places(
    shared: &Shared,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<RepoName>, StoreError> {
    walk_repositories(shared, after, limit, |walk, repo| {
        let names = directory_names(&walk.shared.layout.repository(repo))?;
        // No part of a name begins so.
        Ok(names.is_empty() || names.iter().any(|name| name.starts_with('_')))
    })
}

fn walk_repositories(
    shared: &Shared,
    after: Option<&str>,
    limit: usize,
    is_listed: IsListed,
) -> Result<Page<RepoName>, StoreError> {
    let mut page = PageBuilder::new(limit);
    if let Some(directory) = Opened::open(&shared.layout.repositories())? {
        let walk = Walk {
            shared,
            directory,
            is_listed,
        };
        walk.below("", after.unwrap_or_default(), &mut page)?;
    }
    Ok(page.finish())
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

type IsListed = fn(&Walk<'_>, &RepoName) -> Result<bool, StoreError>;

struct Walk<'a> {
    shared: &'a Shared,
    /// The one of all repositories.
    directory: Opened,
    is_listed: IsListed,
}

impl Walk<'_> {
    /// Adds the repositories whose names begin with `prefix`, which is empty or
    /// ends with a slash, and go on with something after `after`. The depth is
    /// bounded by the length of a name.
    fn below(
        &self,
        prefix: &str,
        after: &str,
        page: &mut PageBuilder<RepoName>,
    ) -> Result<(), StoreError> {
        // One entry for the name itself and one, with a slash, for all that is
        // below it: sorted together they are in byte order of whole names.
        let listings = &self.shared.listings;
        let steps = listings.of(&self.directory, prefix, |name, steps| {
            if name.parse::<RepoName>().is_ok() {
                steps.push(&[name])?;
                steps.push(&[name, "/"])?;
            }
            Ok(())
        })?;
        // What begins as `after` does comes before it, and may hold more.
        if let Some(slash) = after.find('/') {
            let (step, rest) = after.split_at(slash + 1);
            if steps.contains(step) {
                self.below(&format!("{prefix}{step}"), rest, page)?;
            }
        }
        for step in steps.from(|step| step <= after) {
            if page.is_full() {
                break;
            }
            let name = format!("{prefix}{step}");
            if step.ends_with('/') {
                self.below(&name, "", page)?;
            } else if let Ok(repo) = name.parse()
                && (self.is_listed)(self, &repo)?
            {
                page.push(repo);
            }
        }
        Ok(())
    }
}

/// Whether a repository has a manifest or a tag. Deleted ones leave empty
/// directories, so that the links themselves are looked for.
fn has_manifests(walk: &Walk<'_>, repo: &RepoName) -> Result<bool, StoreError> {
    let witnesses = &walk.shared.witnesses;
    // As a rule, the link that was found the last time is still there.
    if let Some(link) = witnesses.get(repo)
        && walk.directory.holds(&link)?
    {
        return Ok(true);
    }
    let places = [
        (format!("{repo}/_manifests/revisions/sha256"), LINK),
        (format!("{repo}/_manifests/tags"), TAG_LINK),
    ];
    for (below, link) in places {
        if let Some(link) = any_link(&walk.directory, &below, link)? {
            witnesses.insert(repo.clone(), link.into());
            return Ok(true);
        }
    }
    Ok(false)
}

/// The path of any link that lies in a directory below a directory.
fn any_link(directory: &Opened, below: &str, link: &str) -> io::Result<Option<String>> {
    let mut found = None;
    directory.for_each_name(below, |name| {
        let path = format!("{below}/{name}/{link}");
        if !directory.holds(&path)? {
            return Ok(ControlFlow::Continue(()));
        }
        found = Some(path);
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
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
        self.items.len() > self.limit
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
