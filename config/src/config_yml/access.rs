//! What a `config.yml` says of who may come in.

use std::time::Duration;

use super::report::Problem;
use super::section::{Field, Section};
use super::token;
use crate::settings::Auth;
use crate::site::{Access, Action, Attachment, PathMatch, Place, Rules, Site};
use crate::token::TokenAuth;

/// What is asked of those who come: one of them, or nothing.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) passwords: Option<Auth>,
    pub(super) token: Option<TokenAuth>,
}

/// Reads `auth`, which may also be the name of a kind alone.
///
/// A kind that is not there is a mistake, and nothing that one could do without:
/// then everybody would be let in.
pub(super) fn read(root: &Section<'_>) -> Result<Asked, Problem> {
    let whole = root.field("auth");
    if let Ok(Some(name)) = whole.text() {
        if name == "none" {
            whole.honoured();
            return Ok(Asked::default());
        }
        let hint = match name.as_str() {
            "token" => {
                "write it as\n    auth:\n      token: {realm: https://auth.example.org/token, \
                 service: registry, issuer: auth, rootcertbundle: /auth/token.crt}"
            }
            _ => "write it as\n    auth:\n      htpasswd: {realm: Registry, path: /auth/htpasswd}",
        };
        return Err(whole.problem(&format!("`{name}` needs parameters"), hint));
    }
    root.section("auth", |auth| {
        let mut kinds = auth.keys();
        match (kinds.next(), kinds.next()) {
            (Some(first), Some(second)) => Err(auth.problem(
                &format!("there are two kinds, {first} and {second}"),
                "remove one of them",
            )),
            (Some("htpasswd"), None) => Ok(Asked {
                passwords: Some(auth.section("htpasswd", htpasswd)?),
                token: None,
            }),
            (Some("token"), None) => Ok(Asked {
                passwords: None,
                token: Some(auth.section("token", token::read)?),
            }),
            (Some("none"), None) => {
                auth.honoured("none");
                Ok(Asked::default())
            }
            (Some(other), None) => {
                let why = match other {
                    "silly" => "it lets everybody in who sends any Authorization",
                    _ => "this kind of authentication is not known",
                };
                Err(auth
                    .field(other)
                    .problem(why, "passwords are asked for with auth.htpasswd"))
            }
            (None, _) => Ok(Asked::default()),
        }
    })
}

/// Where passwords are asked for: everywhere but at `/`, as those who look
/// whether the process lives rely on.
pub(super) fn site(auth: Auth) -> Site {
    let place = |path, access| Place {
        path,
        rules: Rules {
            access,
            ..Rules::default()
        },
        action: Action::Registry,
    };
    let asking = Access {
        auth: Some(auth),
        ..Access::default()
    };
    let everywhere = PathMatch::Prefix {
        path: "/".to_owned(),
        is_final: false,
    };
    Site {
        client_auth: None,
        http2: None,
        attachments: vec![Attachment {
            listener: 0,
            is_default: true,
        }],
        names: Vec::new(),
        rewrites: Vec::new(),
        places: vec![
            place(PathMatch::Exact("/".to_owned()), Access::default()),
            place(everywhere, asking.clone()),
        ],
        elsewhere: Rules {
            access: asking,
            ..Rules::default()
        },
    }
}

fn htpasswd(htpasswd: &Section<'_>) -> Result<Auth, Problem> {
    let (realm, path) = (htpasswd.honoured("realm"), htpasswd.honoured("path"));
    let needed = |field: &Field<'_>, what: &str| {
        let missing = || htpasswd.problem(what, "htpasswd needs a realm and a path");
        field.text()?.ok_or_else(missing)
    };
    let text = needed(&realm, "it has no realm")?;
    let is_text = |c: char| (' '..='~').contains(&c);
    if !text.chars().all(is_text) {
        let what = "a realm has printable ASCII characters only";
        return Err(realm.problem(what, "clients show it when they ask for the password"));
    }
    Ok(Auth {
        htpasswd: needed(&path, "it has no path")?.into(),
        realm: text,
        allow_weak_hashes: false,
        cache_ttl: Duration::from_secs(5 * 60),
        max_failures: 10,
        failure_window: Duration::from_secs(60),
    })
}
