//! `/v2/_catalog`

use serde_json::json;

use super::harness::{Registry, request};

#[tokio::test]
async fn repositories_in_order_a_page_at_a_time() {
    let registry = Registry::new();
    assert_eq!(
        registry.get("/v2/_catalog").await.json(),
        json!({"repositories": []})
    );
    for name in ["b", "a/b/c", "a/b", "a-b", "a"] {
        registry.push_image(name, "t", "x").await;
    }
    registry.push_blob("ghost", b"x").await;
    let all = ["a", "a-b", "a/b", "a/b/c", "b"];
    assert_eq!(
        registry.get("/v2/_catalog").await.json(),
        json!({ "repositories": all })
    );

    let mut seen = Vec::new();
    let mut path = "/v2/_catalog?n=2".to_owned();
    loop {
        let answer = registry.get(&path).await;
        let page = answer.json();
        seen.extend(page["repositories"].as_array().unwrap().iter().cloned());
        if !answer.headers.contains_key("link") {
            break;
        }
        let link = answer.header("link");
        assert!(link.ends_with("&n=2>; rel=\"next\""), "{link}");
        path = link[1..link.find('>').unwrap()].to_owned();
    }
    assert_eq!(seen, all);
}

#[tokio::test]
async fn a_repository_without_manifests_is_not_listed() {
    let registry = Registry::new();
    let digest = registry.push_image("a", "t", "x").await;
    registry.delete("/v2/a/manifests/t").await;
    assert_eq!(
        registry.get("/v2/_catalog").await.json(),
        json!({"repositories": ["a"]})
    );
    registry.delete(&format!("/v2/a/manifests/{digest}")).await;
    assert_eq!(
        registry.get("/v2/_catalog").await.json(),
        json!({"repositories": []})
    );
}

#[tokio::test]
async fn a_page_has_a_hundred_entries_and_at_most_a_thousand() {
    let registry = Registry::on_disk();
    for at in 0..101 {
        let link = format!("repositories/r{at:03}/_manifests/revisions/sha256/{at:064}/link");
        let link = registry.file(&link);
        fs_err::create_dir_all(link.parent().unwrap()).unwrap();
        fs_err::write(link, b"").unwrap();
    }
    let answer = registry.get("/v2/_catalog").await;
    assert_eq!(answer.json()["repositories"].as_array().unwrap().len(), 100);
    assert_eq!(
        answer.header("link"),
        "</v2/_catalog?last=r099&n=100>; rel=\"next\""
    );
    let answer = registry.get("/v2/_catalog?n=1000").await;
    assert_eq!(answer.json()["repositories"].as_array().unwrap().len(), 101);
    for n in ["1001", "-1", "x"] {
        let path = format!("/v2/_catalog?n={n}");
        registry
            .get(&path)
            .await
            .assert_error(400, "PAGINATION_NUMBER_INVALID");
    }
    let none = registry
        .send(request(http::Method::GET, "/v2/_catalog?n=0"))
        .await;
    assert_eq!(none.json(), json!({"repositories": []}));
}
