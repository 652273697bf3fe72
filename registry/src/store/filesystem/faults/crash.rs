//! The process is killed, or the power is lost, before each step of each call.

use std::path::Path;

use super::super::Filesystem;
use super::super::disk::script::{Script, Step};
use super::disk_model::{Crash, Model};
use super::{Action, World, assert_between, assert_is, scenario, scratch};

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
