//! The suite that every [`Store`] has to pass: the rules of the documentation
//! of [`Store`] and [`Maintain`], one function each.
//!
//! Available to other crates with the feature `contract`. A store's own tests
//! add what only that store can do, such as surviving a torn file. The rules
//! about blobs and uploads stand here, those about manifests in `manifests`,
//! those about what is used in `maintenance`, those about several processes in
//! `replicas`, and those about dropped futures in `cancellation`.

mod cancellation;
mod maintenance;
mod manifests;
mod replicas;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{FutureExt, TryStreamExt};

use super::{Maintain, Missing, Store, StoreError, UploadId};
use crate::oci::{Algorithm, Digest, RepoName};

/// A new, empty store, and a way to open it again as another process would.
pub struct Subject {
    /// The store.
    pub store: Arc<dyn Maintain>,
    /// Makes another store over the same data, with nothing in memory.
    pub reopen: Box<dyn Fn() -> Arc<dyn Maintain> + Send + Sync>,
    /// Changes the bytes of content, and not their number, as a failing disk
    /// would: without the store knowing. The content has at least one byte.
    pub corrupt: Box<dyn Fn(&Digest) + Send + Sync>,
}

/// Runs the whole suite, each rule on a new subject.
///
/// # Panics
///
/// If the store breaks a rule.
pub async fn check(make: impl Fn() -> Subject) {
    blobs_are_read_back(make().store).await;
    blobs_belong_to_repositories(make().store).await;
    blobs_are_mounted_and_deleted(make().store).await;
    both_algorithms_name_a_blob(make().store).await;
    a_wrong_digest_shows_nothing(make().store).await;
    the_same_content_is_committed_twice_at_once(make().store).await;
    an_upload_is_continued(make()).await;
    an_upload_has_one_writer(make().store).await;
    a_dropped_upload_keeps_what_came(make().store).await;
    a_cancelled_upload_is_gone(make().store).await;
    manifests::manifests_are_read_back(make()).await;
    manifests::tags_move_and_are_deleted(make().store).await;
    manifests::a_deleted_manifest_takes_its_tags(make().store).await;
    manifests::referrers_are_listed(make().store).await;
    manifests::tags_are_paged(make().store).await;
    manifests::repositories_are_paged(make().store).await;
    manifests::tags_and_deletions_at_once_leave_no_dangling_tag(make().store).await;
    maintenance::manifests_have_other_digests(make()).await;
    maintenance::any_content_can_be_mounted(make().store).await;
    maintenance::what_is_used_stays(make().store).await;
    maintenance::what_nobody_uses_goes(make().store).await;
    maintenance::inventories_are_complete(make().store).await;
    maintenance::what_is_corrupt_is_moved_aside(make()).await;
    replicas::an_upload_goes_from_one_process_to_the_other(make()).await;
    replicas::an_upload_has_one_writer_among_all_processes(make()).await;
    replicas::of_two_writers_of_a_tag_one_wins(make()).await;
    replicas::a_tag_never_leads_to_what_another_process_removed(make()).await;
    replicas::pages_hold_while_others_change_the_list(make()).await;
    replicas::a_blob_is_read_after_it_was_deleted(make()).await;
    replicas::content_goes_and_comes_as_a_whole(make()).await;
    cancellation::a_dropped_commit_has_happened_or_not(make().store).await;
    cancellation::a_dropped_write_leaves_no_gap(make().store).await;
    cancellation::a_dropped_resumption_holds_nobody_up(make().store).await;
    cancellation::a_dropped_manifest_is_there_or_not(make().store).await;
}

async fn blobs_are_read_back(store: Arc<dyn Store>) {
    let content: Vec<u8> = (0..1_300_000_u32).map(|at| (at * 7 % 251) as u8).collect();
    let repo = repo("a/b");
    let digest = push(&*store, &repo, &content).await;
    let blob = store.blob(&repo, &digest).await.unwrap();
    assert_eq!(blob.size(), content.len() as u64);
    for range in [0..content.len(), 0..1, 10..10, 700_000..1_300_000] {
        let read = read(&*store, &repo, &digest, range.clone()).await;
        assert!(read == content[range.clone()], "bytes {range:?} differ");
    }
    let empty = push(&*store, &repo, b"").await;
    assert_eq!(store.blob(&repo, &empty).await.unwrap().size(), 0);
}

