//! What the garbage collector counts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// The counters of the garbage collector: `registry_gc_…`.
#[derive(Debug)]
pub struct CollectionMetrics {
    /// Runs that came to their end: `registry_gc_runs_total{outcome="completed"}`.
    pub runs_completed: Counter,
    /// Runs that an error ended: `registry_gc_runs_total{outcome="failed"}`.
    pub runs_failed: Counter,
    /// `registry_gc_manifests_removed_total`
    pub manifests_removed: Counter,
    /// `registry_gc_blobs_removed_total`
    pub blobs_removed: Counter,
    /// `registry_gc_uploads_removed_total`
    pub uploads_removed: Counter,
    /// `registry_gc_bytes_freed_total`
    pub bytes_freed: Counter,
    /// How long a run took, in seconds: `registry_gc_duration_seconds`.
    pub duration: Histogram,
    /// When the last run came to its end, in seconds since 1970:
    /// `registry_gc_last_completed_timestamp_seconds`.
    pub last_completed: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

impl CollectionMetrics {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let runs = Family::<OutcomeLabels, Counter>::default();
        let runs_that = |outcome| runs.get_or_create_owned(&OutcomeLabels { outcome });
        let metrics = Self {
            runs_completed: runs_that("completed"),
            runs_failed: runs_that("failed"),
            manifests_removed: Counter::default(),
            blobs_removed: Counter::default(),
            uploads_removed: Counter::default(),
            bytes_freed: Counter::default(),
            // From a tenth of a second to over an hour.
            duration: Histogram::new(exponential_buckets(0.1, 4.0, 9)),
            last_completed: Gauge::default(),
        };
        registry.register("runs", "Garbage collections", runs);
        for (name, help, counter) in [
            (
                "manifests_removed",
                "Manifests that were collected",
                &metrics.manifests_removed,
            ),
            (
                "blobs_removed",
                "Blobs that were collected",
                &metrics.blobs_removed,
            ),
            (
                "uploads_removed",
                "Abandoned uploads that were removed",
                &metrics.uploads_removed,
            ),
            (
                "bytes_freed",
                "Bytes of storage that were freed",
                &metrics.bytes_freed,
            ),
        ] {
            registry.register(name, help, counter.clone());
        }
        registry.register(
            "duration_seconds",
            "How long a garbage collection took",
            metrics.duration.clone(),
        );
        registry.register(
            "last_completed_timestamp_seconds",
            "When the last garbage collection came to its end",
            metrics.last_completed.clone(),
        );
        metrics
    }
}
