//! The front as its clients and its backends see it: over real sockets, with
//! real TLS.

mod access_log;
mod client_certificates;
mod conversation;
mod drain;
mod edge;
mod forward;
mod in_process;
mod sites;
mod support;
mod tls;
mod unix;
