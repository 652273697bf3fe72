//! Settings as a `tidegate.toml`, for those who come from another format.
//!
//! What is as it would be anyway is left out, so that the file says what was
//! said before and no more.

mod registry;
mod sites;

use std::fmt::{Display, Write as _};
use std::path::Path;
use std::time::Duration;

use super::client_auth::ClientAuthSection;
use crate::client_auth::ClientAuth;
use crate::header::HeaderField;
use crate::settings::{
    AccessLog, Auth, Backend, DebugListener, Edge, Forward, LogFormat, Protocol, Settings,
    TlsVersion,
};
use crate::token::{Algorithm, JwksSource, TokenAuth};

/// The text of a `tidegate.toml` that means these settings, below some lines of
/// comment. Paths come out absolute.
#[must_use]
pub fn write(settings: &Settings, comment: &str) -> String {
    let mut text = Text::default();
    for line in comment.lines() {
        text.line(format_args!("# {line}").to_string().trim_end());
    }
    text.log(settings);
    for listener in &settings.listeners {
        text.section("[[listener]]");
        text.text("address", &listener.address);
        if let Some(mode) = listener.socket_mode {
            text.text("socket_mode", format_args!("{mode:04o}"));
        }
        match listener.protocol {
            Protocol::Https => {}
            Protocol::Http => text.text("protocol", "http"),
            Protocol::RedirectToHttps { port } => {
                text.text("protocol", "redirect-to-https");
                text.key("https_port", port);
            }
        }
        text.unless("http2", listener.offer.http2, true);
        if listener.offer.minimum == TlsVersion::Tls13 {
            text.text("minimum_tls", "1.3");
        }
        if let Some(client_auth) = &listener.client_auth {
            text.client_auth(client_auth);
        }
    }
    for pair in &settings.certificates {
        text.section("[[certificate]]");
        text.path("cert", &pair.cert);
        text.path("key", &pair.key);
        text.unless("renew", pair.renew, true);
    }
    text.edge(&settings.edge, !settings.sites.is_empty());
    if settings.sites.is_empty() {
        match &settings.auth_config {
            Some(path) => {
                text.section("[auth]");
                text.path("auth_config", path);
            }
            None => text.auth(settings.auth.as_ref(), settings.token.is_some()),
        }
        if let Some(robots) = &settings.robots {
            text.path("robots", robots);
        }
        if let Some(token) = &settings.token {
            text.token(token);
        }
    }
    match &settings.backend {
        Backend::Registry(registry) => text.registry(registry),
        Backend::Forward(forward) => text.forward(forward),
        Backend::Places => {}
    }
    if let Some(debug) = &settings.debug {
        text.section("[debug]");
        text.text("address", debug.address);
        match debug.metrics.as_deref() {
            None => text.key("metrics", false),
            Some(DebugListener::METRICS) => {}
            Some(path) => text.text("metrics_path", path),
        }
    }
    if !settings.sites.is_empty() {
        text.sites(settings);
    }
    text.0
}
#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: impl Display) {
        // Writing to a `String` cannot fail.
        let _ = writeln!(self.0, "{line}");
    }

    fn section(&mut self, header: &str) {
        if !self.0.is_empty() {
            self.line("");
        }
        self.line(header);
    }

    fn key(&mut self, key: &str, value: impl Display) {
        self.line(format_args!("{key} = {value}"));
    }

    fn text(&mut self, key: &str, value: impl Display) {
        self.key(key, quoted(&value.to_string()));
    }

    fn path(&mut self, key: &str, path: &Path) {
        self.text(key, absolute(path).display());
    }

    fn time(&mut self, key: &str, time: Duration) {
        self.text(key, humantime::format_duration(time));
    }

    fn interval(&mut self, key: &str, interval: Option<Duration>) {
        match interval {
            Some(interval) => self.time(key, interval),
            None => self.text(key, "off"),
        }
    }

    fn unless<T: PartialEq + Display>(&mut self, key: &str, value: T, default: T) {
        if value != default {
            self.key(key, value);
        }
    }

    fn log(&mut self, settings: &Settings) {
        let mut log = Self::default();
        if settings.log.level != "info" {
            log.text("level", &settings.log.level);
        }
        if settings.log.format == LogFormat::Json {
            log.text("format", "json");
        }
        match settings.log.access {
            AccessLog::Combined => {}
            AccessLog::Json => log.text("access", "json"),
            AccessLog::Off => log.text("access", "off"),
        }
        if let Some(audit) = &settings.log.audit {
            log.path("audit", &audit.path);
            log.unless("audit_blobs", audit.blobs, false);
        }
        self.part("[log]", &log);
        let drain = settings.server.drain_timeout;
        if drain != Duration::from_secs(30) {
            self.section("[server]");
            self.time("drain_timeout", drain);
        }
    }

    /// A section, if there is anything in it.
    fn part(&mut self, header: &str, content: &Self) {
        if !content.0.is_empty() {
            self.section(header);
            self.0.push_str(&content.0);
        }
    }

    fn client_auth(&mut self, client_auth: &ClientAuth) {
        let mut client_auth = client_auth.clone();
        client_auth.resolve(absolute);
        self.section("[listener.client_auth]");
        let section = toml::to_string(&ClientAuthSection::of(&client_auth))
            .expect("texts, numbers and lists of them can be said in TOML");
        self.0.push_str(&section);
    }

    fn edge(&mut self, edge: &Edge, has_sites: bool) {
        let mut section = Self::default();
        let refused = edge.refused_user_agents.as_deref().unwrap_or_default();
        if !has_sites && refused != Edge::DEFAULT_REFUSED_USER_AGENTS {
            section.text("refused_user_agents", refused);
        }
        if !edge.trusted_proxies.is_empty() {
            section.key("trusted_proxies", list(&edge.trusted_proxies));
        }
        section.unless("publish_ca", edge.publish_ca, true);
        self.part("[edge]", &section);
    }

    fn auth(&mut self, auth: Option<&Auth>, has_token: bool) {
        let Some(auth) = auth else {
            if !has_token {
                self.section("[auth]");
                self.key("required", false);
            }
            return;
        };
        self.section("[auth]");
        self.path("htpasswd", &auth.htpasswd);
        self.text("realm", &auth.realm);
        self.time("cache_ttl", auth.cache_ttl);
        self.key("max_failures", auth.max_failures);
        self.time("failure_window", auth.failure_window);
        self.unless("allow_weak_hashes", auth.allow_weak_hashes, false);
    }

    fn token(&mut self, token: &TokenAuth) {
        self.section("[auth.token]");
        if !token.realm.is_empty() {
            self.text("realm", &token.realm);
        }
        self.text("service", &token.service);
        self.text("issuer", &token.issuer);
        if let Some(bundle) = &token.root_cert_bundle {
            self.path("root_cert_bundle", bundle);
        }
        match &token.jwks {
            None => {}
            Some(JwksSource::File(path)) => self.path("jwks", path),
            Some(JwksSource::Url(url)) => self.text("jwks", url.as_str()),
        }
        if token.algorithms != Algorithm::ALL {
            let names: Vec<_> = token.algorithms.iter().map(|one| one.name()).collect();
            self.key("algorithms", list(&names));
        }
        if let Some(path) = &token.auto_redirect {
            self.text("auto_redirect", path);
        }
    }

    fn forward(&mut self, forward: &Forward) {
        self.section("[forward]");
        self.text("to", &forward.to);
        self.time("connect_timeout", forward.connect_timeout);
        self.time("read_timeout", forward.read_timeout);
    }
}

/// The path from the root; as it is, if that cannot be said.
fn absolute(path: &Path) -> std::path::PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A text as TOML has it.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn list(items: &[impl Display]) -> String {
    let items: Vec<String> = items.iter().map(|item| quoted(&item.to_string())).collect();
    format!("[{}]", items.join(", "))
}

/// Fields by their names; those with the same name stand together.
fn headers(fields: &[HeaderField]) -> String {
    let mut named: Vec<(&str, Vec<&str>)> = Vec::new();
    for field in fields {
        match named.iter_mut().find(|(name, _)| *name == field.name()) {
            Some((_, values)) => values.push(field.value()),
            None => named.push((field.name(), vec![field.value()])),
        }
    }
    let named: Vec<String> = named
        .iter()
        .map(|(name, values)| format!("{} = {}", quoted(name), list(values)))
        .collect();
    format!("{{ {} }}", named.join(", "))
}

#[cfg(test)]
mod tests;
