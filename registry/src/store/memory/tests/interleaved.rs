//! Two changes of the same tag and manifests: the one waits before each of its
//! calls in turn, while the other is done from beginning to end.

use super::super::Memory;
use super::world::{World, manifest, tag};
use crate::oci::Digest;
use crate::store::{Maintain, Store, StoreError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    PutX,
    PutY,
    DeleteX,
    DeleteY,
    ExpireX,
    DeleteTag,
    DeleteAndPutX,
    ExpireAndPutX,
}

use Change::{DeleteAndPutX, DeleteTag, DeleteX, DeleteY, ExpireAndPutX, ExpireX, PutX, PutY};

const ALL: [Change; 8] = [
    PutX,
    PutY,
    DeleteX,
    DeleteY,
    ExpireX,
    DeleteTag,
    DeleteAndPutX,
    ExpireAndPutX,
];

/// What there is before: manifests, and whether the tag points at them.
const BEFORE: [&[(&str, bool)]; 4] = [
    &[],
    &[("x", false)],
    &[("x", true)],
    &[("x", false), ("y", true)],
];

impl Change {
    async fn make(self, store: &Memory, world: &World) {
        let repo = &world.repo;
        let (x, y) = (manifest("x", &["t"]), manifest("y", &["t"]));
        let result = match self {
            PutX => store.put_manifest(repo, x).await,
            PutY => store.put_manifest(repo, y).await,
            DeleteX => store.delete_manifest(repo, &x.digest).await,
            DeleteY => store.delete_manifest(repo, &y.digest).await,
            ExpireX => {
                let after = world.tomorrow();
                let expired = store.expire_manifest(repo, &x.digest, after);
                expired.await.map(drop)
            }
            DeleteTag => store.delete_tag(repo, &tag("t")).await,
            DeleteAndPutX => {
                Box::pin(DeleteX.make(store, world)).await;
                store.put_manifest(repo, x).await
            }
            ExpireAndPutX => {
                Box::pin(ExpireX.make(store, world)).await;
                store.put_manifest(repo, x).await
            }
        };
        match result {
            Ok(()) | Err(StoreError::NotFound(_)) => {}
            Err(error) => panic!("{self:?}: {error}"),
        }
    }

    /// Whether it leaves `x` with the tag, and `None` if it does nothing to
    /// either alone.
    fn puts_x(self) -> Option<bool> {
        match self {
            PutX | DeleteAndPutX | ExpireAndPutX => Some(true),
            DeleteX | ExpireX => Some(false),
            PutY | DeleteY | DeleteTag => None,
        }
    }
}

#[tokio::test]
async fn a_change_comes_between_any_two_calls_of_another() {
    for before in BEFORE {
        for first in ALL {
            for second in ALL {
                for nth in 0.. {
                    if !interleave(before, first, second, nth).await {
                        break;
                    }
                }
            }
        }
    }
}

/// False if the first one has fewer calls.
async fn interleave(before: &[(&str, bool)], first: Change, second: Change, nth: u64) -> bool {
    let world = World::new(0, 0);
    for (about, tagged) in before {
        world.put(about, if *tagged { &["t"] } else { &[] }).await;
    }
    let client = world.bucket.another_client();
    let gate = client.hold_call(nth);
    let (held, other) = (Memory::new(client), world.replica());
    let second_comes_between = async {
        gate.reached().await;
        second.make(&other, &world).await;
        gate.open();
    };
    let both = async {
        let first = first.make(&held, &world);
        tokio::pin!(first, second_comes_between);
        tokio::select! {
            biased;
            () = &mut first => false,
            () = &mut second_comes_between => {
                first.await;
                true
            }
        }
    };
    let came_between = world.watch(both).await;
    world.assert_whole();
    let at = format!("{before:?}, then {second:?} before call {nth} of {first:?}");
    let x = manifest("x", &[]).digest;
    let target = world.store.tagged(&world.repo, &tag("t")).await.ok();
    let has_x = world.store.manifest(&world.repo, &x).await.is_ok();
    if let (Some(one), Some(two)) = (first.puts_x(), second.puts_x())
        && (one || two)
        && came_between
    {
        // One after the other, they leave both or nothing.
        assert_eq!(target == Some(x), has_x, "{at}");
    }
    assert_usable(&world, x, &at).await;
    came_between
}

async fn assert_usable(world: &World, x: Digest, at: &str) {
    world.put("x", &["t"]).await;
    let target = world.store.tagged(&world.repo, &tag("t")).await;
    assert_eq!(target.ok(), Some(x), "{at}");
    world.wait_long();
    world.collect_all().await;
    world.assert_empty();
}
