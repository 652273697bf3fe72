//! The checked settings: what every format is turned into.
//!
//! Everything here has been parsed: durations are durations, addresses are
//! addresses, relative paths have been resolved against the directory of the
//! file that named them. Defaults are those of `tidegate.toml`.

mod registry;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

pub use self::registry::{Collect, Health, ImmutableRule, Registry, RetentionRule, Schema1, Scrub};
use crate::access::AccessRules;
use crate::client_auth::ClientAuth;
use crate::listen_address::ListenAddress;
use crate::site::Site;
use crate::token::TokenAuth;
use crate::token_server::TokenServer;
use crate::upstream::Upstream;

/// All that `tidegate serve` needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What is logged, and how.
    pub log: Log,
    /// Limits of the process.
    pub server: Server,
    /// Where to listen; never empty.
    pub listeners: Vec<Listener>,
    /// The certificates of the TLS listeners, chosen by the name that the
    /// client asks for (SNI); the first serves clients that ask for none or
    /// for an unknown one. Not empty if any listener speaks TLS.
    pub certificates: Vec<CertificateFiles>,
    /// Virtual servers. Where there are any, they say of each request what
    /// [`Settings::edge`], [`Settings::auth`] and [`Settings::backend`] say
    /// otherwise of all; what is left to those are the proxies that are trusted,
    /// and the registry.
    pub sites: Vec<Site>,
    /// Rules applied before a request reaches the backend.
    pub edge: Edge,
    /// Who may come in. `None` only where the file says so in as many words.
    pub auth: Option<Auth>,
    /// The file with the passwords that were made for programs, which need not
    /// exist. Only beside [`Settings::auth`] and a registry in this process.
    pub robots: Option<PathBuf>,
    /// What callers may do. `None`: those who come in may do everything.
    pub access: Option<AccessRules>,
    /// Whose tokens are believed, beside or in place of passwords: then
    /// [`Settings::auth`] may be `None`, and yet nobody is let in without one.
    pub token: Option<TokenAuth>,
    /// docker_auth's file, whose users come in by tokens that they get here, in
    /// place of [`Settings::auth`] and [`Settings::access`].
    pub auth_config: Option<PathBuf>,
    /// Where those who come in get tokens. `None`: nowhere here.
    pub token_server: Option<TokenServer>,
    /// What answers the requests that pass.
    pub backend: Backend,
    /// Where those who operate it look in. `None`: nowhere.
    pub debug: Option<DebugListener>,
}

impl Settings {
    /// Every password file that is asked, as often as it is. Where there are sites,
    /// those are theirs.
    #[must_use]
    pub fn auths(&self) -> Vec<&Auth> {
        let sites = self.sites.iter().flat_map(|site| {
            let places = site.places.iter().map(|place| &place.rules);
            places.chain([&site.elsewhere])
        });
        let of_sites = sites.flat_map(|rules| rules.access.auths());
        let own = self.auth.iter().filter(|_| self.sites.is_empty());
        own.chain(of_sites).collect()
    }

    /// Takes weak hashes from every password file: see [`Auth::allow_weak_hashes`].
    pub fn allow_weak_hashes(&mut self) {
        let sites = self.sites.iter_mut().flat_map(|site| {
            let places = site.places.iter_mut().map(|place| &mut place.rules);
            places.chain([&mut site.elsewhere])
        });
        let of_sites = sites.flat_map(|rules| rules.access.auths_mut());
        for auth in self.auth.iter_mut().chain(of_sites) {
            auth.allow_weak_hashes = true;
        }
    }
}

/// The `[log]` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// A filter in the notation of `tracing`'s `EnvFilter`, as `info` or
    /// `info,tidegate_proxy=debug`.
    pub level: String,
    /// How messages are written to standard error.
    pub format: LogFormat,
    /// How requests are written to standard output.
    pub access: AccessLog,
    /// Where it is written who did what in the registry. `None`: nowhere.
    pub audit: Option<AuditLog>,
}

/// `log.audit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLog {
    /// The file, which is appended to.
    pub path: PathBuf,
    /// Whether each blob that is pulled is written down as well: an image is one
    /// manifest and many blobs.
    pub blobs: bool,
}

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One readable line for each message.
    Text,
    /// One JSON object for each message.
    Json,
}

