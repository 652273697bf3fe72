//! Which repositories there are. Everything in here blocks.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::SystemTime;

use super::{PageBuilder, directory_names};
use crate::oci::RepoName;
use crate::store::filesystem::Shared;
use crate::store::filesystem::layout::{LINK, TAG_LINK};
use crate::store::filesystem::listing::SETTLED_AFTER;
use crate::store::filesystem::opened::Opened;
use crate::store::names::Names;
use crate::store::{Page, StoreError};

/// The repositories after `after`.
///
/// Names are listed in byte order, in which `a-b` comes between `a` and `a/b`,
/// and directories whose names all come before `after` are not looked at: a
/// page costs what is in it.
pub(in super::super) fn repositories(
    shared: &Shared,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<RepoName>, StoreError> {
    walk(shared, after, limit, has_manifests)
}

/// As [`repositories`], with all that have anything at all.
pub(in super::super) fn places(
    shared: &Shared,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<RepoName>, StoreError> {
    walk(shared, after, limit, |walk, repo| {
        let names = directory_names(&walk.shared.layout.repository(repo))?;
        // No part of a name begins so.
        Ok(names.is_empty() || names.iter().any(|name| name.starts_with('_')))
    })
}

fn walk(
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
        let steps = walk.read("")?;
        walk.below("", &steps, after.unwrap_or_default(), &mut page)?;
    }
    Ok(page.finish())
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
    /// ends with a slash, and go on with something after `after`. `steps` is
    /// what [`Walk::read`] gave of it.
    fn below(
        &self,
        prefix: &str,
        steps: &Names,
        after: &str,
        page: &mut PageBuilder<RepoName>,
    ) -> Result<(), StoreError> {
        // What begins as `after` does comes before it, and may hold more.
        if let Some(slash) = after.find('/') {
            let (step, rest) = after.split_at(slash + 1);
            if steps.contains(step) {
                self.step(&format!("{prefix}{step}"), rest, page)?;
            }
        }
        let mut name = prefix.to_owned();
        for index in steps.from(|step| step <= after) {
            if page.is_full() {
                break;
            }
            name.truncate(prefix.len());
            name.push_str(steps.at(index));
            if name.ends_with('/') {
                self.step(&name, "", page)?;
            } else if let Ok(repo) = name.parse()
                && (self.is_listed)(self, &repo)?
            {
                page.push(repo);
            }
        }
        Ok(())
    }

    /// [`Walk::below`], if there is anything.
    fn step(
        &self,
        prefix: &str,
        after: &str,
        page: &mut PageBuilder<RepoName>,
    ) -> Result<(), StoreError> {
        // However deep symbolic links lead, there is no room for a name.
        if prefix.len() >= RepoName::MAX_LENGTH {
            return Ok(());
        }
        let directory = prefix.trim_end_matches('/');
        let Some(stamp) = self.directory.stamp(directory)? else {
            return Ok(());
        };
        // As a rule there is nothing, as there was nothing the last time.
        let witnesses = &self.shared.witnesses;
        if witnesses.childless(directory) == Some(stamp) {
            return Ok(());
        }
        let now = SystemTime::now();
        let steps = self.read(prefix)?;
        if !steps.is_empty() {
            return self.below(prefix, &steps, after, page);
        }
        if stamp.is_older_than(SETTLED_AFTER, now) {
            witnesses.set_childless(directory, stamp);
        }
        Ok(())
    }

    /// What is in a directory: one entry for each name itself and one, with a
    /// slash, for all that is below it. Sorted together they are in byte order
    /// of whole names.
    fn read(&self, prefix: &str) -> io::Result<Arc<Names>> {
        let listings = &self.shared.listings;
        let listed = listings.of(&self.directory, prefix, |name, steps| {
            if name.parse::<RepoName>().is_ok() {
                steps.push(&[name])?;
                steps.push(&[name, "/"])?;
            }
            Ok(())
        })?;
        Ok(listed.names)
    }
}

/// Whether a repository has a manifest or a tag. Deleted ones leave empty
/// directories, so that the links themselves are looked for.
fn has_manifests(walk: &Walk<'_>, repo: &RepoName) -> Result<bool, StoreError> {
    let witnesses = &walk.shared.witnesses;
    // As a rule, the link that was found the last time is still there.
    if let Some(link) = witnesses.link(repo.as_str())
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
            witnesses.set_link(repo.as_str(), &link);
            return Ok(true);
        }
    }
    Ok(false)
}

/// The path of any link that lies in a directory below a directory.
fn any_link(directory: &Opened, below: &str, link: &str) -> io::Result<Option<String>> {
    let mut found = None;
    directory.for_each_name(below, |name, _| {
        let path = format!("{below}/{name}/{link}");
        if !directory.holds(&path)? {
            return Ok(ControlFlow::Continue(()));
        }
        found = Some(path);
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
}
