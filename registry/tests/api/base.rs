//! `/`, `/v2/`, and what holds for every path.

use http::Method;

use super::harness::{Registry, request, sha256};

#[tokio::test]
async fn the_registry_speaks_version_2() {
    let registry = Registry::new();
    let answer = registry.get("/v2/").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("docker-distribution-api-version"),
        "registry/2.0"
    );
    assert_eq!(answer.header("content-length"), "2");
    assert_eq!(answer.json(), serde_json::json!({}));

    let head = registry.head("/v2/").await;
    assert_eq!(
        (head.status.as_u16(), &head.headers),
        (200, &answer.headers)
    );
    assert!(head.body.is_empty());
}

#[tokio::test]
async fn the_root_is_empty() {
    let answer = Registry::new().get("/").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cache-control"), "no-cache");
    assert_eq!(answer.header("content-length"), "0");
    assert!(
        !answer
            .headers
            .contains_key("docker-distribution-api-version")
    );
}

#[tokio::test]
async fn another_spelling_of_a_path_is_redirected() {
    let registry = Registry::new();
    for (method, path, status, location) in [
        (Method::GET, "/v2", 301, "/v2/"),
        (Method::HEAD, "/v2", 301, "/v2/"),
        (
            Method::GET,
            "/v2//a/tags/list?n=1",
            301,
            "/v2/a/tags/list?n=1",
        ),
        (Method::PUT, "/v2/a/./manifests/t", 308, "/v2/a/manifests/t"),
    ] {
        let answer = registry.send(request(method, path)).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("location"), location);
        assert_eq!(
            answer.header("docker-distribution-api-version"),
            "registry/2.0"
        );
        assert!(answer.body.is_empty());
    }
}

#[tokio::test]
async fn a_path_without_a_route_is_not_found_in_json() {
    let registry = Registry::new();
    for path in [
        "/v2/a",
        "/v2/a/b/c",
        "/favicon.ico",
        "/v2/..%2f..%2fetc/passwd",
    ] {
        registry.get(path).await.assert_error(404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let registry = Registry::new();
    for (method, path, allow) in [
        (Method::POST, "/v2/", "GET, HEAD"),
        (Method::DELETE, "/v2/_catalog", "GET, HEAD"),
        (Method::POST, "/v2/a/manifests/t", "GET, HEAD, PUT, DELETE"),
        (Method::GET, "/v2/a/blobs/uploads/", "POST"),
    ] {
        let answer = registry.send(request(method, path)).await;
        answer.assert_error(405, "UNSUPPORTED");
        assert_eq!(answer.header("allow"), allow, "{path}");
    }
}

#[tokio::test]
async fn an_invalid_name_is_called_so() {
    let registry = Registry::new();
    let long = "a".repeat(256);
    for name in ["UPPER", "a..b", &long] {
        for path in [
            format!("/v2/{name}/tags/list"),
            format!("/v2/{name}/manifests/t"),
        ] {
            registry.get(&path).await.assert_error(400, "NAME_INVALID");
        }
        registry
            .post(&format!("/v2/{name}/blobs/uploads/"))
            .await
            .assert_error(400, "NAME_INVALID");
    }
}

#[tokio::test]
async fn locations_lead_to_where_the_client_is() {
    let registry = Registry::new();
    let start = || request(Method::POST, "/v2/a/blobs/uploads/");
    let absolute = registry.send(start().header("host", "inner:80")).await;
    assert!(
        absolute
            .header("location")
            .starts_with("https://reg.example:5043/v2/a/blobs/uploads/")
    );
    let by_host = registry
        .send(start().without_origin().header("host", "reg:5000"))
        .await;
    assert!(
        by_host
            .header("location")
            .starts_with("http://reg:5000/v2/a/blobs/uploads/")
    );
    let without = registry.send(start().without_origin()).await;
    assert!(
        without
            .header("location")
            .starts_with("/v2/a/blobs/uploads/")
    );
}

#[tokio::test]
async fn a_read_only_registry_is_read_and_nothing_else() {
    let registry = Registry::new();
    let manifest = registry.push_image("a", "t", "x").await;
    let upload = registry.start_upload("a").await;
    let registry = registry.reopened(|settings| settings.read_only = true);
    assert_eq!(registry.get("/v2/a/manifests/t").await.status, 200);
    assert_eq!(registry.get(&upload).await.status, 204);
    for (method, path) in [
        (Method::PUT, "/v2/a/manifests/t"),
        (Method::DELETE, "/v2/a/manifests/t"),
        (Method::DELETE, &format!("/v2/a/blobs/{manifest}")),
        (Method::POST, "/v2/a/blobs/uploads/"),
        (Method::PATCH, &upload),
        (Method::PUT, &upload),
        (Method::DELETE, &upload),
    ] {
        let answer = registry.send(request(method, path)).await;
        answer.assert_error(405, "UNSUPPORTED");
        assert_eq!(answer.header("allow"), "GET, HEAD", "{path}");
    }
}

/// To say that something is not there makes a client push it again, or give it
/// up for lost.
#[tokio::test]
async fn a_failing_disk_is_never_a_404() {
    let registry = Registry::on_disk();
    let manifest = registry.push_image("app", "v1", "x").await;
    let layer = sha256(b"layer");
    let upload = registry.start_upload("app").await;
    let id = upload.rsplit('/').next().unwrap();
    // Links that lead to themselves cannot be followed by anybody.
    let (layer_hex, manifest_hex) = (layer.hex(), manifest.hex());
    for (broken, path) in [
        (
            format!("blobs/sha256/{}/{layer_hex}/data", &layer_hex[..2]),
            format!("/v2/app/blobs/{layer}"),
        ),
        (
            format!("repositories/app/_layers/sha256/{layer_hex}/link"),
            format!("/v2/app/blobs/{layer}"),
        ),
        (
            format!("repositories/app/_manifests/revisions/sha256/{manifest_hex}/link"),
            format!("/v2/app/manifests/{manifest}"),
        ),
        (
            "repositories/app/_manifests/tags/v1/current/link".to_owned(),
            "/v2/app/manifests/v1".to_owned(),
        ),
        (
            format!("repositories/app/_uploads/{id}/data"),
            upload.clone(),
        ),
        (
            format!("repositories/app/_referrers/sha256/{manifest_hex}"),
            format!("/v2/app/referrers/{manifest}"),
        ),
        (
            "repositories/app/_manifests/tags".to_owned(),
            "/v2/app/tags/list".to_owned(),
        ),
        ("repositories".to_owned(), "/v2/_catalog".to_owned()),
    ] {
        let broken = registry.file(&broken);
        let aside = broken.with_extension("aside");
        let was_there = fs_err::rename(&broken, &aside).is_ok();
        fs_err::create_dir_all(broken.parent().unwrap()).unwrap();
        fs_err::os::unix::fs::symlink(&broken, &broken).unwrap();
        let answer = registry.get(&path).await;
        let details = answer.assert_error(500, "UNKNOWN");
        assert!(
            details[0].is_null(),
            "a client learns no paths: {details:?}"
        );
        let head = registry.head(&path).await;
        assert_eq!(
            (head.status, &head.headers),
            (answer.status, &answer.headers)
        );
        fs_err::remove_file(&broken).unwrap();
        if was_there {
            fs_err::rename(&aside, &broken).unwrap();
        }
        assert!(registry.get(&path).await.status.is_success(), "{path}");
    }
}
