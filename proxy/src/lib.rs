//! The front: listeners, TLS, edge rules, and the way to a backend.
//!
//! [`Front::bind`] does everything that can fail before a request is served:
//! it loads the certificates, compiles the expression and binds every socket.
//! [`Front::serve`] accepts until its shutdown future resolves, then drains.
//!
//! What answers is a [`Destination`]: a [`Backend`] in this process, called
//! without a loopback hop, another registry behind an address, or one of either
//! for each place of [`VirtualServers`].
//!
//! A request passes the rooms in this order: `listen` accepts it, `service`
//! runs the phases, `sites` finds its place and decides, by the rules of `edge`
//! and of the place, whether it may come in, and `in_process`, `forward` or
//! `sites::upstream` carries it to the destination. Only this crate names pingora.

mod access_log;
mod answer;
mod backend;
mod bind_error;
mod buffered;
mod certificates;
mod client_certificates;
mod context;
mod conversation;
mod delegate;
mod edge;
mod forward;
mod front;
mod gathered;
mod in_flight;
mod in_process;
mod linger;
mod listen;
mod public_ca;
mod redirect;
mod refusals;
mod request_body;
mod service;
mod sites;
mod socket;
mod socket_file;
mod streams;
mod tls;
mod tls_socket;

/// Filter directives, in the notation of `tracing`'s `EnvFilter`, for the
/// libraries beneath: they call every client that goes away an error. What
/// matters to an operator is reported by this crate in its own words.
pub const LOG_DIRECTIVES: &str = "pingora_core=off,pingora_proxy=off";

pub use backend::{
    Asker, Authorization, Backend, BoxError, ClientAddress, Destination, ResponseBody,
};
pub use bind_error::BindError;
pub use certificates::{CertificateError, CertificateStore, Reloaded};
pub use client_certificates::{ClientCaError, ClientCertificates, ReloadedClientCas};
pub use edge::BadExpression;
pub use front::{BoundListener, Drained, Front, FrontSettings, PreparedFront};
pub use public_ca::PublicCa;
pub use refusals::{Refusals, Refused};
pub use request_body::{BrokenOff, RequestBody};
pub use sites::VirtualServers;
