//! What is counted of uploads.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// `registry_uploads_…`: what this process did. Uploads may be finished by
/// another replica, and abandoned ones are the collector's.
#[derive(Debug)]
pub(crate) struct UploadMetrics {
    /// Those to which a request is writing at this moment.
    open: Gauge,
    pub(crate) started: Counter,
    pub(crate) finished: Counter,
    pub(crate) cancelled: Counter,
}

/// A request that writes to an upload, for as long as this lives.
pub(crate) struct Writing(Gauge);

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl UploadMetrics {
    pub(crate) fn writing(&self) -> Writing {
        self.open.inc();
        Writing(self.open.clone())
    }

    pub(super) fn registered(registry: &mut Registry) -> Self {
        let metrics = Self {
            open: Gauge::default(),
            started: Counter::default(),
            finished: Counter::default(),
            cancelled: Counter::default(),
        };
        registry.register(
            "open",
            "Uploads to which a request is writing",
            metrics.open.clone(),
        );
        for (name, help, counter) in [
            ("started", "Uploads that were begun", &metrics.started),
            ("finished", "Uploads that became a blob", &metrics.finished),
            (
                "cancelled",
                "Uploads that their client gave up",
                &metrics.cancelled,
            ),
        ] {
            registry.register(name, help, counter.clone());
        }
        metrics
    }
}
