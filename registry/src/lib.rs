//! The registry: names and digests, storage, the HTTP API.
//!
//! [`open`] makes an [`Api`] over a directory. It is a [`tower_service::Service`]
//! from an [`http::Request`] to an [`http::Response`]: a server of its own can
//! serve it, and a proxy in the same process can call it.
//!
//! - [`oci`]: what the specifications name; no input or output
//! - [`schema1`]: Docker's first format of manifests; no input or output either
//! - [`store`]: where it is kept; the contract, and the file system
//! - [`collect`]: what nobody uses is removed while everybody uses the rest
//! - [`scrub`]: reading all of it again, to find what the disk has lost
//! - `api`: how it is asked for; the only part that knows HTTP
//! - [`cli`]: the commands that keep a registry in order
//!
//! Each uses only those above it.

mod api;
pub mod cli;
pub mod collect;
pub mod events;
mod health;
mod metrics;
mod observers;
pub mod oci;
mod open;
pub mod schema1;
pub mod scrub;
pub mod store;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use api::fuzzing;
pub use api::{Api, Asked, Body, BoxError, Caller, Deed, Done, Object, Witness};
pub use health::{CHECK_NAME, Health, HealthCheck};
pub use metrics::{CollectionMetrics, Metrics};
pub use observers::Observers;
pub use open::{
    OpenError, Opened, check, open, open_existing_store, open_observed, open_store, open_with_store,
};
