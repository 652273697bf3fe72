//! What is counted of webhooks.

use http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// `registry_notifications_…`, with distribution's names and labels.
#[derive(Debug)]
pub(super) struct NotificationMetrics {
    events: Family<EventLabels, Counter>,
    pending: Family<EndpointLabels, Gauge>,
    status: Family<StatusLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventLabels {
    r#type: &'static str,
    endpoint: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointLabels {
    endpoint: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabels {
    code: String,
    endpoint: String,
}

/// What is counted for one webhook.
#[derive(Debug, Clone)]
pub(crate) struct EndpointMetrics {
    /// Events that were to be sent.
    pub(crate) events: Counter,
    /// Events that the receiver took.
    pub(crate) successes: Counter,
    /// Attempts that the receiver answered with an error.
    pub(crate) failures: Counter,
    /// Attempts that it did not answer.
    pub(crate) errors: Counter,
    /// Events that nobody will be told of.
    pub(crate) dropped: Counter,
    /// Events that wait.
    pub(crate) pending: Gauge,
    status: Family<StatusLabels, Counter>,
    endpoint: String,
}

impl NotificationMetrics {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let metrics = Self {
            events: Family::default(),
            pending: Family::default(),
            status: Family::default(),
        };
        registry.register(
            "events",
            "Events, and what became of them",
            metrics.events.clone(),
        );
        // `_total` belongs to counters, but this is what distribution calls it.
        registry.register(
            "pending_total",
            "Events that wait to be sent",
            metrics.pending.clone(),
        );
        registry.register("status", "Answers of receivers", metrics.status.clone());
        metrics
    }

    pub(super) fn endpoint(&self, name: &str) -> EndpointMetrics {
        let events = |r#type| {
            self.events.get_or_create_owned(&EventLabels {
                r#type,
                endpoint: name.to_owned(),
            })
        };
        EndpointMetrics {
            events: events("Events"),
            successes: events("Successes"),
            failures: events("Failures"),
            errors: events("Errors"),
            dropped: events("Dropped"),
            pending: self.pending.get_or_create_owned(&EndpointLabels {
                endpoint: name.to_owned(),
            }),
            status: self.status.clone(),
            endpoint: name.to_owned(),
        }
    }
}

impl EndpointMetrics {
    /// Counts an answer of the receiver.
    pub(crate) fn answered(&self, status: StatusCode) {
        let labels = StatusLabels {
            code: status.to_string(),
            endpoint: self.endpoint.clone(),
        };
        self.status.get_or_create(&labels).inc();
    }
}
