//! The commands that make, sign and renew, run as a user runs them, and what
//! openssl and rustls say to the result.

mod authorities;
mod files;
mod handshake;
mod harness;
mod kinds;
mod renewal;
mod requests;
