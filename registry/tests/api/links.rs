//! Where clients are sent to, and where the API lies.

use serde_json::json;
use tidegate_config::{Links, Registry as Settings};

use super::harness::Registry;

fn below(url: &str) -> Links {
    Links::Below(url.parse().expect("a URL of a registry"))
}

/// The `Location` of an upload that begins.
async fn location(change: impl FnOnce(&mut Settings)) -> String {
    let registry = Registry::new().reopened(change);
    let prefix = registry_prefix(&registry).await;
    let answer = registry
        .post(&format!("{prefix}/v2/a/blobs/uploads/"))
        .await;
    assert_eq!(answer.status, 202);
    let location = answer.header("location").to_owned();
    let (front, _) = location.split_once("/v2/a/blobs/uploads/").expect("an upload");
    front.to_owned()
}

/// Where this registry's API lies, of the places that these tests know.
async fn registry_prefix(registry: &Registry) -> &'static str {
    match registry.get("/v2/").await.status.as_u16() {
        200 => "",
        _ => "/reg/x",
    }
}

#[tokio::test]
async fn a_location_begins_as_the_settings_say() {
    let reached = location(|_| {}).await;
    assert!(reached.starts_with("https://"), "{reached}");
    let relative = |settings: &mut Settings| settings.links = Links::Relative;
    assert_eq!(location(relative).await, "");
    for url in ["https://reg.example/sub/", "https://reg.example/sub"] {
        let fixed = |settings: &mut Settings| settings.links = below(url);
        assert_eq!(location(fixed).await, "https://reg.example/sub");
    }
    let prefix = |settings: &mut Settings| settings.prefix = "/reg/x".parse().unwrap();
    assert_eq!(location(prefix).await, format!("{reached}/reg/x"));
    let both = |settings: &mut Settings| {
        settings.prefix = "/reg/x".parse().unwrap();
        settings.links = Links::Relative;
    };
    assert_eq!(location(both).await, "/reg/x");
    // It takes the place of all that stands in front.
    let both = |settings: &mut Settings| {
        settings.prefix = "/reg/x".parse().unwrap();
        settings.links = below("https://reg.example");
    };
    assert_eq!(location(both).await, "https://reg.example");
}

#[tokio::test]
async fn with_a_prefix_the_api_is_there_and_nowhere_else() {
    let registry = Registry::new().reopened(|settings| settings.prefix = "/reg".parse().unwrap());
    assert_eq!(registry.get("/reg/v2/").await.status, 200);
    assert_eq!(registry.get("/").await.status, 200);
    for path in ["/v2/", "/reg", "/reg/", "/regv2/", "/reg/reg/v2/", "/foo"] {
        registry.get(path).await.assert_error(404, "NOT_FOUND");
    }
    for path in ["/reg/v2", "/reg//v2/", "/reg/v2/."] {
        let answer = registry.get(path).await;
        assert_eq!(answer.status, 301, "{path}");
        assert_eq!(answer.header("location"), "/reg/v2/");
    }
    registry
        .get("/reg/v2/a/tags/list")
        .await
        .assert_error(404, "NAME_UNKNOWN");
}

#[tokio::test]
async fn lists_have_the_lengths_and_the_links_that_the_settings_say() {
    let registry = Registry::new();
    for repo in ["a", "b"] {
        for tag in ["1", "2"] {
            registry.push_image(repo, tag, "x").await;
        }
    }
    let registry = registry.reopened(|settings| {
        settings.prefix = "/reg".parse().unwrap();
        settings.catalog_most = 1;
        settings.tags_most = 1;
    });
    let answer = registry.get("/reg/v2/_catalog").await;
    assert_eq!(answer.json()["repositories"], json!(["a"]));
    assert_eq!(
        answer.header("link"),
        "</reg/v2/_catalog?last=a&n=1>; rel=\"next\""
    );
    registry
        .get("/reg/v2/_catalog?n=2")
        .await
        .assert_error(400, "PAGINATION_NUMBER_INVALID");
    let answer = registry.get("/reg/v2/a/tags/list?n=100").await;
    assert_eq!(answer.json()["tags"], json!(["1"]));
    assert_eq!(
        answer.header("link"),
        "</reg/v2/a/tags/list?last=1&n=1>; rel=\"next\""
    );
    let answer = registry.get("/reg/v2/a/tags/list").await;
    assert_eq!(answer.json()["tags"], json!(["1", "2"]));
}
