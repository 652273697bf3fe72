//! Which tags point at a manifest.

use crate::oci::{Digest, RepoName, Tag};
use crate::store::{Store, StoreError};

/// How many tags are asked for at once.
const PAGE: usize = 1000;

/// The tags of a repository that point at a manifest, of those that `counts`
/// holds for. Whatever cannot be read points nowhere.
pub(super) async fn tags_of(
    store: &dyn Store,
    repo: &RepoName,
    digest: &Digest,
    counts: impl Fn(&Tag) -> bool,
) -> Result<Vec<Tag>, StoreError> {
    let mut found = Vec::new();
    let mut after: Option<Tag> = None;
    loop {
        let last = after.as_ref().map(Tag::as_str);
        let page = match store.tags(repo, last, PAGE).await {
            Err(StoreError::NotFound(_)) => return Ok(found),
            result => result?,
        };
        let tags = page.items.to_vec();
        for tag in tags.iter().filter(|tag| counts(tag)) {
            let current = match store.tagged(repo, tag).await {
                Err(StoreError::NotFound(_) | StoreError::Damaged { .. }) => continue,
                result => result?,
            };
            if is_same(store, repo, &current, digest).await? {
                found.push(tag.clone());
            }
        }
        match tags.into_iter().next_back() {
            Some(last) if page.more => after = Some(last),
            _ => return Ok(found),
        }
    }
}

/// Whether two digests are names of one manifest of the repository.
pub(super) async fn is_same(
    store: &dyn Store,
    repo: &RepoName,
    current: &Digest,
    other: &Digest,
) -> Result<bool, StoreError> {
    if current.algorithm() == other.algorithm() {
        return Ok(current == other);
    }
    match store.manifest(repo, current).await {
        Err(StoreError::NotFound(_)) => Ok(false),
        result => Ok(other.algorithm().digest(result?.bytes()) == *other),
    }
}
