//! Garbage is collected all the time while others push, pull and delete.
//!
//! Eight pushers, four pullers and a deleter use three repositories whose images
//! have layers and sub-images in common, so that what one gives up is what
//! another is about to use. Whatever was acknowledged is pulled whole at every
//! moment; in the end nothing is left on disk that no tag leads to.

mod client;
mod disk;
mod image;
mod ledger;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tidegate_config::Registry as Settings;
use tidegate_registry::collect::{Options, collect};
use tidegate_registry::open_with_store;
use tidegate_registry::store::Maintain;
use tokio::task::JoinSet;

use self::client::Client;
use self::image::{Image, Random};
use self::ledger::Ledger;

const PUSHERS: u64 = 8;
const PULLERS: u64 = 4;
const REPOSITORIES: [&str; 3] = ["team/app", "team/base", "tools"];

/// Longer than anybody here takes from one step of a push to the next.
const GRACE: Duration = Duration::from_secs(4);

/// How many images are pushed from one run of the collector to the next, at most.
const PUSHES: usize = 12;

/// The collector has to have had so much to do before it ends.
const BLOBS: u64 = 200;
const RUNS: u64 = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_collector_in_this_process() {
    let directory = disk::directory();
    let (api, store) = open_with_store(&Settings::new(directory.path())).unwrap();
    let options = Options {
        grace: GRACE,
        delete_untagged: true,
        ..Options::from(&Settings::new(directory.path()))
    };
    let run = async || {
        let report = collect(&*store, &options, &|_| {}).await.unwrap();
        assert_eq!(report.damaged, []);
        report.blobs
    };
    let ledger = stress(&Client::new(api), run).await;
    check_what_is_left(&*store, directory.path(), &ledger).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_collector_in_another_process() {
    let directory = disk::directory();
    let (api, store) = open_with_store(&Settings::new(directory.path())).unwrap();
    let config = directory.path().join("config.yml");
    let text = "version: 0.1\nstorage: {filesystem: {rootdirectory: /nowhere}}\n";
    fs_err::write(&config, text).unwrap();
    let run = async || {
        // This test itself, where it is another one.
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "collector", "--ignored", "--nocapture"]);
        command.env(CONFIGURATION, &config);
        command.env(
            "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY",
            directory.path(),
        );
        let output = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let complaints = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.success() && complaints.is_empty(),
            "{complaints}"
        );
        said.lines()
            .filter(|line| line.starts_with("blob eligible for deletion: "))
            .count() as u64
    };
    let ledger = stress(&Client::new(api), run).await;
    check_what_is_left(&*store, directory.path(), &ledger).await;
}

/// Where the configuration of [`collector`] is.
const CONFIGURATION: &str = "REGISTRY_CONFIGURATION_PATH";

/// The command as its program has it.
#[derive(clap::Parser)]
struct CommandLine {
    #[command(subcommand)]
    command: tidegate_registry::cli::Command,
}

/// The process in which [`a_collector_in_another_process`] collects.
#[test]
#[ignore = "it is not a test, but run by one"]
fn collector() {
    // `cargo test -- --ignored` has it run as well.
    if std::env::var_os(CONFIGURATION).is_none() {
        return;
    }
    let line = ["registry", "garbage-collect", "-m", "--grace", "4s"];
    let CommandLine { command } = clap::Parser::parse_from(line);
    tidegate_registry::cli::run(command).unwrap();
}

/// Has everybody work until the collector has collected enough. `run` collects
/// once and returns how many blobs went.
async fn stress(client: &Client, run: impl AsyncFn() -> u64) -> Arc<Ledger> {
    let ledger = Arc::new(Ledger::new());
    let done = Arc::new(AtomicBool::new(false));
    let mut everybody = JoinSet::new();
    for number in 0..PUSHERS {
        everybody.spawn(push(client.clone(), Arc::clone(&ledger), number));
    }
    for number in 0..PULLERS {
        everybody.spawn(pull(
            client.clone(),
            Arc::clone(&ledger),
            Arc::clone(&done),
            100 + number,
        ));
    }
    everybody.spawn(delete(
        client.clone(),
        Arc::clone(&ledger),
        Arc::clone(&done),
    ));
    let (mut runs, mut blobs) = (0, 0);
    while runs < RUNS || blobs < BLOBS {
        ledger.pushes.add_permits(PUSHES);
        blobs += run().await;
        runs += 1;
        while let Some(ended) = everybody.try_join_next() {
            ended.expect("nobody fails");
        }
    }
    done.store(true, Ordering::Relaxed);
    ledger.pushes.close();
    while let Some(ended) = everybody.join_next().await {
        ended.expect("nobody fails");
    }
    assert!(ledger.pulled() > 0 && ledger.deleted() > 0 && ledger.tags().len() > 10);
    ledger
}

/// Pushes new images to tags of its own, which move.
async fn push(client: Client, ledger: Arc<Ledger>, number: u64) {
    let mut random = Random::new(number);
    while let Ok(turn) = ledger.pushes.acquire().await {
        turn.forget();
        let repo = *random.one_of(&REPOSITORIES);
        let image = Image::random(&mut random);
        let begun = image.push(&client, repo, &mut random).await;
        let tag = ledger.tag(repo, &format!("pusher{number}"));
        let mut tagged = tag.write().await;
        if image.tag(&client, repo, tag.name(), begun).await {
            *tagged = Some(image);
        }
    }
}

/// Pulls whatever has been acknowledged, by everything that leads to it.
async fn pull(client: Client, ledger: Arc<Ledger>, done: Arc<AtomicBool>, number: u64) {
    let mut random = Random::new(number);
    while !done.load(Ordering::Relaxed) {
        let tags = ledger.some_tags().await;
        let tag = random.one_of(&tags);
        let tagged = tag.read().await;
        match &*tagged {
            Some(image) => {
                image.assert_pulls(&client, tag.repo(), tag.name()).await;
                ledger.count_pull();
            }
            None => image::assert_absent(&client, tag.repo(), tag.name()).await,
        }
    }
}

/// Deletes tags, and manifests with their tags.
async fn delete(client: Client, ledger: Arc<Ledger>, done: Arc<AtomicBool>) {
    let mut random = Random::new(1000);
    while !done.load(Ordering::Relaxed) {
        let tags = ledger.some_tags().await;
        let tag = random.one_of(&tags);
        if let Some(image) = tag.write().await.take() {
            let (repo, name) = (tag.repo(), tag.name());
            image.delete(&client, repo, name, &mut random).await;
            ledger.count_delete();
        }
        // One for some pushes.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Lets everything rest, collects, and compares what is on disk with what the
/// tags lead to.
async fn check_what_is_left(store: &dyn Maintain, root: &Path, ledger: &Ledger) {
    disk::age(root);
    let options = Options {
        delete_untagged: true,
        ..Options::from(&Settings::new(root))
    };
    let report = collect(store, &options, &|_| {}).await.unwrap();
    assert_eq!(report.resting_blobs, 0);
    let mut expected = disk::Left::default();
    for tag in ledger.tags() {
        if let Some(image) = &*tag.read().await {
            image.expect(tag.repo(), tag.name(), &mut expected);
        }
    }
    assert_eq!(disk::Left::find(root), expected);
}
