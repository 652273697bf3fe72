//! `tidegate.toml`: the file that `tidegate up` writes and `tidegate serve` reads.
//!
//! [`file`] mirrors the file key by key; here it is read and checked.

mod access;
mod check;
mod client_auth;
mod collect;
mod explain;
mod file;
mod observe;
mod site;
mod token;
mod value;
mod write;

use std::path::Path;

use toml::Spanned;

use self::explain::explain;
use self::observe::webhooks;
use self::site::sites;
pub use self::write::write;
use crate::diagnostic::Diagnostic;
use crate::settings::{Backend, CertificateFiles, Forward, Protocol, Registry, Schema1, Settings};
use crate::site::{Action, Site};
use crate::token_server::TokenServer;

/// Checks `text` as the content of a `tidegate.toml` at `path`.
///
/// # Errors
/// The first mistake in it, with its place and how to mend it.
pub fn parse(path: &Path, text: &str) -> Result<Settings, Box<Diagnostic>> {
    // Editors on Windows put a byte-order mark there.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let file: file::File = toml::from_str(text).map_err(|e| Box::new(explain(path, text, &e)))?;
    check(file, path, text)
}

/// What no single value shows: sections that need or exclude each other.
fn check(file: file::File, path: &Path, text: &str) -> Result<Settings, Box<Diagnostic>> {
    let base = path.parent().unwrap_or(Path::new(""));
    let wrong = |span, message: &str, hint: &str| {
        Box::new(
            Diagnostic::new(path, text, span, message.to_owned()).with_hint(Some(hint.to_owned())),
        )
    };

    if file.listener.is_empty() {
        return Err(wrong(
            0..0,
            "no [[listener]]: nothing would be served",
            "add\n    [[listener]]\n    address = \"0.0.0.0:5043\"",
        ));
    }
    let mut listeners = Vec::with_capacity(file.listener.len());
    for entry in file.listener {
        let span = entry.span();
        let entry = entry.into_inner();
        let mode = entry.socket_mode.clone();
        let http2 = entry.http2.as_ref().map(Spanned::span);
        let of_tls = http2.or_else(|| entry.minimum_tls.as_ref().map(Spanned::span));
        let (mut listener, client_auth) = entry.into_parts();
        if let Some(mode) = mode {
            let parsed = value::mode(mode.get_ref());
            listener.socket_mode = parsed.filter(|_| listener.address.unix().is_some());
            if listener.socket_mode.is_none() {
                return Err(wrong(
                    mode.span(),
                    "`socket_mode` is the permissions of a Unix socket, in octal digits",
                    "write it as \"0660\", at a listener with an `address` as \"unix:/run/…\"",
                ));
            }
        }
        if let Some(span) = of_tls.filter(|_| listener.protocol != Protocol::Https) {
            return Err(wrong(
                span,
                "how TLS is spoken, at a listener that does not speak TLS",
                "take it out, or set `protocol = \"https\"`",
            ));
        }
        if listener.protocol == Protocol::Https && file.certificate.is_empty() {
            return Err(wrong(
                span,
                "this listener speaks TLS, but the file has no [[certificate]]",
                "add a [[certificate]] with `cert` and `key`, or set `protocol = \"http\"`",
            ));
        }
        if let Some(section) = client_auth {
            let span = section.span();
            if listener.protocol != Protocol::Https {
                return Err(wrong(
                    span,
                    "certificates of clients at a listener that does not speak TLS",
                    "take out `client_auth`, or set `protocol = \"https\"`",
                ));
            }
            let settings = section.into_inner().into_settings(base);
            listener.client_auth =
                Some(settings.map_err(|(message, hint)| wrong(span, message, hint))?);
        }
        listeners.push(listener);
    }

    let has_sites = !file.site.is_empty();
    let sites = sites(file.site, file.map, base, &listeners)
        .map_err(|(span, message)| wrong(span, &message, "see [[site]] in the documentation"))?;

    let mut token = None;
    let mut auth_config = None;
    let mut robots = None;
    let auth = match file.auth {
        None if has_sites => None,
        Some(section) if has_sites => {
            return Err(wrong(
                section.span(),
                "[auth] beside [[site]]: it would hold for nothing",
                "passwords belong to places: [site.place.rules.auth]",
            ));
        }
        None => {
            return Err(wrong(
                0..0,
                "no [auth]: it must be said who may come in",
                "add `[auth]` with `htpasswd = \"auth/htpasswd\"`, \
                 or with `required = false` to let everybody in",
            ));
        }
        Some(section) => {
            let span = section.span();
            let mut section = section.into_inner();
            robots = section.robots.take();
            if let Some(section) = section.token.take() {
                let span = section.span();
                let settings = section.into_inner().into_settings(base);
                token = Some((
                    span.clone(),
                    settings.map_err(|(message, hint)| wrong(span, message, hint))?,
                ));
            }
            if let Some(path) = section.auth_config.take() {
                if token.is_some() {
                    return Err(wrong(
                        span,
                        "both `auth_config` and [auth.token]: tokens come from here or from elsewhere",
                        "remove one of them",
                    ));
                }
                auth_config = Some(base.join(path));
            }
            section
                .into_settings(base, token.is_some() || auth_config.is_some())
                .map_err(|message| {
                    wrong(
                        span,
                        message,
                        "passwords are asked for with `htpasswd = \"FILE\"`, \
                         and everybody is let in with `required = false`",
                    )
                })?
        }
    };

    let backend = match (file.registry, file.forward) {
        (Some(registry), None) => Backend::Registry(Registry {
            delete: registry.delete,
            read_only: registry.read_only,
            schema1: match (registry.schema1, registry.schema1_signing_key) {
                (true, key) => Some(Schema1 {
                    signing_key: key.map(|key| base.join(key.into_inner())),
                }),
                (false, None) => None,
                (false, Some(key)) => {
                    return Err(wrong(
                        key.span(),
                        "`schema1_signing_key` without `schema1 = true`: nothing would be signed",
                        "add `schema1 = true`, or remove `schema1_signing_key`",
                    ));
                }
            },
            collect: registry.collect.into(),
            scrub: registry.scrub.into(),
            retention: registry
                .retention
                .into_iter()
                .map(|rule| {
                    let span = rule.span();
                    rule.into_inner().into_rule().map_err(|message| {
                        wrong(
                            span,
                            message,
                            "add `keep_newest`, `keep_pulled_within`, \
                             `keep_pushed_within` or `keep_tags`",
                        )
                    })
                })
                .collect::<Result<_, _>>()?,
            immutable: registry.immutable.into_iter().map(Into::into).collect(),
            headers: registry.headers,
            health: registry.health.into(),
            checks: registry
                .check
                .into_iter()
                .map(|section| {
                    let span = section.span();
                    let check = section.into_inner().into_settings(base);
                    check.map_err(|message| wrong(span, message, check::HINT))
                })
                .collect::<Result<_, _>>()?,
            webhooks: webhooks(registry.webhook, base).map_err(|(span, message)| {
                wrong(
                    span,
                    &message,
                    "the name is also that of the queue: choose another",
                )
            })?,
            prefix: registry.prefix,
            links: registry.links,
            catalog_most: usize::try_from(registry.catalog_most).unwrap_or(usize::MAX),
            tags_most: usize::try_from(registry.tags_most).unwrap_or(usize::MAX),
            root: base.join(registry.root),
        }),
        (None, Some(forward)) if !has_sites => {
            let forward = forward.into_inner();
            Backend::Forward(Forward {
                to: forward.to,
                connect_timeout: forward.connect_timeout,
                read_timeout: forward.read_timeout,
            })
        }
        (None, Some(forward)) => {
            return Err(wrong(
                forward.span(),
                "[forward] beside [[site]]: nothing would be forwarded by it",
                "where requests go is said by places: [site.place.proxy]",
            ));
        }
        (Some(_), Some(forward)) => {
            return Err(wrong(
                forward.span(),
                "both [registry] and [forward]: requests can go to one of them only",
                "remove one of the two sections",
            ));
        }
        (None, None) if has_sites => Backend::Places,
        (None, None) => {
            return Err(wrong(
                0..0,
                "neither [registry] nor [forward]: nothing would answer",
                "add\n    [registry]\n    root = \"registry\"",
            ));
        }
    };

    match (&file.log.audit, &file.log.audit_blobs) {
        (Some(audit), _) if !matches!(backend, Backend::Registry(_)) => {
            return Err(wrong(
                audit.span(),
                "`audit` without [registry]: only a registry in this process knows what is done",
                "remove `audit`, or let the access log tell of it",
            ));
        }
        (None, Some(blobs)) => {
            return Err(wrong(
                blobs.span(),
                "`audit_blobs` without `audit`: nothing would be written",
                "add `audit = \"audit.log\"`",
            ));
        }
        _ => {}
    }

    let robots = match robots {
        Some(robots) if auth.is_none() => {
            return Err(wrong(
                robots.span(),
                "`robots` without `htpasswd`: nobody is asked for a password",
                "remove `robots`, or name a password file with `htpasswd`",
            ));
        }
        Some(robots) if !matches!(backend, Backend::Registry(_)) => {
            return Err(wrong(
                robots.span(),
                "`robots` without [registry]: what they may do is decided by a registry in this \
                 process",
                "remove `robots`; the registry behind decides",
            ));
        }
        robots => robots.map(|robots| base.join(robots.into_inner())),
    };

    let access = file.access.map(|section| {
        let span = section.span();
        if !matches!(backend, Backend::Registry(_)) {
            return Err(wrong(
                span,
                "[access] without [registry]: it is about the repositories of a registry in this \
                 process",
                "remove [access]; the registry behind decides",
            ));
        }
        let access = section.into_inner().into_settings(text);
        access.map_err(|mistake| wrong(mistake.span, &mistake.message, &mistake.hint))
    });
    let access = access.transpose()?;

    let passwords = auth.as_ref().and_then(|auth| auth.htpasswd.parent());
    let directory = passwords.unwrap_or(base);
    if auth_config.is_some() {
        let wrong = |message| wrong(0..0, message, "it has users and rights of its own");
        if !matches!(backend, Backend::Registry(_)) || has_sites {
            return Err(wrong(
                "`auth_config` is for a registry in this process alone",
            ));
        }
        if auth.is_some() || access.is_some() || file.token_server.is_some() {
            return Err(wrong(
                "`auth_config` beside `htpasswd`, [access] or [token_server]: one of them only",
            ));
        }
    }
    let token_server = match file.token_server {
        None => {
            let is_needed = access.is_some() && auth_config.is_none();
            is_needed.then(|| TokenServer::new(directory))
        }
        Some(section) => {
            let span = section.span();
            if !matches!(backend, Backend::Registry(_)) {
                return Err(wrong(
                    span,
                    "[token_server] without [registry]: it is for the users of a registry in this \
                     process",
                    "`tidegate token-server` serves tokens for others",
                ));
            }
            let settings = section.into_inner().into_settings(base, directory);
            let settings = settings.map_err(|message| {
                let hint = "see [token_server] in docs/ACCESS.md";
                wrong(span, message, hint)
            });
            Some(settings?)
        }
    };

    let token = match token {
        Some((span, _)) if !matches!(backend, Backend::Registry(_)) => {
            return Err(wrong(
                span,
                "[auth.token] without [registry]: it is about the repositories of a registry in \
                 this process",
                "remove [auth.token]; the registry behind asks for tokens",
            ));
        }
        token => token.map(|(_, settings)| settings),
    };

    let leads_to_registry = |site: &Site| {
        let mut actions = site.places.iter().map(|place| &place.action);
        actions.any(|action| *action == Action::Registry)
    };
    if sites.iter().any(leads_to_registry) && backend == Backend::Places {
        return Err(wrong(
            0..0,
            "a place has `registry = true`, but the file has no [registry]",
            "add\n    [registry]\n    root = \"registry\"",
        ));
    }

    Ok(Settings {
        log: file.log.into_settings(base),
        server: file.server.into(),
        listeners,
        certificates: file
            .certificate
            .into_iter()
            .map(|pair| CertificateFiles {
                cert: base.join(pair.cert),
                key: base.join(pair.key),
                renew: pair.renew,
            })
            .collect(),
        sites,
        edge: file.edge.into(),
        auth,
        robots,
        access,
        token,
        auth_config,
        token_server,
        backend,
        debug: file.debug.map(Into::into),
    })
}

#[cfg(test)]
mod tests;
