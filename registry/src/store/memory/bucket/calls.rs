//! How long a call is on its way, and whether it arrives.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::BucketError;

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done.
    Refused,
    /// It is done, and the caller is not told.
    AnswerLost,
}

/// Where a call waits until it is let go.
#[derive(Debug, Default)]
pub struct Gate {
    reached: Notify,
    opened: Notify,
}

impl Gate {
    /// Waits until the call is there.
    pub async fn reached(&self) {
        self.reached.notified().await;
    }

    /// Lets the call go.
    pub fn open(&self) {
        self.opened.notify_one();
    }

    async fn pass(&self) {
        self.reached.notify_one();
        self.opened.notified().await;
    }
}

/// The calls of one client.
#[derive(Debug)]
pub(super) struct Calls {
    made: AtomicU64,
    yields: u64,
    seed: u64,
    plan: Mutex<Plan>,
}

/// The calls that fail, by their number.
#[derive(Debug, Default)]
struct Plan {
    one: Option<(u64, Fault)>,
    from: Option<u64>,
    held: Option<(u64, Arc<Gate>)>,
}

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    fault: Option<Fault>,
    yields: u64,
    gate: Option<Arc<Gate>>,
}

impl Calls {
    pub(super) fn new(yields: u64, seed: u64) -> Self {
        Self {
            made: AtomicU64::new(0),
            yields,
            seed,
            plan: Mutex::default(),
        }
    }

    pub(super) fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    pub(super) fn fail_call(&self, nth: u64, fault: Fault) {
        self.plan().one = Some((self.made() + nth, fault));
    }

    pub(super) fn fail_from(&self, nth: u64) {
        self.plan().from = Some(self.made() + nth);
    }

    pub(super) fn hold_call(&self, nth: u64) -> Arc<Gate> {
        let gate = Arc::<Gate>::default();
        self.plan().held = Some((self.made() + nth, Arc::clone(&gate)));
        gate
    }

    pub(super) fn heal(&self) {
        *self.plan() = Plan::default();
    }

    pub(super) fn begin(&self) -> Call {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let plan = self.plan();
        let fault = if plan.from.is_some_and(|from| number >= from) {
            Some(Fault::Refused)
        } else {
            plan.one
                .filter(|(at, _)| *at == number)
                .map(|(_, fault)| fault)
        };
        let held = plan.held.as_ref().filter(|(at, _)| *at == number);
        Call {
            fault,
            gate: held.map(|(_, gate)| Arc::clone(gate)),
            yields: scattered(self.seed ^ number) % (self.yields + 1),
        }
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        // A plan is whole after any assignment.
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call {
    /// Sets out, and waits at its gate if it has one.
    pub(super) async fn set_out(&self) {
        if let Some(gate) = &self.gate {
            gate.pass().await;
        }
        self.travel().await;
    }

    /// Lets others go first.
    pub(super) async fn travel(&self) {
        for _ in 0..self.yields {
            tokio::task::yield_now().await;
        }
    }

    /// Fails if this is where the call is to fail.
    pub(super) fn arrive(&self, place: Fault) -> Result<(), BucketError> {
        if self.fault == Some(place) {
            return Err(BucketError::Unavailable);
        }
        Ok(())
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): spreads neighbouring numbers.
fn scattered(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
