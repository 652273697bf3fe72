//! The contract on an object store, and what only an object store can show:
//! several replicas, lost answers, and processes that die between two calls.

mod crashes;
mod interleaved;
mod leases;
mod races;
mod world;

use std::time::Duration;

use super::*;
use crate::store::contract::{self, Subject};

fn subject(bucket: Bucket) -> Subject {
    let service = bucket.clone();
    Subject {
        store: Arc::new(Memory::new(bucket.clone())),
        corrupt: Box::new(move |digest| world::corrupt(&service, digest)),
        reopen: Box::new(move || Arc::new(Memory::new(bucket.another_client()))),
    }
}

#[tokio::test]
async fn keeps_the_contract() {
    contract::check(|| subject(Bucket::default())).await;
}

/// Parts and pages of which there are many, times in whole seconds, and calls
/// that let others go first.
#[tokio::test]
async fn keeps_the_contract_on_a_service_that_is_hard_to_please() {
    for seed in 0..3 {
        let options = BucketOptions {
            min_part: 50_000,
            resolution: Duration::from_secs(1),
            page: 2,
            yields: 4,
            seed,
        };
        contract::check(|| subject(Bucket::new(options.clone()))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_the_contract_on_several_threads() {
    contract::check(|| subject(Bucket::default())).await;
}
