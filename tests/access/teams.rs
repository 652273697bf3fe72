//! Repositories of teams.

use http::StatusCode;

use super::harness::image::{push_blob, sha256};
use super::*;

#[tokio::test]
async fn a_team_has_its_own_repositories() {
    let tidegate = with_rules(TEAMS);
    let (alice, bob) = (logged_in(&tidegate, "alice"), logged_in(&tidegate, "bob"));
    let image = image(1);
    image.push(&alice, "red/app", "v1").await;
    image.assert_pulls(&alice, "red/app", "v1").await;
    image
        .assert_pulls(&tidegate.client(), "red/app", "v1")
        .await;

    // What is there and what is not look alike.
    let digest = sha256(&image.blobs[1]);
    for path in [
        "/v2/red/app/manifests/v1",
        "/v2/red/app/manifests/none",
        "/v2/red/none/manifests/v1",
        "/v2/red/app/tags/list",
        &format!("/v2/red/app/manifests/{}", image.digest),
        &format!("/v2/red/app/referrers/{}", image.digest),
        &format!("/v2/red/app/blobs/{digest}"),
    ] {
        let repo = if path.contains("none/") {
            "red/none"
        } else {
            "red/app"
        };
        let got = bob.get(path).await;
        assert_denied(&got, &format!("`bob` may not pull in {repo}"));
        let head = bob.head(path).await;
        assert_eq!(head.status, got.status);
        assert!(head.body.is_empty());
        for (name, value) in got.headers.iter().filter(|(name, _)| *name != "date") {
            assert_eq!(head.headers.get(name), Some(value), "{path}: {name}");
        }
    }
    assert_denied(
        &bob.post("/v2/red/app/blobs/uploads/").await,
        "`bob` may not push in red/app",
    );
    assert_denied(
        &bob.put("/v2/red/app/manifests/v1", image.manifest.clone())
            .await,
        "`bob` may not push in red/app",
    );
    assert_denied(
        &bob.delete("/v2/red/app/manifests/v1").await,
        "`bob` may not delete in red/app",
    );
    image.assert_pulls(&alice, "red/app", "v1").await;
}

#[tokio::test]
async fn a_layer_is_read_through_the_repositories_that_have_it() {
    let tidegate = with_rules(TEAMS);
    let (alice, bob) = (logged_in(&tidegate, "alice"), logged_in(&tidegate, "bob"));
    let layer = noise(2, 1000);
    let digest = push_blob(&alice, "red/app", layer.clone()).await;
    push_blob(&bob, "blue/app", noise(3, 1000)).await;

    let path = format!("/v2/blue/app/blobs/{digest}");
    let absent = bob.get(&path).await;
    assert_eq!(absent.status, StatusCode::NOT_FOUND);
    assert_eq!(absent.error_code(), "BLOB_UNKNOWN");
    push_blob(&bob, "blue/app", layer.clone()).await;
    assert_eq!(bob.get(&path).await.body, layer);
}

#[tokio::test]
async fn deleting_is_a_right_of_its_own() {
    let tidegate = with_rules(TEAMS);
    let (alice, bob) = (logged_in(&tidegate, "alice"), logged_in(&tidegate, "bob"));
    let image = image(4);
    image.push(&alice, "red/app", "v1").await;
    image.push(&bob, "blue/app", "v1").await;
    let digest = sha256(&image.blobs[1]);
    for path in [
        "/v2/red/app/manifests/v1".to_owned(),
        format!("/v2/red/app/manifests/{}", image.digest),
        format!("/v2/red/app/blobs/{digest}"),
    ] {
        assert_denied(
            &alice.delete(&path).await,
            "`alice` may not delete in red/app",
        );
    }
    image.assert_pulls(&alice, "red/app", "v1").await;
    let gone = bob.delete("/v2/blue/app/manifests/v1").await;
    assert_eq!(gone.status, StatusCode::ACCEPTED);
    let gone = bob.delete(&format!("/v2/blue/app/blobs/{digest}")).await;
    assert_eq!(gone.status, StatusCode::ACCEPTED);

    // Breaking off what one sends oneself is none.
    let upload = alice.post("/v2/red/app/blobs/uploads/").await;
    let upload = upload.header("location").to_owned();
    let stolen = upload.replace("/red/app/", "/blue/app/");
    assert_eq!(bob.delete(&stolen).await.status, StatusCode::NOT_FOUND);
    assert_denied(&bob.delete(&upload).await, "`bob` may not push in red/app");
    assert_denied(
        &bob.patch(&upload, "bytes").await,
        "`bob` may not push in red/app",
    );
    assert_eq!(alice.delete(&upload).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn all_may_pull_what_is_for_all() {
    let tidegate = with_rules(TEAMS);
    let image = image(5);
    image.push(&tidegate.client(), "base/os", "v1").await;
    for user in ["alice", "bob", "carol"] {
        let client = logged_in(&tidegate, user);
        image.assert_pulls(&client, "base/os", "v1").await;
        image
            .assert_pulls(&client.clone().http2(), "base/os", "v1")
            .await;
        assert_denied(
            &client.post("/v2/base/os/blobs/uploads/").await,
            &format!("`{user}` may not push in base/os"),
        );
    }
}
