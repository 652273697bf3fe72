//! Garbage collection: removing what nobody uses while everybody uses the rest.
//!
//! A run goes through four steps, each of which looks at the whole store:
//!
//! 1. **Repositories**, one after the other (`repository`): tags that a rule
//!    lets expire, then manifests (with `delete_untagged`), layers that no
//!    manifest refers to, and uploads at rest. What stays is marked.
//! 2. **Candidates** (`sweep`): content that is not marked and rests longer
//!    than the grace.
//! 3. **A second look** at all repositories: what refers to a candidate now
//!    takes it from the list.
//! 4. **Sweep**: the candidates that are left go.
//!
//! A run may end anywhere, by a crash or because its future is dropped: what was
//! removed was nobody's, and the next run begins anew. Several may run at once,
//! in several processes; they share nothing but the store.
//!
//! # Why nothing in use is removed
//!
//! Let the run begin at *s*. It expires nothing that was used since *s − grace*,
//! and [`Maintain`] promises that looking at that time and removing are one step.
//! The grace is longer than any push takes between two of its own steps, and
//! than clocks differ.
//!
//! *A layer of a repository* goes if no manifest of the inventory refers to it
//! and it rests. A manifest that comes after the inventory was checked when it
//! came: that claimed each of its layers after *s − grace*, or was told that it
//! is gone, and then no manifest came. A layer whose removal fails, because it
//! was claimed meanwhile, is marked as if it had been referred to.
//!
//! *A manifest* goes if no tag leads to it, no manifest that stays lists it or is
//! its subject, and it rests. An index goes before what it lists and a subject
//! before its referrers: as long as the one can still be claimed, the other is
//! there. If the removal of one fails, all that it leads to stays. Removal and
//! tagging take the same lock, so that no tag can be left without its manifest.
//!
//! *Content* goes if nothing in the store refers to it and it rests. A reference
//! that existed when its repository was visited has marked it, unless the visit
//! removed the reference. One that came after the visit was written after the
//! content had been written or touched, hence after *s − grace*: commits, mounts and
//! puts touch the content before they refer to it. It does not
//! matter that the inventory of a repository is no snapshot: what is missing in
//! it came while it was read.
//!
//! The second look is not needed for any of that. It is there for those who write
//! into the same store without claims, such as docker-registry on the same tree,
//! and makes the moment in which they can be hit as short as it can be without
//! their help.
//!
//! # What cannot be read
//!
//! Damage is reported and limits what is removed, to be on the safe side: a
//! repository with a manifest or a link that cannot be read keeps all its layers
//! and manifests, one with a tag that cannot be read keeps all its manifests.
//! Only a store that cannot be listed ends the run.

mod error;
mod graph;
mod marks;
mod options;
mod pace;
mod report;
mod repository;
mod retention;
mod sweep;
#[cfg(test)]
mod tests;

use std::time::{Instant, SystemTime};

use self::marks::Marks;
use self::pace::Pace;
use crate::oci::RepoName;
use crate::store::Maintain;

pub use self::error::CollectError;
pub use self::options::{MINIMUM_GRACE, Options};
pub use self::report::{Damaged, Event, Report};

/// How many names are asked for at once.
const PAGE: usize = 1000;

/// How much is removed at once, and so is lost to the report if that fails. A
/// gentle run rests in between.
const AT_ONCE: usize = 256;

/// Told what a run does, step by step. It is called from the run's own task.
pub type Observer<'a> = &'a (dyn Fn(&Event<'_>) + Send + Sync);

/// Collects a store once.
///
/// Dropping the future ends the run; another one takes up what is left.
///
/// # Errors
///
/// If the store cannot be listed. Nothing in use has been removed then either.
pub async fn collect(
    store: &dyn Maintain,
    options: &Options,
    observer: Observer<'_>,
) -> Result<Report, CollectError> {
    collect_at(store, options, observer, SystemTime::now()).await
}

/// Collects as at a certain time: a later one lets everything rest.
async fn collect_at(
    store: &dyn Maintain,
    options: &Options,
    observer: Observer<'_>,
    started: SystemTime,
) -> Result<Report, CollectError> {
    let begun = Instant::now();
    let mut run = Run {
        store,
        options,
        observer,
        started,
        unused_since: before(started, options.grace.max(MINIMUM_GRACE)),
        marks: Marks::default(),
        report: Report {
            dry_run: options.dry_run,
            ..Report::default()
        },
        pace: Pace::new(options.gentle),
    };
    run.all_repositories().await?;
    if !options.uploads_only {
        sweep::sweep(&mut run).await?;
    }
    let mut report = run.report;
    report.duration = begun.elapsed();
    Ok(report)
}

/// One run, and what it has found so far.
struct Run<'a> {
    store: &'a dyn Maintain,
    options: &'a Options,
    observer: Observer<'a>,
    started: SystemTime,
    /// What was used since then stays.
    unused_since: SystemTime,
    marks: Marks,
    report: Report,
    pace: Pace,
}

impl Run<'_> {
    async fn all_repositories(&mut self) -> Result<(), CollectError> {
        let mut after: Option<RepoName> = None;
        loop {
            let places = places(self.store, after.as_ref()).await?;
            for repo in &places.items {
                repository::collect(self, repo).await?;
                self.report.repositories += 1;
            }
            match places.items.into_iter().next_back() {
                Some(last) if places.more => after = Some(last),
                _ => return Ok(()),
            }
        }
    }

    fn damaged(&mut self, damaged: Damaged) {
        self.tell(&Event::Damaged(&damaged));
        self.report.damaged.push(damaged);
    }

    fn tell(&self, event: &Event<'_>) {
        (self.observer)(event);
    }
}

/// The repositories after one of them, also those without manifests.
async fn places(
    store: &dyn Maintain,
    after: Option<&RepoName>,
) -> Result<crate::store::Page<RepoName>, CollectError> {
    let places = store.places(after.map(RepoName::as_str), PAGE).await;
    places.map_err(|source| CollectError::Places { source })
}

/// A time so long before another one; the beginning of time, if there is none.
fn before(time: SystemTime, duration: std::time::Duration) -> SystemTime {
    time.checked_sub(duration).unwrap_or(SystemTime::UNIX_EPOCH)
}
