//! Who looks on while requests are answered.

use crate::events::Events;
use crate::health::Health;
use crate::metrics::Metrics;

/// Who looks on. By default nobody does, and that costs nothing.
#[derive(Clone, Default)]
pub struct Observers {
    /// Counts requests.
    pub metrics: Option<Metrics>,
    /// Is told what happens.
    pub events: Events,
    /// Has requests refused while the storage does not work.
    pub health: Health,
}
