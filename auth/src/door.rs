//! The door of a registry: who is asking, by whatever they show, and what that
//! lets them do.

use std::net::IpAddr;
use std::sync::Arc;

use crate::attempt::{Attempt, Identity, Outcome};
use crate::basic;
use crate::challenge::Challenge;
use crate::permit::{Permit, Terms};
use crate::policy::SharedPolicy;
use crate::verifier::Verifier;

/// What is known of a request before it says who sends it.
#[derive(Debug, Clone, Copy)]
pub struct Knock<'a> {
    /// The value of `Authorization`, if there is exactly one.
    pub authorization: Option<&'a str>,
    /// Whom the connection belongs to: by its certificate, or by a password
    /// that was checked before.
    pub known: Option<&'a Identity>,
    /// The address of the client itself.
    pub client: IpAddr,
}

/// Checks passwords and says what callers may do. Requests that show nothing
/// come in as well, with a [`Permit`] that says what strangers may do.
pub struct Door {
    passwords: Option<Arc<Verifier>>,
    policy: SharedPolicy,
    challenge: Challenge,
}

impl Door {
    /// A door with a password file and rules, at which strangers are asked to
    /// log in by `challenge`.
    #[must_use]
    pub fn new(
        passwords: Option<Arc<Verifier>>,
        policy: SharedPolicy,
        challenge: Challenge,
    ) -> Self {
        Self {
            passwords,
            policy,
            challenge,
        }
    }

    /// How a caller is asked to log in.
    #[must_use]
    pub fn challenge(&self) -> &Challenge {
        &self.challenge
    }

    /// What a request may do.
    ///
    /// Safe to drop at any point: see [`Verifier::verify`].
    pub async fn admit(&self, knock: Knock<'_>) -> Permit {
        let terms = Terms {
            client: knock.client,
            policy: self.policy.current(),
            challenge: self.challenge.clone(),
        };
        let Some(authorization) = knock.authorization else {
            return match knock.known {
                Some(known) => Permit::of_user(known.clone(), terms),
                None => Permit::of_stranger(terms),
            };
        };
        match (&self.passwords, knock.known) {
            // Checked before it came here.
            (None, Some(known)) => Permit::of_user(known.clone(), terms),
            (None, None) => Permit::of_nobody(None, terms),
            (Some(passwords), _) => match log_in(passwords, authorization, knock.client).await {
                Outcome::Accepted(identity) => Permit::of_user(identity, terms),
                Outcome::Refused => Permit::of_nobody(None, terms),
                Outcome::Throttled { retry_after } => Permit::throttled(retry_after, terms),
            },
        }
    }
}

async fn log_in(passwords: &Verifier, authorization: &str, client: IpAddr) -> Outcome {
    let Some(credentials) = basic::parse(authorization) else {
        return Outcome::Refused;
    };
    let attempt = Attempt {
        user: credentials.user(),
        password: credentials.password(),
        client,
    };
    passwords.verify(attempt).await
}
