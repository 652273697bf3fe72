//! What was decided before.

use std::net::IpAddr;

use equivalent::Equivalent;
use moka::sync::Cache;
use tidegate_config::access::Action;

use super::decide::{Decision, Request};

/// How many decisions are remembered: each of these takes a few hundred bytes.
const MOST: u64 = 10_000;

/// Decisions of one policy, which are forgotten with it.
pub(super) struct Remembered(Cache<Remembering, Decision>);

/// All that a decision depends on.
#[derive(PartialEq, Eq, Hash)]
struct Remembering {
    user: Option<Box<str>>,
    repository: Option<Box<str>>,
    action: Action,
    client: Client,
}

/// The same, as it is asked. It has the same fields in the same order, so that
/// it has the same hash.
#[derive(Hash)]
struct Asked<'a> {
    user: Option<&'a str>,
    repository: Option<&'a str>,
    action: Action,
    client: Client,
}

/// Where the client is, as far as that matters.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Client {
    /// No rule names an address.
    Anywhere,
    /// Nobody knows.
    Unknown,
    /// Here, in its canonical form.
    At(IpAddr),
}

impl Default for Remembered {
    fn default() -> Self {
        Self(Cache::new(MOST))
    }
}

impl Remembered {
    /// What was decided before, or else is now.
    pub(super) fn or_decide(
        &self,
        request: &Request<'_>,
        names_addresses: bool,
        decide: impl FnOnce() -> Decision,
    ) -> Decision {
        let client = match request.client {
            _ if !names_addresses => Client::Anywhere,
            Some(client) => Client::At(client.to_canonical()),
            None => Client::Unknown,
        };
        let asked = Asked {
            user: request.user,
            repository: request.repository,
            action: request.action,
            client,
        };
        if let Some(decision) = self.0.get(&asked) {
            return decision;
        }
        let decision = decide();
        self.0.insert(asked.into(), decision);
        decision
    }
}

impl Equivalent<Remembering> for Asked<'_> {
    fn equivalent(&self, other: &Remembering) -> bool {
        self.user == other.user.as_deref()
            && self.repository == other.repository.as_deref()
            && self.action == other.action
            && self.client == other.client
    }
}

impl From<Asked<'_>> for Remembering {
    fn from(asked: Asked<'_>) -> Self {
        Self {
            user: asked.user.map(Into::into),
            repository: asked.repository.map(Into::into),
            action: asked.action,
            client: asked.client,
        }
    }
}
