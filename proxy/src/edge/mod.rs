//! The rules that a request meets before a backend sees it.

mod authority;
mod credentials;
mod origin;
mod user_agent;

pub(crate) use authority::parse_authority;
pub(crate) use credentials::{Gate, Verdict};
pub(crate) use origin::{FORWARDING_HEADERS, Origin, TrustedProxies};
pub use user_agent::BadExpression;
pub(crate) use user_agent::RefusedUserAgents;
