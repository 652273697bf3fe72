//! Lists: of tags, of repositories, of links. Everything in here blocks.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err as fs;
use moka::sync::Cache;

use super::Shared;
use super::durable::is_absent;
use super::layout::{LINK, Layout};
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
    let manifests = layout.manifests(repo);
    if !fs::exists(&manifests)? {
        return Err(StoreError::NotFound(Missing::Repository(repo.clone())));
    }
    let names = shared.listings.of(&layout.tags(repo), |name, tags| {
        if name.parse::<Tag>().is_ok() {
            tags.push(name);
        }
    })?;
    let mut page = PageBuilder::new(limit);
    for name in names.from(|name| after.is_some_and(|after| name <= after)) {
        let Ok(tag) = name.parse() else { continue };
        let current = layout.tag_current_link(repo, &tag);
        if fs::exists(&current)? && page.push(tag).is_full() {
            break;
        }
    }
    Ok(page.finish())
}

/// How many repositories are remembered to have a manifest, and by what: about
/// 10 MiB.
const WITNESSES: u64 = 32 * 1024;

/// A link of each repository that says that it has a manifest.
pub(super) type Witnesses = Cache<RepoName, Arc<Path>>;

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
    walk_repositories(shared, after, limit, |shared, repo| {
        let names = directory_names(&shared.layout.repository(repo))?;
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
    let walk = Walk { shared, is_listed };
    walk.below("", after.unwrap_or_default(), &mut page)?;
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

type IsListed = fn(&Shared, &RepoName) -> Result<bool, StoreError>;

struct Walk<'a> {
    shared: &'a Shared,
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
        let directory = self.shared.layout.repositories().join(prefix);
        // One entry for the name itself and one, with a slash, for all that is
        // below it: sorted together they are in byte order of whole names.
        let steps = self.shared.listings.of(&directory, |name, steps| {
            if name.parse::<RepoName>().is_ok() {
                steps.push(format!("{name}/"));
                steps.push(name);
            }
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
                && (self.is_listed)(self.shared, &repo)?
            {
                page.push(repo);
            }
        }
        Ok(())
    }
}

/// Whether a repository has a manifest or a tag. Deleted ones leave empty
/// directories, so that the links themselves are looked for.
fn has_manifests(shared: &Shared, repo: &RepoName) -> Result<bool, StoreError> {
    // As a rule, the link that was found the last time is still there.
    if let Some(link) = shared.witnesses.get(repo)
        && fs::exists(&*link)?
    {
        return Ok(true);
    }
    let layout = &shared.layout;
    let link = match a_link(&layout.revisions(repo).join("sha256"), LINK)? {
        None => a_link(&layout.tags(repo), "current/link")?,
        found => found,
    };
    let Some(link) = link else { return Ok(false) };
    shared.witnesses.insert(repo.clone(), link.into());
    Ok(true)
}

/// Any link that lies in a directory of the directory.
fn a_link(directory: &Path, link: &str) -> Result<Option<PathBuf>, StoreError> {
    let entries = match fs::read_dir(directory) {
        Err(error) if is_absent(&error) => return Ok(None),
        result => result?,
    };
    for entry in entries {
        let path = entry?.path().join(link);
        match fs::metadata(&path) {
            // Or what should be a directory is a file.
            Err(error) if is_absent(&error) => {}
            result => return result.map(|_| Some(path)).map_err(Into::into),
        }
    }
    Ok(None)
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
mod tests {
    use std::time::{Duration, SystemTime};

    use proptest::prelude::*;

    use super::super::Filesystem;
    use super::*;
    use crate::oci::Algorithm;

    fn with_repositories(names: &[RepoName]) -> (tempfile::TempDir, Arc<Shared>) {
        let root = tempfile::tempdir().unwrap();
        let shared = Filesystem::new(root.path()).shared;
        for name in names {
            put(&shared, name);
        }
        (root, shared)
    }

    fn link(shared: &Shared, name: &RepoName) -> PathBuf {
        let digest = Algorithm::Sha256.digest(b"m");
        shared.layout.revision_link(name, &digest)
    }

    fn put(shared: &Shared, name: &RepoName) {
        let link = link(shared, name);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        fs::write(link, b"").unwrap();
    }

    fn put_tag(shared: &Shared, repo: &RepoName, tag: &Tag) {
        let link = shared.layout.tag_current_link(repo, tag);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        fs::write(link, b"").unwrap();
    }

    /// Makes every directory look as if nobody had changed it for long, so that
    /// it is remembered.
    fn settle(directory: &Path) {
        for name in directory_names(directory).unwrap() {
            settle(&directory.join(name));
        }
        let old = SystemTime::now() - Duration::from_secs(60);
        fs::File::open(directory)
            .unwrap()
            .set_modified(old)
            .unwrap();
    }

    fn names(page: &Page<RepoName>) -> Vec<&str> {
        page.items.iter().map(RepoName::as_str).collect()
    }

    #[test]
    fn ghosts_are_not_listed() {
        let (_root, shared) = with_repositories(&["a".parse().unwrap()]);
        let layout = &shared.layout;
        let deleted = layout.revision_link(&"b".parse().unwrap(), &Algorithm::Sha256.digest(b"m"));
        fs::create_dir_all(deleted.parent().unwrap()).unwrap();
        let layers = layout.layer_link(&"c/d".parse().unwrap(), &Algorithm::Sha256.digest(b"l"));
        fs::create_dir_all(layers.parent().unwrap()).unwrap();
        fs::create_dir_all(layout.repositories().join("UPPER")).unwrap();
        fs::write(layout.repositories().join("file"), b"").unwrap();
        let page = repositories(&shared, None, 10).unwrap();
        assert_eq!((names(&page), page.more), (vec!["a"], false));
    }

    #[test]
    fn an_empty_root_has_no_repositories() {
        let (_root, shared) = with_repositories(&[]);
        let page = repositories(&shared, None, 10).unwrap();
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
            let (root, shared) = with_repositories(&repos);
            let after = (!after.is_empty()).then_some(after.as_str());

            expected.retain(|name| after.is_none_or(|after| name.as_str() > after));
            let more = expected.len() > limit;
            expected.truncate(limit);
            // Read fresh, read to be kept, and not read again.
            for _ in 0..3 {
                let page = repositories(&shared, after, limit).unwrap();
                prop_assert_eq!(
                    (names(&page), page.more),
                    (expected.iter().map(String::as_str).collect(), more)
                );
                settle(root.path());
            }
        }

        /// Whatever another process does between two pages is seen in the next.
        #[test]
        fn pages_are_never_stale(steps in proptest::collection::vec((0..5_u8, 0..6_usize), 1..24)) {
            let (root, shared) = with_repositories(&[]);
            let repos = ["a", "a-b", "a/b", "a/b/c", "b", "c"].map(|name| name.parse::<RepoName>().unwrap());
            let tags = ["1", "2", "3", "latest", "x", "y"].map(|name| name.parse::<Tag>().unwrap());
            for (action, which) in steps {
                match action {
                    0 => put(&shared, &repos[which]),
                    1 => put_tag(&shared, &repos[0], &tags[which]),
                    // As docker-registry deletes: the link alone, or a tag whole.
                    2 => drop(fs::remove_file(link(&shared, &repos[which]))),
                    3 => drop(fs::remove_dir_all(shared.layout.tag(&repos[0], &tags[which]))),
                    _ => settle(root.path()),
                }
                let fresh = Filesystem::new(root.path()).shared;
                prop_assert_eq!(repositories(&shared, None, 10).unwrap(), repositories(&fresh, None, 10).unwrap());
                let (seen, there) = (super::tags(&shared, &repos[0], None, 10), super::tags(&fresh, &repos[0], None, 10));
                prop_assert_eq!(seen.ok(), there.ok());
            }
        }
    }
}
