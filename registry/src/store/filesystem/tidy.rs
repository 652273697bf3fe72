//! Removing what means nothing: empty directories, and the files of writes
//! that were interrupted. Everything in here blocks.

use std::io;
use std::path::Path;
use std::time::SystemTime;

use fs_err as fs;

use super::Shared;
use super::disk;
use super::durable::{self, is_absent};
use super::layout::{Layout, UPLOADS};
use super::{links, walk};
use crate::oci::RepoName;
use crate::store::StoreError;

/// Tidies one repository, and removes it if nothing is left of it. Those
/// below it are left alone: each is tidied by its own name.
pub(super) fn repository(
    shared: &Shared,
    repo: &RepoName,
    unused_since: SystemTime,
) -> Result<(), StoreError> {
    let layout = &shared.layout;
    let directory = layout.repository(repo);
    let manifests = layout.manifests(repo);
    dangling(shared, repo, unused_since)?;
    let mut emptied = true;
    for entry in entries(&directory)? {
        // No part of a name begins so: it is not another repository.
        let name = entry.file_name();
        let is_own = name.as_encoded_bytes().starts_with(b"_");
        emptied &= if !is_own || !entry.file_type()?.is_dir() {
            false
        } else if name == UPLOADS {
            // An upload may have nothing yet, and is removed by its identifier.
            remove_if_empty(&entry.path(), unused_since)?
        } else if entry.path() == manifests {
            sweep_below(&manifests, unused_since)?;
            // The directory is the repository's lock: who holds it must not
            // lose it to somebody who makes another one.
            let _held = shared.locks.hold_existing(shared, repo)?;
            remove_if_empty(&manifests, unused_since)?
        } else {
            sweep(&entry.path(), unused_since)?
        };
    }
    if emptied {
        // With the parents that were there for this repository alone.
        let top = layout.repositories();
        for directory in directory.ancestors() {
            if directory == top || !remove_if_empty(directory, unused_since)? {
                break;
            }
        }
    }
    Ok(())
}

/// Removes referrers and aliases of manifests that are gone: whoever removes a
/// manifest without knowing of them, as docker-registry does, leaves them.
fn dangling(shared: &Shared, repo: &RepoName, unused_since: SystemTime) -> Result<(), StoreError> {
    let layout = &shared.layout;
    let mut links = Vec::new();
    for subject in walk::digests_of(&layout.all_referrers(repo))? {
        let below = walk::linked_digests(&layout.referrers(repo, &subject))?;
        links.extend(
            below
                .iter()
                .map(|referrer| layout.referrer_link(repo, &subject, referrer)),
        );
    }
    let aliases = walk::linked_digests(&layout.aliases(repo))?;
    links.extend(aliases.iter().map(|alias| layout.alias_link(repo, alias)));
    for link in links {
        if is_dangling(layout, repo, &link, unused_since)? {
            // A manifest is written before what leads to it, under this lock.
            let _held = shared.locks.hold_existing(shared, repo)?;
            if is_dangling(layout, repo, &link, unused_since)? {
                durable::remove(&link)?;
            }
        }
    }
    Ok(())
}

/// Whether a link has led nowhere for long. One that cannot be read is for
/// others to report.
fn is_dangling(
    layout: &Layout,
    repo: &RepoName,
    link: &Path,
    unused_since: SystemTime,
) -> Result<bool, StoreError> {
    Ok(match links::read_blocking(link) {
        Ok(Some(target)) => {
            !fs::exists(layout.revision_link(repo, &target))? && is_unused(link, unused_since)?
        }
        Ok(None) | Err(StoreError::Damaged { .. }) => false,
        Err(error) => return Err(error),
    })
}

/// Tidies what all repositories share.
pub(super) fn common(layout: &Layout, unused_since: SystemTime) -> Result<(), StoreError> {
    for entry in entries(&layout.blobs())? {
        if entry.file_type()?.is_dir() {
            sweep_below(&entry.path(), unused_since)?;
        }
    }
    Ok(())
}

/// Tidies a directory and removes it if nothing is left. Returns whether it
/// is gone.
fn sweep(directory: &Path, unused_since: SystemTime) -> Result<bool, StoreError> {
    Ok(sweep_below(directory, unused_since)? && remove_if_empty(directory, unused_since)?)
}

/// Returns whether nothing is left.
fn sweep_below(directory: &Path, unused_since: SystemTime) -> Result<bool, StoreError> {
    let mut emptied = true;
    for entry in entries(directory)? {
        let path = entry.path();
        emptied &= if entry.file_type()?.is_dir() {
            sweep(&path, unused_since)?
        } else {
            is_left_over(&path, unused_since)? && durable::remove(&path)?
        };
    }
    Ok(emptied)
}

/// Whether a file was being written and never got its name.
fn is_left_over(path: &Path, unused_since: SystemTime) -> Result<bool, StoreError> {
    Ok(path.extension().is_some_and(|extension| extension == "tmp")
        && is_unused(path, unused_since)?)
}

/// Removes a directory that has nothing in it, and had nothing for long: who
/// makes one is about to put something there.
fn remove_if_empty(directory: &Path, unused_since: SystemTime) -> Result<bool, StoreError> {
    if !is_unused(directory, unused_since)? {
        return Ok(false);
    }
    match disk::remove_dir(directory) {
        Ok(()) => Ok(true),
        Err(error) if is_absent(&error) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn is_unused(path: &Path, unused_since: SystemTime) -> Result<bool, StoreError> {
    match fs::symlink_metadata(path) {
        Err(error) if is_absent(&error) => Ok(false),
        result => Ok(result?.modified()? < unused_since),
    }
}

fn entries(directory: &Path) -> Result<Vec<fs::DirEntry>, StoreError> {
    match fs::read_dir(directory) {
        Err(error) if is_absent(&error) => Ok(Vec::new()),
        result => Ok(result?.collect::<io::Result<_>>()?),
    }
}
