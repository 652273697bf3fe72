//! Whom a token server believes, and what it lets them do.

use std::net::IpAddr;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::house::House;
use super::{Account, Login};
use crate::attempt::{Attempt, Identity};
use crate::docker_auth::{AuthRequest, Authenticated, DockerAuth};
use crate::token::Scope;

/// Where a token server looks users and rights up.
pub enum Authority {
    /// In the files of the registry in the same process.
    House(House),
    /// In an `auth_config.yml`, with docker_auth's answers.
    DockerAuth(Arc<DockerAuth>),
}

impl Authority {
    /// Somebody who shows nothing.
    pub(super) async fn stranger(&self, client: IpAddr) -> Login {
        match self {
            Self::House(house) => match house.stranger() {
                Some(account) => Login::Accepted(account),
                None => Login::Refused,
            },
            Self::DockerAuth(users) => authenticate(users, "", "", client).await,
        }
    }

    pub(super) async fn log_in(&self, user: &str, password: &str, client: IpAddr) -> Login {
        match self {
            Self::House(house) => house.log_in(user, password, client).await,
            Self::DockerAuth(users) => authenticate(users, user, password, client).await,
        }
    }

    /// A user who proved to be one before.
    pub(super) fn account(&self, user: &str) -> Option<Account> {
        match self {
            Self::House(house) => house.account(user),
            Self::DockerAuth(users) => Some(Account {
                user: Some(Identity::new(user)),
                labels: users.labels(user)?,
                ..Account::default()
            }),
        }
    }

    /// How the password of a user is stored: what changes when it does.
    pub(super) fn stored(&self, user: &str) -> Option<Zeroizing<String>> {
        match self {
            Self::House(house) => house.stored(user),
            Self::DockerAuth(users) => users.stored(user),
        }
    }

    /// What is allowed of what is asked for.
    pub(super) fn grant(
        &self,
        account: &Account,
        client: IpAddr,
        service: &str,
        scope: &Scope,
    ) -> Scope {
        match self {
            Self::House(house) => house.grant(account, client, scope),
            Self::DockerAuth(users) => {
                let actions = users.authorize(&AuthRequest {
                    account: account.name(),
                    kind: &scope.kind,
                    name: &scope.name,
                    service,
                    ip: Some(client),
                    actions: &scope.actions,
                    labels: &account.labels,
                });
                Scope {
                    actions,
                    ..scope.clone()
                }
            }
        }
    }
}

async fn authenticate(users: &DockerAuth, user: &str, password: &str, client: IpAddr) -> Login {
    let attempt = Attempt {
        user,
        password,
        client,
    };
    match users.authenticate(attempt).await {
        Authenticated::Granted { labels } => Login::Accepted(Account {
            user: (!user.is_empty()).then(|| Identity::new(user)),
            labels,
            ..Account::default()
        }),
        Authenticated::Refused | Authenticated::NoMatch => Login::Refused,
        Authenticated::Throttled { retry_after } => Login::Throttled { retry_after },
    }
}
