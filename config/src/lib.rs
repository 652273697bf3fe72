//! Files become checked settings here, and nowhere else.
//!
//! This is the lowest floor of the workspace: serde and parsers, no async
//! runtime, no network, no TLS. Each format has a module of its own that ends
//! in [`Settings`]; whoever runs a service receives only its own section.

mod diagnostic;
mod settings;
mod stamp;
mod tidegate_toml;

pub use diagnostic::{Diagnostic, Location};
pub use settings::{
    AccessLog, Auth, Backend, CertificateFiles, Edge, Forward, Listener, Log, LogFormat, Protocol,
    Registry, Schema1, Server, Settings, Upstream,
};
pub use stamp::FileStamp;
pub use tidegate_toml::{LoadError, load, parse};
