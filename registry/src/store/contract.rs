//! The suite that every [`Store`] has to pass: the rules of the trait's
//! documentation, one function each.
//!
//! Available to other crates with the feature `contract`. A store's own tests
//! add what only that store can do, such as surviving a torn file.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{join, join_all};
use futures_util::{FutureExt, TryStreamExt};

use super::{Missing, NewManifest, Page, Store, StoreError, UploadId};
use crate::oci::{Algorithm, Digest, ManifestType, RepoName, Tag};

/// A new, empty store, and a way to open it again as another process would.
pub struct Subject {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Makes another [`Store`] over the same data, with nothing in memory.
    pub reopen: Box<dyn Fn() -> Arc<dyn Store> + Send + Sync>,
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
    manifests_are_read_back(make()).await;
    tags_move_and_are_deleted(make().store).await;
    a_deleted_manifest_takes_its_tags(make().store).await;
    referrers_are_listed(make().store).await;
    tags_are_paged(make().store).await;
    repositories_are_paged(make().store).await;
    tags_and_deletions_at_once_leave_no_dangling_tag(make().store).await;
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
    store.mount_blob(&a, &b, &digest).await.unwrap();
    store.mount_blob(&a, &b, &digest).await.unwrap();
    store.delete_blob(&a, &digest).await.unwrap();
    assert!(store.blob(&a, &digest).await.is_err());
    assert_eq!(read(&*store, &b, &digest, 0..7).await, b"content");
    let gone = Missing::Blob(a.clone(), digest);
    assert_missing(&store.delete_blob(&a, &digest).await.unwrap_err(), &gone);
    assert_missing(&store.mount_blob(&a, &b, &digest).await.unwrap_err(), &gone);
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

async fn manifests_are_read_back(subject: Subject) {
    let (repo, bytes) = (repo("a"), index("first"));
    let digest = put(&*subject.store, &repo, &bytes, Some("latest")).await;
    for store in [Arc::clone(&subject.store), (subject.reopen)()] {
        assert_eq!(store.tagged(&repo, &tag("latest")).await.unwrap(), digest);
        let manifest = store.manifest(&repo, &digest).await.unwrap();
        assert_eq!(manifest.bytes(), &bytes);
        assert_eq!(manifest.media_type(), ManifestType::OciIndex);
        // What another repository has in memory is not this one's.
        let elsewhere = store.manifest(&self::repo("b"), &digest).await.unwrap_err();
        assert_missing(&elsewhere, &Missing::Manifest(self::repo("b"), digest));
    }
    let error = subject
        .store
        .tagged(&repo, &tag("other"))
        .await
        .unwrap_err();
    assert_missing(&error, &Missing::Tag(repo, tag("other")));
}

async fn tags_move_and_are_deleted(store: Arc<dyn Store>) {
    let repo = repo("a");
    let first = put(&*store, &repo, &index("first"), Some("t")).await;
    let second = put(&*store, &repo, &index("second"), Some("t")).await;
    assert_eq!(store.tagged(&repo, &tag("t")).await.unwrap(), second);
    put(&*store, &repo, &index("first"), Some("t")).await;
    assert_eq!(store.tagged(&repo, &tag("t")).await.unwrap(), first);

    store.delete_tag(&repo, &tag("t")).await.unwrap();
    let missing = Missing::Tag(repo.clone(), tag("t"));
    assert_missing(&store.tagged(&repo, &tag("t")).await.unwrap_err(), &missing);
    assert_missing(
        &store.delete_tag(&repo, &tag("t")).await.unwrap_err(),
        &missing,
    );
    assert!(store.manifest(&repo, &first).await.is_ok());
    put(&*store, &repo, &index("second"), Some("t")).await;
    assert_eq!(store.tagged(&repo, &tag("t")).await.unwrap(), second);
}

async fn a_deleted_manifest_takes_its_tags(store: Arc<dyn Store>) {
    let repo = repo("a");
    let doomed = put(&*store, &repo, &index("doomed"), Some("one")).await;
    put(&*store, &repo, &index("doomed"), Some("two")).await;
    put(&*store, &repo, &index("kept"), Some("three")).await;
    // Read once, so that it is in every cache there is.
    store.manifest(&repo, &doomed).await.unwrap();
    store.delete_manifest(&repo, &doomed).await.unwrap();
    let missing = Missing::Manifest(repo.clone(), doomed);
    assert_missing(&store.manifest(&repo, &doomed).await.unwrap_err(), &missing);
    assert_missing(
        &store.delete_manifest(&repo, &doomed).await.unwrap_err(),
        &missing,
    );
    let left = store.tags(&repo, None, 10).await.unwrap();
    assert_eq!(
        left,
        Page {
            items: vec![tag("three")],
            more: false
        }
    );
}

async fn referrers_are_listed(store: Arc<dyn Store>) {
    let repo = repo("a");
    let subject = Algorithm::Sha256.digest(b"subject");
    let put_with_subject = async |about: &str| {
        let bytes = index(about);
        let digest = Algorithm::Sha256.digest(&bytes);
        let manifest = NewManifest {
            digest,
            bytes,
            subject: Some(subject),
            tag: None,
        };
        store.put_manifest(&repo, manifest).await.unwrap();
        digest
    };
    assert_eq!(store.referrers(&repo, &subject).await.unwrap(), []);
    let mut expected = [
        put_with_subject("signature").await,
        put_with_subject("sbom").await,
    ];
    expected.sort();
    assert_eq!(store.referrers(&repo, &subject).await.unwrap(), expected);
    assert_eq!(
        store.referrers(&self::repo("b"), &subject).await.unwrap(),
        []
    );
}

async fn tags_are_paged(store: Arc<dyn Store>) {
    let repo = repo("a");
    let error = store.tags(&repo, None, 10).await.unwrap_err();
    assert_missing(&error, &Missing::Repository(repo.clone()));
    for name in ["b", "a", "A", "_", "a.1", "10", "9"] {
        put(&*store, &repo, &index("x"), Some(name)).await;
    }
    let page = |after: Option<&'static str>, limit| {
        let (store, repo) = (Arc::clone(&store), repo.clone());
        async move {
            let page = store.tags(&repo, after, limit).await.unwrap();
            (
                page.items.iter().map(Tag::to_string).collect::<Vec<_>>(),
                page.more,
            )
        }
    };
    let all = ["10", "9", "A", "_", "a", "a.1", "b"].map(str::to_owned);
    assert_eq!(page(None, 7).await, (all.to_vec(), false));
    assert_eq!(page(None, 2).await, (all[..2].to_vec(), true));
    assert_eq!(page(Some("9"), 3).await, (all[2..5].to_vec(), true));
    assert_eq!(page(Some("a.0"), 9).await, (all[5..].to_vec(), false));
    assert_eq!(page(Some("b"), 9).await, (vec![], false));
    assert_eq!(page(None, 0).await, (vec![], true));
}

