//! A process that dies before any of its calls, and answers that are lost: what
//! was acknowledged is there, nothing else is half there, the same can be done
//! again, and nothing is left for ever.

use super::super::{Fault, Memory};
use super::world::{World, corrupt, manifest, tag, write};
use crate::oci::{Algorithm, Digest};
use crate::store::{Maintain, Missing, Store, StoreError};

/// Of which it takes three parts.
static LARGE: [u8; 130_000] = [7; 130_000];

/// How the calls fail.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    Death,
    Once(Fault),
}

/// Does something on a replica that fails at its first call, its second, and so
/// on, and then again on another one. To do it twice has the same effect.
async fn sweep(
    prepare: impl AsyncFn(&World),
    act: impl AsyncFn(&World, &Memory) -> Result<(), StoreError>,
    is_done: impl AsyncFn(&World) -> bool,
) {
    for trouble in [
        Trouble::Death,
        Trouble::Once(Fault::Refused),
        Trouble::Once(Fault::AnswerLost),
    ] {
        for nth in 0.. {
            let world = World::new(0, 0);
            prepare(&world).await;
            let client = world.bucket.another_client();
            match trouble {
                Trouble::Death => client.fail_from(nth),
                Trouble::Once(fault) => client.fail_call(nth, fault),
            }
            let result = act(&world, &Memory::new(client.clone())).await;
            let is_through = client.calls() <= nth;
            let at = format!("{trouble:?} at call {nth}: {result:?}");
            world.assert_whole();
            assert!(result.is_err() || is_done(&world).await, "{at}");

            world.wait_long();
            let again = act(&world, &world.store).await;
            again.unwrap_or_else(|error| panic!("{at}, and again: {error}"));
            assert!(is_done(&world).await, "{at}");
            world.assert_whole();
            world.wait_long();
            world.collect_all().await;
            world.assert_empty();
            if is_through {
                assert!(nth > 0 && result.is_ok(), "{at}");
                break;
            }
        }
    }
}

/// In two requests.
async fn push(
    world: &World,
    store: &Memory,
    content: &[u8],
    digest: Digest,
) -> Result<(), StoreError> {
    let (first, second) = content.split_at(content.len() / 2);
    let mut upload = store.begin_upload(&world.repo).await?;
    write(&mut *upload, first).await?;
    let id = upload.id();
    upload.suspend().await?;
    let mut upload = store.resume_upload(&world.repo, id).await?;
    write(&mut *upload, second).await?;
    upload.commit(&digest).await
}

async fn nothing(_: &World) {}

async fn large_is_there(world: &World) -> bool {
    let digest = Algorithm::Sha256.digest(&LARGE);
    world.read(&digest).await.is_ok_and(|read| read == LARGE)
}

/// That something is gone is as good as that it was removed.
fn or_gone(result: Result<(), StoreError>) -> Result<(), StoreError> {
    match result {
        Err(StoreError::NotFound(_)) => Ok(()),
        result => result,
    }
}

#[tokio::test]
async fn a_push_of_few_bytes() {
    let digest = Algorithm::Sha256.digest(b"few");
    sweep(
        nothing,
        async |world, store| push(world, store, b"few", digest).await,
        async |world| world.read(&digest).await.is_ok_and(|read| read == b"few"),
    )
    .await;
}

#[tokio::test]
async fn a_push_of_several_parts_by_another_digest() {
    let digest = Algorithm::Sha512.digest(&LARGE);
    sweep(
        nothing,
        async |world, store| push(world, store, &LARGE, digest).await,
        async |world| {
            let read = world.read(&digest).await;
            read.is_ok_and(|read| read == LARGE) && large_is_there(world).await
        },
    )
    .await;
}

/// The client has sent everything, and asks again for its digest.
#[tokio::test]
async fn a_commit_that_is_tried_again() {
    let digest = Algorithm::Sha256.digest(&LARGE);
    sweep(
        async |world| {
            let mut upload = world.store.begin_upload(&world.repo).await.unwrap();
            write(&mut *upload, &LARGE).await.unwrap();
            upload.suspend().await.unwrap();
        },
        async |world, store| {
            let found = world.store.inventory(&world.repo).await?;
            let Some(upload) = found.uploads.first() else {
                return Ok(());
            };
            let upload = store.resume_upload(&world.repo, upload.id).await?;
            assert_eq!(upload.offset(), LARGE.len() as u64);
            upload.commit(&digest).await
        },
        large_is_there,
    )
    .await;
}

#[tokio::test]
async fn a_push_of_what_is_there() {
    let digest = Algorithm::Sha256.digest(&LARGE);
    sweep(
        async |world| {
            world.push(&LARGE).await;
            world.wait_long();
        },
        async |world, store| push(world, store, &LARGE, digest).await,
        large_is_there,
    )
    .await;
}

#[tokio::test]
async fn a_wrong_digest() {
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let wrong = algorithm.digest(b"wrong");
        sweep(
            nothing,
            async |world, store| match push(world, store, &LARGE, wrong).await {
                Err(StoreError::DigestMismatch { .. }) => Ok(()),
                Ok(()) => panic!("a wrong digest is accepted"),
                result => result,
            },
            async |world| !large_is_there(world).await && world.read(&wrong).await.is_err(),
        )
        .await;
    }
}

