//! The sections as they stand in the file, with their defaults.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::client_auth::ClientAuthSection;
use super::super::value;
use crate::listen_address::ListenAddress;

/// `[[map]]`: nginx's `map`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct MapSection {
    pub(super) variable: String,
    pub(super) of: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) default: String,
    /// Texts and, behind `~` or `~*`, expressions, each with what stands for it.
    pub(super) values: Vec<[String; 2]>,
}

impl MapSection {
    /// The texts that may be expressions, of which groups may have names.
    pub(in super::super) fn expressions(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|[from, _]| from.as_str())
    }
}

/// `[[site]]`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct SiteSection {
    /// The addresses of listeners; all of them if none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "addresses")]
    pub(super) listen: Vec<ListenAddress>,
    /// Those among them at which the site answers for other names as well. The
    /// first site of a listener does, if none says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "addresses")]
    pub(super) default_at: Vec<ListenAddress>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) names: Vec<String>,
    /// As `[listener.client_auth]`, in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) client_auth: Option<ClientAuthSection>,
    /// As of `[[listener]]`, in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) http2: Option<bool>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) rewrite: Vec<RewriteSection>,
    #[serde(default, skip_serializing_if = "RulesSection::is_empty")]
    pub(super) elsewhere: RulesSection,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) place: Vec<PlaceSection>,
}

impl SiteSection {
    /// The texts that may be expressions, of which groups may have names.
    pub(in super::super) fn expressions(&self) -> Vec<&str> {
        let mut found: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let rules = self.place.iter().map(|place| &place.rules);
        let rewrites = rules.chain([&self.elsewhere]);
        let rewrites = rewrites.flat_map(|rules| &rules.rewrite);
        for rewrite in self.rewrite.iter().chain(rewrites) {
            found.extend(rewrite.when.iter().map(String::as_str));
        }
        for place in &self.place {
            found.push(&place.path);
            let redirects = place
                .proxy
                .as_ref()
                .and_then(|proxy| proxy.redirect.as_ref());
            for redirect in redirects.into_iter().flatten() {
                if let RedirectSection::Prefix([from, _]) = redirect {
                    found.push(from);
                }
            }
        }
        found
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlaceSection {
    pub(super) path: String,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) registry: bool,
    #[serde(default, skip_serializing_if = "RulesSection::is_empty")]
    pub(super) rules: RulesSection,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) proxy: Option<ProxySection>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RulesSection {
    /// Bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_body: Option<u64>,
    #[serde(flatten)]
    pub(super) access: AccessSection,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) methods: Option<MethodsSection>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) rewrite: Vec<RewriteSection>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) header: Vec<HeaderSection>,
}

impl RulesSection {
    fn is_empty(&self) -> bool {
        self.max_body.is_none()
            && self.access.is_empty()
            && self.methods.is_none()
            && self.rewrite.is_empty()
            && self.header.is_empty()
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct AccessSection {
    /// `allow 10.0.0.0/8`, `deny all`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) addresses: Vec<String>,
    /// Whether either the address or the password suffices.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) either: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) auth: Option<SiteAuthSection>,
}

impl AccessSection {
    fn is_empty(&self) -> bool {
        self.addresses.is_empty() && !self.either && self.auth.is_none()
    }
}

/// As `[auth]`, of a place.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SiteAuthSection {
    pub(super) htpasswd: PathBuf,
    pub(super) realm: String,
    #[serde(default = "cache_ttl", with = "humantime_text")]
    pub(super) cache_ttl: Duration,
    #[serde(default = "max_failures")]
    pub(super) max_failures: u32,
    #[serde(default = "failure_window", with = "humantime_text")]
    pub(super) failure_window: Duration,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) allow_weak_hashes: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MethodsSection {
    pub(super) except: Vec<String>,
    #[serde(flatten)]
    pub(super) access: AccessSection,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RewriteSection {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) when: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    /// Where a redirect leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
    /// The path that the request goes on with, in place of an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) query: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) drop_query: bool,
    /// `search` for a place anew at once, or `stay` at this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) then: Option<ThenName>,
    /// Nothing is done, and what follows is not looked at.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) stop: bool,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ThenName {
    Search,
    Stay,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeaderSection {
    pub(super) name: String,
    pub(super) value: String,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) always: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProxySection {
    pub(super) host: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<String>,
    /// Path and query, whatever the client asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) target: Option<String>,
    #[serde(default = "minute", with = "humantime_text")]
    pub(super) connect_timeout: Duration,
    #[serde(default = "minute", with = "humantime_text")]
    pub(super) read_timeout: Duration,
    #[serde(default = "minute", with = "humantime_text")]
    pub(super) send_timeout: Duration,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tls: Option<TlsSection>,
    pub(super) server: Vec<ServerSection>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) header: Vec<HeaderSection>,
    /// What becomes of a `Location` that begins so; `"default"` if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) redirect: Option<Vec<RedirectSection>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum RedirectSection {
    /// `"default"`
    Word(String),
    /// `["http://registry:5000/", "/"]`, `["~^http://[^/]+(/.*)$", "$1"]`
    Prefix([String; 2]),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsSection {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) verify: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trusted: Option<PathBuf>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerSection {
    pub(super) to: String,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub(super) weight: u32,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) backup: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) down: bool,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub(super) max_fails: u32,
    #[serde(default = "ten_seconds", with = "humantime_text")]
    pub(super) fail_timeout: Duration,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_one(value: &u32) -> bool {
    *value == 1
}

fn one() -> u32 {
    1
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

fn minute() -> Duration {
    Duration::from_secs(60)
}

fn cache_ttl() -> Duration {
    Duration::from_secs(5 * 60)
}

fn max_failures() -> u32 {
    10
}

fn failure_window() -> Duration {
    Duration::from_secs(60)
}

/// Times as `[server]` has them.
mod humantime_text {
    use std::time::Duration;

    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&humantime::format_duration(*time))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        super::value::duration(d)
    }
}

/// Addresses as `[[listener]]` has them.
mod addresses {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::ListenAddress;

    pub(super) fn serialize<S: Serializer>(all: &[ListenAddress], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(all.iter().map(ToString::to_string))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Vec<ListenAddress>, D::Error> {
        #[derive(Deserialize)]
        struct One(
            #[serde(deserialize_with = "super::super::super::value::listen_address")] ListenAddress,
        );
        let all = Vec::<One>::deserialize(d)?;
        Ok(all.into_iter().map(|one| one.0).collect())
    }
}
