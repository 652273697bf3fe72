//! Clients of before schema 2, in a registry that is open to them.

use http::Method;
use serde_json::{Value, json};
use tidegate_config::Schema1;
use tidegate_registry::oci::{Digest, ManifestType};
use tidegate_registry::schema1::{EMPTY_LAYER, Jws, SigningKey, empty_layer};
use time::macros::datetime;

use super::harness::{
    Answer, DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Registry, bytes_of, descriptor,
    index, put_manifest, request, sha256,
};

const SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
const PLAIN: &str = "application/vnd.docker.distribution.manifest.v1+json";

/// A registry with the setting on.
fn open() -> Registry {
    with_schema1(Registry::new())
}

fn with_schema1(registry: Registry) -> Registry {
    registry.reopened(|settings| settings.schema1 = Some(Schema1 { signing_key: None }))
}

fn payload(layers: &[Digest]) -> Value {
    json!({
        "schemaVersion": 1,
        "name": "a",
        "tag": "t",
        "architecture": "amd64",
        "fsLayers": layers.iter().map(|layer| json!({"blobSum": layer})).collect::<Vec<_>>(),
        "history": vec![json!({"v1Compatibility": "{\"id\":\"x\"}"}); layers.len()],
    })
}

fn signed(payload: &Value) -> Vec<u8> {
    let key = SigningKey::generate().unwrap();
    key.sign(&bytes_of(payload), datetime!(2015-06-01 00:00 UTC))
        .unwrap()
}

/// What is signed in an answer, after it has been verified.
fn verified(answer: &Answer) -> Vec<u8> {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), SIGNED);
    let jws = Jws::parse(&answer.body).unwrap();
    jws.verify().unwrap();
    let digest = sha256(jws.payload()).to_string();
    assert_eq!(answer.header("docker-content-digest"), digest);
    assert_eq!(answer.header("etag"), format!("\"{digest}\""));
    jws.into_payload()
}

/// Pushes an image of schema 2 with two layers and a step that is empty.
async fn push_image(registry: &Registry, repo: &str, tag: &str) -> Vec<u8> {
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": ["sha256:1", "sha256:2"]},
        "history": [
            {"created": "2016-01-01T00:00:00Z", "created_by": "ADD 1"},
            {"created": "2016-01-01T00:00:00Z", "created_by": "ENV", "empty_layer": true},
            {"created": "2016-01-01T00:00:00Z", "created_by": "ADD 2"},
        ],
    });
    let config = config.to_string();
    for blob in [config.as_bytes(), b"layer 1", b"layer 2"] {
        registry.push_blob(repo, blob).await;
    }
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": descriptor("application/vnd.docker.container.image.v1+json", config.as_bytes()),
        "layers": [
            descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", b"layer 1"),
            descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", b"layer 2"),
        ],
    });
    registry
        .push_manifest(repo, tag, DOCKER_MANIFEST, &manifest)
        .await;
    bytes_of(&manifest)
}

async fn get_accepting(registry: &Registry, path: &str, accept: Option<&str>) -> Answer {
    let asked = request(Method::GET, path);
    let asked = match accept {
        Some(accept) => asked.header("accept", accept),
        None => asked,
    };
    registry.send(asked).await
}

