//! What no single value shows: sections that need or exclude each other.

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;

use super::access::AccessSection;
use super::file::{
    AuthSection, CertificateSection, File, ForwardSection, ListenerSection, LogSection,
    TokenServerSection,
};
use super::mistake::Mistake;
use super::registry::RegistrySection;
use super::site::sites;
use super::token::TokenSection;
use super::value;
use crate::access::AccessRules;
use crate::diagnostic::Diagnostic;
use crate::settings::{Auth, Backend, CertificateFiles, Forward, Listener, Protocol, Settings};
use crate::site::{Action, Site};
use crate::token::TokenAuth;
use crate::token_server::TokenServer;

type Checked<T> = Result<T, Box<Diagnostic>>;

/// The place of mistakes that are about something that is not there.
const NOWHERE: Range<usize> = 0..0;

/// The settings of a file whose values are right, each for itself.
///
/// # Errors
/// The first mistake in it, with its place and how to mend it.
pub(super) fn settings(file: File, path: &Path, text: &str) -> Checked<Settings> {
    let whole = Whole {
        path,
        text,
        base: path.parent().unwrap_or(Path::new("")),
    };
    let listeners = whole.listeners(file.listener, !file.certificate.is_empty())?;
    let has_sites = !file.site.is_empty();
    let sites = sites(file.site, file.map, whole.base, &listeners).map_err(|(span, message)| {
        whole.wrong(span, &message, "see [[site]] in the documentation")
    })?;

    let entry = whole.entry(file.auth, has_sites)?;
    let backend = whole.backend(file.registry, file.forward, has_sites)?;
    whole.audit(&file.log, &backend)?;
    let robots = whole.robots(entry.robots, entry.auth.as_ref(), &backend)?;
    let access = whole.access(file.access, &backend)?;
    let is_registry_alone = matches!(backend, Backend::Registry(_)) && !has_sites;
    if entry.auth_config.is_some() {
        let has_own = entry.auth.is_some() || access.is_some() || file.token_server.is_some();
        whole.auth_config(is_registry_alone, has_own)?;
    }
    let passwords = entry.auth.as_ref().and_then(|auth| auth.htpasswd.parent());
    let token_server = whole.token_server(
        file.token_server,
        access.is_some() && entry.auth_config.is_none(),
        passwords.unwrap_or(whole.base),
        &backend,
    )?;
    let token = whole.token(entry.token, &backend)?;
    whole.places(&sites, &backend)?;

    Ok(Settings {
        log: file.log.into_settings(whole.base),
        server: file.server.into(),
        listeners,
        certificates: whole.certificates(file.certificate),
        sites,
        edge: file.edge.into(),
        auth: entry.auth,
        robots,
        access,
        token,
        auth_config: entry.auth_config,
        token_server,
        backend,
        debug: file.debug.map(Into::into),
    })
}

/// The file that is checked.
struct Whole<'a> {
    path: &'a Path,
    text: &'a str,
    /// What its paths are relative to.
    base: &'a Path,
}

/// `[auth]`: how one comes in.
#[derive(Default)]
struct Entry {
    auth: Option<Auth>,
    robots: Option<Spanned<PathBuf>>,
    token: Option<(Range<usize>, TokenAuth)>,
    auth_config: Option<PathBuf>,
}