async fn repositories_are_paged(store: Arc<dyn Store>) {
    let all = ["a", "a-b", "a/b", "a/b/c", "b.x/y", "c"];
    for name in all.iter().rev() {
        put(&*store, &repo(name), &index("x"), None).await;
    }
    push(&*store, &repo("only-blobs"), b"x").await;
    let page = |after: Option<&'static str>, limit| {
        let store = Arc::clone(&store);
        async move {
            let page = store.repositories(after, limit).await.unwrap();
            (
                page.items
                    .iter()
                    .map(RepoName::to_string)
                    .collect::<Vec<_>>(),
                page.more,
            )
        }
    };
    assert_eq!(
        page(None, 10).await,
        (all.map(str::to_owned).to_vec(), false)
    );
    assert_eq!(
        page(Some("a-b"), 2).await,
        (vec!["a/b".into(), "a/b/c".into()], true)
    );
    assert_eq!(
        page(Some("a/b/zzz"), 2).await,
        (vec!["b.x/y".into(), "c".into()], false)
    );
    assert_eq!(page(Some("c"), 2).await, (vec![], false));
    assert_eq!(page(None, 0).await, (vec![], true));
}

async fn tags_and_deletions_at_once_leave_no_dangling_tag(store: Arc<dyn Store>) {
    let repo = repo("a");
    let (one, two) = (index("one"), index("two"));
    put(&*store, &repo, &one, Some("t")).await;
    for _ in 0..20 {
        let doomed = Algorithm::Sha256.digest(&one);
        let (_, second) = join(
            store.delete_manifest(&repo, &doomed).map(Result::ok),
            put(&*store, &repo, &two, Some("t")),
        )
        .await;
        assert_eq!(store.tagged(&repo, &tag("t")).await.unwrap(), second);
        join(
            store.delete_manifest(&repo, &doomed).map(Result::ok),
            put(&*store, &repo, &one, Some("t")),
        )
        .await;
        if let Ok(target) = store.tagged(&repo, &tag("t")).await {
            store
                .manifest(&repo, &target)
                .await
                .expect("a tag leads to a manifest");
        }
    }
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

async fn put(store: &dyn Store, repo: &RepoName, bytes: &Bytes, tag: Option<&str>) -> Digest {
    let digest = Algorithm::Sha256.digest(bytes);
    let tag = tag.map(|tag| tag.parse().unwrap());
    let manifest = NewManifest {
        digest,
        bytes: bytes.clone(),
        subject: None,
        tag,
    };
    store.put_manifest(repo, manifest).await.unwrap();
    digest
}

/// An index that lists nothing, told from others by a text.
fn index(about: &str) -> Bytes {
    let text =
        format!(r#"{{"schemaVersion":2,"manifests":[],"annotations":{{"about":"{about}"}}}}"#);
    Bytes::from(text)
}

fn repo(name: &str) -> RepoName {
    name.parse().unwrap()
}

fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

fn assert_missing(error: &StoreError, expected: &Missing) {
    assert!(
        matches!(error, StoreError::NotFound(missing) if missing == expected),
        "expected that {expected} is missing, got: {error}"
    );
}
