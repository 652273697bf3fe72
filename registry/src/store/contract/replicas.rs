//! The rules about several processes that share a store.

use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::future::join;

use super::maintenance::{after, before};
use super::manifests::{index, put, tag};
use super::{Subject, assert_missing, push, read, repo};
use crate::oci::{Algorithm, Tag};
use crate::store::{Missing, StoreError};

/// Each request of a push may come to another process.
pub(super) async fn an_upload_goes_from_one_process_to_the_other(subject: Subject) {
    let repo = repo("a");
    let content: Vec<u8> = (0..900_000_u32).map(|at| (at * 11 % 253) as u8).collect();
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let upload = subject.store.begin_upload(&repo).await.unwrap();
        let id = upload.id();
        upload.suspend().await.unwrap();
        let mut kept = 0;
        for piece in content.chunks(123_456) {
            let other = (subject.reopen)();
            assert_eq!(other.upload_offset(&repo, id).await.unwrap(), kept);
            let mut upload = other.resume_upload(&repo, id).await.unwrap();
            upload.write(Bytes::copy_from_slice(piece)).await.unwrap();
            kept = upload.suspend().await.unwrap();
        }
        assert_eq!(kept, content.len() as u64);
        let last = (subject.reopen)().resume_upload(&repo, id).await.unwrap();
        let digest = algorithm.digest(&content);
        last.commit(&digest).await.unwrap();
        let store = &*subject.store;
        assert!(read(store, &repo, &digest, 0..content.len()).await == content);
        let error = store.upload_offset(&repo, id).await.unwrap_err();
        assert_missing(&error, &Missing::Upload(repo.clone(), id));
        store.delete_blob(&repo, &digest).await.unwrap();
    }
}

pub(super) async fn an_upload_has_one_writer_among_all_processes(subject: Subject) {
    let (repo, other) = (repo("a"), (subject.reopen)());
    let mut upload = subject.store.begin_upload(&repo).await.unwrap();
    let id = upload.id();
    upload.write(Bytes::from_static(b"one ")).await.unwrap();
    let busy = other.resume_upload(&repo, id).await;
    assert!(matches!(busy, Err(StoreError::UploadBusy(busy)) if busy == id));
    assert!(!other.expire_upload(&repo, id, after()).await.unwrap());
    upload.write(Bytes::from_static(b"two ")).await.unwrap();
    assert_eq!(upload.suspend().await.unwrap(), 8);

    for _ in 0..20 {
        let before = other.upload_offset(&repo, id).await.unwrap();
        let both = join(
            subject.store.resume_upload(&repo, id),
            other.resume_upload(&repo, id),
        );
        let mut writers = Vec::new();
        for writer in <[_; 2]>::from(both.await) {
            match writer {
                Ok(writer) => writers.push(writer),
                Err(error) => assert!(matches!(error, StoreError::UploadBusy(_)), "{error}"),
            }
        }
        let [writer] = &mut writers[..] else {
            panic!("expected one writer, got {}", writers.len());
        };
        writer.write(Bytes::from_static(b"more")).await.unwrap();
        let kept = writers.remove(0).suspend().await.unwrap();
        assert_eq!(kept, before + 4);
    }
    let upload = other.resume_upload(&repo, id).await.unwrap();
    let content = format!("one two {}", "more".repeat(20));
    let digest = Algorithm::Sha256.digest(content.as_bytes());
    upload.commit(&digest).await.unwrap();
}

pub(super) async fn of_two_writers_of_a_tag_one_wins(subject: Subject) {
    let (repo, other) = (repo("a"), (subject.reopen)());
    for round in 0..20 {
        let (one, two) = (format!("one {round}"), format!("two {round}"));
        let (one, two) = (index(&one), index(&two));
        let put = join(
            put(&*subject.store, &repo, &one, Some("t")),
            put(&*other, &repo, &two, Some("t")),
        );
        let (one, two) = put.await;
        let target = subject.store.tagged(&repo, &tag("t")).await.unwrap();
        assert!([one, two].contains(&target), "{target}");
        assert_eq!(other.tagged(&repo, &tag("t")).await.unwrap(), target);
        // Who lost has still put a manifest.
        for digest in [one, two] {
            other.manifest(&repo, &digest).await.unwrap();
        }
    }
}