impl Whole<'_> {
    fn wrong(&self, span: Range<usize>, message: &str, hint: &str) -> Box<Diagnostic> {
        self.shown(Mistake::new(span, message, hint))
    }

    fn shown(&self, mistake: Mistake) -> Box<Diagnostic> {
        Box::new(mistake.shown(self.path, self.text))
    }

    fn listeners(
        &self,
        sections: Vec<Spanned<ListenerSection>>,
        has_certificates: bool,
    ) -> Checked<Vec<Listener>> {
        if sections.is_empty() {
            return Err(self.wrong(
                NOWHERE,
                "no [[listener]]: nothing would be served",
                "add\n    [[listener]]\n    address = \"0.0.0.0:5043\"",
            ));
        }
        sections
            .into_iter()
            .map(|section| self.listener(section, has_certificates))
            .collect()
    }

    fn listener(
        &self,
        section: Spanned<ListenerSection>,
        has_certificates: bool,
    ) -> Checked<Listener> {
        let span = section.span();
        let section = section.into_inner();
        let mode = section.socket_mode.clone();
        let http2 = section.http2.as_ref().map(Spanned::span);
        let of_tls = http2.or_else(|| section.minimum_tls.as_ref().map(Spanned::span));
        let (mut listener, client_auth) = section.into_parts();
        if let Some(mode) = mode {
            let parsed = value::mode(mode.get_ref());
            listener.socket_mode = parsed.filter(|_| listener.address.unix().is_some());
            if listener.socket_mode.is_none() {
                return Err(self.wrong(
                    mode.span(),
                    "`socket_mode` is the permissions of a Unix socket, in octal digits",
                    "write it as \"0660\", at a listener with an `address` as \"unix:/run/…\"",
                ));
            }
        }
        let speaks_tls = listener.protocol == Protocol::Https;
        if let Some(span) = of_tls.filter(|_| !speaks_tls) {
            return Err(self.wrong(
                span,
                "how TLS is spoken, at a listener that does not speak TLS",
                "take it out, or set `protocol = \"https\"`",
            ));
        }
        if speaks_tls && !has_certificates {
            return Err(self.wrong(
                span,
                "this listener speaks TLS, but the file has no [[certificate]]",
                "add a [[certificate]] with `cert` and `key`, or set `protocol = \"http\"`",
            ));
        }
        if let Some(section) = client_auth {
            let span = section.span();
            if !speaks_tls {
                return Err(self.wrong(
                    span,
                    "certificates of clients at a listener that does not speak TLS",
                    "take out `client_auth`, or set `protocol = \"https\"`",
                ));
            }
            let settings = section.into_inner().into_settings(self.base);
            listener.client_auth =
                Some(settings.map_err(|(message, hint)| self.wrong(span, message, hint))?);
        }
        Ok(listener)
    }

    fn certificates(&self, sections: Vec<CertificateSection>) -> Vec<CertificateFiles> {
        let pairs = sections.into_iter().map(|pair| CertificateFiles {
            cert: self.base.join(pair.cert),
            key: self.base.join(pair.key),
            renew: pair.renew,
        });
        pairs.collect()
    }

    fn entry(&self, section: Option<Spanned<AuthSection>>, has_sites: bool) -> Checked<Entry> {
        let section = match section {
            None if has_sites => return Ok(Entry::default()),
            Some(section) if has_sites => {
                return Err(self.wrong(
                    section.span(),
                    "[auth] beside [[site]]: it would hold for nothing",
                    "passwords belong to places: [site.place.rules.auth]",
                ));
            }
            None => {
                return Err(self.wrong(
                    NOWHERE,
                    "no [auth]: it must be said who may come in",
                    "add `[auth]` with `htpasswd = \"auth/htpasswd\"`, \
                     or with `required = false` to let everybody in",
                ));
            }
            Some(section) => section,
        };
        let span = section.span();
        let mut section = section.into_inner();
        let robots = section.robots.take();
        let token = section.token.take().map(|token| self.trusted_tokens(token));
        let token = token.transpose()?;
        let auth_config = section.auth_config.take();
        if auth_config.is_some() && token.is_some() {
            return Err(self.wrong(
                span,
                "both `auth_config` and [auth.token]: tokens come from here or from elsewhere",
                "remove one of them",
            ));
        }
        let auth = section.into_settings(self.base, token.is_some() || auth_config.is_some());
        let auth = auth.map_err(|message| {
            self.wrong(
                span,
                message,
                "passwords are asked for with `htpasswd = \"FILE\"`, \
                 and everybody is let in with `required = false`",
            )
        })?;
        Ok(Entry {
            auth,
            robots,
            token,
            auth_config: auth_config.map(|path| self.base.join(path)),
        })
    }

    fn trusted_tokens(&self, section: Spanned<TokenSection>) -> Checked<(Range<usize>, TokenAuth)> {
        let span = section.span();
        match section.into_inner().into_settings(self.base) {
            Ok(settings) => Ok((span, settings)),
            Err((message, hint)) => Err(self.wrong(span, message, hint)),
        }
    }

    fn backend(
        &self,
        registry: Option<RegistrySection>,
        forward: Option<Spanned<ForwardSection>>,
        has_sites: bool,
    ) -> Checked<Backend> {
        match (registry, forward) {
            (Some(registry), None) => match registry.into_settings(self.base) {
                Ok(registry) => Ok(Backend::Registry(registry)),
                Err(mistake) => Err(self.shown(mistake)),
            },
            (None, Some(forward)) if !has_sites => {
                let forward = forward.into_inner();
                Ok(Backend::Forward(Forward {
                    to: forward.to,
                    connect_timeout: forward.connect_timeout,
                    read_timeout: forward.read_timeout,
                }))
            }
            (None, Some(forward)) => Err(self.wrong(
                forward.span(),
                "[forward] beside [[site]]: nothing would be forwarded by it",
                "where requests go is said by places: [site.place.proxy]",
            )),
            (Some(_), Some(forward)) => Err(self.wrong(
                forward.span(),
                "both [registry] and [forward]: requests can go to one of them only",
                "remove one of the two sections",
            )),
            (None, None) if has_sites => Ok(Backend::Places),
            (None, None) => Err(self.wrong(
                NOWHERE,
                "neither [registry] nor [forward]: nothing would answer",
                "add\n    [registry]\n    root = \"registry\"",
            )),
        }
    }

    fn audit(&self, log: &LogSection, backend: &Backend) -> Checked<()> {
        match (&log.audit, &log.audit_blobs) {
            (Some(audit), _) => self.needs_registry(
                backend,
                audit.span(),
                "`audit` without [registry]: only a registry in this process knows what is done",
                "remove `audit`, or let the access log tell of it",
            ),
            (None, Some(blobs)) => Err(self.wrong(
                blobs.span(),
                "`audit_blobs` without `audit`: nothing would be written",
                "add `audit = \"audit.log\"`",
            )),
            (None, None) => Ok(()),
        }
    }

    fn robots(
        &self,
        robots: Option<Spanned<PathBuf>>,
        auth: Option<&Auth>,
        backend: &Backend,
    ) -> Checked<Option<PathBuf>> {
        let Some(robots) = robots else {
            return Ok(None);
        };
        if auth.is_none() {
            return Err(self.wrong(
                robots.span(),
                "`robots` without `htpasswd`: nobody is asked for a password",
                "remove `robots`, or name a password file with `htpasswd`",
            ));
        }
        self.needs_registry(
            backend,
            robots.span(),
            "`robots` without [registry]: what they may do is decided by a registry in this \
             process",
            "remove `robots`; the registry behind decides",
        )?;
        Ok(Some(self.base.join(robots.into_inner())))
    }

    fn access(
        &self,
        section: Option<Spanned<AccessSection>>,
        backend: &Backend,
    ) -> Checked<Option<AccessRules>> {
        let Some(section) = section else {
            return Ok(None);
        };
        self.needs_registry(
            backend,
            section.span(),
            "[access] without [registry]: it is about the repositories of a registry in this \
             process",
            "remove [access]; the registry behind decides",
        )?;
        let rules = section.into_inner().into_settings(self.text);
        rules.map(Some).map_err(|mistake| self.shown(mistake))
    }

    /// docker_auth's file brings users and rights: `has_own` says that there are some
    /// already.
    fn auth_config(&self, is_registry_alone: bool, has_own: bool) -> Checked<()> {
        let wrong = |message| self.wrong(NOWHERE, message, "it has users and rights of its own");
        if !is_registry_alone {
            return Err(wrong(
                "`auth_config` is for a registry in this process alone",
            ));
        }
        if has_own {
            return Err(wrong(
                "`auth_config` beside `htpasswd`, [access] or [token_server]: one of them only",
            ));
        }
        Ok(())
    }

    /// `directory` is where a pair is that the section does not name.
    fn token_server(
        &self,
        section: Option<Spanned<TokenServerSection>>,
        is_needed: bool,
        directory: &Path,
        backend: &Backend,
    ) -> Checked<Option<TokenServer>> {
        let Some(section) = section else {
            return Ok(is_needed.then(|| TokenServer::new(directory)));
        };
        let span = section.span();
        self.needs_registry(
            backend,
            span.clone(),
            "[token_server] without [registry]: it is for the users of a registry in this process",
            "`tidegate token-server` serves tokens for others",
        )?;
        let settings = section.into_inner().into_settings(self.base, directory);
        settings
            .map(Some)
            .map_err(|message| self.wrong(span, message, "see [token_server] in docs/ACCESS.md"))
    }

    fn token(
        &self,
        token: Option<(Range<usize>, TokenAuth)>,
        backend: &Backend,
    ) -> Checked<Option<TokenAuth>> {
        let Some((span, settings)) = token else {
            return Ok(None);
        };
        self.needs_registry(
            backend,
            span,
            "[auth.token] without [registry]: it is about the repositories of a registry in this \
             process",
            "remove [auth.token]; the registry behind asks for tokens",
        )?;
        Ok(Some(settings))
    }

    fn places(&self, sites: &[Site], backend: &Backend) -> Checked<()> {
        let mut places = sites.iter().flat_map(|site| &site.places);
        let lead_to_registry = places.any(|place| place.action == Action::Registry);
        if lead_to_registry && *backend == Backend::Places {
            return Err(self.wrong(
                NOWHERE,
                "a place has `registry = true`, but the file has no [registry]",
                "add\n    [registry]\n    root = \"registry\"",
            ));
        }
        Ok(())
    }

    fn needs_registry(
        &self,
        backend: &Backend,
        span: Range<usize>,
        message: &str,
        hint: &str,
    ) -> Checked<()> {
        match backend {
            Backend::Registry(_) => Ok(()),
            _ => Err(self.wrong(span, message, hint)),
        }
    }
}
