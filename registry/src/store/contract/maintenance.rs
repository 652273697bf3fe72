//! The rules about what is used, and what may go.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::manifests::{index, put, put_by, tag};
use super::{Subject, assert_missing, push, read, repo};
use crate::oci::{Algorithm, Digest};
use crate::store::{LayerEntry, Maintain, Missing};

/// Before anything that the suite does.
pub(super) fn before() -> SystemTime {
    SystemTime::now() - Duration::from_secs(24 * 3600)
}

/// After anything that the suite does: nothing counts as used.
pub(super) fn after() -> SystemTime {
    SystemTime::now() + Duration::from_secs(24 * 3600)
}

pub(super) async fn manifests_have_other_digests(subject: Subject) {
    let (store, repo, bytes) = (&subject.store, repo("a"), index("first"));
    let (short, long) = (
        Algorithm::Sha256.digest(&bytes),
        Algorithm::Sha512.digest(&bytes),
    );
    put_by(&**store, &repo, &long, &bytes, &["t"]).await;
    for store in [Arc::clone(store), (subject.reopen)()] {
        assert_eq!(store.tagged(&repo, &tag("t")).await.unwrap(), long);
        for digest in [short, long] {
            let manifest = store.manifest(&repo, &digest).await.unwrap();
            assert_eq!(manifest.bytes(), &bytes);
            store.claim_manifest(&repo, &digest).await.unwrap();
        }
    }
    // Put by the other digest, the tag answers with that.
    put_by(&**store, &repo, &short, &bytes, &["t", "u"]).await;
    assert_eq!(store.tagged(&repo, &tag("t")).await.unwrap(), short);
    let inventory = store.inventory(&repo).await.unwrap();
    assert_eq!(inventory.manifests.len(), 1);
    assert_eq!(inventory.manifests[0].digest, short);
    assert_eq!(inventory.manifests[0].aliases, [long]);
    assert_eq!(inventory.tags.len(), 2);

    store.delete_manifest(&repo, &long).await.unwrap();
    for digest in [short, long] {
        let missing = Missing::Manifest(repo.clone(), digest);
        let error = store.manifest(&repo, &digest).await.unwrap_err();
        assert_missing(&error, &missing);
        let error = store.claim_manifest(&repo, &digest).await.unwrap_err();
        assert_missing(&error, &missing);
    }
    assert!(store.tagged(&repo, &tag("u")).await.is_err());
}

pub(super) async fn any_content_can_be_mounted(store: Arc<dyn Maintain>) {
    let (a, b) = (repo("a"), repo("b"));
    let digest = push(&*store, &a, b"content").await;
    store.mount_blob(None, &b, &digest).await.unwrap();
    assert_eq!(read(&*store, &b, &digest, 0..7).await, b"content");
    let absent = Algorithm::Sha256.digest(b"absent");
    let error = store.mount_blob(None, &b, &absent).await.unwrap_err();
    assert_missing(&error, &Missing::Blob(b, absent));
}

pub(super) async fn what_is_used_stays(store: Arc<dyn Maintain>) {
    let repo = repo("a");
    let blob = push(&*store, &repo, b"layer").await;
    let manifest = put(&*store, &repo, &index("x"), None).await;
    assert_eq!(store.claim_blob(&repo, &blob).await.unwrap(), 5);
    store.claim_manifest(&repo, &manifest).await.unwrap();
    assert!(!store.expire_layer(&repo, &blob, before()).await.unwrap());
    assert!(
        !store
            .expire_manifest(&repo, &manifest, before())
            .await
            .unwrap()
    );
    for digest in [blob, manifest] {
        assert_eq!(store.expire_content(&digest, before()).await.unwrap(), None);
        store.content(&digest).await.unwrap();
    }
    assert!(store.blob(&repo, &blob).await.is_ok());
    assert!(store.manifest(&repo, &manifest).await.is_ok());
}

