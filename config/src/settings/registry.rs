//! `[registry]` and what stands below it.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use crate::check::Check;
use crate::header::HeaderField;
use crate::links::{Links, PathPrefix};
use crate::pattern::{Expression, Pattern};
use crate::webhook::Webhook;

/// The `[registry]` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// The directory that distribution calls `rootdirectory`: the parent of
    /// `docker/registry/v2`.
    pub root: PathBuf,
    /// Whether manifests, tags and blobs may be deleted.
    pub delete: bool,
    /// Whether pushes and deletions are refused.
    pub read_only: bool,
    /// Whether clients that know nothing newer than schema 1, as Docker before
    /// 1.10, are served: distribution's `compatibility.schema1.enabled`. Whoever
    /// sends no `Accept`, as they do, is taken for one of them.
    pub schema1: Option<Schema1>,
    /// When and how what nobody uses is removed.
    pub collect: Collect,
    /// When everything is read again.
    pub scrub: Scrub,
    /// Which tags stay; the first rule that is about a repository counts. Those
    /// of repositories without a rule all stay.
    pub retention: Vec<RetentionRule>,
    /// Which tags neither clients nor rules may move or remove.
    pub immutable: Vec<ImmutableRule>,
    /// Sent with every answer of the API, in place of what it would send by the
    /// same name: distribution's `http.headers`.
    pub headers: Vec<HeaderField>,
    /// How often it is seen whether the storage works. `None`: never.
    pub health: Option<Health>,
    /// What has to be well beside the storage.
    pub checks: Vec<Check>,
    /// Who is told what happens; each has a name of its own.
    pub webhooks: Vec<Webhook>,
    /// The path under which the API is served.
    pub prefix: PathPrefix,
    /// How the URLs begin that clients are sent to.
    pub links: Links,
    /// How many repositories are listed at once, at most: distribution's
    /// `catalog.maxentries`.
    pub catalog_most: usize,
    /// How many tags are listed at once, at most, where a client asks for pages:
    /// distribution's `tags.maxtags`.
    pub tags_most: usize,
}

impl Registry {
    /// How many entries of a list are sent at once, unless it is said otherwise.
    pub const MOST_OF_A_LIST: usize = 1000;

    /// A registry in `root` with every default of `tidegate.toml`.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            delete: true,
            read_only: false,
            schema1: None,
            collect: Collect::default(),
            scrub: Scrub::default(),
            retention: Vec::new(),
            immutable: Vec::new(),
            headers: Vec::new(),
            health: Some(Health::default()),
            checks: Vec::new(),
            webhooks: Vec::new(),
            prefix: PathPrefix::default(),
            links: Links::default(),
            catalog_most: Self::MOST_OF_A_LIST,
            tags_most: Self::MOST_OF_A_LIST,
        }
    }
}

/// The `[registry.health]` section: distribution's `health.storagedriver`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// How long to wait from one look at the storage to the next. One that
    /// takes longer has failed.
    pub interval: Duration,
    /// After how many failures in a row requests are answered 503.
    pub threshold: u32,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            threshold: 3,
        }
    }
}

/// The `[registry.collect]` section: garbage collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collect {
    /// How often the server collects. `None`: never by itself.
    pub every: Option<Duration>,
    /// How long what was used last is safe: longer than a push takes from its
    /// first layer to its manifest.
    pub grace: Duration,
    /// Whether manifests go that no tag leads to.
    pub delete_untagged: bool,
    /// How long an upload may rest before it is thrown away. `None`: forever.
    pub uploads_after: Option<Duration>,
    /// Whether the server throws away uploads alone, as distribution does.
    pub uploads_only: bool,
}

impl Default for Collect {
    fn default() -> Self {
        Self {
            every: Some(Duration::from_secs(24 * 60 * 60)),
            grace: Duration::from_secs(24 * 60 * 60),
            delete_untagged: false,
            uploads_after: Some(Duration::from_secs(7 * 24 * 60 * 60)),
            uploads_only: false,
        }
    }
}

/// The `[registry.scrub]` section: reading everything again, to find what the
/// disk has lost or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scrub {
    /// How often the server does it. `None`: never by itself.
    pub every: Option<Duration>,
    /// How many bytes the server reads for it in a second, at most.
    pub rate: NonZeroU64,
}

impl Default for Scrub {
    fn default() -> Self {
        Self {
            every: Some(Duration::from_secs(30 * 24 * 60 * 60)),
            rate: const { NonZeroU64::new(20 * 1024 * 1024).unwrap() },
        }
    }
}

/// One `[[registry.retention]]`: a tag of these repositories stays if at least
/// one of the conditions holds for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionRule {
    /// The repositories.
    pub repositories: Pattern,
    /// It is among so many that were pushed last.
    pub keep_newest: Option<usize>,
    /// It was pulled within this time.
    pub keep_pulled_within: Option<Duration>,
    /// It was pushed within this time.
    pub keep_pushed_within: Option<Duration>,
    /// Its name has this in it.
    pub keep_tags: Option<Expression>,
}

/// One `[[registry.immutable]]`: tags that stay what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImmutableRule {
    /// The repositories.
    pub repositories: Pattern,
    /// The tags in them.
    pub tags: Pattern,
}

/// `registry.schema1`, where it is `true`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema1 {
    /// The private key that manifests are signed with: a JSON Web Key or PEM.
    /// Without it, a key is made at each start.
    pub signing_key: Option<PathBuf>,
}
