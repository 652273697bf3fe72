//! The file, key by key, with its defaults.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use toml::Spanned;

use super::access::AccessSection;
use super::client_auth::ClientAuthSection;
use super::observe::DebugSection;
use super::registry::RegistrySection;
use super::site::{MapSection, SiteSection};
use super::token::TokenSection;
use super::value;
use crate::listen_address::ListenAddress;
use crate::settings::{
    AccessLog, AuditLog, Auth, Edge, Listener, Log, LogFormat, Protocol, Server, TlsOffer,
    TlsVersion,
};
use crate::token_server::TokenServer;
use crate::upstream::Upstream;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) log: LogSection,
    #[serde(default)]
    pub(super) server: ServerSection,
    #[serde(default)]
    pub(super) listener: Vec<Spanned<ListenerSection>>,
    #[serde(default)]
    pub(super) certificate: Vec<CertificateSection>,
    #[serde(default)]
    pub(super) edge: EdgeSection,
    pub(super) auth: Option<Spanned<AuthSection>>,
    pub(super) access: Option<Spanned<AccessSection>>,
    pub(super) token_server: Option<Spanned<TokenServerSection>>,
    pub(super) registry: Option<RegistrySection>,
    pub(super) forward: Option<Spanned<ForwardSection>>,
    pub(super) debug: Option<DebugSection>,
    #[serde(default)]
    pub(super) map: Vec<MapSection>,
    #[serde(default)]
    pub(super) site: Vec<Spanned<SiteSection>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LogSection {
    #[serde(deserialize_with = "value::log_level")]
    level: String,
    #[serde(deserialize_with = "value::log_format")]
    format: LogFormat,
    #[serde(deserialize_with = "value::access_log")]
    access: AccessLog,
    pub(super) audit: Option<Spanned<PathBuf>>,
    pub(super) audit_blobs: Option<Spanned<bool>>,
}

impl Default for LogSection {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::Text,
            access: AccessLog::Combined,
            audit: None,
            audit_blobs: None,
        }
    }
}