#[tokio::test]
async fn a_signed_manifest_is_kept_without_and_served_with_signatures() {
    let registry = with_schema1(Registry::on_disk());
    let layer = registry.push_blob("a", b"layer").await;
    let payload = payload(&[layer, layer]);
    let digest = sha256(&bytes_of(&payload));
    for declared in [
        Some(SIGNED),
        Some(PLAIN),
        Some("application/json; charset=utf-8"),
        Some("text/plain"),
        None,
    ] {
        for reference in ["t", &digest.to_string()] {
            let path = format!("/v2/a/manifests/{reference}");
            let pushed = request(Method::PUT, &path).body(&signed(&payload));
            let pushed = match declared {
                Some(declared) => pushed.header("content-type", declared),
                None => pushed,
            };
            let answer = registry.send(pushed).await;
            assert_eq!(answer.status, 201, "{answer:?}");
            assert_eq!(answer.location(), format!("/v2/a/manifests/{digest}"));
            assert_eq!(answer.header("docker-content-digest"), digest.to_string());

            let answer = registry.get(&path).await;
            assert_eq!(verified(&answer), bytes_of(&payload));
            let head = registry.head(&path).await;
            assert_eq!((head.status, head.headers), (answer.status, answer.headers));
        }
    }
    let kept = format!("blobs/sha256/{}/{}/data", &digest.hex()[..2], digest.hex());
    assert_eq!(
        fs_err::read(registry.file(&kept)).unwrap(),
        bytes_of(&payload)
    );

    // Without the setting, what is kept is served as it is.
    let registry = registry.reopened(|_| {});
    let answer = registry.get("/v2/a/manifests/t").await;
    assert_eq!(answer.header("content-type"), PLAIN);
    assert_eq!(&answer.body[..], bytes_of(&payload));
    assert!(!answer.headers.contains_key("vary"));
}

#[tokio::test]
async fn what_is_wrong_with_a_signed_manifest_is_said() {
    let registry = open();
    let layer = registry.push_blob("a", b"layer").await;
    let good = payload(&[layer]);
    let put = |body: Vec<u8>| put_manifest("a", "t", SIGNED, &body);
    let with = |field: &str, value: Value| {
        let mut payload = good.clone();
        payload[field] = value;
        signed(&payload)
    };
    let text = String::from_utf8(signed(&good)).unwrap();

    for (body, code) in [
        (bytes_of(&good), "MANIFEST_INVALID"),
        (b"{}".to_vec(), "MANIFEST_INVALID"),
        (b"".to_vec(), "MANIFEST_INVALID"),
        (
            text.replace("ES256", "none").into_bytes(),
            "MANIFEST_UNVERIFIED",
        ),
        (
            text.replace("amd64", "arm64").into_bytes(),
            "MANIFEST_UNVERIFIED",
        ),
        (with("name", json!("A")), "NAME_INVALID"),
        (with("history", json!([])), "MANIFEST_INVALID"),
        (
            with("fsLayers", json!([{"blobSum": "x"}])),
            "MANIFEST_INVALID",
        ),
        (with("schemaVersion", json!(2)), "MANIFEST_INVALID"),
    ] {
        let details = registry.send(put(body)).await.assert_error(400, code);
        assert!(details[0].is_string(), "{details:?}");
    }
    let absent = payload(&[sha256(b"1"), layer, sha256(b"2"), sha256(b"1")]);
    let details = registry
        .send(put(signed(&absent)))
        .await
        .assert_error(400, "MANIFEST_BLOB_UNKNOWN");
    assert_eq!(
        details,
        [
            json!({"digest": sha256(b"1")}),
            json!({"digest": sha256(b"2")})
        ]
    );
    let document = signed(&good);
    let by_document = put_manifest("a", &sha256(&document).to_string(), SIGNED, &document);
    registry
        .send(by_document)
        .await
        .assert_error(400, "DIGEST_INVALID");
    registry
        .get("/v2/a/manifests/t")
        .await
        .assert_error(404, "MANIFEST_UNKNOWN");

    // Other types are what they say, and what is unknown is not schema 1 for
    // that alone.
    for (declared, body) in [
        (OCI_MANIFEST, signed(&good)),
        ("text/plain", b"{\"schemaVersion\":2}".to_vec()),
    ] {
        registry
            .send(put_manifest("a", "t", declared, &body))
            .await
            .assert_error(400, "MANIFEST_INVALID");
    }
}

