//! Links that hold no digest, as a crash of an older registry leaves them.

use super::*;

/// Older registries leave links empty when they crash: the thing that a link is
/// about is affected, nothing else, and a push mends it.
#[tokio::test]
async fn a_broken_link_of_any_kind_stops_nothing_else() {
    for broken in ["", "sha256:12", "no digest at all", "\0\0\0\0"] {
        let root = root();
        let (layer, other) = (root.push(b"layer").await, root.push(b"other").await);
        let manifest = root.put("good").await;
        root.put("torn").await;
        let (good, torn) = ("good".parse().unwrap(), "torn".parse().unwrap());
        let (layout, repo) = (&root.layout, &root.repo);
        let subject = Algorithm::Sha256.digest(b"subject");
        for link in [
            layout.layer_link(repo, &layer),
            layout.tag_current_link(repo, &torn),
            layout.tag_index_link(repo, &good, &manifest),
            layout.referrer_link(repo, &subject, &manifest),
            layout.tag_alias(repo, &good),
            layout.alias_link(repo, &Algorithm::Sha512.digest(b"x")),
            layout.upload(repo, UploadId::random()).join("startedat"),
        ] {
            overwrite(&link, broken.as_bytes());
        }
        // The whole of an upload, as distribution leaves it after a crash.
        let id = UploadId::random();
        overwrite(&layout.upload(repo, id).join("data"), b"half");
        overwrite(
            &layout.upload(repo, id).join("hashstates/sha256/4"),
            broken.as_bytes(),
        );

        // A layer that cannot be found is sent again; a tag is said to be broken.
        let store = &root.store;
        assert!(matches!(
            store.claim_blob(repo, &layer).await,
            Err(StoreError::NotFound(_))
        ));
        assert!(matches!(
            store.tagged(repo, &torn).await,
            Err(StoreError::Damaged { .. })
        ));
        assert_eq!(store.tagged(repo, &good).await.unwrap(), manifest);
        assert!(store.manifest(repo, &manifest).await.is_ok());
        assert!(store.blob(repo, &other).await.is_ok());
        assert!(store.referrers(repo, &subject).await.is_ok());
        assert_eq!(store.tags(repo, None, 10).await.unwrap().items.len(), 2);
        assert_eq!(store.repositories(None, 10).await.unwrap().items.len(), 1);
        assert_eq!(store.upload_offset(repo, id).await.unwrap(), 4);
        let damaged = store.inventory(repo).await.unwrap().damaged;
        assert!(damaged.len() >= 3, "{damaged:?}");

        root.push(b"layer").await;
        root.put("torn").await;
        assert!(store.claim_blob(repo, &layer).await.is_ok());
        assert_eq!(store.tagged(repo, &torn).await.unwrap(), manifest);
        let mut upload = store.resume_upload(repo, id).await.unwrap();
        upload.write("way".into()).await.unwrap();
        let digest = Algorithm::Sha256.digest(b"halfway");
        upload.commit(&digest).await.unwrap();
        assert!(store.blob(repo, &digest).await.is_ok());
        store.delete_manifest(repo, &manifest).await.unwrap();
    }
}

/// As for a layer: a client that asks whether it is there and is answered with
/// an error does not push, and only a push mends it.
#[tokio::test]
async fn a_manifest_by_a_broken_link_counts_as_absent_and_is_mended() {
    for broken in ["", "sha256:12", "no digest at all", "\0\0\0\0"] {
        let root = root();
        let (store, layout, repo) = (&root.store, &root.layout, &root.repo);
        let bytes = Bytes::from_static(br#"{"schemaVersion":2,"manifests":[]}"#);
        let [short, long] = [Algorithm::Sha256, Algorithm::Sha512].map(|by| by.digest(&bytes));
        let put = |digest| NewManifest {
            digest,
            bytes: bytes.clone(),
            subject: None,
            tags: vec!["t".parse().unwrap()],
        };
        store.put_manifest(repo, put(long)).await.unwrap();

        // Of two names, the broken one is gone.
        overwrite(&layout.alias_link(repo, &long), broken.as_bytes());
        let error = store.manifest(repo, &long).await.unwrap_err();
        assert!(matches!(error, StoreError::NotFound(_)), "{error}");
        let error = store.claim_manifest(repo, &long).await.unwrap_err();
        assert!(matches!(error, StoreError::NotFound(_)), "{error}");
        assert_eq!(store.manifest(repo, &short).await.unwrap().bytes(), &bytes);
        let tagged = store.tagged(repo, &"t".parse().unwrap()).await.unwrap();
        assert_eq!(tagged, short);
        assert_eq!(store.inventory(repo).await.unwrap().damaged.len(), 1);

        // Without the revision, so are both.
        store.put_manifest(repo, put(long)).await.unwrap();
        overwrite(&layout.revision_link(repo, &short), broken.as_bytes());
        for digest in [short, long] {
            let error = store.manifest(repo, &digest).await.unwrap_err();
            assert!(matches!(error, StoreError::NotFound(_)), "{error}");
        }
        assert_eq!(store.inventory(repo).await.unwrap().damaged.len(), 1);
        assert_eq!(store.tags(repo, None, 10).await.unwrap().items.len(), 1);

        store.put_manifest(repo, put(long)).await.unwrap();
        for digest in [short, long] {
            assert!(store.manifest(repo, &digest).await.is_ok());
        }
        assert!(store.inventory(repo).await.unwrap().damaged.is_empty());
    }
}
