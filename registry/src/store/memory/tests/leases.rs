//! Writers that stall, and replicas that take over.

use std::time::Duration;

use bytes::Bytes;

use super::super::session::LEASE;
use super::world::{World, write};
use crate::oci::Algorithm;
use crate::store::{Maintain, Missing, Store, StoreError};

static BATCH: [u8; 600_000] = [1; 600_000];

#[tokio::test]
async fn a_writer_that_died_keeps_others_away_until_its_lease_ends() {
    let world = World::new(1, 0);
    let client = world.bucket.another_client();
    let dead = super::Memory::new(client.clone());
    let mut upload = dead.begin_upload(&world.repo).await.unwrap();
    let id = upload.id();
    write(&mut *upload, &BATCH).await.unwrap();
    upload.suspend().await.unwrap();
    let upload = dead.resume_upload(&world.repo, id).await.unwrap();
    client.fail_from(0);
    drop(upload);

    let resumed = world.store.resume_upload(&world.repo, id).await;
    assert!(matches!(resumed, Err(StoreError::UploadBusy(_))));
    world.bucket.advance(LEASE + Duration::from_secs(1));
    let mut upload = world.store.resume_upload(&world.repo, id).await.unwrap();
    assert_eq!(upload.offset(), BATCH.len() as u64);
    upload.write(Bytes::from_static(b"end")).await.unwrap();
    let content = [&BATCH[..], b"end"].concat();
    let digest = Algorithm::Sha256.digest(&content);
    upload.commit(&digest).await.unwrap();
    assert!(world.read(&digest).await.unwrap() == content);
}

/// It wakes up when another one has taken over, and when that one is done.
#[tokio::test]
async fn a_writer_that_stalled_spoils_nothing() {
    for seed in 0..8 {
        for other_is_done in [false, true] {
            let world = World::new(3, seed);
            let stalled = world.replica();
            let mut first = stalled.begin_upload(&world.repo).await.unwrap();
            let id = first.id();
            write(&mut *first, b"common ").await.unwrap();
            first.suspend().await.unwrap();
            let mut first = stalled.resume_upload(&world.repo, id).await.unwrap();
            world.wait_long();

            let mut second = world.store.resume_upload(&world.repo, id).await.unwrap();
            write(&mut *second, &BATCH).await.unwrap();
            let content = [b"common ", &BATCH[..]].concat();
            let digest = Algorithm::Sha256.digest(&content);
            if other_is_done {
                second.commit(&digest).await.unwrap();
                assert_lost(
                    write(&mut *first, &[2; 600_000]).await,
                    first.suspend().await,
                );
            } else {
                let late = write(&mut *first, &[2; 600_000]).await;
                assert_lost(late, first.suspend().await);
                second.commit(&digest).await.unwrap();
            }
            assert!(world.read(&digest).await.unwrap() == content);
            world.assert_whole();
            world.wait_long();
            world.collect_all().await;
            world.assert_empty();
        }
    }
}

fn assert_lost(written: Result<(), StoreError>, suspended: Result<u64, StoreError>) {
    let error = written.and(suspended.map(drop)).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::UploadBusy(_) | StoreError::NotFound(Missing::Upload(..))
        ),
        "{error}"
    );
}

/// Whoever is slow, but still there, keeps what is his own.
#[tokio::test]
async fn a_slow_writer_goes_on_if_nobody_took_over() {
    let world = World::new(1, 0);
    let mut upload = world.store.begin_upload(&world.repo).await.unwrap();
    let mut content = Vec::new();
    for _ in 0..4 {
        write(&mut *upload, &BATCH).await.unwrap();
        content.extend_from_slice(&BATCH);
        world.wait_long();
    }
    let digest = Algorithm::Sha256.digest(&content);
    upload.commit(&digest).await.unwrap();
    assert!(world.read(&digest).await.unwrap() == content);
}

/// A client that sends a little now and then is not taken for a dead one.
#[tokio::test]
async fn a_lease_is_renewed_while_bytes_come() {
    let world = World::new(1, 0);
    let (other, repo) = (world.replica(), &world.repo);
    let mut upload = world.store.begin_upload(repo).await.unwrap();
    let id = upload.id();
    for sent in 1..8 {
        world.bucket.advance(LEASE * 2 / 3);
        upload.write(Bytes::from_static(b"x")).await.unwrap();
        while other.upload_offset(repo, id).await.unwrap() < sent {
            tokio::task::yield_now().await;
        }
        let taken = other.resume_upload(repo, id).await;
        assert!(matches!(taken, Err(StoreError::UploadBusy(_))));
        let expired = other.expire_upload(repo, id, world.tomorrow()).await;
        assert!(!expired.unwrap());
    }
}