#[tokio::test]
async fn a_cancellation() {
    sweep(
        nothing,
        async |world, store| {
            let mut upload = store.begin_upload(&world.repo).await?;
            write(&mut *upload, &LARGE).await?;
            upload.cancel().await
        },
        async |world| !large_is_there(world).await,
    )
    .await;
}

#[tokio::test]
async fn a_manifest_with_tags_and_other_names() {
    let subject = Algorithm::Sha256.digest(b"subject");
    let mut new = manifest("new", &["moved", "new"]);
    new.subject = Some(subject);
    new.digest = Algorithm::Sha512.digest(&new.bytes);
    sweep(
        async |world| {
            world.put("old", &["moved"]).await;
            world.wait_long();
        },
        async |world, store| store.put_manifest(&world.repo, new.clone()).await,
        async |world| {
            let (store, repo) = (&world.store, &world.repo);
            for tag in &new.tags {
                if store.tagged(repo, tag).await.ok() != Some(new.digest) {
                    return false;
                }
            }
            store.manifest(repo, &new.digest).await.is_ok()
                && store.referrers(repo, &subject).await.unwrap() == [new.digest]
        },
    )
    .await;
}

#[tokio::test]
async fn a_deletion_of_a_manifest() {
    let doomed = manifest("doomed", &[]).digest;
    sweep(
        async |world| {
            world.put("doomed", &["one", "two", "kept"]).await;
            world.put("kept", &["kept"]).await;
        },
        async |world, store| or_gone(store.delete_manifest(&world.repo, &doomed).await),
        async |world| {
            let (store, repo) = (&world.store, &world.repo);
            let tags = store.tags(repo, None, 10).await.unwrap().items;
            tags.to_vec() == [tag("kept")] && store.manifest(repo, &doomed).await.is_err()
        },
    )
    .await;
}

#[tokio::test]
async fn a_collection_of_everything() {
    sweep(
        async |world| {
            world.push(&LARGE).await;
            world.put("tagged", &["t"]).await;
            world.put("untagged", &[]).await;
            let mut upload = world.store.begin_upload(&world.repo).await.unwrap();
            write(&mut *upload, &LARGE).await.unwrap();
            upload.suspend().await.unwrap();
            let pulled = tag("t");
            world.store.note_pull(&world.repo, &pulled).await.unwrap();
        },
        async |world, store| {
            let (repo, after) = (&world.repo, world.tomorrow());
            let found = store.inventory(repo).await?;
            for entry in found.tags {
                let expired = store.expire_tag(repo, &entry.tag, &entry.target, after);
                expired.await?;
            }
            for entry in found.manifests {
                store.expire_manifest(repo, &entry.digest, after).await?;
            }
            for entry in found.layers {
                store.expire_layer(repo, &entry.digest, after).await?;
            }
            for entry in found.uploads {
                store.expire_upload(repo, entry.id, after).await?;
            }
            store.tidy(Some(repo), after).await?;
            for entry in store.contents(None, 100).await?.items {
                store.expire_content(&entry.digest, after).await?;
            }
            store.tidy(None, after).await
        },
        async |world| world.bucket.keys().is_empty() && world.bucket.open_multiparts() == 0,
    )
    .await;
}

#[tokio::test]
async fn a_mount_and_a_deletion() {
    let (digest, to) = (Algorithm::Sha256.digest(&LARGE), "b".parse().unwrap());
    sweep(
        async |world| {
            world.push(&LARGE).await;
            world.wait_long();
        },
        async |world, store| {
            // The second time, the first repository may not have it.
            or_gone(store.mount_blob(Some(&world.repo), &to, &digest).await)?;
            or_gone(store.delete_blob(&world.repo, &digest).await)
        },
        async |world| {
            let kept = world.store.blob(&to, &digest).await;
            let missing = world.store.blob(&world.repo, &digest).await.err();
            kept.is_ok_and(|blob| blob.size() == LARGE.len() as u64)
                && matches!(missing, Some(StoreError::NotFound(Missing::Blob(..))))
        },
    )
    .await;
}

/// What is moved aside is the one thing that no collector removes.
#[tokio::test]
async fn moving_content_aside() {
    for nth in 0.. {
        let world = World::new(0, 0);
        let digest = world.push(&LARGE).await;
        corrupt(&world.bucket, &digest);
        let corrupted = world.read(&digest).await.unwrap();
        let client = world.bucket.another_client();
        client.fail_from(nth);
        let died = Memory::new(client.clone()).quarantine(&digest).await;
        world.assert_whole();
        let aside = match died {
            Ok(aside) => aside,
            Err(_) => world.store.quarantine(&digest).await.unwrap(),
        };
        let aside = aside.expect("it is corrupt");
        assert!(world.read(&digest).await.is_err());
        world.push(&LARGE).await;
        assert!(large_is_there(&world).await);
        world.collect_all().await;
        let kept = world.bucket.get(&aside, None).await.unwrap();
        assert_eq!(kept.bytes, corrupted);
        if client.calls() <= nth {
            break;
        }
    }
}
