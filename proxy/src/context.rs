//! What is known of one request while it is being served.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Instant;

use tidegate_auth::{Identity, Known};

use crate::backend::Asker;
use crate::edge::Origin;
use crate::in_flight::Guard;
use crate::sites::{Attempt, Chosen, Progress};

/// Travels with a request through the phases.
pub(crate) struct RequestContext {
    pub(crate) started: Instant,
    /// The address to log and to throttle.
    pub(crate) client: Option<IpAddr>,
    /// By which name the client reached the front; set once it is known.
    pub(crate) origin: Option<Origin>,
    /// Whether it did not say which host it is for, as HTTP/1.0 allows: the origin
    /// has the address then that it came to.
    pub(crate) names_no_host: bool,
    /// Which place of which site it is for; set once it is known.
    pub(crate) chosen: Option<Chosen>,
    /// What it goes on with, and what expressions found on its way.
    pub(crate) progress: Progress,
    /// How long its body may be.
    pub(crate) body_limit: Option<u64>,
    /// How much of its body has gone on to an upstream.
    pub(crate) body_sent: u64,
    /// Which servers of an upstream were asked.
    pub(crate) attempt: Attempt,
    /// Who asks, if the front knows.
    pub(crate) known: Option<Known>,
    /// Who asks, once a backend has found out; that counts then.
    pub(crate) asker: OnceLock<Asker>,
    /// What another registry answered.
    pub(crate) upstream_status: Option<u16>,
    /// How often connecting to another registry has failed.
    pub(crate) failed_connects: u32,
    _in_flight: Guard,
}

impl RequestContext {
    pub(crate) fn new(in_flight: Guard) -> Self {
        Self {
            started: Instant::now(),
            client: None,
            origin: None,
            names_no_host: false,
            chosen: None,
            progress: Progress::default(),
            body_limit: None,
            body_sent: 0,
            attempt: Attempt::default(),
            known: None,
            asker: OnceLock::new(),
            upstream_status: None,
            failed_connects: 0,
            _in_flight: in_flight,
        }
    }

    /// Who asks, as far as anybody has found out.
    pub(crate) fn user(&self) -> Option<&Identity> {
        match self.asker.get() {
            Some(Asker(user)) => user.as_ref(),
            None => self.known.as_ref().map(|known| &known.user),
        }
    }
}
