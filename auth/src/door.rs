//! The door of a registry: who is asking, by whatever they show, and what that
//! lets them do.

use std::net::IpAddr;
use std::sync::Arc;

use crate::attempt::{Attempt, Identity, Known, Outcome};
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
    pub known: Option<&'a Known>,
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
        let known = knock.known.filter(|_| self.takes_known());
        let of_known = |known: &Known, terms| {
            Permit::of_user(known.user.clone(), terms).showing(known.shown, None)
        };
        let Some(authorization) = knock.authorization else {
            return match known {
                Some(known) => of_known(known, terms),
                None => Permit::of_stranger(terms),
            };
        };
        let token = bearer(authorization);
        match known {
            // What nobody here can check says nothing of who it is: it was checked
            // before, or is there for somebody else.
            Some(known) if !self.checks(token.is_some()) => return of_known(known, terms),
            _ => {}
        }
        if let Some(token) = token {
            return self.bearer(token, terms);
        }
        match (&self.keepers.passwords, basic::parse(authorization)) {
            (Some(passwords), Some(credentials)) => {
                let attempt = Attempt {
                    user: credentials.user(),
                    password: credentials.password(),
                    client: knock.client,
                };
                self.password(passwords, attempt, terms).await
            }
            _ => Permit::of_nobody(None, terms),
        }
    }

    /// Whether a user who is known before counts: not where nobody is believed but
    /// somebody else's tokens, and no rule says what a user may do.
    fn takes_known(&self) -> bool {
        let keepers = &self.keepers;
        keepers.passwords.is_some() || keepers.policy.is_some() || keepers.other_tokens.is_none()
    }

    /// Whether a token, or else a password, can be found right or wrong here.
    fn checks(&self, is_token: bool) -> bool {
        let keepers = &self.keepers;
        match is_token {
            true => keepers.own_tokens.is_some() || keepers.other_tokens.is_some(),
            false => keepers.passwords.is_some(),
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tidegate_config::Auth;
    use tidegate_config::access::Action;

    use super::*;
    use crate::Refused;
    use crate::hash::{Cost, hash_password};

    /// `alice:right` and `alice:wrong`.
    const RIGHT: &str = "Basic YWxpY2U6cmlnaHQ=";
    const WRONG: &str = "Basic YWxpY2U6d3Jvbmc=";
    const TOKEN: &str = "Bearer e30.e30.e30";

    fn passwords() -> Option<Arc<Verifier>> {
        let directory = tempfile::tempdir().unwrap();
        let htpasswd = directory.path().join("users");
        let hash = hash_password("right", Cost::MIN).unwrap();
        fs_err::write(&htpasswd, format!("alice:{}\n", hash.as_str())).unwrap();
        let opened = Verifier::open(&Auth {
            htpasswd,
            allow_weak_hashes: false,
            realm: "Registry".to_owned(),
            cache_ttl: Duration::ZERO,
            max_failures: 10,
            failure_window: Duration::from_secs(60),
        });
        Some(Arc::new(opened.unwrap()))
    }

    fn tokens() -> Option<(Arc<TokenVerifier>, Challenge)> {
        let verifier = TokenVerifier::with_keys("issuer", "service", Vec::new());
        let challenge = Challenge::of_own_tokens("/auth/token", "service");
        Some((Arc::new(verifier), challenge))
    }

    fn policy() -> Option<SharedPolicy> {
        Some(SharedPolicy::default())
    }

    /// Who a request comes from, by what, and whether it may pull.
    async fn asked(keepers: Keepers, known: Option<Shown>, sent: Option<&str>) -> String {
        let known = known.map(|shown| Known {
            user: Identity::new("carol"),
            shown,
        });
        let door = Door::new(keepers, "Registry");
        let knock = Knock {
            authorization: sent,
            known: known.as_ref(),
            client: [192, 0, 2, 1].into(),
        };
        let permit = door.admit(knock).await;
        let user = permit.user().map_or("nobody", Identity::name).to_owned();
        let judged = match permit.judge(Action::Pull, Some("app")) {
            Ok(()) => "may",
            Err(Refused::LogIn(None)) => "is to log in",
            Err(Refused::LogIn(Some(_))) => "has a bad token",
            Err(Refused::Denied | Refused::Throttled { .. }) => "may not",
        };
        format!("{user} by {:?} {judged}", permit.shown())
    }

    #[tokio::test]
    async fn a_certificate_counts_unless_something_is_shown_that_is_checked() {
        let by_password = || Keepers {
            passwords: passwords(),
            ..Keepers::default()
        };
        let by_rules = || Keepers {
            policy: policy(),
            ..Keepers::default()
        };
        let by_both = || Keepers {
            passwords: passwords(),
            own_tokens: tokens(),
            ..Keepers::default()
        };
        for (keepers, sent, expected) in [
            (by_password(), None, "carol by Certificate may"),
            (by_password(), Some(RIGHT), "alice by Password may"),
            (
                by_password(),
                Some(WRONG),
                "nobody by Password is to log in",
            ),
            (by_password(), Some(""), "nobody by Password is to log in"),
            // Nobody gives out tokens, or looks at passwords.
            (by_password(), Some(TOKEN), "carol by Certificate may"),
            (by_rules(), None, "carol by Certificate may"),
            (by_rules(), Some(WRONG), "carol by Certificate may"),
            (by_rules(), Some(TOKEN), "carol by Certificate may"),
            (
                by_rules(),
                Some("Negotiate oYI="),
                "carol by Certificate may",
            ),
            (by_both(), Some(TOKEN), "nobody by Token has a bad token"),
        ] {
            let said = asked(keepers, Some(Shown::Certificate), sent).await;
            assert_eq!(said, expected, "{sent:?}");
        }
    }

    #[tokio::test]
    async fn without_a_certificate_what_nobody_checks_is_wrong() {
        for (sent, expected) in [
            (None, "nobody by Nothing is to log in"),
            (Some(RIGHT), "nobody by Password is to log in"),
            (Some(TOKEN), "nobody by Token has a bad token"),
        ] {
            let keepers = Keepers {
                policy: policy(),
                ..Keepers::default()
            };
            assert_eq!(asked(keepers, None, sent).await, expected);
        }
    }

    #[tokio::test]
    async fn whoever_was_known_by_a_password_is_said_to_be() {
        let keepers = Keepers {
            policy: policy(),
            ..Keepers::default()
        };
        let said = asked(keepers, Some(Shown::Password), Some(RIGHT)).await;
        assert_eq!(said, "carol by Password may");
    }

    #[tokio::test]
    async fn where_tokens_alone_are_believed_a_certificate_is_none() {
        let keepers = |policy| Keepers {
            policy,
            other_tokens: tokens(),
            ..Keepers::default()
        };
        for sent in [None, Some(RIGHT)] {
            let said = asked(keepers(None), Some(Shown::Certificate), sent).await;
            assert!(said.ends_with("is to log in"), "{said}");
        }
        let said = asked(keepers(policy()), Some(Shown::Certificate), None).await;
        assert_eq!(said, "carol by Certificate may");
    }
}
