//! `/v2/<name>/tags/list`

use serde_json::json;

use super::harness::Registry;

async fn with_tags(tags: &[&str]) -> Registry {
    let registry = Registry::new();
    for tag in tags {
        registry.push_image("library/alpine", tag, "x").await;
    }
    registry
}

#[tokio::test]
async fn all_tags_in_order() {
    let registry = with_tags(&["3.9", "3.10", "latest", "Edge", "_"]).await;
    let answer = registry.get("/v2/library/alpine/tags/list").await;
    assert_eq!(answer.status, 200);
    let tags = ["3.10", "3.9", "Edge", "_", "latest"];
    assert_eq!(
        answer.json(),
        json!({"name": "library/alpine", "tags": tags})
    );
    assert!(!answer.headers.contains_key("link"));
    assert_eq!(
        registry.head("/v2/library/alpine/tags/list").await.headers,
        answer.headers
    );
}

#[tokio::test]
async fn pages_lead_to_the_next() {
    let registry = with_tags(&["a", "b", "c"]).await;
    let mut path = "/v2/library/alpine/tags/list?n=2".to_owned();
    let answer = registry.get(&path).await;
    assert_eq!(answer.json()["tags"], json!(["a", "b"]));
    let link = answer.header("link");
    assert_eq!(
        link,
        "</v2/library/alpine/tags/list?last=b&n=2>; rel=\"next\""
    );
    path = link[1..link.find('>').unwrap()].to_owned();
    let answer = registry.get(&path).await;
    assert_eq!(answer.json()["tags"], json!(["c"]));
    assert!(!answer.headers.contains_key("link"));

    let answer = registry.get("/v2/library/alpine/tags/list?last=aa").await;
    assert_eq!(answer.json()["tags"], json!(["b", "c"]));
    let answer = registry.get("/v2/library/alpine/tags/list?n=99999").await;
    assert_eq!(answer.json()["tags"], json!(["a", "b", "c"]));
}

#[tokio::test]
async fn no_entries_are_an_empty_list() {
    let registry = with_tags(&["a"]).await;
    let answer = registry.get("/v2/library/alpine/tags/list?n=0").await;
    assert_eq!(answer.json(), json!({"name": "library/alpine", "tags": []}));
    assert!(!answer.headers.contains_key("link"));
    registry.delete("/v2/library/alpine/manifests/a").await;
    let answer = registry.get("/v2/library/alpine/tags/list").await;
    assert_eq!(answer.json(), json!({"name": "library/alpine", "tags": []}));
}

#[tokio::test]
async fn a_bad_count_or_repository_is_an_error() {
    let registry = with_tags(&["a"]).await;
    for n in ["-1", "x", "", "1.5"] {
        let path = format!("/v2/library/alpine/tags/list?n={n}");
        let details = registry
            .get(&path)
            .await
            .assert_error(400, "PAGINATION_NUMBER_INVALID");
        assert_eq!(details, [json!({"n": n})]);
    }
    for name in ["library", "other"] {
        let details = registry
            .get(&format!("/v2/{name}/tags/list"))
            .await
            .assert_error(404, "NAME_UNKNOWN");
        assert_eq!(details, [json!({"name": name})]);
    }
}
