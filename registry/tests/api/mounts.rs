//! `?mount=`: a blob of another repository, without a copy.

use super::harness::{Registry, sha256};
use super::uploads::{assert_progress, assert_served};

#[tokio::test]
async fn a_blob_is_mounted_from_another_repository() {
    let registry = Registry::new();
    let digest = registry.push_blob("source/a", b"content").await;
    let answer = registry
        .post(&format!(
            "/v2/b/blobs/uploads/?mount={digest}&from=source/a"
        ))
        .await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.location(), format!("/v2/b/blobs/{digest}"));
    assert_eq!(answer.header("docker-content-digest"), digest.to_string());
    assert_served(&registry, "b", b"content").await;
}

#[tokio::test]
async fn a_mount_that_cannot_be_becomes_an_upload() {
    let registry = Registry::new();
    let digest = registry.push_blob("source/a", b"content").await;
    for query in [
        format!("mount={}&from=source/a", sha256(b"other")),
        format!("mount={digest}&from=source/b"),
        format!("mount={digest}&from=UPPER"),
        "mount=sha256:abc&from=source/a".to_owned(),
    ] {
        let answer = registry
            .post(&format!("/v2/b/blobs/uploads/?{query}"))
            .await;
        let location = answer.location();
        assert_progress(&answer, 202, &location, "0-0");
    }
    registry
        .get(&format!("/v2/b/blobs/{digest}"))
        .await
        .assert_error(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn a_blob_is_mounted_from_anywhere() {
    let registry = Registry::new();
    let digest = registry.push_blob("a", b"layer").await;
    let answer = registry
        .post(&format!("/v2/b/blobs/uploads/?mount={digest}"))
        .await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.location(), format!("/v2/b/blobs/{digest}"));
    assert_eq!(registry.head(&answer.location()).await.status, 200);
    // What is nowhere, or not in the repository that is named, has to be pushed.
    for query in [
        format!("mount={}", sha256(b"absent")),
        format!("mount={digest}&from=c"),
        format!("mount={digest}&from=NOT+A+NAME"),
        "mount=nonsense".to_owned(),
    ] {
        let answer = registry
            .post(&format!("/v2/d/blobs/uploads/?{query}"))
            .await;
        assert_eq!(answer.status, 202, "{query}");
    }
}
