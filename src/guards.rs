//! Those who decide about a registry's requests: opened at the start, put
//! together to a door, and watched for changes.

use std::sync::Arc;

use tidegate_auth::audit::Audit;
use tidegate_auth::docker_auth::{DockerAuth, Refusals};
use tidegate_auth::policy::{Policy, SharedPolicy};
use tidegate_auth::robots::Robots;
use tidegate_auth::token::TokenVerifier;
use tidegate_auth::token_server::TokenServer;
use tidegate_auth::{Door, Keepers, Verifier};
use tidegate_config::{Backend, Settings, UserFrom};
use tidegate_failure::Failure;

use crate::tokens;

/// What was opened of the settings' files.
pub(crate) struct Guards {
    /// The password file. With sites there is none: they say themselves who may
    /// come in.
    pub(crate) passwords: Option<Arc<Verifier>>,
    /// Passwords of programs.
    pub(crate) robots: Option<Arc<Robots>>,
    /// The rules of `[access]`.
    pub(crate) policy: Option<SharedPolicy>,
    /// Tokens that somebody else gives out.
    pub(crate) other_tokens: Option<Arc<TokenVerifier>>,
    /// The users and rules of docker_auth.
    pub(crate) docker_auth: Option<Arc<DockerAuth>>,
}

/// Who asks at the registry's door, if the front does not, and the token server
/// behind it.
#[derive(Default)]
pub(crate) struct Entrance {
    pub(crate) door: Option<Door>,
    pub(crate) tokens: Option<TokenServer>,
}

impl Guards {
    /// Opens what the settings name. What docker_auth's file asks for that is not
    /// there is dealt with by `refusals`, now and when the file changes.
    pub(crate) fn open(settings: &Settings, refusals: Refusals) -> Result<Self, Failure> {
        let passwords = settings.auth.as_ref().filter(|_| settings.sites.is_empty());
        let policy = settings.access.clone().map(Policy::new);
        let docker_auth = settings.auth_config.as_deref();
        let docker_auth = docker_auth.map(|path| DockerAuth::open(path, refusals));
        let robots = settings.robots.as_ref().map(Robots::open);
        let other_tokens = settings.token.as_ref().map(TokenVerifier::open);
        Ok(Self {
            passwords: passwords.map(Verifier::open).transpose()?.map(Arc::new),
            robots: robots.transpose()?.map(Arc::new),
            policy: policy.map(SharedPolicy::new),
            other_tokens: other_tokens.transpose()?.map(Arc::new),
            docker_auth: docker_auth.transpose()?.map(Arc::new),
        })
    }

    /// The door that they make. With one, the front lets everybody as far as
    /// there.
    pub(crate) fn entrance(&self, settings: &Settings, audit: &Audit) -> Result<Entrance, Failure> {
        if let Some(users) = &self.docker_auth {
            let own = tokens::of_docker_auth(users)?;
            let keepers = Keepers {
                other_tokens: Some((own.verifier, own.challenge)),
                ..Keepers::default()
            };
            return Ok(Entrance {
                door: Some(Door::new(keepers, "Registry")),
                tokens: Some(own.server.with_audit(audit.clone())),
            });
        }
        if !self.are_asked(settings, audit) {
            return Ok(Entrance::default());
        }
        let own = settings.token_server.as_ref().map(|server| {
            let policy = self.policy.clone().unwrap_or_default();
            tokens::open(server, self.passwords.clone(), self.robots.clone(), policy)
        });
        let (tokens, own_tokens) = match own.transpose()? {
            Some(own) => (
                Some(own.server.with_audit(audit.clone())),
                Some((own.verifier, own.challenge)),
            ),
            None => (None, None),
        };
        let challenge = settings.token.as_ref().map(tokens::challenge_of_others);
        let auth = settings.auth.as_ref();
        let realm = auth.map_or("Registry", |auth| &auth.realm);
        let keepers = Keepers {
            passwords: self.passwords.clone(),
            robots: self.robots.clone(),
            policy: self.policy.clone(),
            own_tokens,
            other_tokens: self.other_tokens.clone().zip(challenge),
        };
        Ok(Entrance {
            door: Some(Door::new(keepers, realm)),
            tokens,
        })
    }

    /// Whether there is more to ask than for a password, which the front can do.
    fn are_asked(&self, settings: &Settings, audit: &Audit) -> bool {
        // Whoever writes down what was refused has to hear of it where that is
        // known.
        let by_door = audit.is_on() || takes_certificates_for_users(settings);
        settings.token_server.is_some()
            || self.policy.is_some()
            || self.robots.is_some()
            || self.other_tokens.is_some()
            || (by_door && self.passwords.is_some())
    }
}

/// Whether a certificate does in place of a password for the registry in this
/// process: the front alone would ask for both.
fn takes_certificates_for_users(settings: &Settings) -> bool {
    let mut demands = settings
        .listeners
        .iter()
        .filter_map(|listener| listener.client_auth.as_ref());
    matches!(settings.backend, Backend::Registry(_))
        && demands.any(|demand| demand.user != UserFrom::Nowhere)
}
