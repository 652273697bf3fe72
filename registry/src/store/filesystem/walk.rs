//! Lists: of tags, of repositories, of links. Everything in here blocks.

use std::io;
use std::path::Path;

use fs_err as fs;

use super::durable::is_absent;
use super::layout::{LINK, Layout};
use crate::oci::{Digest, RepoName, Tag};
use crate::store::{Missing, Page, StoreError};

/// The tags after `after`. A directory without a current link is what an
/// interrupted push or deletion leaves, and is no tag.
pub(super) fn tags(
    layout: &Layout,
    repo: &RepoName,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Tag>, StoreError> {
    let manifests = layout.manifests(repo);
    if !fs::exists(&manifests)? {
        return Err(StoreError::NotFound(Missing::Repository(repo.clone())));
    }
    let mut names = tag_names(layout, repo)?;
    names.retain(|tag| after.is_none_or(|after| tag.as_str() > after));
    names.sort_unstable();

    let mut page = PageBuilder::new(limit);
    for tag in names {
        let current = layout.tag_current_link(repo, &tag);
        if fs::exists(&current)? && page.push(tag).is_full() {
            break;
        }
    }
    Ok(page.finish())
}

/// The names of all directories of tags, in no order.
pub(super) fn tag_names(layout: &Layout, repo: &RepoName) -> Result<Vec<Tag>, StoreError> {
    let names = directory_names(&layout.tags(repo))?;
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}

/// The repositories after `after`.
///
/// Names are listed in byte order, in which `a-b` comes between `a` and `a/b`,
/// and directories whose names all come before `after` are not read at all: a
/// page costs what is in it.
pub(super) fn repositories(
    layout: &Layout,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<RepoName>, StoreError> {
    walk_repositories(layout, after, limit, has_manifests)
}

/// As [`repositories`], with all that have anything at all.
pub(super) fn places(
    layout: &Layout,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<RepoName>, StoreError> {
    walk_repositories(layout, after, limit, |layout, repo| {
        let names = directory_names(&layout.repository(repo))?;
        // No part of a name begins so.
        Ok(names.is_empty() || names.iter().any(|name| name.starts_with('_')))
    })
}

fn walk_repositories(
    layout: &Layout,
    after: Option<&str>,
    limit: usize,
    is_listed: fn(&Layout, &RepoName) -> Result<bool, StoreError>,
) -> Result<Page<RepoName>, StoreError> {
    let mut page = PageBuilder::new(limit);
    let walk = Walk {
        layout,
        after: after.unwrap_or_default(),
        is_listed,
    };
    walk.below("", &mut page)?;
    Ok(page.finish())
}

/// The digests for which a directory holds a link, in order.
pub(super) fn linked_digests(directory: &Path) -> Result<Vec<Digest>, StoreError> {
    let mut digests = Vec::new();
    for algorithm in directory_names(directory)? {
        let below = directory.join(&algorithm);
        for hex in directory_names(&below)? {
            let link = below.join(&hex).join(LINK);
            if let Ok(digest) = format!("{algorithm}:{hex}").parse()
                && fs::exists(&link)?
            {
                digests.push(digest);
            }
        }
    }
    digests.sort_unstable();
    Ok(digests)
}

struct Walk<'a> {
    layout: &'a Layout,
    /// Empty before the first name.
    after: &'a str,
    is_listed: fn(&Layout, &RepoName) -> Result<bool, StoreError>,
}

impl Walk<'_> {
    /// Adds the repositories whose names begin with `prefix`, which is empty or
    /// ends with a slash. The depth is bounded by the length of a name.
    fn below(&self, prefix: &str, page: &mut PageBuilder<RepoName>) -> Result<(), StoreError> {
        // One entry for the name itself and one, with a slash, for all that is
        // below it: sorted together they are in byte order of whole names.
        let directory = self.layout.repositories().join(prefix);
        let mut steps: Vec<String> = directory_names(&directory)?
            .into_iter()
            .map(|name| format!("{prefix}{name}"))
            .filter(|name| name.parse::<RepoName>().is_ok())
            .flat_map(|name| [format!("{name}/"), name])
            .filter(|step| self.may_hold_more(step))
            .collect();
        steps.sort_unstable();

        for step in steps {
            if page.is_full() {
                break;
            }
            match step.parse() {
                Ok(repo) if (self.is_listed)(self.layout, &repo)? => {
                    page.push(repo);
                }
                Ok(_) => {}
                Err(_) => self.below(&step, page)?,
            }
        }
        Ok(())
    }

    fn may_hold_more(&self, step: &str) -> bool {
        step > self.after || (step.ends_with('/') && self.after.starts_with(step))
    }
}

/// Whether a repository has a manifest or a tag. Deleted ones leave empty
/// directories, so that the links themselves are looked for.
fn has_manifests(layout: &Layout, repo: &RepoName) -> Result<bool, StoreError> {
    let manifests = layout.manifests(repo);
    let has_link = |directory: &Path, link: &str| -> Result<bool, StoreError> {
        for name in directory_names(directory)? {
            let path = directory.join(name).join(link);
            if fs::exists(&path)? {
                return Ok(true);
            }
        }
        Ok(false)
    };
    Ok(has_link(&manifests.join("revisions/sha256"), LINK)?
        || has_link(&manifests.join("tags"), "current/link")?)
}

/// The names of the directories in a directory; none if it is not there.
/// Names that are not text are nobody's of ours.
pub(super) fn directory_names(directory: &Path) -> Result<Vec<String>, StoreError> {
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::oci::Algorithm;

    fn with_repositories(names: &[RepoName]) -> (tempfile::TempDir, Layout) {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        for name in names {
            let link = layout.revision_link(name, &Algorithm::Sha256.digest(b"m"));
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            fs::write(link, b"").unwrap();
        }
        (root, layout)
    }

    fn names(page: &Page<RepoName>) -> Vec<&str> {
        page.items.iter().map(RepoName::as_str).collect()
    }

    #[test]
    fn ghosts_are_not_listed() {
        let (_root, layout) = with_repositories(&["a".parse().unwrap()]);
        let deleted = layout.revision_link(&"b".parse().unwrap(), &Algorithm::Sha256.digest(b"m"));
        fs::create_dir_all(deleted.parent().unwrap()).unwrap();
        let layers = layout.layer_link(&"c/d".parse().unwrap(), &Algorithm::Sha256.digest(b"l"));
        fs::create_dir_all(layers.parent().unwrap()).unwrap();
        fs::create_dir_all(layout.repositories().join("UPPER")).unwrap();
        fs::write(layout.repositories().join("file"), b"").unwrap();
        let page = repositories(&layout, None, 10).unwrap();
        assert_eq!((names(&page), page.more), (vec!["a"], false));
    }

    #[test]
    fn an_empty_root_has_no_repositories() {
        let root = tempfile::tempdir().unwrap();
        let page = repositories(&Layout::new(root.path()), None, 10).unwrap();
        assert_eq!(
            page,
            Page {
                items: vec![],
                more: false
            }
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// The walk is a sort of whole names, a filter and a cut.
        #[test]
        fn pages_agree_with_a_sorted_list(
            mut expected in proptest::collection::vec("[ab]([-.]?[ab]){0,2}(/[ab]([-.]?[ab])?){0,2}", 0..12),
            after in "[ab]([-./]?[ab]){0,3}|",
            limit in 0..6_usize,
        ) {
            expected.sort();
            expected.dedup();
            let repos: Vec<RepoName> = expected.iter().map(|name| name.parse().unwrap()).collect();
            let (_root, layout) = with_repositories(&repos);
            let after = (!after.is_empty()).then_some(after.as_str());

            let page = repositories(&layout, after, limit).unwrap();

            expected.retain(|name| after.is_none_or(|after| name.as_str() > after));
            let more = expected.len() > limit;
            expected.truncate(limit);
            prop_assert_eq!((names(&page), page.more), (expected.iter().map(String::as_str).collect(), more));
        }
    }
}
