//! The HTTP API from outside: requests go into the service, and status,
//! headers and body of the answers are looked at together. One file for each
//! noun of the URLs.

mod base;
mod blobs;
mod catalog;
mod harness;
mod manifests;
mod matrix;
mod referrers;
mod schema1;
mod tags;
mod uploads;
