//! Replicas that get in each other's way, at every step that a seed makes them
//! take.

use std::time::Duration;

use futures_util::future::{join, join_all};

use super::world::{World, manifest, tag};
use crate::oci::Algorithm;
use crate::store::{Maintain, NewManifest, Store, StoreError};

const SEEDS: u64 = 40;

/// An hour passes, and a collector grants a minute.
fn grown_old(world: &World) -> std::time::SystemTime {
    world.bucket.advance(Duration::from_secs(3600));
    world.bucket.now() - Duration::from_secs(60)
}

#[tokio::test]
async fn a_claim_and_a_removal_exclude_each_other() {
    let (mut kept, mut removed) = (0, 0);
    for seed in 0..SEEDS {
        let world = World::new(5, seed);
        let (other, repo) = (world.replica(), &world.repo);
        let blob = world.push(b"layer").await;
        let manifest = world.put("x", &[]).await;
        let since = grown_old(&world);
        // So that not always the same one is first.
        for _ in 0..seed % 11 {
            tokio::task::yield_now().await;
        }
        let (claimed, expired) = join(
            world.store.claim_blob(repo, &blob),
            other.expire_layer(repo, &blob, since),
        )
        .await;
        assert_eq!(claimed.is_ok(), !expired.unwrap());
        assert_eq!(world.read(&blob).await.is_ok(), claimed.is_ok());

        let (claimed, expired) = join(
            world.store.claim_manifest(repo, &manifest),
            other.expire_manifest(repo, &manifest, since),
        )
        .await;
        let is_there = world.store.manifest(repo, &manifest).await.is_ok();
        assert_eq!((claimed.is_ok(), expired.unwrap()), (is_there, !is_there));
        if is_there { kept += 1 } else { removed += 1 }
    }
    assert!(kept > 0 && removed > 0, "kept {kept}, removed {removed}");
}

#[tokio::test]
async fn a_push_of_old_content_and_its_removal_exclude_each_other() {
    let content = vec![4; 70_000];
    for seed in 0..SEEDS {
        let world = World::new(5, seed);
        let digest = world.push(&content).await;
        world.store.delete_blob(&world.repo, &digest).await.unwrap();
        let (other, since) = (world.replica(), grown_old(&world));
        let removals = async {
            for _ in 0..3 {
                other.expire_content(&digest, since).await.unwrap();
            }
        };
        world.watch(join(world.push(&content), removals)).await;
        assert_eq!(world.read(&digest).await.unwrap(), content);
    }
}

/// A claim by any of its names keeps all of them.
#[tokio::test]
async fn what_is_claimed_by_another_digest_keeps_its_names() {
    for seed in 0..SEEDS {
        let world = World::new(5, seed);
        let (other, repo) = (world.replica(), &world.repo);
        let subject = Algorithm::Sha256.digest(b"subject");
        let short = manifest("x", &[]);
        let long = Algorithm::Sha512.digest(&short.bytes);
        let put = NewManifest {
            digest: long,
            subject: Some(subject),
            ..short.clone()
        };
        world.store.put_manifest(repo, put).await.unwrap();
        let since = grown_old(&world);
        let (claimed, _) = join(
            world.store.claim_manifest(repo, &long),
            other.expire_manifest(repo, &short.digest, since),
        )
        .await;
        if claimed.is_ok() {
            let found = world.store.manifest(repo, &long).await.unwrap();
            assert_eq!(found.bytes(), &short.bytes);
            let referrers = world.store.referrers(repo, &subject).await.unwrap();
            assert_eq!(referrers, [long]);
        }
    }
}

/// Everybody at once, on few things, with a collector that grants nothing.
#[tokio::test]
async fn tags_lead_somewhere_at_every_moment() {
    for seed in 0..SEEDS {
        let world = World::new(4, seed);
        let stores: Vec<_> = (0..6).map(|_| world.replica()).collect();
        let work = stores.iter().enumerate().map(async |(at, store)| {
            for round in 0..6 {
                let about = ["one", "two"][(at + round) % 2];
                let doomed = manifest(about, &[]).digest;
                let result = match at {
                    0..3 => {
                        let tags: &[_] = [&["t"][..], &["u", "t"]][round % 2];
                        let new = manifest(about, tags);
                        store.put_manifest(&world.repo, new).await
                    }
                    3 => store.delete_manifest(&world.repo, &doomed).await,
                    4 => {
                        let after = world.tomorrow();
                        let expired = store.expire_manifest(&world.repo, &doomed, after);
                        expired.await.map(drop)
                    }
                    _ => store.delete_tag(&world.repo, &tag("t")).await,
                };
                match result {
                    Ok(()) | Err(StoreError::NotFound(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
        world.watch(join_all(work)).await;
        world.assert_whole();
        let digest = world.put("three", &["t", "u"]).await;
        for name in ["t", "u"] {
            let target = world.store.tagged(&world.repo, &tag(name)).await;
            assert_eq!(target.unwrap(), digest);
        }
        world.wait_long();
        world.collect_all().await;
        world.assert_empty();
    }
}

/// The last one to put a tag has put it: a deletion of what it pointed at
/// before takes nothing from it.
#[tokio::test]
async fn a_deletion_takes_no_tag_that_has_moved_on() {
    for seed in 0..SEEDS {
        let world = World::new(5, seed);
        let (other, repo) = (world.replica(), &world.repo);
        let old = world.put("old", &["t"]).await;
        let new = manifest("new", &["t"]);
        let digest = new.digest;
        let (put, deleted) = world
            .watch(join(
                world.store.put_manifest(repo, new),
                other.delete_manifest(repo, &old),
            ))
            .await;
        put.unwrap();
        deleted.unwrap();
        let target = world.store.tagged(repo, &tag("t")).await;
        assert_eq!(target.unwrap(), digest);
    }
}

/// The name of a tag that is not there yet is no less contested.
#[tokio::test]
async fn a_first_tag_and_a_deletion_exclude_each_other() {
    for seed in 0..SEEDS {
        let world = World::new(5, seed);
        let (other, repo) = (world.replica(), &world.repo);
        let digest = world.put("x", &[]).await;
        let after = world.tomorrow();
        let removal = async {
            match seed % 2 {
                0 => other.delete_manifest(repo, &digest).await.map(|()| true),
                _ => other.expire_manifest(repo, &digest, after).await,
            }
        };
        let (put, removed) = world.watch(join(world.put("x", &["t"]), removal)).await;
        removed.unwrap();
        match world.store.tagged(repo, &tag("t")).await {
            Ok(target) => assert_eq!(target, put),
            Err(error) => assert!(seed % 2 == 0, "a manifest with a tag has expired: {error}"),
        }
    }
}
