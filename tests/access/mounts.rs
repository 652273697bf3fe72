//! Blobs that are taken over from repositories: only from those that may be
//! pulled.

use super::harness::image::push_blob;
use super::*;

#[tokio::test]
async fn a_blob_is_mounted_only_from_what_may_be_pulled() {
    let tidegate = with_rules(TEAMS);
    let (alice, bob) = (logged_in(&tidegate, "alice"), logged_in(&tidegate, "bob"));
    let secret = push_blob(&alice, "red/app", noise(1, 1000)).await;
    let common = push_blob(&tidegate.client(), "base/os", noise(2, 1000)).await;
    let mount = async |client: &Client, repo: &str, query: String| {
        client
            .post(&format!("/v2/{repo}/blobs/uploads/?mount={query}"))
            .await
            .status
    };

    let refused = mount(&bob, "blue/app", format!("{secret}&from=red/app")).await;
    assert_eq!(refused, StatusCode::ACCEPTED);
    // Nor by way of nowhere in particular.
    assert_eq!(
        mount(&bob, "blue/app", secret.clone()).await,
        StatusCode::ACCEPTED
    );
    let path = format!("/v2/blue/app/blobs/{secret}");
    assert_eq!(bob.get(&path).await.status, StatusCode::NOT_FOUND);
    // What is not there is answered alike.
    let absent = mount(&bob, "blue/app", format!("{secret}&from=red/none")).await;
    assert_eq!(absent, refused);

    let within = mount(&alice, "red/other", format!("{secret}&from=red/app")).await;
    assert_eq!(within, StatusCode::CREATED);
    let from_all = mount(&bob, "blue/app", format!("{common}&from=base/os")).await;
    assert_eq!(from_all, StatusCode::CREATED);

    // And only to where the caller may push.
    let to = format!("/v2/red/app/blobs/uploads/?mount={common}&from=base/os");
    assert_denied(&bob.post(&to).await, "`bob` may not push in red/app");
}

#[tokio::test]
async fn where_all_repositories_are_alike_any_will_do() {
    let tidegate = with_rules(
        "[[access.rule]]\nusers = [\"bob\"]\ndeny = true\n\
         [[access.rule]]\nusers = [\"*\"]\n",
    );
    let (alice, bob) = (logged_in(&tidegate, "alice"), logged_in(&tidegate, "bob"));
    let digest = push_blob(&alice, "a", noise(1, 1000)).await;
    let path = format!("/v2/b/blobs/uploads/?mount={digest}");
    assert_eq!(alice.post(&path).await.status, StatusCode::CREATED);
    assert_denied(&bob.post(&path).await, "`bob` may not push in b");
}
