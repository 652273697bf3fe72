//! A server that is killed at any moment, while clients push and delete: what
//! it has acknowledged is there, what it has deleted is gone, and what was cut
//! can be done again.
//!
//! `TIDEGATE_TEST_SEED` repeats what the clients do, and after which event the
//! kill comes; how far the server is by then is never the same. More kills than
//! usual come with `TIDEGATE_TEST_KILLS`.

#![allow(clippy::print_stderr, reason = "a test with a seed says which")]

#[path = "../harness/mod.rs"]
mod harness;

mod fuse;
mod ledger;
mod upload;
mod way;
mod worker;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fuse::Fuse;
use harness::client::Client;
use harness::{Tidegate, run, up};
use http::StatusCode;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::task::JoinSet;
use way::Way;
use worker::Worker;

const WORKERS: usize = 4;

/// The most that happens before a kill: some twenty pushes and deletions of
/// each worker.
const EVENTS: usize = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_kill_cuts_nothing_acknowledged_is_lost() {
    let seed = number("TIDEGATE_TEST_SEED").unwrap_or_else(rand::random);
    let kills = number("TIDEGATE_TEST_KILLS").unwrap_or(6);
    eprintln!("TIDEGATE_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let dir = tempfile::tempdir().unwrap();
    let mut tidegate = up().in_dir(dir.path()).start();
    let mut workers: Vec<Worker> = (0..WORKERS)
        .map(|number| Worker::new(number, StdRng::from_rng(&mut random)))
        .collect();
    for kill in 0..kills {
        let events = random.random_range(1..=EVENTS);
        // The event is seen by a client; the server's own steps come after it.
        let delay = Duration::from_micros(random.random_range(0..5000));
        eprintln!("kill {kill} after {events} events and {delay:?}");
        workers = work_until_killed(&mut tidegate, workers, events, delay).await;
        assert_sound(dir.path());

        tidegate = up().in_dir(dir.path()).start();
        let client = tidegate.client();
        for worker in &mut workers {
            worker.check(&client).await;
        }
        assert_tags(&client, &workers).await;
        for worker in &mut workers {
            let fuse = Arc::new(Fuse::never());
            let client = client.clone();
            worker.again(&Way { client, fuse }).await;
        }
    }
    let client = tidegate.client();
    for worker in &mut workers {
        worker.check(&client).await;
    }
    assert_tags(&client, &workers).await;
    assert!(tidegate.stop().success());
    assert_sound(dir.path());
}

/// Lets the workers work until so many events have happened, and kills the
/// server a moment later.
async fn work_until_killed(
    tidegate: &mut Tidegate,
    workers: Vec<Worker>,
    events: usize,
    delay: Duration,
) -> Vec<Worker> {
    let fuse = Arc::new(Fuse::after(events));
    let mut tasks = JoinSet::new();
    for (number, mut worker) in workers.into_iter().enumerate() {
        let client = tidegate.client();
        let client = match number % 2 {
            0 => client,
            _ => client.http2(),
        };
        let fuse = Arc::clone(&fuse);
        tasks.spawn(async move {
            let cut = worker.work(&Way { client, fuse }).await;
            (number, worker, cut)
        });
    }
    let moment = async {
        fuse.burnt().await;
        tokio::time::sleep(delay).await;
    };
    tokio::select! {
        () = moment => {}
        Some(ended) = tasks.join_next() => {
            let (number, _, cut) = ended.unwrap();
            panic!("worker {number} was cut and nobody has killed the server: {cut}");
        }
    }
    tidegate.kill();
    let mut ended = tasks.join_all().await;
    ended.sort_by_key(|(number, ..)| *number);
    ended.into_iter().map(|(_, worker, _)| worker).collect()
}

/// The list of tags is right, and all that a tag leads to can be pulled.
async fn assert_tags(client: &Client, workers: &[Worker]) {
    let repositories = workers.iter().flat_map(Worker::repositories);
    for repository in repositories.collect::<BTreeSet<_>>() {
        let prefix = format!("/v2/{repository}/manifests/");
        let present = workers.iter().flat_map(|worker| worker.ledger.present());
        let tags: BTreeSet<(&str, &str)> = present
            .filter_map(|(path, digest)| Some((path.strip_prefix(&prefix)?, digest)))
            .filter(|(reference, _)| !reference.contains(':'))
            .collect();
        let list = client.get(&format!("/v2/{repository}/tags/list")).await;
        let listed = match list.status {
            StatusCode::OK => list.json()["tags"].clone(),
            StatusCode::NOT_FOUND => serde_json::json!([]),
            status => panic!("{repository}: {status}: {:?}", list.body),
        };
        let expected: Vec<&str> = tags.iter().map(|(tag, _)| *tag).collect();
        assert_eq!(listed, serde_json::json!(expected), "{repository}");
        for (tag, digest) in tags {
            let mut images = workers.iter().flat_map(|worker| &worker.images);
            let image = images.find(|image| image.digest == digest);
            let image = image.expect("an image of one of the workers");
            image.assert_pulls(client, repository, tag).await;
            image.assert_pulls(client, repository, digest).await;
        }
    }
}

/// What a kill leaves is no damage.
fn assert_sound(dir: &Path) {
    let config = dir.join("tidegate.toml");
    let config = config.to_str().expect("a temporary directory's name");
    let scrubbed = run(["registry", "scrub", "--quiet", "--restart", config], "");
    assert_eq!(
        scrubbed.code,
        Some(0),
        "{}{}",
        scrubbed.stdout,
        scrubbed.stderr
    );
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|error| panic!("{variable}={text}: {error}")))
}
