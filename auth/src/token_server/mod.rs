//! The token server: a password in, a token for what its owner may do out.
//!
//! It speaks distribution's "token authentication specification" (GET) and its
//! OAuth 2 form (POST), as Docker, containerd, podman and skopeo do. It is HTTP
//! without a server: whoever has one hands in an [`Ask`] and sends the
//! [`Answer`].

mod answer;
mod authority;
mod house;
mod refresh;
mod request;
mod signer;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::Method;

pub use self::answer::Answer;
pub use self::authority::Authority;
pub use self::house::House;
use self::refresh::Refresher;
use self::request::{Credentials, TokenRequest};
pub use self::signer::{KeyName, Signer, SignerError};
use crate::attempt::Identity;
use crate::audit::{Audit, Deed, Event, Outcome, Shown};
use crate::robots::{self, Robot};
use crate::token::Scope;

/// How long before now a token begins to count: clocks differ.
const EARLIER: Duration = Duration::from_secs(10);

/// A request to the token server.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// `GET`, `HEAD` or `POST`; anything else is answered 405.
    pub method: &'a Method,
    /// What stands behind the `?`.
    pub query: Option<&'a str>,
    /// The value of `Authorization`; empty if there are several.
    pub authorization: Option<&'a str>,
    /// The body of a `POST`.
    pub body: &'a [u8],
    /// The address of the client itself.
    pub client: IpAddr,
    /// What the client says it is.
    pub user_agent: Option<&'a str>,
}

/// Somebody whom a token can be given to.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// `None` for those who have not logged in.
    pub user: Option<Identity>,
    /// The robot whose password was shown, under this user name.
    pub robot: Option<Arc<Robot>>,
    /// What docker_auth's rules look at beside the name.
    pub labels: BTreeMap<String, Vec<String>>,
}

impl Account {
    /// Whom a token is for, in its own words; empty for strangers.
    #[must_use]
    pub fn subject(&self) -> Cow<'_, str> {
        match &self.robot {
            Some(robot) => robot.subject().into(),
            None => self.name().into(),
        }
    }

    /// The user name; empty for strangers.
    #[must_use]
    pub fn name(&self) -> &str {
        self.user.as_ref().map_or("", Identity::name)
    }
}

/// What became of a login.
#[derive(Debug, Clone)]
pub enum Login {
    /// It is who they say.
    Accepted(Account),
    /// It is not.
    Refused,
    /// Nothing was checked.
    Throttled {
        /// When to try again.
        retry_after: Duration,
    },
}

/// Gives out tokens.
pub struct TokenServer {
    authority: Authority,
    signer: Signer,
    refresher: Refresher,
    issuer: Arc<str>,
    service: Arc<str>,
    expiry: Duration,
    audit: Audit,
}

impl TokenServer {
    /// Tokens in the name of `issuer` for `service`, unless a client asks for
    /// them for another one; each counts for `expiry`, whole seconds.
    #[must_use]
    pub fn new(
        authority: Authority,
        signer: Signer,
        issuer: &str,
        service: &str,
        expiry: Duration,
    ) -> Self {
        Self {
            authority,
            refresher: Refresher::new(signer.secret()),
            signer,
            issuer: issuer.into(),
            service: service.into(),
            expiry,
            audit: Audit::default(),
        }
    }

    /// Writes down who gets which token, and who gets none.
    #[must_use]
    pub fn with_audit(self, audit: Audit) -> Self {
        Self { audit, ..self }
    }

    /// The public half of the key, as a JSON Web Key Set (RFC 7517).
    #[must_use]
    pub fn jwks(&self) -> Answer {
        Answer::json(&serde_json::json!({ "keys": [self.signer.jwk()] }))
    }

