//! Settings as a `tidegate.toml`, for those who come from another format.
//!
//! What is as it would be anyway is left out, so that the file says what was
//! said before and no more.

use std::fmt::{Display, Write as _};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::client_auth::ClientAuthSection;
use super::site::{MapSection, SiteSection, written};
use crate::client_auth::ClientAuth;
use crate::header::HeaderField;
use crate::links::{Links, PathPrefix};
use crate::settings::{
    AccessLog, Auth, Backend, Collect, DebugListener, Edge, Forward, Health, LogFormat, Protocol,
    Registry, Scrub, Settings,
};
use crate::site::{Action, LocationRule, Site, Template, Test};
use crate::token::{Algorithm, JwksSource, TokenAuth};
use crate::webhook::{Queue, Webhook};

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
        text.text("address", listener.address);
        match listener.protocol {
            Protocol::Https => {}
            Protocol::Http => text.text("protocol", "http"),
            Protocol::RedirectToHttps { port } => {
                text.text("protocol", "redirect-to-https");
                text.key("https_port", port);
            }
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

/// What is written at the end: in the notation of their own sections.
#[derive(Serialize)]
struct Sites {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    map: Vec<MapSection>,
    site: Vec<SiteSection>,
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

    fn registry(&mut self, registry: &Registry) {
        self.section("[registry]");
        self.path("root", &registry.root);
        self.unless("delete", registry.delete, true);
        self.unless("read_only", registry.read_only, false);
        if let Some(schema1) = &registry.schema1 {
            self.key("schema1", true);
            if let Some(key) = &schema1.signing_key {
                self.path("schema1_signing_key", key);
            }
        }
        if !registry.headers.is_empty() {
            self.key("headers", headers(&registry.headers));
        }
        if registry.prefix != PathPrefix::default() {
            self.text("prefix", registry.prefix.as_str());
        }
        if registry.links != Links::default() {
            self.text("links", &registry.links);
        }
        for (key, most) in [
            ("catalog_most", registry.catalog_most),
            ("tags_most", registry.tags_most),
        ] {
            if most != Registry::MOST_OF_A_LIST {
                self.key(key, most);
            }
        }
        self.collection(registry);
        match registry.health {
            Some(health) if health == Health::default() => {}
            Some(health) => {
                self.section("[registry.health]");
                self.time("interval", health.interval);
                self.key("threshold", health.threshold);
            }
            None => {
                self.section("[registry.health]");
                self.key("enabled", false);
            }
        }
        for webhook in &registry.webhooks {
            self.webhook(webhook);
        }
    }

    fn collection(&mut self, registry: &Registry) {
        let (collect, usual) = (&registry.collect, Collect::default());
        if *collect != usual {
            self.section("[registry.collect]");
            self.interval("every", collect.every);
            self.time("grace", collect.grace);
            self.unless("delete_untagged", collect.delete_untagged, false);
            self.interval("uploads_after", collect.uploads_after);
            self.unless("uploads_only", collect.uploads_only, false);
        }
        if registry.scrub != Scrub::default() {
            self.section("[registry.scrub]");
            self.interval("every", registry.scrub.every);
            self.text("rate", format_args!("{}B", registry.scrub.rate));
        }
        for rule in &registry.retention {
            self.section("[[registry.retention]]");
            self.text("repositories", &rule.repositories);
            if let Some(newest) = rule.keep_newest {
                self.key("keep_newest", newest);
            }
            for (key, within) in [
                ("keep_pulled_within", rule.keep_pulled_within),
                ("keep_pushed_within", rule.keep_pushed_within),
            ] {
                if let Some(within) = within {
                    self.time(key, within);
                }
            }
            if let Some(tags) = &rule.keep_tags {
                self.text("keep_tags", tags.as_str());
            }
        }
        for rule in &registry.immutable {
            self.section("[[registry.immutable]]");
            self.text("repositories", &rule.repositories);
            self.text("tags", &rule.tags);
        }
    }

    fn webhook(&mut self, webhook: &Webhook) {
        self.section("[[registry.webhook]]");
        self.text("name", &webhook.name);
        self.text("url", webhook.url.reveal());
        if !webhook.headers.is_empty() {
            self.key("headers", headers(&webhook.headers));
        }
        if let Some(ca) = &webhook.ca {
            self.path("ca", ca);
        }
        self.time("timeout", webhook.timeout);
        self.key("threshold", webhook.threshold);
        self.time("backoff", webhook.backoff);
        let actions: Vec<&str> = webhook.ignore.actions.iter().map(|a| a.as_str()).collect();
        if !actions.is_empty() {
            self.key("ignore_actions", list(&actions));
        }
        if !webhook.ignore.media_types.is_empty() {
            self.key("ignore_media_types", list(&webhook.ignore.media_types));
        }
        self.unless("references", webhook.references, false);
        let usual = Queue::default();
        if let Some(directory) = &webhook.queue.directory {
            self.path("queue", directory);
        }
        self.unless("queue_events", webhook.queue.events, usual.events);
        if webhook.queue.bytes != usual.bytes {
            self.text("queue_bytes", format_args!("{}B", webhook.queue.bytes));
        }
    }

    fn forward(&mut self, forward: &Forward) {
        self.section("[forward]");
        self.text("to", &forward.to);
        self.time("connect_timeout", forward.connect_timeout);
        self.time("read_timeout", forward.read_timeout);
    }

    fn sites(&mut self, settings: &Settings) {
        let mut translations = Vec::new();
        for template in settings.sites.iter().flat_map(templates) {
            template.translations(&mut translations);
        }
        let mut sites: Vec<Site> = settings.sites.clone();
        sites.iter_mut().for_each(with_absolute_paths);
        let sections = Sites {
            map: translations.iter().map(|map| written::map(map)).collect(),
            site: sites
                .iter()
                .map(|site| written::site(site, &settings.listeners))
                .collect(),
        };
        let text = toml::to_string(&sections)
            .expect("texts, numbers and lists of them can be said in TOML");
        self.line("");
        self.0.push_str(&text);
    }
}

/// Every template of a site.
fn templates(site: &Site) -> Vec<&Template> {
    let mut found = Vec::new();
    let rules = site.places.iter().map(|place| &place.rules);
    let rewrites = rules.clone().chain([&site.elsewhere]);
    let rewrites = rewrites.flat_map(|rules| &rules.rewrites);
    for rewrite in site.rewrites.iter().chain(rewrites) {
        for condition in &rewrite.when {
            found.push(&condition.subject);
            if let Test::Equals(template) = &condition.test {
                found.push(template);
            }
        }
        match &rewrite.answer {
            crate::site::Return::Status { text, .. } => found.extend(text),
            crate::site::Return::Redirect { to, .. } => found.push(to),
        }
    }
    for rules in rules.chain([&site.elsewhere]) {
        found.extend(rules.headers.iter().map(|header| &header.value));
    }
    for place in &site.places {
        if let Action::Proxy(proxy) = &place.action {
            found.extend(proxy.headers.iter().map(|(_, value)| value));
            for rule in &proxy.redirects {
                if let LocationRule::Prefix { from, to } = rule {
                    found.extend([from, to]);
                }
            }
        }
    }
    found
}

fn with_absolute_paths(site: &mut Site) {
    if let Some(client_auth) = &mut site.client_auth {
        client_auth.resolve(absolute);
    }
    let places = site.places.iter_mut();
    let rules = places.map(|place| {
        if let Action::Proxy(proxy) = &mut place.action
            && let Some(tls) = &mut proxy.tls
            && let Some(trusted) = &mut tls.trusted
        {
            *trusted = absolute(trusted);
        }
        &mut place.rules
    });
    for rules in rules.chain([&mut site.elsewhere]) {
        let methods = rules.access.methods.as_mut();
        let of_methods = methods.and_then(|methods| methods.access.auth.as_mut());
        for auth in rules.access.auth.iter_mut().chain(of_methods) {
            auth.htpasswd = absolute(&auth.htpasswd);
        }
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
mod tests {
    use super::*;
    use crate::tidegate_toml::parse;

    /// What is written is read as what it was, and is written again alike.
    fn assert_comes_back(text: &str) -> String {
        let path = Path::new("/srv/tidegate.toml");
        let settings = parse(path, text).unwrap_or_else(|e| panic!("{e}\n{:?}", e.hint()));
        let written = write(&settings, "made of\nanother file");
        let again = parse(path, &written).unwrap_or_else(|e| panic!("{e}\n{written}"));
        assert_eq!(again, settings, "{written}");
        written
    }

    #[test]
    fn a_small_file_stays_small() {
        let written = assert_comes_back(
            "[[listener]]\naddress = \"[::]:5000\"\nprotocol = \"http\"\n\
             [auth]\nrequired = false\n[registry]\nroot = \"data\"\n",
        );
        assert_eq!(
            written,
            "# made of\n# another file\n\n\
             [[listener]]\naddress = \"[::]:5000\"\nprotocol = \"http\"\n\n\
             [auth]\nrequired = false\n\n[registry]\nroot = \"/srv/data\"\n"
        );
    }

    #[test]
    fn everything_comes_back() {
        assert_comes_back(
            r#"
[log]
level = "info,tidegate_proxy=debug"
format = "json"
access = "off"
[server]
drain_timeout = "1m 5s"
[[listener]]
address = "0.0.0.0:443"
[[listener]]
address = "0.0.0.0:80"
protocol = "redirect-to-https"
https_port = 8443
[[listener]]
address = "0.0.0.0:444"
[listener.client_auth]
ca = ["clients.crt", "others.crt"]
trusted = "roots.crt"
crl = "clients.crl"
depth = 2
required = false
user = "san-uri"
[[certificate]]
cert = "a \"b\".crt"
key = "a.key"
renew = false
[edge]
refused_user_agents = "^x\\.y"
trusted_proxies = ["10.0.0.0/8"]
publish_ca = false
[auth]
htpasswd = "users"
realm = "the \"realm\""
cache_ttl = "0s"
max_failures = 3
failure_window = "90s"
allow_weak_hashes = true
[registry]
root = "data"
delete = false
read_only = true
schema1 = true
schema1_signing_key = "key"
headers = { X-One = ["a", "b"], X-Two = "c" }
prefix = "/reg"
links = "https://reg.example/sub"
catalog_most = 5000
tags_most = 50
[registry.collect]
every = "off"
grace = "2h"
delete_untagged = true
uploads_after = "off"
uploads_only = true
[registry.scrub]
every = "off"
rate = "1MB"
[[registry.retention]]
repositories = "team/**"
keep_newest = 3
keep_pulled_within = "7d"
keep_pushed_within = "1d"
keep_tags = "^v\\d"
[[registry.immutable]]
repositories = "a"
tags = "v*"
[registry.health]
interval = "5s"
threshold = 1
[[registry.webhook]]
name = "ci"
url = "https://u:p@h/x?y"
headers = { Authorization = "Bearer x" }
ca = "ca.crt"
timeout = "1s"
threshold = 2
backoff = "3s"
ignore_actions = ["pull"]
ignore_media_types = ["a/b"]
references = true
queue = "q"
queue_events = 5
queue_bytes = "7B"
[debug]
address = "127.0.0.1:5001"
metrics = false
"#,
        );
    }

    #[test]
    fn sites_come_back() {
        let written = assert_comes_back(
            r#"
[[listener]]
address = "0.0.0.0:443"
[[listener]]
address = "0.0.0.0:80"
protocol = "http"
[[certificate]]
cert = "a.crt"
key = "a.key"
[registry]
root = "data"

[[map]]
variable = "api_version"
of = "$upstream_http_docker_distribution_api_version"
values = [["", "registry/2.0"], ["~*^x", "${scheme}y"]]

[[site]]
listen = ["0.0.0.0:443"]
default_at = ["0.0.0.0:443"]
names = ["registry.example.org", "*.example.org", "~^r\\d"]
client_auth = { ca = "clients.crt", verify = "any-issuer" }
rewrite = [{ when = ["$request_method = TRACE"], status = 405, text = "no $host" }]
elsewhere = { max_body = 1048576, addresses = ["deny all"] }

[[site.place]]
path = "/v2/"
registry = true
rules.max_body = 0
rules.either = true
rules.addresses = ["allow 10.0.0.0/8", "deny all"]
rules.auth = { htpasswd = "users", realm = "Registry" }
rules.methods = { except = ["GET"], addresses = ["deny all"], auth = { htpasswd = "pushers", realm = "P" } }
rules.rewrite = [{ when = ["$http_user_agent ~ \"^docker\\/1\\.3\""], status = 404 }]
rules.header = [{ name = "Docker-Distribution-Api-Version", value = "$api_version", always = true }]

[[site.place]]
path = "~* \\.ui$"
[site.place.proxy]
host = "ui"
path = "/x"
read_timeout = "15m"
tls = { name = "ui.example", verify = true, trusted = "roots.pem" }
server = [{ to = "http://ui:8080", weight = 3 }, { to = "unix:/run/ui", backup = true, down = true, max_fails = 0, fail_timeout = "1s" }]
header = [{ name = "Host", value = "$http_host" }]
redirect = [["http://$api_version/", "/"], "default"]

[[site.place]]
path = "/as-is/"
proxy = { host = "ui", server = [{ to = "http://ui" }], redirect = [] }

[[site]]
listen = ["0.0.0.0:80"]
rewrite = [{ status = 301, to = "https://$host$request_uri" }]
"#,
        );
        assert!(written.contains("htpasswd = \"/srv/users\""), "{written}");
    }
}
