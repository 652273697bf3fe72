//! Who is asking: htpasswd files, credentials that were verified before, and
//! the throttling of those who guess.
//!
//! [`Door`] is where a registry learns who asks and what that lets them do: the
//! [`Permit`] of a request, by a [`policy`].
//!
//! [`Verifier`] is what a server holds. [`htpasswd`] reads and edits the file,
//! [`basic`] reads the `Authorization` header, [`hash`] knows the notations in
//! which passwords are stored.
//!
//! Neither passwords nor hashes appear in an error, a log line or the `Debug`
//! output of any type here.

pub mod audit;
pub mod basic;
pub mod docker_auth;
pub mod hash;
pub mod htpasswd;
pub mod log_line;
pub mod policy;
pub mod robots;
pub mod token;
pub mod token_server;

mod attempt;
mod challenge;
mod client;
mod door;
mod permit;
mod pool;
mod staged;
mod throttle;
mod verified;
mod verifier;

pub use attempt::{Attempt, Identity, Known, Outcome};
pub use challenge::{Challenge, Realm, TokenFault};
pub use door::{Door, Keepers, Knock};
pub use htpasswd::HtpasswdError;
pub use permit::{Permit, Refused};
pub use verifier::{Reloaded, Verifier};
