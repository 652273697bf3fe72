//! The door of a registry: who is asking, by whatever they show, and what that
//! lets them do.

use std::net::IpAddr;
use std::sync::Arc;

use crate::attempt::{Attempt, Identity, Outcome};
use crate::audit::Shown;
use crate::basic;
use crate::challenge::{Challenge, Realm, TokenFault};
use crate::permit::{Permit, Terms};
use crate::policy::{Policy, SharedPolicy};
use crate::robots::{Robot, RobotLogin, Robots};
use crate::token::TokenVerifier;
use crate::verifier::Verifier;

/// What is known of a request before it says who sends it.
#[derive(Debug, Clone, Copy)]
pub struct Knock<'a> {
    /// The value of `Authorization`; empty if there are several.
    pub authorization: Option<&'a str>,
    /// Whom the connection belongs to: by its certificate, or by a password
    /// that was checked before.
    pub known: Option<&'a Identity>,
    /// The address of the client itself.
    pub client: IpAddr,
}

/// What a [`Door`] goes by.
#[derive(Default)]
pub struct Keepers {
    /// Passwords that count.
    pub passwords: Option<Arc<Verifier>>,
    /// Passwords of programs. Only beside passwords.
    pub robots: Option<Arc<Robots>>,
    /// Rules for those who come in. Without any, they may do everything, and
    /// tokens from elsewhere say for themselves what they are for.
    pub policy: Option<SharedPolicy>,
    /// Tokens that this process gives out to users of its own, and where.
    pub own_tokens: Option<(Arc<TokenVerifier>, Challenge)>,
    /// Tokens that somebody else gives out, and where.
    pub other_tokens: Option<(Arc<TokenVerifier>, Challenge)>,
}

/// Checks passwords and tokens, and says what callers may do. Requests that show
/// nothing come in as well, with a [`Permit`] that says what strangers may do.
pub struct Door {
    keepers: Keepers,
    password: Challenge,
}

impl Door {
    /// A door at which passwords are asked for in the name of `realm`.
    #[must_use]
    pub fn new(keepers: Keepers, realm: &str) -> Self {
        Self {
            keepers,
            password: Challenge::Basic {
                realm: realm.into(),
            },
        }
    }

    /// What a request may do. What is shown and wrong is never taken for nothing
    /// shown: its sender believes to be somebody.
    ///
    /// Safe to drop at any point: see [`Verifier::verify`].
    pub async fn admit(&self, knock: Knock<'_>) -> Permit {
        let policy = self.keepers.policy.as_ref().map(SharedPolicy::current);
        let terms = Terms {
            client: knock.client,
            challenge: self.challenge(policy.as_deref()).clone(),
            policy,
        };
        let Some(authorization) = knock.authorization else {
            return match knock.known {
                Some(known) => {
                    Permit::of_user(known.clone(), terms).showing(Shown::Certificate, None)
                }
                None => Permit::of_stranger(terms),
            };
        };
        if let Some(token) = bearer(authorization) {
            return self.bearer(token, terms);
        }
        match (&self.keepers.passwords, knock.known) {
            // Checked before it came here.
            (None, Some(known)) => Permit::of_user(known.clone(), terms),
            (None, None) => Permit::of_nobody(None, terms),
            (Some(passwords), _) => match basic::parse(authorization) {
                Some(credentials) => {
                    let attempt = Attempt {
                        user: credentials.user(),
                        password: credentials.password(),
                        client: knock.client,
                    };
                    self.password(passwords, attempt, terms).await
                }
                None => Permit::of_nobody(None, terms),
            },
        }
    }

    async fn password(&self, passwords: &Verifier, attempt: Attempt<'_>, terms: Terms) -> Permit {
        if let Some(robots) = &self.keepers.robots
            && let Some(login) = robots.log_in(attempt, passwords).await
        {
            return match login {
                RobotLogin::Accepted(robot) => Permit::of_robot(robot, None, terms),
                RobotLogin::Refused(claimed) => {
                    Permit::of_nobody(None, terms).showing(Shown::Robot(claimed), None)
                }
                RobotLogin::Throttled {
                    claimed,
                    retry_after,
                } => Permit::throttled(retry_after, terms).showing(Shown::Robot(claimed), None),
            };
        }
        let permit = match passwords.verify(attempt).await {
            Outcome::Accepted(identity) => return Permit::of_user(identity, terms),
            Outcome::Refused => Permit::of_nobody(None, terms),
            Outcome::Throttled { retry_after } => Permit::throttled(retry_after, terms),
        };
        permit.showing(Shown::Password, passwords.identity(attempt.user))
    }

    /// How those are asked who have shown nothing. Where anything is allowed to
    /// strangers, it is by token: Docker sends no password to a registry that
    /// lets it in without one, and cannot pull without one from a registry that
    /// asks for it; tokens it gets for either.
    fn challenge(&self, policy: Option<&Policy>) -> &Challenge {
        let keepers = &self.keepers;
        match (&keepers.other_tokens, &keepers.own_tokens) {
            (Some((_, challenge)), _) => challenge,
            (None, Some((_, challenge))) if policy.is_some_and(Policy::lets_strangers_in) => {
                challenge
            }
            _ => &self.password,
        }
    }

    fn bearer(&self, token: &str, terms: Terms) -> Permit {
        let keepers = &self.keepers;
        let mut fault = None;
        if let Some((tokens, _)) = &keepers.own_tokens {
            match tokens.verify(token) {
                Ok(claims) => {
                    let user = claims.subject.as_deref().map(|name| self.resident(name));
                    return match user {
                        None => Permit::of_bearer(None, claims, terms),
                        Some(Some(Resident::User(user))) => {
                            Permit::of_bearer(Some(user), claims, terms)
                        }
                        Some(Some(Resident::Robot(robot))) => {
                            Permit::of_robot(robot, Some(claims), terms)
                        }
                        // Gone since the token was given.
                        Some(None) => Permit::of_nobody(Some(TokenFault::Invalid), terms),
                    };
                }
                Err(error) => fault = Some(error),
            }
        }
        if let Some((tokens, _)) = &keepers.other_tokens {
            match tokens.verify(token) {
                Ok(claims) => {
                    let user = claims.subject.as_deref().map(Identity::new);
                    return Permit::of_bearer(user, claims, terms);
                }
                Err(error) => fault = Some(error),
            }
        }
        if let Some(error) = &fault {
            tracing::info!(client.address = %terms.client, %error, "a token does not count");
        }
        let fault = fault.map_or(TokenFault::Invalid, |error| error.fault());
        Permit::of_nobody(Some(fault), terms)
    }

    /// A user of this house, who may have left it since.
    fn resident(&self, name: &str) -> Option<Resident> {
        let keepers = &self.keepers;
        let robot = keepers.robots.as_ref().and_then(|robots| {
            let now = time::OffsetDateTime::now_utc();
            robots.of_subject(name, now)
        });
        match robot {
            Some(robot) => Some(Resident::Robot(robot)),
            None => Some(Resident::User(keepers.passwords.as_ref()?.identity(name)?)),
        }
    }
}

/// Somebody who gets tokens in this process.
enum Resident {
    User(Identity),
    Robot(Arc<Robot>),
}

/// The token of a `Bearer` header (RFC 6750 section 2.1).
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.trim_matches([' ', '\t']).split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then(|| token.trim_start_matches(' '))
}

impl Challenge {
    /// Asks for tokens of the token server in this process, at a path of it.
    #[must_use]
    pub fn of_own_tokens(path: &str, service: &str) -> Self {
        Self::Bearer {
            realm: Realm::Here(path.into()),
            service: service.into(),
        }
    }
}
