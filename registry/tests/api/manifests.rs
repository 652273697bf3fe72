//! `/v2/<name>/manifests/<reference>`

use http::Method;
use serde_json::json;
use tidegate_registry::oci::Algorithm;

use super::harness::{
    DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Registry, bytes_of, descriptor, image,
    index, put_manifest, request, sha256,
};

#[tokio::test]
async fn a_manifest_is_served_as_it_was_pushed() {
    let registry = Registry::new();
    let child = registry.image("a", "child").await;
    registry
        .push_manifest(
            "a",
            &sha256(&bytes_of(&child)).to_string(),
            OCI_MANIFEST,
            &child,
        )
        .await;
    let listed = descriptor(OCI_MANIFEST, &bytes_of(&child));
    let config = "{\"about\":\"child\"}";
    for (media_type, document) in [
        (OCI_MANIFEST, child.clone()),
        (DOCKER_MANIFEST, image(DOCKER_MANIFEST, config)),
        (OCI_INDEX, index(OCI_INDEX, std::slice::from_ref(&listed))),
        (
            DOCKER_LIST,
            index(DOCKER_LIST, std::slice::from_ref(&listed)),
        ),
    ] {
        let bytes = bytes_of(&document);
        let digest = sha256(&bytes);
        let answer = registry
            .send(put_manifest("a", "latest", media_type, &bytes))
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.location(), format!("/v2/a/manifests/{digest}"));
        assert_eq!(answer.header("docker-content-digest"), digest.to_string());
        assert_eq!(answer.header("content-length"), "0");
        assert!(!answer.headers.contains_key("oci-subject"));

        for reference in ["latest", &digest.to_string()] {
            // Whatever the client accepts.
            for accept in [None, Some("*/*"), Some(OCI_MANIFEST), Some("text/html")] {
                let mut asked = request(Method::GET, &format!("/v2/a/manifests/{reference}"));
                if let Some(accept) = accept {
                    asked = asked.header("accept", accept);
                }
                let answer = registry.send(asked).await;
                assert_eq!(
                    (answer.status.as_u16(), &answer.body[..]),
                    (200, &bytes[..])
                );
                assert_eq!(answer.header("content-type"), media_type);
                assert_eq!(answer.header("docker-content-digest"), digest.to_string());
                assert_eq!(answer.header("etag"), format!("\"{digest}\""));
                assert_eq!(answer.header("content-length"), bytes.len().to_string());
            }
            let path = format!("/v2/a/manifests/{reference}");
            let (head, get) = (registry.head(&path).await, registry.get(&path).await);
            assert_eq!((head.status, head.headers), (get.status, get.headers));
            assert!(head.body.is_empty());
        }
    }
}

#[tokio::test]
async fn an_oci_document_without_its_type_keeps_it() {
    let registry = Registry::new();
    let mut document = registry.image("a", "x").await;
    document.as_object_mut().unwrap().remove("mediaType");
    for declared in [Some(OCI_MANIFEST), None] {
        let mut pushed = request(Method::PUT, "/v2/a/manifests/t").body(&bytes_of(&document));
        if let Some(declared) = declared {
            pushed = pushed.header("content-type", declared);
        }
        assert_eq!(registry.send(pushed).await.status, 201);
        assert_eq!(
            registry
                .get("/v2/a/manifests/t")
                .await
                .header("content-type"),
            OCI_MANIFEST
        );
    }
    document["mediaType"] = json!(DOCKER_MANIFEST);
    document.as_object_mut().unwrap().remove("mediaType");
    let docker = put_manifest("a", "t", DOCKER_MANIFEST, &bytes_of(&document));
    registry
        .send(docker)
        .await
        .assert_error(400, "MANIFEST_INVALID");
}

#[tokio::test]
async fn a_manifest_that_the_client_has_is_not_sent() {
    let registry = Registry::new();
    let digest = registry.push_image("a", "t", "x").await;
    for value in [
        format!("\"{digest}\""),
        digest.to_string(),
        format!("W/\"{digest}\", \"x\""),
    ] {
        let asked = request(Method::GET, "/v2/a/manifests/t").header("if-none-match", value);
        let answer = registry.send(asked).await;
        assert_eq!(answer.status, 304);
        assert!(answer.body.is_empty());
        assert_eq!(answer.header("docker-content-digest"), digest.to_string());
    }
}

#[tokio::test]
async fn what_is_not_there_is_unknown() {
    let registry = Registry::new();
    let digest = registry.push_image("a", "t", "x").await;
    for path in [
        "/v2/a/manifests/other".to_owned(),
        "/v2/b/manifests/t".to_owned(),
        format!("/v2/b/manifests/{digest}"),
        // A blob of the repository is not a manifest of it.
        format!("/v2/a/manifests/{}", sha256(b"layer")),
        // What the conformance test asks for.
        "/v2/a/manifests/.INVALID_MANIFEST_NAME".to_owned(),
    ] {
        registry
            .get(&path)
            .await
            .assert_error(404, "MANIFEST_UNKNOWN");
        registry
            .delete(&path)
            .await
            .assert_error(404, "MANIFEST_UNKNOWN");
        assert_eq!(registry.head(&path).await.status, 404);
    }
    registry
        .get("/v2/a/manifests/sha256:12")
        .await
        .assert_error(400, "DIGEST_INVALID");
}