/// How the access log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessLog {
    /// Apache's Combined format, followed by what a registry's operator needs.
    Combined,
    /// One JSON object for each request.
    Json,
    /// Not at all.
    Off,
}

/// The `[server]` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// How long requests in flight may go on after SIGTERM.
    pub drain_timeout: Duration,
}

/// One `[[listener]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// What to bind.
    pub address: ListenAddress,
    /// The permissions of a Unix socket. `None`: those that the process's mask leaves.
    pub socket_mode: Option<u32>,
    /// What is spoken there.
    pub protocol: Protocol,
    /// What is offered to clients where TLS is spoken.
    pub offer: TlsOffer,
    /// What certificates are asked of clients, where TLS is spoken and the site
    /// does not say otherwise. `None`: none.
    pub client_auth: Option<ClientAuth>,
}

/// What a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// TLS, of which [`Listener::offer`] says more.
    Https,
    /// Plain HTTP, for use behind another proxy that ends TLS.
    Http,
    /// Plain HTTP that answers every request with a redirect to `https` on
    /// the given port.
    RedirectToHttps {
        /// The port of the URL that the client is sent to.
        port: u16,
    },
}

/// What clients may choose from in a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TlsOffer {
    /// Whether HTTP/2 is offered beside HTTP/1.1, where the site does not say
    /// otherwise.
    pub http2: bool,
    /// The oldest version of TLS.
    pub minimum: TlsVersion,
}

impl Default for TlsOffer {
    /// All that there is.
    fn default() -> Self {
        Self {
            http2: true,
            minimum: TlsVersion::Tls12,
        }
    }
}

/// A version of TLS that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

/// One `[[certificate]]`: a chain and the key that belongs to it, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The leaf, then the intermediates.
    pub cert: PathBuf,
    /// The leaf's private key: PKCS#8, PKCS#1 or SEC1, not encrypted.
    pub key: PathBuf,
    /// Whether it is renewed before it ends, if the CA beside it signed it.
    pub renew: bool,
}

/// The `[edge]` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Requests whose `User-Agent` matches are answered 404. Look-around is
    /// allowed. `None` refuses nobody.
    pub refused_user_agents: Option<String>,
    /// The proxies whose `X-Forwarded-For`, `X-Forwarded-Proto` and
    /// `X-Forwarded-Host` are believed. From anybody else they are replaced.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether anybody may fetch the certificate of the CA that signed the
    /// first certificate, without a password.
    pub publish_ca: bool,
}

impl Edge {
    /// Docker 1.3, 1.4 and 1.5 (other than `1.5.x-dev`), whose registry client
    /// cannot speak to a v2 registry, and the bare Go client of that time.
    pub const DEFAULT_REFUSED_USER_AGENTS: &'static str =
        r"^(docker\/1\.(3|4|5(?!\.[0-9]-dev))|Go ).*$";
}

/// The `[auth]` section: passwords from an htpasswd file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// The file with one `user:hash` a line.
    pub htpasswd: PathBuf,
    /// Whether users may log in whose password is stored in a notation that
    /// protects nothing: DES crypt and `{PLAIN}`.
    pub allow_weak_hashes: bool,
    /// What a client shows when it asks for the password.
    pub realm: String,
    /// How long after its last use a password that was right is believed without being
    /// hashed again. Zero checks every request.
    pub cache_ttl: Duration,
    /// How many wrong passwords a client address, or a user, may send within
    /// [`Auth::failure_window`] before it is answered 429.
    pub max_failures: u32,
    /// The span in which [`Auth::max_failures`] are counted.
    pub failure_window: Duration,
}

/// What answers requests that passed the edge.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a process has one of them")]
pub enum Backend {
    /// The registry in this process.
    Registry(Registry),
    /// Another registry, reached over the network or a Unix socket.
    Forward(Forward),
    /// What the places of [`Settings::sites`] lead to, none of them to a
    /// registry in this process.
    Places,
}

/// The `[debug]` section: plain HTTP, for those who operate the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebugListener {
    /// The address to bind; whoever reaches it is not asked who they are.
    pub address: SocketAddr,
    /// The path of the metrics, if they are there.
    pub metrics: Option<String>,
}

impl DebugListener {
    /// Where metrics are unless it is said otherwise.
    pub const METRICS: &'static str = "/metrics";
}

/// The `[forward]` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// Where requests go.
    pub to: Upstream,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long the upstream may be silent.
    pub read_timeout: Duration,
}
