//! What an `auth_config.yml` says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::bcrypt_hash::BcryptHash;
use super::pattern::AclPattern;
use super::real_ip::RealIp;
use crate::settings::CertificateFiles;

/// The whole file.
#[derive(Debug, Clone)]
pub struct AuthConfig {
    /// Where tokens are asked for.
    pub server: TokenServer,
    /// How they are made.
    pub token: TokenSettings,
    /// Who is known, by name. The empty name is that of those who send none.
    pub users: BTreeMap<String, User>,
    /// Who may do what: the first entry that matches decides, and without one
    /// nothing is granted.
    pub acl: Vec<AclEntry>,
}

/// Where tokens are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenServer {
    /// Where it listens.
    pub bind: Bind,
    /// What stands before `/auth` in paths, as it is written: empty, or beginning
    /// with a slash.
    pub path_prefix: String,
    /// Its certificate; without one it speaks plain HTTP.
    pub certificate: Option<CertificateFiles>,
    /// The oldest TLS that it speaks.
    pub oldest_tls: TlsVersion,
    /// Whether each answer asks browsers for HTTPS from now on: the field
    /// `Strict-Transport-Security: max-age=63072000; includeSubDomains`.
    pub hsts: bool,
    /// The field of a header that names the client, if a proxy stands before it.
    pub real_ip: Option<RealIp>,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bind {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// How tokens are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSettings {
    /// The claim `iss`, and the realm that clients are shown.
    pub issuer: String,
    /// How long a token is valid; never nought.
    pub expiration: Duration,
    /// What they are signed with: a certificate with its chain, and its key.
    pub signing: CertificateFiles,
    /// How the key is named.
    pub key_id: KeyId,
}

/// The form of the field `kid` of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyId {
    /// libtrust's, which registries of version 2 know.
    Libtrust,
    /// The thumbprint of RFC 7638, which those of version 3 know.
    Thumbprint,
}

/// Somebody who may come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// What is asked of them.
    pub password: Password,
    /// What rules may ask of them.
    pub labels: Labels,
}

/// Texts by names.
pub type Labels = BTreeMap<String, Vec<String>>;

/// What lets a user in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Password {
    /// Any password, and none.
    Any,
    /// The one of this hash.
    Hash(BcryptHash),
    /// No password: what stands in the file is no hash.
    Nothing,
}

/// Who may do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclEntry {
    /// The line on which it begins.
    pub line: usize,
    /// Which requests are meant.
    pub conditions: Conditions,
    /// What they are granted.
    pub actions: Actions,
    /// What its author says of it.
    pub comment: Option<String>,
}

/// What an [`AclEntry`] asks of a request; what is `None`, nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Of the name of the user.
    pub account: Option<AclPattern>,
    /// Of the type of what is asked for: `repository`, `registry`.
    pub kind: Option<AclPattern>,
    /// Of the name of what is asked for.
    pub name: Option<AclPattern>,
    /// Of the service that the token is for.
    pub service: Option<AclPattern>,
    /// Of the address of the client.
    pub ip: Option<IpNet>,
    /// Of the user's labels: one text of each of these names has to match.
    pub labels: Vec<(String, AclPattern)>,
}

/// What an [`AclEntry`] grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actions {
    /// Whatever is asked for: `["*"]`.
    Asked,
    /// What is asked for of these. A `*` among others is an action of that name.
    Of(Vec<String>),
}
