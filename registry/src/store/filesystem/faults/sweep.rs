//! Each step of each call fails, once or from then on.

use rustix::io::Errno;

use super::super::Filesystem;
use super::super::disk::script::{Fault, Script};
use super::super::walk::tests::settle;
use super::{REPOSITORIES, World, assert_between, assert_is, repo, scenario, scratch};
use crate::store::Store;

#[tokio::test]
async fn one_step_fails() {
    sweep(Errno::IO, false).await;
}

#[tokio::test]
async fn the_disk_is_full_from_one_step_on() {
    sweep(Errno::NOSPC, true).await;
}

async fn sweep(error: Errno, lasting: bool) {
    for (index, action) in scenario().iter().enumerate() {
        let mut at = 0;
        // Until the fault comes after the last step.
        while fails(index, Fault { at, lasting, error }).await {
            at += 1;
        }
        assert!(at > 1, "{action:?} takes {at} steps");
    }
}

/// Runs the scenario up to an action, and that with a fault. Returns whether
/// the fault was met.
async fn fails(index: usize, fault: Fault) -> bool {
    let actions = scenario();
    let root = scratch();
    let store = Filesystem::new(root.path());
    let mut before = World::default();
    {
        let _quick = Script::start(None);
        for action in &actions[..index] {
            action.run(&store).await.unwrap();
            action.apply(&mut before);
        }
    }
    // So that all lists are kept, and what was found out about their tags.
    settle(root.path());
    for repo in REPOSITORIES.map(repo) {
        // Of one that is gone by now, there is nothing to keep.
        let _ = store.tags(&repo, None, usize::MAX).await;
    }
    let mut after = before.clone();
    let action = &actions[index];
    action.apply(&mut after);
    let place = format!("{action:?} with {fault:?}");

    let script = Script::start(Some(fault));
    let result = action.run(&store).await;
    let met = script.count() > fault.at;
    drop(script);
    let _quick = Script::start(None);
    match result {
        Ok(()) => assert_between(&store, &after, &after, &place).await,
        Err(_) => assert_between(&store, &before, &after, &place).await,
    }
    // The disk works again: so does the store, this one and a new one.
    for store in [store, Filesystem::new(root.path())] {
        match action.run(&store).await {
            Err(error) if !action.is_done(&error) => panic!("{place}, again: {error}"),
            _ => {}
        }
        assert_is(&store, &after, &format!("{place}, again")).await;
    }
    met
}
