//! `HEAD` is `GET` without the body (RFC 9110 section 9.3.2): every path, in
//! every state of the registry, with every header that changes an answer.

use http::Method;
use serde_json::json;
use tidegate_registry::oci::Algorithm;

use super::harness::{
    OCI_MANIFEST, Registry, bytes_of, descriptor, put_manifest, request, sha256,
};

/// A registry in which every path below has an answer, and the paths.
async fn with_everything() -> (Registry, Vec<String>) {
    let registry = Registry::new();
    let manifest = registry.push_image("app", "v1", "x").await;
    registry.push_image("app", "v2", "y").await;
    registry.push_image("other", "v1", "x").await;
    let bytes = bytes_of(&registry.image("app", "z").await);
    let long = Algorithm::Sha512.digest(&bytes);
    let by_long = format!("{long}?tag=long");
    let answer = registry
        .send(put_manifest("app", &by_long, OCI_MANIFEST, &bytes))
        .await;
    assert_eq!(answer.status, 201);
    let mut about = registry.image("app", "about").await;
    about["artifactType"] = json!("application/vnd.example.sbom");
    about["subject"] = descriptor(OCI_MANIFEST, b"an image");
    registry
        .push_manifest("app", "sbom", OCI_MANIFEST, &about)
        .await;
    let empty = registry.push_blob("app", b"").await;
    let upload = registry.start_upload("app").await;
    registry
        .send(request(Method::PATCH, &upload).body(b"four"))
        .await;
    let (layer, subject) = (sha256(b"layer"), sha256(b"an image"));
    let absent = sha256(b"absent");
    let paths = [
        "/",
        "/v2",
        "/v2/",
        "/v2/_catalog",
        "/v2/_catalog?n=1",
        "/v2/_catalog?n=0",
        "/v2/_catalog?n=x",
        "/v2/_catalog?last=other",
        "/v2/app/tags/list",
        "/v2/app/tags/list?n=1",
        "/v2/app/tags/list?n=1&last=v1",
        "/v2/app/tags/list?n=-1",
        "/v2/none/tags/list",
        "/v2/app/manifests/v1",
        "/v2/app/manifests/long",
        "/v2/app/manifests/none",
        "/v2/app/manifests/.bad",
        "/v2/app/manifests/sha256:bad",
        "/v2/app/blobs/sha256:bad",
        "/v2/app/referrers/sha256:bad",
        "/v2/app/blobs/uploads/",
        "/v2/app/blobs/uploads/bad",
        "/v2/app//manifests/v1?n=1",
        "/v2/APP/tags/list",
        "/v2/nothing",
        "/elsewhere",
    ];
    let named = [
        format!("/v2/app/manifests/{manifest}"),
        format!("/v2/app/manifests/{long}"),
        format!("/v2/app/manifests/{}", sha256(&bytes)),
        format!("/v2/app/manifests/{absent}"),
        format!("/v2/app/blobs/{layer}"),
        format!("/v2/app/blobs/{empty}"),
        format!("/v2/app/blobs/{absent}"),
        format!("/v2/none/blobs/{layer}"),
        format!("/v2/app/referrers/{subject}"),
        format!("/v2/app/referrers/{subject}?artifactType=application/vnd.example.sbom"),
        format!("/v2/app/referrers/{subject}?artifactType=none"),
        format!("/v2/app/referrers/{subject}?last={subject}"),
        format!("/v2/app/referrers/{subject}?last=bad"),
        format!("/v2/none/referrers/{subject}"),
        format!("/v2/app/manifests/sha256%3A{}", manifest.hex()),
        format!("/v2/other{upload}"),
        upload,
    ];
    let paths = paths.into_iter().map(str::to_owned).chain(named).collect();
    (registry, paths)
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let (registry, paths) = with_everything().await;
    let layer = sha256(b"layer");
    let headers = [
        None,
        Some(("if-none-match", "*".to_owned())),
        Some(("if-none-match", format!("\"{layer}\""))),
        Some(("if-none-match", "\"another\"".to_owned())),
        Some(("accept", "*/*".to_owned())),
        Some(("accept", "text/plain".to_owned())),
    ];
    let states: [fn(&mut tidegate_config::Registry); 3] = [
        |_| {},
        |settings| settings.read_only = true,
        |settings| settings.delete = false,
    ];
    let mut registry = registry;
    for state in states {
        registry = registry.reopened(state);
        for path in &paths {
            for header in &headers {
                let asked = |method| match header {
                    Some((name, value)) => request(method, path).header(name, value),
                    None => request(method, path),
                };
                let get = registry.send(asked(Method::GET)).await;
                let head = registry.send(asked(Method::HEAD)).await;
                let place = format!("{path} {header:?}");
                assert_eq!(head.status, get.status, "{place}");
                assert_eq!(head.headers, get.headers, "{place}");
                assert!(head.body.is_empty(), "{place}");
                if !matches!(get.status.as_u16(), 204 | 304) {
                    let length = get.body.len().to_string();
                    assert_eq!(head.header("content-length"), length, "{place}");
                }
            }
        }
    }
}
