//! The rules about manifests, tags and lists.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::join;

use super::{Subject, assert_missing, push, repo};
use crate::oci::{Algorithm, Digest, ManifestType, RepoName, Tag};
use crate::store::{Missing, NewManifest, Store};

pub(super) async fn manifests_are_read_back(subject: Subject) {
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

pub(super) async fn tags_move_and_are_deleted(store: Arc<dyn Store>) {
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

pub(super) async fn a_deleted_manifest_takes_its_tags(store: Arc<dyn Store>) {
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
        (left.items.to_vec(), left.more),
        (vec![tag("three")], false)
    );
}

pub(super) async fn referrers_are_listed(store: Arc<dyn Store>) {
    let repo = repo("a");
    let subject = Algorithm::Sha256.digest(b"subject");
    let put_with_subject = async |about: &str| {
        let bytes = index(about);
        let digest = Algorithm::Sha256.digest(&bytes);
        let manifest = NewManifest {
            digest,
            bytes,
            subject: Some(subject),
            tags: Vec::new(),
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

pub(super) async fn tags_are_paged(store: Arc<dyn Store>) {
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
                page.items.iter().map(str::to_owned).collect::<Vec<_>>(),
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

pub(super) async fn repositories_are_paged(store: Arc<dyn Store>) {
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

pub(super) async fn tags_and_deletions_at_once_leave_no_dangling_tag(store: Arc<dyn Store>) {
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

pub(super) async fn put(
    store: &dyn Store,
    repo: &RepoName,
    bytes: &Bytes,
    tag: Option<&str>,
) -> Digest {
    let digest = Algorithm::Sha256.digest(bytes);
    put_by(store, repo, &digest, bytes, tag.as_slice()).await;
    digest
}

/// Puts a manifest by a digest of any algorithm.
pub(super) async fn put_by(
    store: &dyn Store,
    repo: &RepoName,
    digest: &Digest,
    bytes: &Bytes,
    tags: &[&str],
) {
    let manifest = NewManifest {
        digest: *digest,
        bytes: bytes.clone(),
        subject: None,
        tags: tags.iter().map(|name| tag(name)).collect(),
    };
    store.put_manifest(repo, manifest).await.unwrap();
}

/// An index that lists nothing, told from others by a text.
pub(super) fn index(about: &str) -> Bytes {
    let text =
        format!(r#"{{"schemaVersion":2,"manifests":[],"annotations":{{"about":"{about}"}}}}"#);
    Bytes::from(text)
}

pub(super) fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}
