//! A process that dies before any of its calls, and answers that are lost: what
//! was acknowledged is there, nothing else is half there, the same can be done
//! again, and nothing is left for ever.

use std::pin::Pin;

use super::super::{Fault, Memory};
use super::world::{World, manifest, tag, write};
use crate::oci::{Algorithm, Digest};
use crate::store::{Maintain, Missing, Store, StoreError};

type Doing<'a> = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send + 'a>>;

/// Something that is done, and done again.
struct Deed {
    prepare: fn(&World) -> Pin<Box<dyn Future<Output = ()> + '_>>,
    /// Doing it twice has the same effect.
    act: for<'a> fn(&'a World, &'a Memory) -> Doing<'a>,
    /// Whether it has been done.
    check: fn(&World) -> Pin<Box<dyn Future<Output = bool> + '_>>,
}

/// How the calls fail.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    Death,
    Lost(Fault),
}

async fn sweep(deed: Deed) {
    for trouble in [
        Trouble::Death,
        Trouble::Lost(Fault::Refused),
        Trouble::Lost(Fault::AnswerLost),
    ] {
        for nth in 0.. {
            let world = World::new(0, 0);
            (deed.prepare)(&world).await;
            let client = world.bucket.another_client();
            match trouble {
                Trouble::Death => client.fail_from(nth),
                Trouble::Lost(fault) => client.fail_call(nth, fault),
            }
            let replica = Memory::new(client.clone());
            let result = (deed.act)(&world, &replica).await;
            let is_through = client.calls() <= nth;
            world.assert_whole();
            let at = format!("{trouble:?} at call {nth}: {result:?}");
            if result.is_ok() {
                assert!((deed.check)(&world).await, "{at}");
            }
            world.wait_long();
            let again = (deed.act)(&world, &world.store).await;
            again.unwrap_or_else(|error| panic!("{at}, and again: {error}"));
            assert!((deed.check)(&world).await, "{at}");
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

const LARGE: [u8; 130_000] = [7; 130_000];

/// That something is gone is as good as that it was removed.
fn gone(result: Result<(), StoreError>) -> Result<(), StoreError> {
    match result {
        Err(StoreError::NotFound(_)) => Ok(()),
        result => result,
    }
}

async fn push(
    store: &Memory,
    world: &World,
    content: &[u8],
    digest: Digest,
) -> Result<(), StoreError> {
    let mut upload = store.begin_upload(&world.repo).await?;
    write(&mut *upload, &content[..content.len() / 2]).await?;
    let id = upload.id();
    upload.suspend().await?;
    let mut upload = store.resume_upload(&world.repo, id).await?;
    write(&mut *upload, &content[content.len() / 2..]).await?;
    upload.commit(&digest).await
}

#[tokio::test]
async fn a_push_of_few_bytes() {
    sweep(Deed {
        prepare: |_| Box::pin(async {}),
        act: |world, store| {
            Box::pin(
                async move { push(store, world, b"few", Algorithm::Sha256.digest(b"few")).await },
            )
        },
        check: |world| {
            Box::pin(async {
                let digest = Algorithm::Sha256.digest(b"few");
                world.read(&digest).await.is_ok_and(|read| read == b"few")
            })
        },
    })
    .await;
}

#[tokio::test]
async fn a_push_of_several_parts_by_another_digest() {
    sweep(Deed {
        prepare: |_| Box::pin(async {}),
        act: |world, store| {
            Box::pin(
                async move { push(store, world, &LARGE, Algorithm::Sha512.digest(&LARGE)).await },
            )
        },
        check: |world| {
            Box::pin(async {
                for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
                    let read = world.read(&algorithm.digest(&LARGE)).await;
                    if !read.is_ok_and(|read| read == LARGE) {
                        return false;
                    }
                }
                true
            })
        },
    })
    .await;
}

/// The client has sent everything, and asks again for its digest.
#[tokio::test]
async fn a_commit_that_is_tried_again() {
    sweep(Deed {
        prepare: |world| {
            Box::pin(async {
                let mut upload = world.store.begin_upload(&world.repo).await.unwrap();
                write(&mut *upload, &LARGE).await.unwrap();
                upload.suspend().await.unwrap();
            })
        },
        act: |world, store| {
            Box::pin(async move {
                let found = world.store.inventory(&world.repo).await?;
                let Some(upload) = found.uploads.first() else {
                    return Ok(());
                };
                let upload = store.resume_upload(&world.repo, upload.id).await?;
                assert_eq!(upload.offset(), LARGE.len() as u64);
                upload.commit(&Algorithm::Sha256.digest(&LARGE)).await
            })
        },
        check: |world| {
            Box::pin(async {
                let digest = Algorithm::Sha256.digest(&LARGE);
                world.read(&digest).await.is_ok_and(|read| read == LARGE)
            })
        },
    })
    .await;
}

/// Whose bytes the store has already, but not the bytes that come.
#[tokio::test]
async fn a_push_of_what_is_there() {
    sweep(Deed {
        prepare: |world| {
            Box::pin(async {
                world.push(&LARGE).await;
                world.wait_long();
            })
        },
        act: |world, store| {
            Box::pin(
                async move { push(store, world, &LARGE, Algorithm::Sha256.digest(&LARGE)).await },
            )
        },
        check: |world| {
            Box::pin(async {
                let digest = Algorithm::Sha256.digest(&LARGE);
                world.read(&digest).await.is_ok_and(|read| read == LARGE)
            })
        },
    })
    .await;
}

#[tokio::test]
async fn a_wrong_digest_and_a_cancellation() {
    for cancels in [false, true] {
        let act: for<'a> fn(&'a World, &'a Memory) -> Doing<'a> = if cancels {
            |world, store| {
                Box::pin(async move {
                    let mut upload = store.begin_upload(&world.repo).await?;
                    write(&mut *upload, &LARGE).await?;
                    upload.cancel().await
                })
            }
        } else {
            |world, store| {
                Box::pin(async move {
                    let wrong = Algorithm::Sha512.digest(b"wrong");
                    match push(store, world, &LARGE, wrong).await {
                        Err(StoreError::DigestMismatch { .. }) => Ok(()),
                        result => result.and_then(|()| panic!("a wrong digest is accepted")),
                    }
                })
            }
        };
        sweep(Deed {
            prepare: |_| Box::pin(async {}),
            act,
            check: |world| {
                Box::pin(async {
                    let shown = world.read(&Algorithm::Sha256.digest(&LARGE)).await;
                    shown.is_err()
                })
            },
        })
        .await;
    }
}

#[tokio::test]
async fn a_manifest_with_tags_and_other_names() {
    sweep(Deed {
        prepare: |world| {
            Box::pin(async {
                world.put("old", &["moved"]).await;
                world.wait_long();
            })
        },
        act: |world, store| {
            Box::pin(async move {
                let mut new = manifest("new", &["moved", "new"]);
                new.subject = Some(Algorithm::Sha256.digest(b"subject"));
                new.digest = Algorithm::Sha512.digest(&new.bytes);
                store.put_manifest(&world.repo, new).await
            })
        },
        check: |world| {
            Box::pin(async {
                let expected = Algorithm::Sha512.digest(&manifest("new", &[]).bytes);
                let subject = Algorithm::Sha256.digest(b"subject");
                let (store, repo) = (&world.store, &world.repo);
                for name in ["moved", "new"] {
                    let target = store.tagged(repo, &tag(name)).await.ok();
                    if target != Some(expected) {
                        return false;
                    }
                }
                store.manifest(repo, &expected).await.is_ok()
                    && store.referrers(repo, &subject).await.unwrap() == [expected]
            })
        },
    })
    .await;
}

#[tokio::test]
async fn a_deletion_of_a_manifest() {
    sweep(Deed {
        prepare: |world| {
            Box::pin(async {
                world.put("kept", &["kept"]).await;
                world.put("doomed", &["one", "two", "kept"]).await;
                world.put("kept", &["kept"]).await;
            })
        },
        act: |world, store| {
            Box::pin(async move {
                let doomed = manifest("doomed", &[]).digest;
                gone(store.delete_manifest(&world.repo, &doomed).await)
            })
        },
        check: |world| {
            Box::pin(async {
                let (store, repo) = (&world.store, &world.repo);
                let doomed = manifest("doomed", &[]).digest;
                let tags = store.tags(repo, None, 10).await.unwrap().items;
                tags == [tag("kept")] && store.manifest(repo, &doomed).await.is_err()
            })
        },
    })
    .await;
}

#[tokio::test]
async fn a_collection_of_everything() {
    sweep(Deed {
        prepare: |world| {
            Box::pin(async {
                world.push(&LARGE).await;
                world.put("tagged", &["t"]).await;
                world.put("untagged", &[]).await;
                let mut upload = world.store.begin_upload(&world.repo).await.unwrap();
                write(&mut *upload, &LARGE).await.unwrap();
                upload.suspend().await.unwrap();
                world.store.note_pull(&world.repo, &tag("t")).await.unwrap();
            })
        },
        act: |world, store| {
            Box::pin(async move {
                let after = world.tomorrow();
                let found = store.inventory(&world.repo).await?;
                for entry in found.tags {
                    let (tag, target) = (&entry.tag, &entry.target);
                    store.expire_tag(&world.repo, tag, target, after).await?;
                }
                for entry in found.manifests {
                    store
                        .expire_manifest(&world.repo, &entry.digest, after)
                        .await?;
                }
                for entry in found.layers {
                    store
                        .expire_layer(&world.repo, &entry.digest, after)
                        .await?;
                }
                for entry in found.uploads {
                    store.expire_upload(&world.repo, entry.id, after).await?;
                }
                store.tidy(Some(&world.repo), after).await?;
                for entry in store.contents(None, 100).await?.items {
                    store.expire_content(&entry.digest, after).await?;
                }
                store.tidy(None, after).await
            })
        },
        check: |world| {
            Box::pin(async {
                world.bucket.keys().is_empty() && world.bucket.open_multiparts() == 0
            })
        },
    })
    .await;
}

#[tokio::test]
async fn a_mount_and_a_deletion() {
    sweep(Deed {
        prepare: |world| {
            Box::pin(async {
                world.push(&LARGE).await;
                world.wait_long();
            })
        },
        act: |world, store| {
            Box::pin(async move {
                let (digest, to) = (Algorithm::Sha256.digest(&LARGE), "b".parse().unwrap());
                // The second time, the first repository may not have it.
                let mounted = store.mount_blob(Some(&world.repo), &to, &digest).await;
                gone(mounted)?;
                gone(store.delete_blob(&world.repo, &digest).await)
            })
        },
        check: |world| {
            Box::pin(async {
                let (digest, to) = (Algorithm::Sha256.digest(&LARGE), "b".parse().unwrap());
                let kept = world.store.blob(&to, &digest).await;
                let missing = world.store.blob(&world.repo, &digest).await.err();
                kept.is_ok_and(|blob| blob.size() == LARGE.len() as u64)
                    && matches!(missing, Some(StoreError::NotFound(Missing::Blob(..))))
            })
        },
    })
    .await;
}

/// What is moved aside is the one thing that no collector removes.
#[tokio::test]
async fn moving_content_aside() {
    for nth in 0.. {
        let world = World::new(0, 0);
        let digest = world.push(&LARGE).await;
        let client = world.bucket.another_client();
        client.fail_from(nth);
        let died = Memory::new(client.clone()).quarantine(&digest).await;
        world.assert_whole();
        let aside = match died {
            Ok(aside) => aside,
            Err(_) => world.store.quarantine(&digest).await.unwrap(),
        };
        assert!(world.read(&digest).await.is_err());
        let kept = world.bucket.get(&aside, None).await.unwrap();
        assert_eq!(kept.bytes, LARGE[..]);
        world.push(&LARGE).await;
        assert_eq!(world.read(&digest).await.unwrap(), LARGE);
        world.collect_all().await;
        assert_eq!(
            world.bucket.get(&aside, None).await.unwrap().bytes,
            LARGE[..]
        );
        if client.calls() <= nth {
            break;
        }
    }
}
