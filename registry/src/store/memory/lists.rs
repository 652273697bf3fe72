//! Lists of tags and repositories, a page at a time.

use super::bucket::{Bucket, List, Listed};
use super::{keys, tags};
use crate::oci::{RepoName, Tag};
use crate::store::{Missing, Page, StoreError, TagPage, Tags};

/// The tags after `after`, without names that are only reserved.
pub(super) async fn tags(
    bucket: &Bucket,
    repo: &RepoName,
    after: Option<&str>,
    limit: usize,
) -> Result<TagPage, StoreError> {
    let prefix = keys::tags(repo);
    let start_after = after.map(|after| format!("{prefix}{after}"));
    let reservation = tags::reservation_length()?;
    let mut items = Vec::new();
    let mut continuation = None;
    loop {
        let list = List {
            prefix: &prefix,
            start_after: start_after.as_deref(),
            continuation,
            max_keys: Some((limit - items.len()).saturating_add(1)),
            ..List::default()
        };
        let page = bucket.list(list).await?;
        for object in page.objects {
            let Ok(tag) = object.key[prefix.len()..].parse::<Tag>() else {
                continue;
            };
            if object.size <= reservation {
                continue;
            }
            if items.len() == limit {
                return page_of(&items, true);
            }
            items.push(tag);
        }
        continuation = page.next;
        if continuation.is_none() {
            break;
        }
    }
    // No tag without a manifest.
    if items.is_empty() && !any(bucket, &keys::revisions(repo)).await? {
        return Err(StoreError::NotFound(Missing::Repository(repo.clone())));
    }
    page_of(&items, false)
}

fn page_of(tags: &[Tag], more: bool) -> Result<TagPage, StoreError> {
    let items = Tags::sorted(tags)?;
    Ok(TagPage { items, more })
}

/// The repositories after `after` that have something in one of the trees.
pub(super) async fn repositories(
    bucket: &Bucket,
    trees: &[&str],
    after: Option<&str>,
    limit: usize,
) -> Result<Page<RepoName>, StoreError> {
    let mut items = Vec::new();
    let mut more = false;
    for tree in trees {
        let page = names(bucket, tree, after, limit).await?;
        items.extend(page.items);
        more |= page.more;
    }
    items.sort_unstable();
    items.dedup();
    // Each tree gave as many as are asked for, if it has them: the first ones
    // of all are among these.
    more |= items.len() > limit;
    items.truncate(limit);
    Ok(Page { items, more })
}

/// All pages of a list.
pub(super) async fn all(bucket: &Bucket, list: List<'_>) -> Result<Vec<Listed>, StoreError> {
    let mut found = Vec::new();
    let mut continuation = None;
    loop {
        let page = bucket
            .list(List {
                continuation,
                ..list.clone()
            })
            .await?;
        found.extend(page.objects);
        continuation = page.next;
        if continuation.is_none() {
            return Ok(found);
        }
    }
}

async fn any(bucket: &Bucket, prefix: &str) -> Result<bool, StoreError> {
    let list = List {
        prefix,
        max_keys: Some(1),
        ..List::default()
    };
    Ok(!bucket.list(list).await?.objects.is_empty())
}

/// The names in one tree.
async fn names(
    bucket: &Bucket,
    tree: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<RepoName>, StoreError> {
    let start_after = after.map(|after| format!("{tree}{after}{}", keys::AFTER_END));
    let mut items = Vec::new();
    let mut continuation = None;
    loop {
        let list = List {
            prefix: tree,
            delimiter: Some(keys::END),
            start_after: start_after.as_deref(),
            continuation,
            max_keys: Some((limit - items.len()).saturating_add(1)),
        };
        let page = bucket.list(list).await?;
        for prefix in page.prefixes {
            let name = prefix[tree.len()..].trim_end_matches(keys::END);
            // `after` may be any text, and then sort otherwise than a name.
            let is_next = after.is_none_or(|after| name > after);
            let Some(repo) = name.parse().ok().filter(|_| is_next) else {
                continue;
            };
            if items.len() == limit {
                return Ok(Page { items, more: true });
            }
            items.push(repo);
        }
        continuation = page.next;
        if continuation.is_none() {
            return Ok(Page { items, more: false });
        }
    }
}