/// Whoever comes last has put a manifest and a tag, or removed both.
pub(super) async fn a_tag_never_leads_to_what_another_process_removed(subject: Subject) {
    let (repo, other) = (repo("a"), (subject.reopen)());
    let bytes = index("contested");
    let digest = Algorithm::Sha256.digest(&bytes);
    for round in 0..24 {
        let removal = async {
            if round % 2 == 0 {
                match other.delete_manifest(&repo, &digest).await {
                    Err(StoreError::NotFound(_)) => {}
                    result => result.unwrap(),
                }
            } else {
                other
                    .expire_manifest(&repo, &digest, after())
                    .await
                    .unwrap();
            }
        };
        join(put(&*subject.store, &repo, &bytes, Some("t")), removal).await;
        for store in [&subject.store, &other] {
            if let Ok(target) = store.tagged(&repo, &tag("t")).await {
                assert_eq!(target, digest);
                let manifest = store.manifest(&repo, &target).await;
                assert_eq!(manifest.expect("a tag leads to a manifest").bytes(), &bytes);
            } else {
                assert!(round % 2 == 0, "a manifest with a tag has expired");
            }
        }
        // Nothing of all that stands in the way of whoever comes next.
        put(&*subject.store, &repo, &bytes, Some("t")).await;
        assert_eq!(other.tagged(&repo, &tag("t")).await.unwrap(), digest);
        if round % 3 == 0 {
            other.delete_manifest(&repo, &digest).await.unwrap();
            assert!(subject.store.tagged(&repo, &tag("t")).await.is_err());
        }
    }
}

/// What is there all the time is listed once, whatever comes and goes.
pub(super) async fn pages_hold_while_others_change_the_list(subject: Subject) {
    let (repo, other) = (repo("a"), (subject.reopen)());
    let bytes = index("x");
    let steady: Vec<String> = (0..20).map(|at| format!("t{at:02}")).collect();
    for name in &steady {
        put(&*subject.store, &repo, &bytes, Some(name)).await;
    }
    let changes = async {
        for at in 0..20 {
            let name = format!("t{at:02}-x");
            put(&*other, &repo, &bytes, Some(&name)).await;
            if at % 2 == 0 {
                other.delete_tag(&repo, &tag(&name)).await.unwrap();
            }
        }
    };
    let pages = async {
        for limit in [1, 2, 3, 7] {
            let mut seen: Vec<Tag> = Vec::new();
            loop {
                let after = seen.last().map(Tag::to_string);
                let page = subject.store.tags(&repo, after.as_deref(), limit);
                let page = page.await.unwrap();
                assert!(page.items.len() <= limit);
                assert!(!page.more || !page.items.is_empty());
                seen.extend(page.items.to_vec());
                if !page.more {
                    break;
                }
            }
            assert!(seen.is_sorted() && seen.windows(2).all(|pair| pair[0] != pair[1]));
            let names: Vec<String> = seen.iter().map(Tag::to_string).collect();
            assert!(steady.iter().all(|name| names.contains(name)), "{names:?}");
        }
    };
    join(changes, pages).await;
}

pub(super) async fn a_blob_is_read_after_it_was_deleted(subject: Subject) {
    let repo = repo("a");
    let content = vec![3; 700_000];
    let digest = push(&*subject.store, &repo, &content).await;
    let blob = subject.store.blob(&repo, &digest).await.unwrap();
    (subject.reopen)()
        .delete_blob(&repo, &digest)
        .await
        .unwrap();
    let pieces = blob.read(0..content.len() as u64).try_collect();
    let pieces: Vec<Bytes> = pieces.await.unwrap();
    assert!(pieces.concat() == content);
}

/// A collector that grants nothing may take away what a push relies on, so
/// that the push fails; but never half of it, and nothing that is left stands
/// in the way of the next one.
pub(super) async fn content_goes_and_comes_as_a_whole(subject: Subject) {
    let (repo, collector) = (repo("a"), (subject.reopen)());
    let content = Bytes::from(vec![5; 100_000]);
    let digest = Algorithm::Sha256.digest(&content);
    for _ in 0..20 {
        let mut upload = subject.store.begin_upload(&repo).await.unwrap();
        upload.write(content.clone()).await.unwrap();
        let collected = collector.expire_content(&digest, after());
        let (pushed, freed) = join(upload.commit(&digest), collected).await;
        assert!([None, Some(content.len() as u64)].contains(&freed.unwrap()));
        match collector.blob(&repo, &digest).await {
            Err(error) => assert_missing(&error, &Missing::Blob(repo.clone(), digest)),
            Ok(blob) => assert_eq!(blob.size(), content.len() as u64, "pushed: {pushed:?}"),
        }
        push(&*subject.store, &repo, &content).await;
        assert!(read(&*collector, &repo, &digest, 0..content.len()).await == content);
        // Granted a day, it stays.
        let layer = collector.expire_layer(&repo, &digest, before()).await;
        assert!(!layer.unwrap());
        let freed = collector.expire_content(&digest, before()).await;
        assert_eq!(freed.unwrap(), None);
    }
}
