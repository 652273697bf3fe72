//! `DELETE /v2/<name>/manifests/<reference>`

use super::harness::Registry;

#[tokio::test]
async fn a_deleted_manifest_takes_its_tags() {
    let registry = Registry::new();
    let digest = registry.push_image("a", "one", "x").await;
    registry.push_image("a", "two", "x").await;
    registry.push_image("a", "three", "y").await;
    let answer = registry.delete(&format!("/v2/a/manifests/{digest}")).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-length")),
        (202, "0")
    );
    for reference in ["one", "two", &digest.to_string()] {
        let path = format!("/v2/a/manifests/{reference}");
        registry
            .get(&path)
            .await
            .assert_error(404, "MANIFEST_UNKNOWN");
    }
    assert_eq!(registry.get("/v2/a/manifests/three").await.status, 200);
    registry
        .delete(&format!("/v2/a/manifests/{digest}"))
        .await
        .assert_error(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn a_deleted_tag_leaves_the_manifest() {
    let registry = Registry::new();
    let digest = registry.push_image("a", "one", "x").await;
    registry.push_image("a", "two", "x").await;
    assert_eq!(registry.delete("/v2/a/manifests/one").await.status, 202);
    registry
        .get("/v2/a/manifests/one")
        .await
        .assert_error(404, "MANIFEST_UNKNOWN");
    registry
        .delete("/v2/a/manifests/one")
        .await
        .assert_error(404, "MANIFEST_UNKNOWN");
    assert_eq!(registry.get("/v2/a/manifests/two").await.status, 200);
    assert_eq!(
        registry
            .get(&format!("/v2/a/manifests/{digest}"))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn nothing_is_deleted_unless_that_is_allowed() {
    let registry = Registry::new();
    let digest = registry.push_image("a", "t", "x").await;
    let registry = registry.reopened(|settings| settings.delete = false);
    for reference in ["t", &digest.to_string()] {
        let answer = registry
            .delete(&format!("/v2/a/manifests/{reference}"))
            .await;
        answer.assert_error(405, "UNSUPPORTED");
        assert_eq!(answer.header("allow"), "GET, HEAD, PUT");
    }
    assert_eq!(registry.get("/v2/a/manifests/t").await.status, 200);
}