pub(super) async fn what_nobody_uses_goes(store: Arc<dyn Maintain>) {
    let repo = repo("a/b");
    let blob = push(&*store, &repo, b"layer").await;
    let doomed = put(&*store, &repo, &index("x"), None).await;
    let tagged = put(&*store, &repo, &index("y"), Some("t")).await;

    // A tag keeps its manifest, however long it was not used.
    assert!(
        !store
            .expire_manifest(&repo, &tagged, after())
            .await
            .unwrap()
    );
    assert!(
        store
            .expire_manifest(&repo, &doomed, after())
            .await
            .unwrap()
    );
    assert!(
        !store
            .expire_manifest(&repo, &doomed, after())
            .await
            .unwrap()
    );
    assert!(store.expire_layer(&repo, &blob, after()).await.unwrap());
    assert!(!store.expire_layer(&repo, &blob, after()).await.unwrap());
    let missing = Missing::Blob(repo.clone(), blob);
    assert_missing(&store.claim_blob(&repo, &blob).await.unwrap_err(), &missing);
    let error = store.claim_manifest(&repo, &doomed).await.unwrap_err();
    assert_missing(&error, &Missing::Manifest(repo.clone(), doomed));

    assert_eq!(store.expire_content(&blob, after()).await.unwrap(), Some(5));
    assert_eq!(store.expire_content(&blob, after()).await.unwrap(), None);
    let Err(error) = store.content(&blob).await else {
        panic!("content is there that was removed");
    };
    assert_missing(&error, &Missing::Content(blob));

    // What is pushed again is there again.
    push(&*store, &repo, b"layer").await;
    assert_eq!(read(&*store, &repo, &blob, 0..5).await, b"layer");

    assert!(
        !store
            .expire_tag(&repo, &tag("t"), &doomed, after())
            .await
            .unwrap()
    );
    assert!(
        !store
            .expire_tag(&repo, &tag("t"), &tagged, before())
            .await
            .unwrap()
    );
    assert!(
        store
            .expire_tag(&repo, &tag("t"), &tagged, after())
            .await
            .unwrap()
    );
    assert!(store.tagged(&repo, &tag("t")).await.is_err());
    assert!(
        store
            .expire_manifest(&repo, &tagged, after())
            .await
            .unwrap()
    );
    assert!(store.expire_layer(&repo, &blob, after()).await.unwrap());
    store.tidy(Some(&repo), after()).await.unwrap();
    store.tidy(None, after()).await.unwrap();
    assert_eq!(store.places(None, 10).await.unwrap().items, []);
    put(&*store, &repo, &index("y"), Some("t")).await;
}

pub(super) async fn inventories_are_complete(store: Arc<dyn Maintain>) {
    let (a, b) = (repo("a"), repo("a/b"));
    let blob = push(&*store, &a, b"layer").await;
    put(&*store, &a, &index("x"), Some("t")).await;
    let mut upload = store.begin_upload(&b).await.unwrap();
    upload.write("piece".into()).await.unwrap();
    let id = upload.id();
    upload.suspend().await.unwrap();
    store.note_pull(&a, &tag("t")).await.unwrap();

    let places = store.places(None, 10).await.unwrap();
    assert_eq!(places.items, [a.clone(), b.clone()]);
    let inventory = store.inventory(&a).await.unwrap();
    let [
        LayerEntry {
            digest, content, ..
        },
    ] = inventory.layers[..]
    else {
        panic!("expected one layer: {inventory:?}");
    };
    assert_eq!((digest, content), (blob, blob));
    assert_eq!(inventory.manifests.len(), 1);
    let [tag] = &inventory.tags[..] else {
        panic!("expected one tag: {inventory:?}");
    };
    assert!(tag.pulled.is_some());
    assert!(inventory.damaged.is_empty());
    let inventory = store.inventory(&b).await.unwrap();
    assert_eq!(inventory.uploads.len(), 1);
    assert_eq!(
        (inventory.uploads[0].id, inventory.uploads[0].bytes),
        (id, 5)
    );

    assert!(!store.expire_upload(&b, id, before()).await.unwrap());
    let held = store.resume_upload(&b, id).await.unwrap();
    assert!(!store.expire_upload(&b, id, after()).await.unwrap());
    held.suspend().await.unwrap();
    assert!(store.expire_upload(&b, id, after()).await.unwrap());
    let error = store.upload_offset(&b, id).await.unwrap_err();
    assert_missing(&error, &Missing::Upload(b, id));

    let all = store.contents(None, 10).await.unwrap();
    let digests: Vec<Digest> = all.items.iter().map(|content| content.digest).collect();
    assert!(digests.contains(&blob) && digests.is_sorted() && digests.len() == 2);
    let first = store.contents(None, 1).await.unwrap();
    assert!(first.more);
    let rest = store
        .contents(Some(&first.items[0].digest), 1)
        .await
        .unwrap();
    assert_eq!((rest.items[0].digest, rest.more), (digests[1], false));
}

pub(super) async fn what_is_corrupt_is_moved_aside(subject: Subject) {
    let (store, repo) = (&subject.store, repo("a"));
    // Stores may keep much and little in different ways.
    for content in [b"content".to_vec(), vec![7; 200_000]] {
        let digest = push(&**store, &repo, &content).await;
        let length = content.len();
        // Twice: what was moved aside first is not in the way.
        for _ in 0..2 {
            assert_eq!(store.quarantine(&digest).await.unwrap(), None);
            assert_eq!(read(&**store, &repo, &digest, 0..length).await, content);
            (subject.corrupt)(&digest);
            assert!(store.quarantine(&digest).await.unwrap().is_some());
            assert!(store.blob(&repo, &digest).await.is_err());
            assert!(store.claim_blob(&repo, &digest).await.is_err());
            let error = store.quarantine(&digest).await.unwrap_err();
            assert_missing(&error, &Missing::Content(digest));
            // Whoever saw it corrupt a moment ago does no harm to this.
            push(&**store, &repo, &content).await;
        }
        let other = (subject.reopen)();
        assert_eq!(other.quarantine(&digest).await.unwrap(), None);
        assert_eq!(read(&*other, &repo, &digest, 0..length).await, content);
    }
}
