//! What a run is to remove.

use std::time::Duration;

use tidegate_config::{ImmutableRule, RetentionRule};

/// Less grace than this is not granted. A claim that is younger than a second is
/// not renewed, and clocks of file systems are a few milliseconds behind.
pub const MINIMUM_GRACE: Duration = Duration::from_secs(2);

/// What a run is to remove, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long what was used last is safe; at least [`MINIMUM_GRACE`].
    pub grace: Duration,
    /// Whether manifests go that no tag leads to, be it through an index or as
    /// a referrer.
    pub delete_untagged: bool,
    /// How long an upload may rest. `None`: forever.
    pub uploads_after: Option<Duration>,
    /// Whether uploads alone go, and all else stays.
    pub uploads_only: bool,
    /// Which tags stay. Without a rule for a repository, all.
    pub retention: Vec<RetentionRule>,
    /// Which tags stay, whatever `retention` says.
    pub immutable: Vec<ImmutableRule>,
    /// Whether nothing is removed, but only told.
    pub dry_run: bool,
    /// Whether the run rests as long as it works, for the sake of those who are
    /// served meanwhile.
    pub gentle: bool,
}

impl From<&tidegate_config::Registry> for Options {
    fn from(settings: &tidegate_config::Registry) -> Self {
        Self {
            grace: settings.collect.grace,
            delete_untagged: settings.collect.delete_untagged,
            uploads_after: settings.collect.uploads_after,
            uploads_only: settings.collect.uploads_only,
            retention: settings.retention.clone(),
            immutable: settings.immutable.clone(),
            dry_run: false,
            gentle: false,
        }
    }
}
