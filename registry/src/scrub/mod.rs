//! Reading everything again, to find what the disk has lost or changed.
//!
//! First all content is hashed, in the order of its digests, and what is not
//! what its digest says is moved aside. Then everything that leads somewhere is
//! followed: tags, links, and what manifests name. Nothing else is changed, and
//! what is pushed or deleted meanwhile disturbs nobody.
//!
//! How far the hashing has come is kept in a file, so that it goes on there
//! after it was interrupted.

mod contents;
mod finding;
mod follower;
mod hashing;
mod known;
mod links;
mod pace;
mod state;

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use finding::{Finding, Kind};
pub use state::{StateError, forget};

use tidegate_failure::Explain;

use crate::oci::Digest;
use crate::store::{Maintain, StoreError};

/// How a registry is read again.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether corrupt content is moved aside, or only reported.
    pub quarantine: bool,
    /// How many bytes to read in a second, at most.
    pub rate: Option<NonZeroU64>,
    /// How many threads hash.
    pub threads: NonZeroUsize,
    /// Where to keep how far the hashing has come; without, it begins anew.
    pub state: Option<PathBuf>,
}

/// What was read, and what is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// How much content was hashed, by this run and by those that it went on
    /// from.
    pub contents: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many repositories were gone through.
    pub repositories: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Whether it went on where another run was interrupted.
    pub resumed: bool,
    /// Whether it came to its end, and was not told to stop.
    pub complete: bool,
}

/// Who wants to know how it goes.
pub trait Observer: Send + Sync {
    /// Content was hashed: the last in the order of digests, and how many
    /// bytes there were so far.
    fn hashed(&self, _last: &Digest, _contents: u64, _bytes: u64) {}

    /// A repository was gone through.
    fn followed(&self, _repositories: u64) {}

    /// Something is wrong.
    fn found(&self, _finding: &Finding) {}

    /// Whether to stop as soon as possible, and to go on another time.
    fn stops(&self) -> bool {
        false
    }
}

/// Nobody.
impl Observer for () {}

/// Reads everything again.
///
/// # Errors
///
/// If the store cannot be read at all, or the state not be kept. What cannot
/// be read as what it is, is a finding and no error.
pub async fn run(
    store: &Arc<dyn Maintain>,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Report, ScrubError> {
    let mut report = Report::default();
    contents::hash_all(store, options, observer, &mut report).await?;
    if !observer.stops() {
        links::follow_all(store, options.rate, observer, &mut report).await?;
    }
    report.complete = !observer.stops();
    if let (Some(path), true) = (&options.state, report.complete) {
        state::complete(path)?;
    }
    Ok(report)
}

/// When everything was last read to its end, and whether a run was interrupted
/// since.
///
/// # Errors
///
/// If the file that says so cannot be read.
pub fn last_run(state: &Path) -> Result<LastRun, StateError> {
    let state = state::load(state)?;
    let since_1970 = state.completed.map(Duration::from_secs);
    Ok(LastRun {
        completed: since_1970.map(|time| SystemTime::UNIX_EPOCH + time),
        interrupted: state.last.is_some(),
    })
}

/// What is known of earlier runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastRun {
    /// When the last one came to its end, if any did.
    pub completed: Option<SystemTime>,
    /// Whether one has begun since and did not.
    pub interrupted: bool,
}

/// Where a registry keeps how far a scrub has come: beside its own tree, which
/// others walk as well.
pub fn state_file(root: &Path) -> PathBuf {
    root.join("tidegate/scrub.json")
}

/// Why a registry could not be read again.
#[derive(Debug, thiserror::Error)]
pub enum ScrubError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file in which it says how far it has come.
    #[error(transparent)]
    State(#[from] StateError),
}

impl Explain for ScrubError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::State(error) => error.hint(),
        }
    }
}

#[cfg(test)]
mod tests;
