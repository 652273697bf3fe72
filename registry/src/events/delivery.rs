//! From the queue of one webhook to its receiver: one after the other, again
//! and again until each is taken.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use serde::de::IgnoredAny;
use tokio::time::{self, MissedTickBehavior};

use super::event::envelope;
use super::queue::Position;
use super::webhook::{Shared, Webhook};

/// How often what was added to the queue is synced.
const SYNCED_EVERY: Duration = Duration::from_secs(1);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// Brings documents to a receiver.
#[async_trait]
pub trait Courier: Send + Sync {
    /// Sends one document, of the type [`super::CONTENT_TYPE`], and waits no
    /// longer than the settings say until the receiver has taken it.
    async fn deliver(&self, document: Bytes) -> Result<StatusCode, Undelivered>;
}

/// A receiver did not take a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    /// It answered, and not with a status of the 2xx.
    #[error("the receiver answered {0}")]
    Refused(StatusCode),
    /// It did not answer. The text holds neither headers nor the whole URL.
    #[error("the receiver cannot be reached: {0}")]
    Unreachable(String),
}

/// The end of a queue that leads to the receiver.
pub struct Delivery {
    settings: tidegate_config::Webhook,
    shared: Arc<Shared>,
    failures: u32,
}

impl Delivery {
    pub(crate) fn of(webhook: &Webhook) -> Self {
        Self {
            settings: webhook.settings().clone(),
            shared: Arc::clone(webhook.shared()),
            failures: 0,
        }
    }

    /// Who is to be told.
    #[must_use]
    pub fn settings(&self) -> &tidegate_config::Webhook {
        &self.settings
    }

    /// Delivers what waits and what comes, until the future is dropped.
    pub async fn run(mut self, courier: &dyn Courier) {
        let shared = Arc::clone(&self.shared);
        let syncing = async {
            let mut ticks = time::interval(SYNCED_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                shared.sync().await;
            }
        };
        let delivering = async {
            loop {
                self.step(courier).await;
            }
        };
        tokio::join!(syncing, delivering);
    }

    /// Waits for an event and tries once to deliver it.
    async fn step(&mut self, courier: &dyn Courier) {
        let waiting = match self.shared.with_queue(|queue| queue.first()).await {
            Ok(None) => return self.shared.arrived.notified().await,
            Ok(Some(waiting)) => Ok(waiting),
            Err(error) => Err(error),
        };
        let (position, line) = match waiting.and_then(|(at, line)| Ok((at, line?))) {
            Ok(waiting) => waiting,
            Err(error) => {
                tracing::error!(
                    webhook = %self.shared.name,
                    error = %error,
                    "the queue of a webhook cannot be read"
                );
                return time::sleep(self.settings.backoff).await;
            }
        };
        if serde_json::from_slice::<IgnoredAny>(&line).is_err() {
            // Written by nobody here: a loss of power leaves such lines.
            self.shared.lost("a line of its queue is no event");
            return self.remove(position).await;
        }
        match courier.deliver(envelope(&line).into()).await {
            Ok(status) => {
                self.shared.metrics.answered(status);
                self.shared.metrics.successes.inc();
                self.shared.got_through();
                self.came_back();
                self.remove(position).await;
            }
            Err(failure) => {
                match &failure {
                    Undelivered::Refused(status) => {
                        self.shared.metrics.answered(*status);
                        self.shared.metrics.failures.inc();
                    }
                    Undelivered::Unreachable(_) => {
                        self.shared.metrics.errors.inc();
                    }
                }
                self.failed(&failure);
                time::sleep(self.pause()).await;
            }
        }
    }

    async fn remove(&self, position: Position) {
        let removed = self
            .shared
            .with_queue(move |queue| queue.remove(position))
            .await;
        if let Err(error) = removed.and_then(|removed| removed) {
            tracing::error!(
                webhook = %self.shared.name,
                error = %error,
                "an event that was sent may be sent again"
            );
        }
    }

    fn failed(&mut self, failure: &Undelivered) {
        self.failures = self.failures.saturating_add(1);
        let (name, url) = (&self.shared.name, &self.settings.url);
        if self.failures == self.settings.threshold {
            tracing::warn!(
                webhook = %name,
                url = %url,
                error = %failure,
                failures = self.failures,
                "the receiver of a webhook is down: its events wait"
            );
        } else {
            tracing::debug!(
                webhook = %name,
                url = %url,
                error = %failure,
                failures = self.failures,
                "an event could not be delivered, and will be sent again"
            );
        }
    }

    fn came_back(&mut self) {
        if self.failures >= self.settings.threshold {
            tracing::info!(
                webhook = %self.shared.name,
                failures = self.failures,
                "the receiver of a webhook takes events again"
            );
        }
        self.failures = 0;
    }

    /// How long to wait after a failure.
    fn pause(&self) -> Duration {
        let beyond = self.failures.saturating_sub(self.settings.threshold);
        let factor = 2_u32.saturating_pow(beyond);
        self.settings
            .backoff
            .saturating_mul(factor)
            .min(LONGEST_PAUSE.max(self.settings.backoff))
    }
}

#[cfg(test)]
mod tests;
