//! Who sees what in lists.

use serde_json::json;

use super::*;

const REPOSITORIES: [&str; 6] = ["base/a", "blue/a", "blue/b", "red/a", "red/b", "red/c"];

async fn filled() -> Tidegate {
    let tidegate = with_rules(TEAMS);
    for repository in REPOSITORIES {
        image(1).push(&tidegate.client(), repository, "v1").await;
    }
    tidegate
}

/// The pages of `_catalog`, one after the other.
async fn pages(client: &Client, first: &str) -> Vec<serde_json::Value> {
    let mut pages = Vec::new();
    let mut next = Some(first.to_owned());
    while let Some(path) = next {
        let answer = client.get(&path).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        pages.push(answer.json()["repositories"].clone());
        next = answer.headers.get("link").map(|link| {
            let link = link.to_str().expect("printable");
            let path = link
                .strip_prefix('<')
                .and_then(|rest| rest.strip_suffix(">; rel=\"next\""));
            path.unwrap_or_else(|| panic!("{link}")).to_owned()
        });
        assert!(pages.len() <= REPOSITORIES.len(), "{pages:?}");
    }
    pages
}

#[tokio::test]
async fn the_catalog_has_what_the_caller_may_pull() {
    let tidegate = filled().await;
    let (alice, bob) = (logged_in(&tidegate, "alice"), logged_in(&tidegate, "bob"));
    let admin = tidegate.client();

    assert_eq!(pages(&admin, "/v2/_catalog").await, [json!(REPOSITORIES)]);
    let of_alice = json!(["base/a", "red/a", "red/b", "red/c"]);
    assert_eq!(pages(&alice, "/v2/_catalog").await, [of_alice]);
    let of_bob = json!(["base/a", "blue/a", "blue/b"]);
    assert_eq!(pages(&bob, "/v2/_catalog").await, [of_bob]);

    // Pages are full, and there is none after the last that has something.
    assert_eq!(
        pages(&alice, "/v2/_catalog?n=2").await,
        [json!(["base/a", "red/a"]), json!(["red/b", "red/c"])]
    );
    assert_eq!(
        pages(&alice, "/v2/_catalog?n=3").await,
        [json!(["base/a", "red/a", "red/b"]), json!(["red/c"])]
    );
    assert_eq!(
        pages(&bob, "/v2/_catalog?n=3").await,
        [json!(["base/a", "blue/a", "blue/b"])]
    );
    // Also after what the caller may not know of.
    assert_eq!(
        pages(&alice, "/v2/_catalog?n=1&last=blue/a").await,
        [json!(["red/a"]), json!(["red/b"]), json!(["red/c"])]
    );
    assert_eq!(pages(&bob, "/v2/_catalog?last=red/a").await, [json!([])]);
    let head = bob.head("/v2/_catalog").await;
    let get = bob.get("/v2/_catalog").await;
    assert_eq!(head.header("content-length"), get.header("content-length"));
}

#[tokio::test]
async fn the_catalog_is_a_right_of_its_own() {
    let tidegate = filled().await;
    let carol = logged_in(&tidegate, "carol");
    assert_denied(&carol.get("/v2/_catalog").await, "`carol` may not catalog");
    image(1).assert_pulls(&carol, "base/a", "v1").await;
}

#[tokio::test]
async fn tags_and_referrers_are_listed_to_those_who_may_pull() {
    let tidegate = filled().await;
    let (alice, bob) = (logged_in(&tidegate, "alice"), logged_in(&tidegate, "bob"));
    let referrers = format!("/v2/red/a/referrers/{}", image(1).digest);
    let tags = alice.get("/v2/red/a/tags/list").await;
    assert_eq!(tags.json()["tags"], json!(["v1"]));
    assert_eq!(alice.get(&referrers).await.json()["manifests"], json!([]));
    for path in ["/v2/red/a/tags/list", &referrers] {
        assert_denied(&bob.get(path).await, "`bob` may not pull in red/a");
    }
}
