//! What those see who look on: metrics, health, configured headers.

use std::time::Duration;

use http::{Method, StatusCode};
use tidegate_config::{HeaderField, Health};
use tidegate_registry::Metrics;

use super::harness::{Answer, OCI_MANIFEST, Registry, put_manifest, request, sha256};

#[track_caller]
fn assert_counted(metrics: &Metrics, lines: &[&str]) {
    let text = metrics.exposition();
    for line in lines {
        assert!(text.lines().any(|l| l == *line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn requests_are_counted_by_handler_method_and_code() {
    let metrics = Metrics::new();
    let (registry, _) = Registry::on_disk().observed(&metrics, |_| {});
    let digest = registry.push_image("a/b", "v1", "metrics").await;
    for _ in 0..2 {
        registry.get("/v2/a/b/manifests/v1").await;
    }
    registry.head("/v2/a/b/manifests/v1").await;
    registry
        .get(&format!("/v2/a/b/blobs/{}", sha256(b"layer")))
        .await;
    registry.get("/v2/absent/tags/list").await;
    registry.post("/v2/").await;
    registry.get(&format!("/v2/a/b/referrers/{digest}")).await;
    registry.get("/v2/_catalog").await;
    registry.get("/").await;
    registry.get("/v1/search").await;
    let requests = |labels: &str| format!("registry_http_requests_total{{{labels}}}");
    for (labels, count) in [
        (r#"code="201",handler="manifest",method="put""#, 1),
        (r#"code="201",handler="blob_upload",method="post""#, 2),
        (r#"code="200",handler="manifest",method="get""#, 2),
        (r#"code="200",handler="manifest",method="head""#, 1),
        (r#"code="200",handler="blob",method="get""#, 1),
        (r#"code="404",handler="tags",method="get""#, 1),
        (r#"code="200",handler="referrers",method="get""#, 1),
        (r#"code="200",handler="catalog",method="get""#, 1),
        (r#"code="200",handler="other",method="get""#, 1),
        (r#"code="404",handler="other",method="get""#, 1),
        (r#"code="405",handler="other",method="post""#, 1),
    ] {
        assert_counted(&metrics, &[&format!("{} {count}", requests(labels))]);
    }
    assert_counted(
        &metrics,
        &[
            "registry_http_in_flight_requests{handler=\"manifest\"} 0",
            "registry_http_response_size_bytes_sum{handler=\"blob\"} 5.0",
            "registry_uploads_started_total 2",
            "registry_uploads_finished_total 2",
            "registry_manifest_cache_misses_total 1",
            "registry_manifest_cache_hits_total 2",
        ],
    );
}

#[tokio::test]
async fn a_request_is_in_flight_until_its_answer_was_taken() {
    let metrics = Metrics::new();
    let (registry, _) = Registry::on_disk().observed(&metrics, |_| {});
    let digest = registry.push_blob("a", b"0123456789").await;
    let get = request(Method::GET, &format!("/v2/a/blobs/{digest}"));
    let response = registry.call(get.into_inner()).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_counted(
        &metrics,
        &["registry_http_in_flight_requests{handler=\"blob\"} 1"],
    );
    drop(response);
    assert_counted(
        &metrics,
        &[
            "registry_http_in_flight_requests{handler=\"blob\"} 0",
            // The client went away before it took a byte.
            "registry_http_response_size_bytes_sum{handler=\"blob\"} 0.0",
            "registry_http_requests_total{code=\"200\",handler=\"blob\",method=\"get\"} 1",
            "registry_http_request_size_bytes_sum{handler=\"blob_upload\"} 10.0",
            "registry_http_received_bytes_total 10",
        ],
    );
}

#[tokio::test]
async fn an_upload_that_is_given_up_is_counted() {
    let metrics = Metrics::new();
    let (registry, _) = Registry::on_disk().observed(&metrics, |_| {});
    let location = registry.start_upload("a").await;
    let patch = request(Method::PATCH, &location).body(b"abc");
    assert_eq!(registry.send(patch).await.status, StatusCode::ACCEPTED);
    assert_eq!(
        registry.delete(&location).await.status,
        StatusCode::NO_CONTENT
    );
    assert_counted(
        &metrics,
        &[
            "registry_uploads_started_total 1",
            "registry_uploads_cancelled_total 1",
            "registry_uploads_finished_total 0",
            "registry_uploads_open 0",
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_fails_has_every_request_refused_until_it_works_again() {
    let metrics = Metrics::new();
    let (registry, check) = Registry::on_disk().observed(&metrics, |settings| {
        settings.health = Some(Health {
            interval: Duration::from_secs(1),
            threshold: 2,
        });
    });
    let root = registry.root();
    let aside = root.with_extension("aside");
    let checking = tokio::spawn(check.run());
    registry.push_image("a", "v1", "kept").await;

    fs_err::rename(root, &aside).unwrap();
    let refused = until(&registry, StatusCode::SERVICE_UNAVAILABLE).await;
    let details = refused.assert_error(503, "UNAVAILABLE");
    assert_eq!(details, ["health check failed: please see /debug/health"]);
    for (method, path) in [
        (Method::GET, "/v2/a/manifests/v1"),
        (Method::DELETE, "/v2/a/manifests/v1"),
        (Method::POST, "/v2/a/blobs/uploads/"),
        (Method::GET, "/v2/_catalog"),
    ] {
        registry
            .send(request(method, path))
            .await
            .assert_error(503, "UNAVAILABLE");
    }
    assert_eq!(registry.head("/v2/").await.status, 503);
    assert_eq!(registry.get("/").await.status, 200);

    fs_err::rename(&aside, root).unwrap();
    until(&registry, StatusCode::OK).await;
    assert_eq!(registry.get("/v2/a/manifests/v1").await.status, 200);
    checking.abort();
}

/// Asks until the answer is this. The clock is that of the test.
async fn until(registry: &Registry, status: StatusCode) -> Answer {
    loop {
        let answer = registry.get("/v2/").await;
        if answer.status == status {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn configured_headers_are_in_every_answer_of_the_api() {
    let registry = Registry::on_disk().reopened(|settings| {
        settings.headers = [
            ("X-Content-Type-Options", "none"),
            ("Cache-Control", "private"),
            ("X-Two", "a"),
            ("X-Two", "b"),
        ]
        .map(|(name, value)| HeaderField::new(name, value).unwrap())
        .to_vec();
    });
    let digest = registry.push_blob("a", b"layer").await;
    for request in [
        request(Method::GET, "/v2/"),
        request(Method::GET, &format!("/v2/a/blobs/{digest}")),
        request(Method::GET, "/v2/a/tags/list"),
        request(Method::DELETE, "/v2/a/tags/list"),
        request(Method::GET, "/v2/UPPER/tags/list"),
        put_manifest("a", "v1", OCI_MANIFEST, b"{}"),
    ] {
        let answer = registry.send(request).await;
        // Once, and so in place of ours.
        assert_eq!(answer.header("x-content-type-options"), "none");
        assert_eq!(answer.header("cache-control"), "private");
        let two: Vec<_> = answer.headers.get_all("x-two").iter().collect();
        assert_eq!(two, ["a", "b"]);
    }
    for path in ["/", "/v1/search", "/v2"] {
        let answer = registry.get(path).await;
        assert_eq!(answer.headers.get("x-two"), None, "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
}
