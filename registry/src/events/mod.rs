//! What happens in the registry, told to whoever wants to know.
//!
//! Handlers tell [`Events`] of a push, a pull, a mount or a deletion once it has
//! happened, and each [`Subscriber`] takes it from there. Where nobody
//! subscribes, nothing is made and nothing is paid.
//!
//! # What webhooks promise
//!
//! The event of a push, mount or deletion is in the file of its queue before the
//! client is answered: from then on it survives the end of the process, however
//! that comes, and it is on disk within a second, for the loss of power. It is
//! sent until the receiver takes it, in the order of the queue, and may be sent
//! more than once: a receiver tells by `id`.
//!
//! The answer to a pull waits for nothing: its event is lost if the process is
//! killed at that moment, or if so many come at once that the disk cannot keep
//! up. An operation whose client went away before the answer may have happened
//! without an event. And a queue is bounded: when it is full, the oldest event is
//! dropped, which is logged and counted.
//!
//! - `event`: an event as distribution's receivers know it
//! - `queue`: events on disk, in order
//! - `webhook`: into the queue; `delivery`: out of it, to the receiver

mod delivery;
mod event;
mod queue;
mod webhook;

use std::sync::Arc;

use async_trait::async_trait;
use tidegate_config::Action;

pub use self::delivery::{Courier, Delivery, Undelivered};
pub use self::event::{Actor, CONTENT_TYPE, Event, RequestRecord, Source, Target};
pub(crate) use self::webhook::Webhook;

/// Somebody who wants to know.
#[async_trait]
pub trait Subscriber: Send + Sync + 'static {
    /// Whether events of this action are wanted. No other is made or taken.
    fn wants(&self, action: Action) -> bool;

    /// Whether events should list what a manifest refers to.
    fn wants_references(&self) -> bool {
        false
    }

    /// Takes an event. The client's answer waits until this returns.
    async fn take(&self, event: &Event);

    /// Waits for what is still under way, before the process ends.
    async fn flush(&self) {}
}

/// Where events go. Clones go to the same place.
#[derive(Clone, Default)]
pub struct Events {
    shared: Option<Arc<Shared>>,
}

struct Shared {
    subscribers: Vec<Arc<dyn Subscriber>>,
    source: Source,
}

impl Events {
    /// Tells these subscribers, in the name of this source.
    #[must_use]
    pub fn to(subscribers: Vec<Arc<dyn Subscriber>>, source: Source) -> Self {
        let shared = Shared {
            subscribers,
            source,
        };
        Self {
            shared: (!shared.subscribers.is_empty()).then(|| Arc::new(shared)),
        }
    }

    /// Whether anybody wants to know of this.
    pub(crate) fn are_wanted(&self, action: Action) -> bool {
        self.subscribers()
            .iter()
            .any(|subscriber| subscriber.wants(action))
    }

    /// Whether anybody wants to know what manifests refer to.
    pub(crate) fn want_references(&self, action: Action) -> bool {
        self.subscribers()
            .iter()
            .any(|subscriber| subscriber.wants(action) && subscriber.wants_references())
    }

    /// Whether anybody listens at all.
    #[must_use]
    pub fn are_heard(&self) -> bool {
        self.shared.is_some()
    }

    /// Tells those who want to know.
    pub(crate) async fn tell(
        &self,
        action: Action,
        target: Target,
        request: RequestRecord,
        actor: Actor,
    ) {
        let Some(shared) = &self.shared else {
            return;
        };
        let event = Event::now(action, target, request, actor, shared.source.clone());
        for subscriber in &shared.subscribers {
            if subscriber.wants(action) {
                subscriber.take(&event).await;
            }
        }
    }

    /// Waits for what is still under way, before the process ends.
    pub async fn flush(&self) {
        for subscriber in self.subscribers() {
            subscriber.flush().await;
        }
    }

    fn subscribers(&self) -> &[Arc<dyn Subscriber>] {
        self.shared
            .as_ref()
            .map_or(&[], |shared| &shared.subscribers)
    }
}
