//! What is counted: for Prometheus, in the OpenMetrics text format.
//!
//! Names and labels are distribution's wherever it counts the same thing, so
//! that its dashboards keep working. Whoever counts holds handles, which are
//! looked up once: to count is an atomic addition, or a lock that nobody holds
//! for longer.

mod collection;
mod http;
mod notifications;
mod uploads;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::{Metric, Registry};

pub use self::collection::CollectionMetrics;
pub(crate) use self::http::{Handler, HttpMetrics, InFlight, Received};
pub(crate) use self::notifications::EndpointMetrics;
use self::notifications::NotificationMetrics;
pub(crate) use self::uploads::UploadMetrics;
use crate::store::CacheUse;

/// All metrics of one registry. Clones share everything.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

struct Inner {
    registry: Mutex<Registry>,
    http: HttpMetrics,
    uploads: UploadMetrics,
    notifications: NotificationMetrics,
    collection: CollectionMetrics,
}

impl Metrics {
    /// Metrics of which nothing has been counted.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let ours = registry.sub_registry_with_prefix("registry");
        let inner = Inner {
            http: HttpMetrics::registered(ours.sub_registry_with_prefix("http")),
            uploads: UploadMetrics::registered(ours.sub_registry_with_prefix("uploads")),
            notifications: NotificationMetrics::registered(
                ours.sub_registry_with_prefix("notifications"),
            ),
            collection: CollectionMetrics::registered(ours.sub_registry_with_prefix("gc")),
            registry: Mutex::new(registry),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The content type of [`Metrics::exposition`].
    pub const CONTENT_TYPE: &'static str =
        "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// Everything that has been counted, in the OpenMetrics text format.
    #[must_use]
    pub fn exposition(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry()).expect("writing to a String does not fail");
        text
    }

    /// Adds a metric of somebody else's to those that are shown, under the name
    /// `registry_<name>`.
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        self.registry()
            .sub_registry_with_prefix("registry")
            .register(name, help, metric);
    }

    /// What the garbage collector counts.
    #[must_use]
    pub fn collection(&self) -> &CollectionMetrics {
        &self.inner.collection
    }

    /// Shows how often a cache had what it was asked for.
    pub(crate) fn watch_cache(&self, cache: &CacheUse) {
        self.register(
            "manifest_cache_hits",
            "Manifests that were read from memory",
            cache.hits.clone(),
        );
        self.register(
            "manifest_cache_misses",
            "Manifests that were read from storage",
            cache.misses.clone(),
        );
    }

    pub(crate) fn http(&self) -> &HttpMetrics {
        &self.inner.http
    }

    pub(crate) fn uploads(&self) -> &UploadMetrics {
        &self.inner.uploads
    }

    /// What is counted for the webhook of this name.
    pub(crate) fn endpoint(&self, name: &str) -> EndpointMetrics {
        self.inner.notifications.endpoint(name)
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        // A panic while something is encoded or registered leaves it whole.
        self.inner
            .registry
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_count_is_shown_as_well() {
        let metrics = Metrics::new();
        let cache = CacheUse::default();
        metrics.watch_cache(&cache);
        cache.hits.inc_by(3);
        metrics.collection().runs_completed.inc();
        metrics.collection().bytes_freed.inc_by(1 << 40);
        let text = metrics.exposition();
        for line in [
            "registry_manifest_cache_hits_total 3",
            "registry_manifest_cache_misses_total 0",
            "registry_gc_runs_total{outcome=\"completed\"} 1",
            "registry_gc_runs_total{outcome=\"failed\"} 0",
            "registry_gc_bytes_freed_total 1099511627776",
            "# EOF",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
    }
}
