//! Who is asking: htpasswd files, credentials that were verified before, and
//! the throttling of those who guess.
//!
//! [`Verifier`] is what a server holds. [`htpasswd`] reads and edits the file,
//! [`basic`] reads the `Authorization` header, [`hash`] knows the notations in
//! which passwords are stored.
//!
//! Neither passwords nor hashes appear in an error, a log line or the `Debug`
//! output of any type here.

pub mod basic;
pub mod hash;
pub mod htpasswd;

mod attempt;
mod client;
mod pool;
mod throttle;
mod verified;
mod verifier;

pub use attempt::{Attempt, Identity, Outcome};
pub use htpasswd::HtpasswdError;
pub use verifier::{Reloaded, Verifier};
