//! Any calls in any order, and one fault or one crash somewhere in them.

use proptest::prelude::*;
use rustix::io::Errno;

use super::super::Filesystem;
use super::super::disk::script::{Fault, Script};
use super::crash::check;
use super::disk_model::{Crash, Model};
use super::{Action, World, assert_between, assert_is, scenario, scratch};
use crate::store::StoreError;

fn actions() -> impl Strategy<Value = Vec<Action>> {
    prop::collection::vec(prop::sample::select(scenario()), 1..10)
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.build().unwrap().block_on(work)
}

async fn one_fault(actions: Vec<Action>, at: usize) {
    let root = scratch();
    let store = Filesystem::new(root.path());
    let mut world = World::default();
    let script = Script::start(Some(Fault {
        at,
        lasting: false,
        error: Errno::IO,
    }));
    for action in &actions {
        let mut after = world.clone();
        action.apply(&mut after);
        match action.run(&store).await {
            Ok(()) => world = after,
            // It needs something that is not there, and changes nothing.
            Err(StoreError::NotFound(_)) => {}
            Err(error) => {
                assert!(script.count() > at, "{action:?} without a fault: {error}");
                let place = format!("{action:?}");
                assert_between(&store, &world, &after, &place).await;
                match action.run(&store).await {
                    Err(error) if !action.is_done(&error) => panic!("{place}, again: {error}"),
                    _ => world = after,
                }
            }
        }
    }
    assert_is(&Filesystem::new(root.path()), &world, "at the end").await;
}

async fn one_crash(actions: Vec<Action>, at: usize, survives: Vec<bool>) {
    let root = scratch();
    let store = Filesystem::new(root.path());
    let mut model = Model::new(root.path());
    let mut world = World::default();
    let mut number = 0;
    for action in &actions {
        let mut after = world.clone();
        action.apply(&mut after);
        let script = Script::start(None);
        match action.run(&store).await {
            Ok(()) => {}
            Err(StoreError::NotFound(_)) => continue,
            Err(error) => panic!("{action:?}: {error}"),
        }
        for step in script.steps() {
            if number == at {
                let survives = |name: usize| survives[name % survives.len()];
                let worlds = (&world, &after);
                let place = format!("{action:?}, {step:?}");
                let crash = Crash::PowerSome(&survives);
                return check(&model, crash, root.path(), worlds, action, &place).await;
            }
            model.apply(&step);
            number += 1;
        }
        world = after;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn one_fault_breaks_nothing(actions in actions(), at in 0..200_usize) {
        block_on(one_fault(actions, at));
    }

    #[test]
    fn one_loss_of_power_loses_nothing_acknowledged(
        actions in actions(),
        at in 0..200_usize,
        survives in prop::collection::vec(any::<bool>(), 1..16),
    ) {
        block_on(one_crash(actions, at, survives));
    }
}