async fn blobs_belong_to_repositories(store: Arc<dyn Store>) {
    let digest = push(&*store, &repo("a"), b"content").await;
    let Err(error) = store.blob(&repo("b"), &digest).await else {
        panic!("a blob of one repository is seen in another");
    };
    assert_missing(&error, &Missing::Blob(repo("b"), digest));
}

async fn blobs_are_mounted_and_deleted(store: Arc<dyn Store>) {
    let (a, b) = (repo("a"), repo("b"));
    let digest = push(&*store, &a, b"content").await;
    store.mount_blob(Some(&a), &b, &digest).await.unwrap();
    store.mount_blob(Some(&a), &b, &digest).await.unwrap();
    store.delete_blob(&a, &digest).await.unwrap();
    assert!(store.blob(&a, &digest).await.is_err());
    assert_eq!(read(&*store, &b, &digest, 0..7).await, b"content");
    let gone = Missing::Blob(a.clone(), digest);
    assert_missing(&store.delete_blob(&a, &digest).await.unwrap_err(), &gone);
    assert_missing(
        &store.mount_blob(Some(&a), &b, &digest).await.unwrap_err(),
        &gone,
    );
    push(&*store, &a, b"content").await;
    assert!(store.blob(&a, &digest).await.is_ok());
}

async fn both_algorithms_name_a_blob(store: Arc<dyn Store>) {
    let repo = repo("a");
    let long = Algorithm::Sha512.digest(b"content");
    let mut upload = store.begin_upload(&repo).await.unwrap();
    upload.write(Bytes::from_static(b"content")).await.unwrap();
    upload.commit(&long).await.unwrap();
    for digest in [long, Algorithm::Sha256.digest(b"content")] {
        assert_eq!(read(&*store, &repo, &digest, 0..7).await, b"content");
    }
}

async fn a_wrong_digest_shows_nothing(store: Arc<dyn Store>) {
    let repo = repo("a");
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let expected = algorithm.digest(b"expected");
        let mut upload = store.begin_upload(&repo).await.unwrap();
        let id = upload.id();
        upload.write(Bytes::from_static(b"actual")).await.unwrap();
        let error = upload.commit(&expected).await.unwrap_err();
        let StoreError::DigestMismatch {
            expected: said,
            actual,
        } = error
        else {
            panic!("expected a mismatch of digests, got {error}");
        };
        assert_eq!((*said, *actual), (expected, algorithm.digest(b"actual")));
        assert!(store.blob(&repo, &expected).await.is_err());
        assert!(store.blob(&repo, &actual).await.is_err());
        let error = store.upload_offset(&repo, id).await.unwrap_err();
        assert_missing(&error, &Missing::Upload(repo.clone(), id));
    }
}

async fn the_same_content_is_committed_twice_at_once(store: Arc<dyn Store>) {
    let content = vec![42; 700_000];
    let repos: Vec<RepoName> = (0..8).map(|at| repo(&format!("r{}", at % 3))).collect();
    let digests = join_all(repos.iter().map(|repo| push(&*store, repo, &content))).await;
    for (repo, digest) in repos.iter().zip(digests) {
        assert!(read(&*store, repo, &digest, 0..content.len()).await == content);
    }
}

async fn an_upload_is_continued(subject: Subject) {
    let repo = repo("a");
    let mut upload = subject.store.begin_upload(&repo).await.unwrap();
    let id = upload.id();
    assert_eq!(upload.offset(), 0);
    upload.write(Bytes::from_static(b"one ")).await.unwrap();
    assert_eq!(upload.offset(), 4);
    assert_eq!(upload.suspend().await.unwrap(), 4);

    let mut upload = subject.store.resume_upload(&repo, id).await.unwrap();
    upload.write(Bytes::from_static(b"two ")).await.unwrap();
    assert_eq!(upload.suspend().await.unwrap(), 8);

    let restarted = (subject.reopen)();
    assert_eq!(restarted.upload_offset(&repo, id).await.unwrap(), 8);
    let mut upload = restarted.resume_upload(&repo, id).await.unwrap();
    assert_eq!((upload.id(), upload.offset()), (id, 8));
    upload.write(Bytes::from_static(b"three")).await.unwrap();
    let digest = Algorithm::Sha256.digest(b"one two three");
    upload.commit(&digest).await.unwrap();
    assert_eq!(
        read(&*subject.store, &repo, &digest, 0..13).await,
        b"one two three"
    );

    let elsewhere = self::repo("b");
    let error = subject
        .store
        .upload_offset(&elsewhere, id)
        .await
        .unwrap_err();
    assert_missing(&error, &Missing::Upload(elsewhere, id));
    let Err(error) = subject.store.resume_upload(&repo, id).await else {
        panic!("a committed upload is continued");
    };
    assert_missing(&error, &Missing::Upload(repo, id));
}

