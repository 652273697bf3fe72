//! The HTTP API from outside: requests go into the service, and status,
//! headers and body of the answers are looked at together. One file for each
//! noun of the URLs.
//!
//! Every test runs on both stores. One that looks at files asks for the disk.

#![expect(clippy::duplicate_mod, reason = "the same tests, once for each store")]

/// Where a registry keeps things.
#[derive(Debug, Clone, Copy)]
enum Store {
    Disk,
    Memory,
}

/// The tests, on one store.
macro_rules! tests_on {
    ($store:ident) => {
        mod base;
        mod blobs;
        mod catalog;
        mod chunks;
        mod deletions;
        mod events;
        mod faulty;
        mod harness;
        mod head;
        mod immutable;
        mod links;
        mod manifests;
        mod matrix;
        mod mounts;
        mod observers;
        mod permits;
        mod referrers;
        mod schema1;
        mod tags;
        mod uploads;
        mod witness;

        /// Where [`harness::Registry::new`] keeps what it is given.
        const STORE: crate::Store = crate::Store::$store;
    };
}

#[path = "."]
mod on_disk {
    tests_on!(Disk);
}

#[path = "."]
mod in_memory {
    tests_on!(Memory);
}
