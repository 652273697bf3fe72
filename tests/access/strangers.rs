//! Those who have not logged in, where nothing is allowed to them.

use super::harness::PASSWORD;
use super::*;

#[tokio::test]
async fn a_stranger_is_asked_for_a_password() {
    let tidegate = with_rules(TEAMS);
    image(1).push(&tidegate.client(), "base/os", "v1").await;
    let stranger = stranger(&tidegate);
    let asked = async |client: &Client, path: &str| {
        let answer = client.get(path).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(answer.error_code(), "UNAUTHORIZED");
        let version = answer.header("docker-distribution-api-version");
        assert_eq!(version, "registry/2.0");
        let head = client.head(path).await;
        assert_eq!(head.status, answer.status);
        for answer in [&answer, &head] {
            let challenge = answer.header("www-authenticate");
            assert_eq!(challenge, "Basic realm=\"Registry\"");
        }
    };
    for path in [
        "/v2/",
        "/v2/_catalog",
        "/v2/base/os/manifests/v1",
        "/v2/base/os/tags/list",
        "/v2/none/manifests/v1",
    ] {
        asked(&stranger, path).await;
    }
    // Who is wrong is nobody: also where somebody else may come in.
    for wrong in [
        stranger.clone().basic("alice", "wrong"),
        stranger.clone().basic("nobody", "alice"),
        stranger.clone().header("authorization", "Basic ???"),
    ] {
        asked(&wrong, "/v2/").await;
        asked(&wrong, "/v2/base/os/manifests/v1").await;
    }
    let push = stranger.post("/v2/base/os/blobs/uploads/").await;
    assert_eq!(push.status, StatusCode::UNAUTHORIZED);
    let alive = stranger.get("/").await;
    assert_eq!(alive.status, StatusCode::OK);
}

#[tokio::test]
async fn whoever_may_do_nothing_may_still_log_in() {
    let tidegate = with_rules(TEAMS);
    let carol = logged_in(&tidegate, "carol");
    assert_eq!(carol.get("/v2/").await.status, StatusCode::OK);
    assert_denied(
        &carol.get("/v2/red/app/manifests/v1").await,
        "`carol` may not pull in red/app",
    );
}

/// An empty section asks nothing more of those who log in than none.
#[tokio::test]
async fn without_rules_users_may_do_everything() {
    let tidegate = with_rules("[access]\n");
    let image = image(2);
    image
        .push(&logged_in(&tidegate, "alice"), "team/app", "v1")
        .await;
    image
        .assert_pulls(&logged_in(&tidegate, "bob"), "team/app", "v1")
        .await;
    let refused = stranger(&tidegate).get("/v2/team/app/manifests/v1").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let shown = refused.text().to_owned();
    assert!(!shown.contains(PASSWORD), "{shown}");
}