#[tokio::test]
async fn without_the_setting_nothing_is_taken_in_or_converted() {
    let registry = Registry::new();
    let layer = registry.push_blob("a", b"layer").await;
    let document = signed(&payload(&[layer]));
    for declared in [SIGNED, PLAIN, "text/plain"] {
        registry
            .send(put_manifest("a", "t", declared, &document))
            .await
            .assert_error(400, "MANIFEST_INVALID");
    }
    let untyped = request(Method::PUT, "/v2/a/manifests/t").body(&document);
    registry
        .send(untyped)
        .await
        .assert_error(400, "MANIFEST_INVALID");

    let manifest = push_image(&registry, "a", "v2").await;
    for accept in [None, Some(SIGNED)] {
        let answer = get_accepting(&registry, "/v2/a/manifests/v2", accept).await;
        assert_eq!(&answer.body[..], manifest);
    }
    registry
        .get(&format!("/v2/a/blobs/{}", empty_layer()))
        .await
        .assert_error(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn an_image_is_converted_for_those_who_take_no_schema_2() {
    let registry = open();
    let manifest = push_image(&registry, "a", "t").await;
    let by_digest = format!("/v2/a/manifests/{}", sha256(&manifest));
    let tagged = "/v2/a/manifests/t";

    let mut payloads = Vec::new();
    for accept in [None, Some("application/json"), Some(SIGNED)] {
        let answer = get_accepting(&registry, tagged, accept).await;
        assert_eq!(answer.header("vary"), "accept");
        payloads.push(verified(&answer));
        let head = registry.head(tagged).await;
        assert_eq!(head.headers, answer.headers);

        let answer = get_accepting(&registry, &by_digest, accept).await;
        assert_eq!(&answer.body[..], manifest);
    }
    payloads.dedup();
    let [payload] = &payloads[..] else {
        panic!("the same image became two: {payloads:?}")
    };
    let converted: Value = serde_json::from_slice(payload).unwrap();
    assert_eq!(
        (&converted["name"], &converted["tag"]),
        (&json!("a"), &json!("t"))
    );
    assert_eq!(
        converted["fsLayers"],
        json!([
            {"blobSum": sha256(b"layer 2")},
            {"blobSum": empty_layer()},
            {"blobSum": sha256(b"layer 1")},
        ])
    );

    for accept in [
        "*/*",
        "text/html, application/*;q=0.5",
        "application/vnd.docker.distribution.manifest.v2+json",
    ] {
        let answer = get_accepting(&registry, tagged, Some(accept)).await;
        assert_eq!(&answer.body[..], manifest);
        assert_eq!(answer.header("content-type"), DOCKER_MANIFEST);
        assert_eq!(answer.header("vary"), "accept");
    }
    let unchanged =
        request(Method::GET, tagged).header("if-none-match", format!("\"{}\"", sha256(payload)));
    assert_eq!(registry.send(unchanged).await.status, 304);
    let other =
        request(Method::GET, tagged).header("if-none-match", format!("\"{}\"", sha256(&manifest)));
    assert_eq!(registry.send(other).await.status, 200);
}

#[tokio::test]
async fn oci_documents_are_never_converted() {
    let registry = open();
    registry.push_image("a", "oci", "x").await;
    let child = registry.image("a", "x").await;
    let listed = descriptor(OCI_MANIFEST, &bytes_of(&child));
    registry
        .push_manifest("a", "index", OCI_INDEX, &index(OCI_INDEX, &[listed]))
        .await;
    for (tag, media_type) in [("oci", OCI_MANIFEST), ("index", OCI_INDEX)] {
        let answer = registry.get(&format!("/v2/a/manifests/{tag}")).await;
        assert_eq!(answer.header("content-type"), media_type);
    }
}

#[tokio::test]
async fn of_a_list_old_clients_get_linux_on_amd64() {
    let registry = open();
    let manifest = push_image(&registry, "a", "child").await;
    let child = |os: &str, architecture: &str| {
        let mut child = descriptor(DOCKER_MANIFEST, &manifest);
        child["platform"] = json!({"os": os, "architecture": architecture});
        child
    };
    let list = index(
        DOCKER_LIST,
        &[child("linux", "arm64"), child("linux", "amd64")],
    );
    registry
        .push_manifest("a", "list", DOCKER_LIST, &list)
        .await;
    let without = index(DOCKER_LIST, &[child("linux", "arm64")]);
    registry
        .push_manifest("a", "arm", DOCKER_LIST, &without)
        .await;

    let converted = verified(&registry.get("/v2/a/manifests/list").await);
    let converted: Value = serde_json::from_slice(&converted).unwrap();
    assert_eq!(converted["tag"], "list");

    let tagged = "/v2/a/manifests/list";
    for (accept, expected) in [
        (DOCKER_MANIFEST, &manifest),
        (DOCKER_LIST, &bytes_of(&list)),
        ("*/*", &bytes_of(&list)),
    ] {
        let answer = get_accepting(&registry, tagged, Some(accept)).await;
        assert_eq!(&answer.body[..], &expected[..], "{accept}");
        assert_eq!(
            answer.header("docker-content-digest"),
            sha256(expected).to_string()
        );
    }
    let details = registry
        .get("/v2/a/manifests/arm")
        .await
        .assert_error(404, "MANIFEST_UNKNOWN");
    assert_eq!(details[0]["tag"], "arm");
}

#[tokio::test]
async fn what_has_no_form_in_schema_1_says_why() {
    let registry = open();
    let config = "{\"about\":\"x\"}";
    registry.push_blob("a", config.as_bytes()).await;
    registry.push_blob("a", b"layer").await;
    let manifest = super::harness::image(DOCKER_MANIFEST, config);
    registry
        .push_manifest("a", "t", DOCKER_MANIFEST, &manifest)
        .await;
    let details = registry
        .get("/v2/a/manifests/t")
        .await
        .assert_error(400, "MANIFEST_INVALID");
    assert!(details[0].as_str().unwrap().contains("no history"));

    let path = format!("/v2/a/blobs/{}", sha256(config.as_bytes()));
    assert_eq!(registry.delete(&path).await.status, 202);
    let details = registry
        .get("/v2/a/manifests/t")
        .await
        .assert_error(400, "MANIFEST_INVALID");
    assert!(details[0].as_str().unwrap().contains("has no config"));
}

#[tokio::test]
async fn the_empty_layer_is_there_before_anybody_pushes_it() {
    let registry = with_schema1(Registry::on_disk());
    push_image(&registry, "a", "t").await;
    let path = format!("/v2/a/blobs/{}", empty_layer());
    let answer = registry.get(&path).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body[..]),
        (200, EMPTY_LAYER)
    );
    let head = registry.head(&path).await;
    assert_eq!((head.status, head.headers), (answer.status, answer.headers));
    let part = request(Method::GET, &path).header("range", "bytes=2-3");
    let part = registry.send(part).await;
    assert_eq!(
        (part.status.as_u16(), &part.body[..]),
        (206, &EMPTY_LAYER[2..4])
    );
    let link = registry.file(&format!(
        "repositories/a/_layers/sha256/{}/link",
        empty_layer().hex()
    ));
    assert!(!link.exists(), "nothing is written by reading");

    // What was said to be there need not be sent: it is written with the first
    // manifest that names it.
    let layer = registry.push_blob("a", b"layer").await;
    let document = signed(&payload(&[empty_layer(), layer]));
    let answer = registry
        .send(put_manifest("a", "s", SIGNED, &document))
        .await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(
        fs_err::read_to_string(&link).unwrap(),
        empty_layer().to_string()
    );
    assert_eq!(registry.get(&path).await.body, EMPTY_LAYER);
}

#[tokio::test]
async fn a_read_only_registry_converts_too() {
    let registry = open();
    push_image(&registry, "a", "t").await;
    let registry = registry.reopened(|settings| {
        settings.read_only = true;
        settings.schema1 = Some(Schema1 { signing_key: None });
    });
    let converted = verified(&registry.get("/v2/a/manifests/t").await);
    assert_eq!(
        ManifestType::of_stored(&converted).unwrap(),
        ManifestType::DockerSchema1
    );
}
