//! What callers may do, by the rules of the settings.

mod decide;
mod names;
mod prepared;
mod remembered;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arc_swap::ArcSwap;

pub use self::decide::{Decision, Policy, Reason, Request};

/// The policy in force, which may be replaced at any time. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct SharedPolicy(Arc<ArcSwap<Policy>>);

impl SharedPolicy {
    /// Puts a policy in force.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(policy)))
    }

    /// Puts another one in its place, for every request from now on.
    pub fn replace(&self, policy: Policy) {
        self.0.store(Arc::new(policy));
    }

    /// The one in force.
    #[must_use]
    pub fn current(&self) -> Arc<Policy> {
        self.0.load_full()
    }
}
