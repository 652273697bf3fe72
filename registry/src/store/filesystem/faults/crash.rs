//! The process is killed, or the power is lost, before each step of each call.

use std::path::Path;

use bytes::Bytes;

use super::super::Filesystem;
use super::super::disk::script::{Script, Step};
use super::disk_model::{Crash, Model};
use super::{Action, World, assert_between, assert_is, repo, scenario, scratch};
use crate::oci::Algorithm;
use crate::store::{Store as _, StoreError, UploadId};

#[tokio::test]
async fn killed_at_any_step() {
    crash_everywhere(|| Crash::Kill).await;
}

#[tokio::test]
async fn power_lost_at_any_step_with_all_that_was_not_synced() {
    crash_everywhere(|| Crash::PowerNothing).await;
}

#[tokio::test]
async fn power_lost_at_any_step_with_names_but_no_contents() {
    crash_everywhere(|| Crash::PowerNames).await;
}

#[tokio::test]
async fn power_lost_at_any_step_with_every_other_name() {
    crash_everywhere(|| Crash::PowerSome(&|number| number % 2 == 0)).await;
    crash_everywhere(|| Crash::PowerSome(&|number| number % 2 == 1)).await;
}

#[tokio::test]
async fn an_upload_whose_end_is_killed_is_whole_or_gone() {
    let content = Bytes::from_static(b"acknowledged");
    let digest = Algorithm::Sha256.digest(&content);
    // Committed, committed where the content is already, and cancelled.
    for end in 0..3 {
        let root = scratch();
        let store = Filesystem::new(root.path());
        let mut model = Model::new(root.path());
        let script = Script::start(None);
        if end == 1 {
            let first = begin(&store, &content).await;
            let first = store.resume_upload(&repo("a"), first).await.unwrap();
            first.commit(&digest).await.unwrap();
        }
        let id = begin(&store, &content).await;
        for step in script.steps() {
            model.apply(&step);
        }
        drop(script);
        let script = Script::start(None);
        let upload = store.resume_upload(&repo("a"), id).await.unwrap();
        match end {
            2 => upload.cancel().await.unwrap(),
            _ => upload.commit(&digest).await.unwrap(),
        }
        let steps = script.steps();
        drop(script);
        let mut whole = 0;
        for step in steps {
            let left = scratch();
            model.write(Crash::Kill, root.path(), left.path());
            let store = Filesystem::new(left.path());
            match store.upload_offset(&repo("a"), id).await {
                Ok(kept) => {
                    assert_eq!(kept, content.len() as u64, "end {end}, before {step:?}");
                    whole += 1;
                }
                Err(error) => {
                    let is_gone = matches!(error, StoreError::NotFound(_));
                    assert!(is_gone, "end {end}, before {step:?}: {error}");
                }
            }
            model.apply(&step);
        }
        assert!(whole > 0, "no step before the end");
    }
}

/// Begins an upload, and has all of its content acknowledged.
async fn begin(store: &Filesystem, content: &Bytes) -> UploadId {
    let mut upload = store.begin_upload(&repo("a")).await.unwrap();
    upload.write(content.clone()).await.unwrap();
    let id = upload.id();
    upload.suspend().await.unwrap();
    id
}

async fn crash_everywhere<'a>(crash: impl Fn() -> Crash<'a>) {
    let root = scratch();
    let recorded = record(root.path(), &scenario()).await;
    let mut model = Model::new(root.path());
    let mut before = World::default();
    for (action, steps) in &recorded {
        let mut after = before.clone();
        action.apply(&mut after);
        for (number, step) in steps.iter().enumerate() {
            let place = format!(
                "{action:?} up to step {number}, {step:?}, {:?}",
                name(crash())
            );
            check(
                &model,
                crash(),
                root.path(),
                (&before, &after),
                action,
                &place,
            )
            .await;
            model.apply(step);
        }
        // It was acknowledged.
        let place = format!("after {action:?}");
        check(
            &model,
            crash(),
            root.path(),
            (&after, &after),
            action,
            &place,
        )
        .await;
        before = after;
    }
}

/// Opens the disk that a crash leaves, looks at it, and goes on.
pub(super) async fn check(
    model: &Model,
    crash: Crash<'_>,
    root: &Path,
    (before, after): (&World, &World),
    action: &Action,
    place: &str,
) {
    let left = scratch();
    model.write(crash, root, left.path());
    let _quick = Script::start(None);
    let store = Filesystem::new(left.path());
    assert_between(&store, before, after, place).await;
    match action.run(&store).await {
        Err(error) if !action.is_done(&error) => panic!("{place}, again: {error}"),
        _ => {}
    }
    assert_is(&store, after, &format!("{place}, again")).await;
}

/// Runs actions, and returns the steps that each of them took.
async fn record(root: &Path, actions: &[Action]) -> Vec<(Action, Vec<Step>)> {
    let store = Filesystem::new(root);
    let mut recorded = Vec::new();
    for action in actions {
        let script = Script::start(None);
        action.run(&store).await.unwrap();
        recorded.push((action.clone(), script.steps()));
    }
    recorded
}

fn name(crash: Crash<'_>) -> &'static str {
    match crash {
        Crash::Kill => "killed",
        Crash::PowerNothing => "power lost, nothing unsynced left",
        Crash::PowerNames => "power lost, names left",
        Crash::PowerSome(_) => "power lost, some names left",
    }
}