    /// Answers one request.
    pub async fn answer(&self, ask: Ask<'_>) -> Answer {
        let request = match TokenRequest::read(&ask) {
            Ok(request) => request,
            Err(bad) => return Answer::bad_request(&bad),
        };
        let service = request.service.as_deref().unwrap_or(&self.service);
        let account = match self.log_in(&request, service, ask.client).await {
            Login::Accepted(account) => account,
            Login::Refused => {
                let answer = Answer::unauthorized(&self.issuer);
                self.tell_refusal(&ask, &request, &answer);
                return answer;
            }
            Login::Throttled { retry_after } => {
                let answer = Answer::throttled(retry_after);
                self.tell_refusal(&ask, &request, &answer);
                return answer;
            }
        };
        if !request.is_for(account.name()) {
            return Answer::bad_request(&request::BadRequest::Account);
        }
        let granted: Vec<Scope> = request
            .scopes
            .iter()
            .map(|scope| self.authority.grant(&account, ask.client, service, scope))
            .collect();
        let now = SystemTime::now();
        let token = self
            .signer
            .sign(&self.claims(&account, service, &granted, now));
        let token = match token {
            Ok(token) => token,
            Err(error) => {
                tracing::error!(%error, "a token could not be signed");
                return Answer::internal();
            }
        };
        // A robot has its password for that; and a user of the same name is somebody
        // else.
        let wants_refresh = request.wants_refresh && account.robot.is_none();
        let refresh = wants_refresh.then(|| {
            let user = account.user.as_ref()?;
            let stored = self.authority.stored(user.name())?;
            Some(self.refresher.make(user.name(), service, &stored))
        });
        let answer = Answer::token(&answer::Given {
            token: &token,
            scopes: request.says_scope.then_some(&granted),
            expires_in: self.expiry,
            issued_at: now,
            refresh_token: refresh.flatten().as_deref(),
        });
        if self.audit.is_on() {
            let shown = match (&account.robot, &request.credentials) {
                (Some(robot), _) => Shown::Robot(Some(robot.id())),
                (None, Credentials::None) => Shown::Nothing,
                (None, Credentials::Password { .. }) => Shown::Password,
                (None, Credentials::Refresh(_)) => Shown::Token,
            };
            self.tell(&ask, &granted, shown, account.user, &answer);
        }
        answer
    }

    /// Strangers who get nothing have done nothing: they are asked to log in.
    fn tell_refusal(&self, ask: &Ask<'_>, request: &TokenRequest, answer: &Answer) {
        if !self.audit.is_on() {
            return;
        }
        let (shown, user) = match &request.credentials {
            Credentials::None => return,
            Credentials::Refresh(_) => (Shown::Token, None),
            Credentials::Password { user, password } => match robots::kind_of(password) {
                Shown::Password => (
                    Shown::Password,
                    self.authority
                        .account(user)
                        .and_then(|account| account.user),
                ),
                robot => (robot, None),
            },
        };
        self.tell(ask, &request.scopes, shown, user, answer);
    }

    fn tell(
        &self,
        ask: &Ask<'_>,
        scopes: &[Scope],
        shown: Shown,
        user: Option<Identity>,
        answer: &Answer,
    ) {
        // docker_auth's answers name those as well of which nothing is granted.
        let scopes = scopes.iter().filter(|scope| !scope.actions.is_empty());
        let scopes: Vec<_> = scopes.map(ToString::to_string).collect();
        let status = answer.status.as_u16();
        self.audit.record(Event {
            deed: Deed::Token,
            object: None,
            repository: None,
            reference: Some(scopes.join(" ")).filter(|scopes| !scopes.is_empty()),
            digest: None,
            from: None,
            user,
            shown: Some(shown),
            client: Some(ask.client),
            user_agent: ask.user_agent.map(str::to_owned),
            outcome: Outcome::of_status(status),
            status: Some(status),
            bytes: None,
            request: None,
        });
    }

    async fn log_in(&self, request: &TokenRequest, service: &str, client: IpAddr) -> Login {
        match &request.credentials {
            Credentials::None => self.authority.stranger(client).await,
            Credentials::Password { user, password } => {
                self.authority.log_in(user, password, client).await
            }
            Credentials::Refresh(token) => {
                let user = self
                    .refresher
                    .user_of(token, service, |user| self.authority.stored(user));
                user.and_then(|user| self.authority.account(&user))
                    .map_or(Login::Refused, Login::Accepted)
            }
        }
    }

    fn claims(
        &self,
        account: &Account,
        service: &str,
        granted: &[Scope],
        now: SystemTime,
    ) -> serde_json::Value {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        serde_json::json!({
            "iss": &*self.issuer,
            "sub": account.subject(),
            "aud": service,
            "exp": (now + self.expiry).as_secs(),
            "nbf": now.saturating_sub(EARLIER).as_secs(),
            "iat": now.as_secs(),
            "jti": uuid::Uuid::new_v4().to_string(),
            "access": granted,
        })
    }
}
