//! Which tags a repository has. Everything in here blocks.

use std::ops::Range;

use fs_err as fs;

use super::parallel;
use crate::oci::{RepoName, Tag};
use crate::store::filesystem::Shared;
use crate::store::filesystem::layout::TAG_LINK;
use crate::store::filesystem::listing::Listed;
use crate::store::filesystem::opened::Opened;
use crate::store::{Missing, StoreError, TagPage, Tags};

/// The tags after `after`. A directory without a current link is what an
/// interrupted push or deletion leaves, and is no tag.
///
/// Each tag's link is looked for once, for as long as the directory of tags
/// has the same stamp (see [`Listed::unseen`]): of 100,000 tags, nothing else
/// would take as long. A link goes only with its directory, which changes the
/// stamp, and this process forgets what it saw as soon as it has removed one.
/// Where nothing was found there is a look each time: a push puts the link
/// there without a trace in the directory above.
///
/// So what another process leaves that dies after it removed the link and
/// before the directory is listed, by those who had seen the link, until there
/// is a further change of tags or they are asked to delete it. It was neither
/// acknowledged nor can it be pulled.
pub(in super::super) fn tags(
    shared: &Shared,
    repo: &RepoName,
    after: Option<&str>,
    limit: usize,
) -> Result<TagPage, StoreError> {
    let layout = &shared.layout;
    let Some(directory) = Opened::open(&layout.tags(repo))? else {
        // Without tags; but is it a repository at all?
        return if fs::exists(layout.manifests(repo))? {
            let items = Tags::sorted(&[])?;
            Ok(TagPage { items, more: false })
        } else {
            Err(StoreError::NotFound(Missing::Repository(repo.clone())))
        };
    };
    let listed = shared.listings.of(&directory, "", |name, tags| {
        if name.parse::<Tag>().is_ok() {
            tags.push(&[name])
        } else {
            Ok(())
        }
    })?;
    let mut runs = Runs::default();
    let mut rest = listed
        .names
        .from(|name| after.is_some_and(|after| name <= after));
    // One more than asked for says that there are more.
    let enough = limit.saturating_add(1);
    while !rest.is_empty() && runs.length < enough {
        let round = rest.start
            ..rest
                .end
                .min(rest.start.saturating_add(enough - runs.length));
        rest.start = round.end;
        runs.add_without(round.clone(), &without_link(&directory, &listed, round)?);
    }
    let more = runs.length > limit;
    if more {
        runs.drop_last();
    }
    let items = Tags::among(listed.names, runs.ranges);
    Ok(TagPage { items, more })
}

/// Which of the names in a range are no tags, in order.
fn without_link(
    directory: &Opened,
    listed: &Listed,
    round: Range<usize>,
) -> Result<Vec<usize>, StoreError> {
    let unseen = listed.unseen(round);
    parallel::find(unseen.len(), |number, link| {
        let index = unseen[number];
        link.clear();
        link.extend([listed.names.at(index), "/", TAG_LINK]);
        if directory.holds(link)? {
            listed.mark(index);
            Ok(None)
        } else {
            Ok(Some(index))
        }
    })
}

/// Numbers in their order, as ranges.
#[derive(Default)]
struct Runs {
    ranges: Vec<Range<usize>>,
    length: usize,
}

impl Runs {
    /// Adds what comes later: a range without some that lie in it.
    fn add_without(&mut self, range: Range<usize>, without: &[usize]) {
        let mut start = range.start;
        for end in without.iter().copied().chain([range.end]) {
            if start < end {
                self.length += end - start;
                self.ranges.push(start..end);
            }
            start = end + 1;
        }
    }

    fn drop_last(&mut self) {
        if let Some(last) = self.ranges.last_mut() {
            last.end -= 1;
            self.length -= 1;
        }
    }
}
