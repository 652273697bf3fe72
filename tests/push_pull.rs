//! Images through the whole process: TLS, password, registry, disk.

mod harness;

use bytes::Bytes;
use harness::client::{Body, full};
use harness::image::{Image, OCI_MANIFEST, noise, push_blob, sha256, with_digest};
use harness::up;
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;

#[tokio::test]
async fn an_image_comes_back_as_it_was_pushed() {
    let tidegate = up().start();
    let image = Image::of(vec![noise(1, 3 << 20), noise(2, 100), Bytes::new()]);
    for (client, repository) in [
        (tidegate.client(), "team/http1"),
        (tidegate.client().http2(), "team/http2"),
    ] {
        image.push(&client, repository, "v1").await;
        image.assert_pulls(&client, repository, "v1").await;
        let tags = client.get(&format!("/v2/{repository}/tags/list")).await;
        assert_eq!(tags.json()["tags"], serde_json::json!(["v1"]));
    }
    let catalog = tidegate.client().get("/v2/_catalog").await;
    assert_eq!(
        catalog.json()["repositories"],
        serde_json::json!(["team/http1", "team/http2"])
    );
}

#[tokio::test]
async fn locations_lead_back_over_tls_to_the_name_the_client_used() {
    let tidegate = up().start();
    let client = tidegate.client().named("localhost");
    let base = format!("https://localhost:{}/v2/", tidegate.address.port());
    for client in [client.clone(), client.http2()] {
        let answer = client.post("/v2/a/blobs/uploads/").await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        let location = answer.header("location");
        assert!(location.starts_with(&base), "{location}");
    }
}

#[tokio::test]
async fn an_upload_without_a_length_is_taken_in_pieces() {
    let tidegate = up().start();
    let bytes = noise(3, 5 << 20);
    let digest = sha256(&bytes);
    for client in [tidegate.client(), tidegate.client().http2()] {
        let location = client.post("/v2/chunked/blobs/uploads/").await;
        let answer = client
            .send(
                Method::PATCH,
                location.header("location"),
                chunked(bytes.clone()),
            )
            .await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        assert_eq!(answer.header("range"), format!("0-{}", bytes.len() - 1));
        let put = with_digest(answer.header("location"), &digest);
        assert_eq!(client.put(&put, "").await.status, StatusCode::CREATED);
        let pulled = client.get(&format!("/v2/chunked/blobs/{digest}")).await;
        assert_eq!(pulled.body, bytes);
    }
}

#[tokio::test]
async fn the_same_blob_pushed_by_many_at_once_arrives() {
    let tidegate = up().start();
    let bytes = noise(4, 2 << 20);
    let pushes: Vec<_> = (0..8)
        .map(|n| {
            let (client, bytes) = (tidegate.client(), bytes.clone());
            tokio::spawn(
                async move { push_blob(&client, &format!("many/r{}", n % 2), bytes).await },
            )
        })
        .collect();
    for push in pushes {
        assert_eq!(push.await.unwrap(), sha256(&bytes));
    }
    for repository in ["many/r0", "many/r1"] {
        let path = format!("/v2/{repository}/blobs/{}", sha256(&bytes));
        assert_eq!(tidegate.client().get(&path).await.body, bytes);
    }
}

#[tokio::test]
async fn bytes_that_are_not_what_was_said_are_refused_and_stay_invisible() {
    let tidegate = up().start();
    let client = tidegate.client();
    let location = client.post("/v2/a/blobs/uploads/").await;
    let said = sha256(b"something else");
    let put = with_digest(location.header("location"), &said);
    let answer = client.put(&put, "these bytes").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.error_code(), "DIGEST_INVALID");
    for digest in [said, sha256(b"these bytes")] {
        let answer = client.head(&format!("/v2/a/blobs/{digest}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_manifest_may_only_name_what_is_there() {
    let tidegate = up().start();
    let image = Image::of(vec![noise(5, 10)]);
    let answer = tidegate
        .client()
        .header("content-type", OCI_MANIFEST)
        .put("/v2/a/manifests/latest", image.manifest.clone())
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let errors = answer.json()["errors"].as_array().unwrap().clone();
    assert_eq!(errors.len(), image.blobs.len());
    assert!(errors.iter().all(|e| e["code"] == "MANIFEST_BLOB_UNKNOWN"));
    let answer = tidegate.client().get("/v2/a/manifests/latest").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.error_code(), "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn no_path_leads_out_of_the_registry() {
    let tidegate = up().start();
    let client = tidegate.client();
    for path in [
        "/v2/../../../etc/passwd",
        "/v2/%2e%2e/%2e%2e/manifests/latest",
        "/v2/a/..%2f..%2fb/manifests/latest",
        "/v2/a/manifests/..%2f..%2fx",
        "/v2/a/blobs/sha256:..%2f..%2f",
        "/v2/a/blobs/uploads/..%2f..%2fx",
        "/v2/_uploads/manifests/latest",
        "/v2//etc/passwd",
        "/etc/passwd",
    ] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let answer = client.send(method.clone(), path, full("x")).await;
            let status = answer.status.as_u16();
            assert!(
                matches!(status, 301 | 308 | 400 | 404 | 405),
                "{method} {path}: {status}"
            );
        }
    }
}

#[tokio::test]
async fn clients_too_old_for_this_registry_are_turned_away() {
    let tidegate = up().start();
    for (agent, status) in [
        ("docker/1.3.3 go/go1.3", 404),
        ("docker/1.5.0 go/go1.4.1", 404),
        ("Go 1.1 package http", 404),
        ("docker/1.5.0-dev go/go1.4.1", 200),
        ("docker/27.1.1 go/go1.21", 200),
        ("Go-http-client/1.1", 200),
    ] {
        let answer = tidegate
            .client()
            .header("user-agent", agent)
            .get("/v2/")
            .await;
        assert_eq!(answer.status.as_u16(), status, "{agent}");
        assert_eq!(
            answer.header("docker-distribution-api-version"),
            "registry/2.0"
        );
    }
}

#[tokio::test]
async fn each_request_leaves_one_line() {
    let mut tidegate = up().start();
    let client = tidegate.client().header("user-agent", "a \"quoted\" agent");
    client.get("/v2/some/tags/list").await;
    let line = tidegate.access_logged("/v2/some/tags/list");
    assert!(line.starts_with("127.0.0.1 - admin ["), "{line}");
    assert!(
        line.contains("\"GET /v2/some/tags/list HTTP/1.1\" 404 "),
        "{line}"
    );
    assert!(!line.contains("correct horse"), "{line}");
}

/// A body whose length is not announced.
fn chunked(bytes: Bytes) -> Body {
    let frames = (0..bytes.len())
        .step_by(100_000)
        .map(move |at| {
            let end = (at + 100_000).min(bytes.len());
            Ok(Frame::data(bytes.slice(at..end)))
        })
        .collect::<Vec<_>>();
    StreamBody::new(futures_util::stream::iter(frames)).boxed()
}
