//! Files become checked settings here, and nowhere else.
//!
//! This is the lowest floor of the workspace: serde and parsers, no async
//! runtime, no network, no TLS. Each format has a module of its own that ends
//! in [`Settings`]; whoever runs a service receives only its own section.

pub mod access;
pub mod auth_config;
mod behind_nginx;
mod check;
mod client_auth;
mod config_yml;
mod diagnostic;
mod finding;
mod header;
mod links;
mod listen_address;
mod load;
mod nginx_conf;
mod pattern;
mod settings;
pub mod site;
mod stamp;
mod tidegate_toml;
pub mod token;
mod token_server;
mod upstream;
mod webhook;
mod yaml;

pub use behind_nginx::load_nginx_with_registry;
pub use check::{Check, Checked};
pub use client_auth::{ClientAuth, UserFrom, VerifyClient};
pub use config_yml::Mistake;
pub use diagnostic::{Diagnostic, Location};
pub use finding::{Adopted, Finding, Verdict};
pub use header::{HeaderField, HeaderFieldError, HeaderFieldName};
pub use links::{Links, PathPrefix, PublicUrl};
pub use listen_address::{ListenAddress, ListenAddressError, OVER_SOCKET, ShownClient};
pub use load::{LoadError, load, load_config_yml, load_nginx, load_registry, parse_config_yml};
pub use nginx_conf::{DiskFiles, NginxFiles, parse_nginx};
pub use pattern::{Expression, Pattern, PatternError};
pub use settings::{
    AccessLog, AuditLog, Auth, Backend, CertificateFiles, Collect, DebugListener, Edge, Forward,
    Health, ImmutableRule, Listener, Log, LogFormat, Protocol, Registry, RetentionRule, Schema1,
    Scrub, Server, Settings, TlsOffer, TlsVersion,
};
pub use stamp::FileStamp;
pub use tidegate_toml::{parse, write};
pub use token_server::TokenServer;
pub use upstream::{Upstream, UpstreamError};
pub use webhook::{Action, Ignored, Queue, ReceiverUrl, Webhook, WebhookName};
