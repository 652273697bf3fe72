//! The checked settings: what every format is turned into.
//!
//! Everything here has been parsed: durations are durations, addresses are
//! addresses, relative paths have been resolved against the directory of the
//! file that named them. Defaults are those of `tidegate.toml`.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::access::AccessRules;
use crate::check::Check;
use crate::client_auth::ClientAuth;
use crate::header::HeaderField;
use crate::links::{Links, PathPrefix};
use crate::listen_address::ListenAddress;
use crate::pattern::{Expression, Pattern};
use crate::site::Site;
use crate::token::TokenAuth;
use crate::token_server::TokenServer;
use crate::upstream::Upstream;
use crate::webhook::Webhook;

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

/// The `[registry]` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// The directory that distribution calls `rootdirectory`: the parent of
    /// `docker/registry/v2`.
    pub root: PathBuf,
    /// Whether manifests, tags and blobs may be deleted.
    pub delete: bool,
    /// Whether pushes and deletions are refused.
    pub read_only: bool,
    /// Whether clients that know nothing newer than schema 1, as Docker before
    /// 1.10, are served: distribution's `compatibility.schema1.enabled`. Whoever
    /// sends no `Accept`, as they do, is taken for one of them.
    pub schema1: Option<Schema1>,
    /// When and how what nobody uses is removed.
    pub collect: Collect,
    /// When everything is read again.
    pub scrub: Scrub,
    /// Which tags stay; the first rule that is about a repository counts. Those
    /// of repositories without a rule all stay.
    pub retention: Vec<RetentionRule>,
    /// Which tags neither clients nor rules may move or remove.
    pub immutable: Vec<ImmutableRule>,
    /// Sent with every answer of the API, in place of what it would send by the
    /// same name: distribution's `http.headers`.
    pub headers: Vec<HeaderField>,
    /// How often it is seen whether the storage works. `None`: never.
    pub health: Option<Health>,
    /// What has to be well beside the storage.
    pub checks: Vec<Check>,
    /// Who is told what happens; each has a name of its own.
    pub webhooks: Vec<Webhook>,
    /// The path under which the API is served.
    pub prefix: PathPrefix,
    /// How the URLs begin that clients are sent to.
    pub links: Links,
    /// How many repositories are listed at once, at most: distribution's
    /// `catalog.maxentries`.
    pub catalog_most: usize,
    /// How many tags are listed at once, at most, where a client asks for pages:
    /// distribution's `tags.maxtags`.
    pub tags_most: usize,
}

impl Registry {
    /// How many entries of a list are sent at once, unless it is said otherwise.
    pub const MOST_OF_A_LIST: usize = 1000;

    /// A registry in `root` with every default of `tidegate.toml`.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            delete: true,
            read_only: false,
            schema1: None,
            collect: Collect::default(),
            scrub: Scrub::default(),
            retention: Vec::new(),
            immutable: Vec::new(),
            headers: Vec::new(),
            health: Some(Health::default()),
            checks: Vec::new(),
            webhooks: Vec::new(),
            prefix: PathPrefix::default(),
            links: Links::default(),
            catalog_most: Self::MOST_OF_A_LIST,
            tags_most: Self::MOST_OF_A_LIST,
        }
    }
}

/// The `[registry.health]` section: distribution's `health.storagedriver`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// How long to wait from one look at the storage to the next. One that
    /// takes longer has failed.
    pub interval: Duration,
    /// After how many failures in a row requests are answered 503.
    pub threshold: u32,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            threshold: 3,
        }
    }
}

/// The `[registry.collect]` section: garbage collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collect {
    /// How often the server collects. `None`: never by itself.
    pub every: Option<Duration>,
    /// How long what was used last is safe: longer than a push takes from its
    /// first layer to its manifest.
    pub grace: Duration,
    /// Whether manifests go that no tag leads to.
    pub delete_untagged: bool,
    /// How long an upload may rest before it is thrown away. `None`: forever.
    pub uploads_after: Option<Duration>,
    /// Whether the server throws away uploads alone, as distribution does.
    pub uploads_only: bool,
}

impl Default for Collect {
    fn default() -> Self {
        Self {
            every: Some(Duration::from_secs(24 * 60 * 60)),
            grace: Duration::from_secs(24 * 60 * 60),
            delete_untagged: false,
            uploads_after: Some(Duration::from_secs(7 * 24 * 60 * 60)),
            uploads_only: false,
        }
    }
}

/// The `[registry.scrub]` section: reading everything again, to find what the
/// disk has lost or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scrub {
    /// How often the server does it. `None`: never by itself.
    pub every: Option<Duration>,
    /// How many bytes the server reads for it in a second, at most.
    pub rate: NonZeroU64,
}

impl Default for Scrub {
    fn default() -> Self {
        Self {
            every: Some(Duration::from_secs(30 * 24 * 60 * 60)),
            rate: const { NonZeroU64::new(20 * 1024 * 1024).unwrap() },
        }
    }
}

/// One `[[registry.retention]]`: a tag of these repositories stays if at least
/// one of the conditions holds for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionRule {
    /// The repositories.
    pub repositories: Pattern,
    /// It is among so many that were pushed last.
    pub keep_newest: Option<usize>,
    /// It was pulled within this time.
    pub keep_pulled_within: Option<Duration>,
    /// It was pushed within this time.
    pub keep_pushed_within: Option<Duration>,
    /// Its name has this in it.
    pub keep_tags: Option<Expression>,
}

/// One `[[registry.immutable]]`: tags that stay what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImmutableRule {
    /// The repositories.
    pub repositories: Pattern,
    /// The tags in them.
    pub tags: Pattern,
}

/// `registry.schema1`, where it is `true`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema1 {
    /// The private key that manifests are signed with: a JSON Web Key or PEM.
    /// Without it, a key is made at each start.
    pub signing_key: Option<PathBuf>,
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