#[tokio::test]
async fn everything_a_manifest_names_must_be_there() {
    let registry = Registry::new();
    let manifest = image(OCI_MANIFEST, "{}");
    let pushed = put_manifest("a", "t", OCI_MANIFEST, &bytes_of(&manifest));
    let details = registry
        .send(pushed)
        .await
        .assert_error(400, "MANIFEST_BLOB_UNKNOWN");
    let missing: Vec<_> = details
        .iter()
        .map(|detail| detail["digest"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        missing,
        [sha256(b"{}").to_string(), sha256(b"layer").to_string()]
    );
    registry
        .get("/v2/a/manifests/t")
        .await
        .assert_error(404, "MANIFEST_UNKNOWN");

    // In another repository is not here.
    registry.push_blob("b", b"{}").await;
    registry.push_blob("a", b"layer").await;
    let pushed = put_manifest("a", "t", OCI_MANIFEST, &bytes_of(&manifest));
    let details = registry
        .send(pushed)
        .await
        .assert_error(400, "MANIFEST_BLOB_UNKNOWN");
    assert_eq!(details, [json!({"digest": sha256(b"{}")})]);

    let child = descriptor(OCI_MANIFEST, b"a manifest that was not pushed");
    let twice = index(OCI_INDEX, &[child.clone(), child]);
    let pushed = put_manifest("a", "t", OCI_INDEX, &bytes_of(&twice));
    let details = registry
        .send(pushed)
        .await
        .assert_error(400, "MANIFEST_BLOB_UNKNOWN");
    assert_eq!(details.len(), 1, "each digest once: {details:?}");
}

#[tokio::test]
async fn an_index_may_list_layers() {
    let registry = Registry::new();
    registry.push_blob("cache", b"layer").await;
    let cache = index(
        OCI_INDEX,
        &[descriptor(
            "application/vnd.oci.image.layer.v1.tar+gzip",
            b"layer",
        )],
    );
    registry
        .push_manifest("cache", "t", OCI_INDEX, &cache)
        .await;
}

#[tokio::test]
async fn a_foreign_layer_may_be_elsewhere() {
    let registry = Registry::new();
    registry.push_blob("a", b"{}").await;
    let mut manifest = image(DOCKER_MANIFEST, "{}");
    let mut layer = descriptor(
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        b"windows",
    );
    layer["urls"] = json!(["https://mcr.example/windows"]);
    manifest["layers"] = json!([layer]);
    registry
        .push_manifest("a", "t", DOCKER_MANIFEST, &manifest)
        .await;
}

#[tokio::test]
async fn a_manifest_must_be_what_it_is_pushed_as() {
    let registry = Registry::new();
    let manifest = registry.image("a", "x").await;
    let mut mixed = manifest.clone();
    mixed["manifests"] = json!([]);
    for (media_type, bytes) in [
        (OCI_MANIFEST, b"{".to_vec()),
        (OCI_MANIFEST, b"".to_vec()),
        (OCI_MANIFEST, br#"{"schemaVersion":1}"#.to_vec()),
        (DOCKER_MANIFEST, bytes_of(&manifest)),
        (OCI_INDEX, bytes_of(&manifest)),
        (OCI_MANIFEST, bytes_of(&mixed)),
        ("application/json", bytes_of(&manifest)),
        (
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
            bytes_of(&manifest),
        ),
    ] {
        let details = registry
            .send(put_manifest("a", "t", media_type, &bytes))
            .await
            .assert_error(400, "MANIFEST_INVALID");
        assert!(details[0].is_string(), "{details:?}");
    }
    registry
        .get("/v2/a/manifests/t")
        .await
        .assert_error(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn a_manifest_must_have_the_digest_it_is_pushed_by() {
    let registry = Registry::new();
    let bytes = bytes_of(&registry.image("a", "x").await);
    let other = sha256(b"other");
    let pushed = put_manifest("a", &other.to_string(), OCI_MANIFEST, &bytes);
    let details = registry
        .send(pushed)
        .await
        .assert_error(400, "DIGEST_INVALID");
    assert_eq!(details[0]["actual"], sha256(&bytes).to_string());
    let long = Algorithm::Sha512.digest(b"other");
    let pushed = put_manifest("a", &long.to_string(), OCI_MANIFEST, &bytes);
    let details = registry
        .send(pushed)
        .await
        .assert_error(400, "DIGEST_INVALID");
    let actual = Algorithm::Sha512.digest(&bytes).to_string();
    assert_eq!(details[0]["actual"], actual);
    let pushed = put_manifest("a", ".bad", OCI_MANIFEST, &bytes);
    registry.send(pushed).await.assert_error(400, "TAG_INVALID");
}

#[tokio::test]
async fn a_manifest_pushed_by_sha512_has_both_digests() {
    let registry = Registry::new();
    let bytes = bytes_of(&registry.image("a", "x").await);
    let (short, long) = (sha256(&bytes), Algorithm::Sha512.digest(&bytes));
    let answer = registry
        .send(put_manifest("a", &long.to_string(), OCI_MANIFEST, &bytes))
        .await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("docker-content-digest"), long.to_string());
    for digest in [short, long] {
        let path = format!("/v2/a/manifests/{digest}");
        for answer in [registry.get(&path).await, registry.head(&path).await] {
            assert_eq!(answer.status, 200);
            assert_eq!(answer.header("docker-content-digest"), digest.to_string());
        }
    }
    // An index may list it by either.
    let child = json!({"mediaType": OCI_MANIFEST, "digest": long, "size": bytes.len()});
    registry
        .push_manifest("a", "all", OCI_INDEX, &index(OCI_INDEX, &[child]))
        .await;
    let answer = registry.delete(&format!("/v2/a/manifests/{long}")).await;
    assert_eq!(answer.status, 202);
    for digest in [short, long] {
        let answer = registry.get(&format!("/v2/a/manifests/{digest}")).await;
        answer.assert_error(404, "MANIFEST_UNKNOWN");
    }
}

#[tokio::test]
async fn tags_are_pushed_with_a_manifest_by_digest() {
    let registry = Registry::new();
    let bytes = bytes_of(&registry.image("a", "x").await);
    for digest in [sha256(&bytes), Algorithm::Sha512.digest(&bytes)] {
        let reference = format!("{digest}?tag=1.0&tag=latest&tag=1.0");
        let answer = registry
            .send(put_manifest("a", &reference, OCI_MANIFEST, &bytes))
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let tags: Vec<_> = answer.headers.get_all("oci-tag").iter().collect();
        assert_eq!(tags, ["1.0", "latest"]);
        assert_eq!(answer.header("docker-content-digest"), digest.to_string());
        for tag in ["1.0", "latest"] {
            let answer = registry.head(&format!("/v2/a/manifests/{tag}")).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.header("docker-content-digest"), digest.to_string());
        }
    }
    // Beside the tag of the path.
    let answer = registry
        .send(put_manifest("a", "2.0?tag=2", OCI_MANIFEST, &bytes))
        .await;
    assert_eq!(answer.header("oci-tag"), "2");
    let list = registry.get("/v2/a/tags/list").await.json();
    assert_eq!(list["tags"], json!(["1.0", "2", "2.0", "latest"]));
}

#[tokio::test]
async fn a_bad_tag_among_others_writes_nothing() {
    let registry = Registry::new();
    let bytes = bytes_of(&registry.image("a", "x").await);
    let digest = sha256(&bytes);
    let reference = format!("{digest}?tag=good&tag=.bad");
    let answer = registry
        .send(put_manifest("a", &reference, OCI_MANIFEST, &bytes))
        .await;
    let details = answer.assert_error(400, "TAG_INVALID");
    assert_eq!(details[0]["tag"], ".bad");
    let many: String = (0..65).map(|number| format!("&tag=t{number}")).collect();
    let answer = registry
        .send(put_manifest(
            "a",
            &format!("{digest}?x{many}"),
            OCI_MANIFEST,
            &bytes,
        ))
        .await;
    answer.assert_error(414, "TAG_INVALID");
    let answer = registry.get(&format!("/v2/a/manifests/{digest}")).await;
    answer.assert_error(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn the_limit_is_four_mebibytes() {
    let registry = Registry::new();
    let mut bytes = bytes_of(&registry.image("a", "x").await);
    bytes.resize(4 * 1024 * 1024, b' ');
    let answer = registry
        .send(put_manifest("a", "t", OCI_MANIFEST, &bytes))
        .await;
    assert_eq!(answer.status, 201);
    assert_eq!(
        registry.get("/v2/a/manifests/t").await.body.len(),
        bytes.len()
    );
    bytes.push(b' ');
    let answer = registry
        .send(put_manifest("a", "t", OCI_MANIFEST, &bytes))
        .await;
    answer.assert_error(413, "MANIFEST_INVALID");
    // And where no length warns of it.
    let pieces = std::iter::repeat_n(bytes::Bytes::from(vec![b' '; 1024 * 1024]), 5).map(Ok);
    let asked = request(Method::PUT, "/v2/a/manifests/t").header("content-type", OCI_MANIFEST);
    let answer = registry
        .send_stream(asked, futures_util::stream::iter(pieces))
        .await;
    answer.assert_error(413, "MANIFEST_INVALID");
}

#[tokio::test]
async fn a_broken_tag_is_an_error_without_its_cause() {
    let registry = Registry::on_disk();
    registry.push_image("a", "t", "x").await;
    let link = registry.file("repositories/a/_manifests/tags/t/current/link");
    fs_err::write(&link, b"").unwrap();
    let answer = registry.get("/v2/a/manifests/t").await;
    let details = answer.assert_error(500, "UNKNOWN");
    assert!(details[0].is_null());
    assert!(
        !String::from_utf8_lossy(&answer.body).contains("link"),
        "{answer:?}"
    );
    registry.push_image("a", "t", "x").await;
    assert_eq!(registry.get("/v2/a/manifests/t").await.status, 200);
}