impl LogSection {
    pub(super) fn into_settings(self, base: &Path) -> Log {
        let blobs = self.audit_blobs.is_some_and(Spanned::into_inner);
        Log {
            level: self.level,
            format: self.format,
            access: self.access,
            audit: self.audit.map(|path| AuditLog {
                path: base.join(path.into_inner()),
                blobs,
            }),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ServerSection {
    #[serde(deserialize_with = "value::duration")]
    drain_timeout: Duration,
}

impl Default for ServerSection {
    fn default() -> Self {
        Self {
            drain_timeout: Duration::from_secs(30),
        }
    }
}

impl From<ServerSection> for Server {
    fn from(section: ServerSection) -> Self {
        Self {
            drain_timeout: section.drain_timeout,
        }
    }
}

/// `minimum_tls`
#[derive(Clone, Copy, Deserialize)]
pub(super) enum MinimumTls {
    #[serde(rename = "1.2")]
    Tls12,
    #[serde(rename = "1.3")]
    Tls13,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListenerSection {
    #[serde(deserialize_with = "value::listen_address")]
    address: ListenAddress,
    pub(super) socket_mode: Option<Spanned<String>>,
    #[serde(default, deserialize_with = "value::protocol")]
    protocol: value::ProtocolName,
    https_port: Option<u16>,
    /// Told from the value that it would have anyway, to refuse it without TLS.
    pub(super) http2: Option<Spanned<bool>>,
    pub(super) minimum_tls: Option<Spanned<MinimumTls>>,
    client_auth: Option<Spanned<ClientAuthSection>>,
}

impl ListenerSection {
    /// The listener, and what certificates it asks for.
    pub(super) fn into_parts(self) -> (Listener, Option<Spanned<ClientAuthSection>>) {
        let section = self;
        let minimum = section.minimum_tls.map(Spanned::into_inner);
        let listener = Listener {
            client_auth: None,
            offer: TlsOffer {
                http2: section.http2.is_none_or(Spanned::into_inner),
                minimum: match minimum {
                    None | Some(MinimumTls::Tls12) => TlsVersion::Tls12,
                    Some(MinimumTls::Tls13) => TlsVersion::Tls13,
                },
            },
            address: section.address,
            socket_mode: None,
            protocol: match section.protocol {
                value::ProtocolName::Https => Protocol::Https,
                value::ProtocolName::Http => Protocol::Http,
                value::ProtocolName::RedirectToHttps => Protocol::RedirectToHttps {
                    port: section.https_port.unwrap_or(443),
                },
            },
        };
        (listener, section.client_auth)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CertificateSection {
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
    #[serde(default = "yes")]
    pub(super) renew: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct EdgeSection {
    #[serde(deserialize_with = "value::expression")]
    refused_user_agents: String,
    #[serde(deserialize_with = "value::networks")]
    trusted_proxies: Vec<IpNet>,
    publish_ca: bool,
}

impl Default for EdgeSection {
    fn default() -> Self {
        Self {
            refused_user_agents: Edge::DEFAULT_REFUSED_USER_AGENTS.to_owned(),
            trusted_proxies: Vec::new(),
            publish_ca: true,
        }
    }
}

impl From<EdgeSection> for Edge {
    fn from(section: EdgeSection) -> Self {
        Self {
            refused_user_agents: Some(section.refused_user_agents).filter(|e| !e.is_empty()),
            trusted_proxies: section.trusted_proxies,
            publish_ca: section.publish_ca,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AuthSection {
    pub(super) auth_config: Option<PathBuf>,
    required: bool,
    htpasswd: Option<PathBuf>,
    pub(super) robots: Option<Spanned<PathBuf>>,
    allow_weak_hashes: bool,
    #[serde(deserialize_with = "value::header_text")]
    realm: String,
    #[serde(deserialize_with = "value::duration")]
    cache_ttl: Duration,
    #[serde(deserialize_with = "value::positive")]
    max_failures: u32,
    #[serde(deserialize_with = "value::duration")]
    failure_window: Duration,
    pub(super) token: Option<Spanned<TokenSection>>,
}

impl Default for AuthSection {
    fn default() -> Self {
        Self {
            auth_config: None,
            required: true,
            htpasswd: None,
            robots: None,
            allow_weak_hashes: false,
            realm: "Registry".to_owned(),
            cache_ttl: Duration::from_secs(5 * 60),
            max_failures: 10,
            failure_window: Duration::from_secs(60),
            token: None,
        }
    }
}

impl AuthSection {
    /// `None` if the section says that nobody is asked, or that tokens are.
    pub(super) fn into_settings(
        self,
        base: &Path,
        has_token: bool,
    ) -> Result<Option<Auth>, &'static str> {
        match (self.required, self.htpasswd) {
            (false, _) if has_token => Err("`required = false` contradicts `token`"),
            (true, None) if has_token => Ok(None),
            (true, Some(htpasswd)) => Ok(Some(Auth {
                htpasswd: base.join(htpasswd),
                allow_weak_hashes: self.allow_weak_hashes,
                realm: self.realm,
                cache_ttl: self.cache_ttl,
                max_failures: self.max_failures,
                failure_window: self.failure_window,
            })),
            (true, None) => Err("[auth] names no password file"),
            (false, None) => Ok(None),
            (false, Some(_)) => Err("`required = false` contradicts `htpasswd`"),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenServerSection {
    key: Option<PathBuf>,
    certificate: Option<PathBuf>,
    #[serde(default = "token_server_name", deserialize_with = "value::header_text")]
    issuer: String,
    #[serde(default = "token_server_name", deserialize_with = "value::header_text")]
    service: String,
    #[serde(default = "token_expiry", deserialize_with = "value::duration")]
    expiry: Duration,
}

fn token_server_name() -> String {
    TokenServer::NAME.to_owned()
}

fn token_expiry() -> Duration {
    TokenServer::EXPIRY
}

impl TokenServerSection {
    /// `directory` is where a pair is that the section does not name.
    pub(super) fn into_settings(
        self,
        base: &Path,
        directory: &Path,
    ) -> Result<TokenServer, &'static str> {
        // distribution's clients take less than a minute for a mistake.
        if self.expiry < Duration::from_secs(60) {
            return Err("a token has to count for a minute at least");
        }
        let defaults = TokenServer::new(directory);
        let (key, certificate) = match (self.key, self.certificate) {
            (Some(key), Some(certificate)) => (base.join(key), base.join(certificate)),
            (None, None) => (defaults.key, defaults.certificate),
            _ => return Err("`key` and `certificate` belong together"),
        };
        Ok(TokenServer {
            key,
            certificate,
            issuer: self.issuer,
            service: self.service,
            expiry: self.expiry,
        })
    }
}

pub(super) fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ForwardSection {
    #[serde(deserialize_with = "value::upstream")]
    pub(super) to: Upstream,
    #[serde(
        default = "default_connect_timeout",
        deserialize_with = "value::duration"
    )]
    pub(super) connect_timeout: Duration,
    #[serde(default = "default_read_timeout", deserialize_with = "value::duration")]
    pub(super) read_timeout: Duration,
}

fn default_connect_timeout() -> Duration {
    Duration::from_secs(10)
}

/// The recipe's `proxy_read_timeout`: a registry may take that long to commit
/// a large layer to slow storage.
fn default_read_timeout() -> Duration {
    Duration::from_secs(900)
}