async fn an_upload_has_one_writer(store: Arc<dyn Store>) {
    let repo = repo("a");
    let mut first = store.begin_upload(&repo).await.unwrap();
    let id = first.id();
    first.write(Bytes::from_static(b"first")).await.unwrap();
    let second = store.resume_upload(&repo, id).await;
    assert!(matches!(second, Err(StoreError::UploadBusy(busy)) if busy == id));
    assert_eq!(first.suspend().await.unwrap(), 5);
    assert_eq!(store.resume_upload(&repo, id).await.unwrap().offset(), 5);
}

/// As when a connection is cut: the handler's future is dropped wherever it is.
async fn a_dropped_upload_keeps_what_came(store: Arc<dyn Store>) {
    let repo = repo("a");
    let piece = Bytes::from(vec![7; 300_000]);
    let mut upload = store.begin_upload(&repo).await.unwrap();
    let id = upload.id();
    for _ in 0..5 {
        upload.write(piece.clone()).await.unwrap();
    }
    // Polled once and dropped, perhaps while it waits for the disk.
    let written = upload.write(piece.clone()).now_or_never().is_some();
    let taken = upload.offset();
    drop(upload);

    let mut upload = store.resume_upload(&repo, id).await.unwrap();
    assert_eq!(upload.offset(), taken, "written at once: {written}");
    upload.write(Bytes::from_static(b"end")).await.unwrap();
    let all = [vec![7; usize::try_from(taken).unwrap()], b"end".to_vec()].concat();
    upload
        .commit(&Algorithm::Sha256.digest(&all))
        .await
        .unwrap();
}

async fn a_cancelled_upload_is_gone(store: Arc<dyn Store>) {
    let repo = repo("a");
    let upload = store.begin_upload(&repo).await.unwrap();
    let id = upload.id();
    upload.suspend().await.unwrap();
    store
        .resume_upload(&repo, id)
        .await
        .unwrap()
        .cancel()
        .await
        .unwrap();
    let missing = Missing::Upload(repo.clone(), id);
    assert_missing(&store.upload_offset(&repo, id).await.unwrap_err(), &missing);
    let Err(error) = store.resume_upload(&repo, UploadId::random()).await else {
        panic!("an upload is found that nobody began");
    };
    assert!(
        matches!(error, StoreError::NotFound(Missing::Upload(..))),
        "{error}"
    );
}

async fn push(store: &dyn Store, repo: &RepoName, content: &[u8]) -> Digest {
    let mut upload = store.begin_upload(repo).await.unwrap();
    for piece in content.chunks(50_000) {
        upload.write(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    let digest = Algorithm::Sha256.digest(content);
    upload.commit(&digest).await.unwrap();
    digest
}

async fn read(
    store: &dyn Store,
    repo: &RepoName,
    digest: &Digest,
    range: std::ops::Range<usize>,
) -> Vec<u8> {
    let blob = store.blob(repo, digest).await.unwrap();
    let pieces: Vec<Bytes> = blob
        .read(range.start as u64..range.end as u64)
        .try_collect()
        .await
        .unwrap();
    pieces.concat()
}

fn repo(name: &str) -> RepoName {
    name.parse().unwrap()
}

fn assert_missing(error: &StoreError, expected: &Missing) {
    assert!(
        matches!(error, StoreError::NotFound(missing) if missing == expected),
        "expected that {expected} is missing, got: {error}"
    );
}
