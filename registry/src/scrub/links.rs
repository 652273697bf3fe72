//! Following everything that leads somewhere.

use std::num::NonZeroU64;
use std::sync::Arc;

use super::follower::Follower;
use super::known::Known;
use super::{Finding, Observer, Report};
use crate::oci::RepoName;
use crate::store::{Maintain, StoreError};

/// How many repositories are asked for at once.
const PAGE: usize = 256;

/// Goes through all repositories.
pub(super) async fn follow_all(
    store: &Arc<dyn Maintain>,
    rate: Option<NonZeroU64>,
    observer: &dyn Observer,
    report: &mut Report,
) -> Result<(), StoreError> {
    // What was found to be corrupt and is there again, or still, is looked at.
    let suspects = report.findings.iter();
    let suspects = suspects.filter_map(|finding| finding.subject.parse().ok());
    let mut known = Known::new(Arc::clone(store), rate, suspects.collect());
    let mut last: Option<RepoName> = None;
    loop {
        let page = store
            .places(last.as_ref().map(RepoName::as_str), PAGE)
            .await?;
        for repo in &page.items {
            for finding in broken(&**store, repo, &mut known).await? {
                observer.found(&finding);
                report.findings.push(finding);
            }
            report.repositories += 1;
            observer.followed(report.repositories);
            if observer.stops() {
                return Ok(());
            }
        }
        if !page.more {
            return Ok(());
        }
        last = page.items.into_iter().last();
    }
}

/// What is broken in a repository, and stays so.
///
/// An inventory is not of one moment: what is pushed or deleted while it is
/// read looks broken in it. So what seems to be wrong is looked at once more.
async fn broken(
    store: &dyn Maintain,
    repo: &RepoName,
    known: &mut Known,
) -> Result<Vec<Finding>, StoreError> {
    let seen = look(store, repo, known).await?;
    if seen.is_empty() {
        return Ok(seen);
    }
    known.look_again();
    let mut still = look(store, repo, known).await?;
    still.retain(|finding| seen.iter().any(|other| other.is_about_the_same(finding)));
    Ok(still)
}

async fn look(
    store: &dyn Maintain,
    repo: &RepoName,
    known: &mut Known,
) -> Result<Vec<Finding>, StoreError> {
    let inventory = store.inventory(repo).await?;
    Follower::new(store, repo, known, &inventory).follow().await
}
