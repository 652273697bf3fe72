//! `/v2/<name>/referrers/<digest>`

use serde_json::{Value, json};

use super::harness::{
    Answer, OCI_INDEX, OCI_MANIFEST, Registry, bytes_of, descriptor, index, put_manifest, sha256,
};

fn manifests(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), OCI_INDEX);
    let document: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        (&document["schemaVersion"], &document["mediaType"]),
        (&json!(2), &json!(OCI_INDEX))
    );
    document["manifests"].as_array().unwrap().clone()
}

/// Pushes a manifest about `subject` and returns its descriptor in a list.
async fn attach(registry: &Registry, subject: &Value, artifact_type: &str) -> Value {
    let mut manifest = registry.image("a", artifact_type).await;
    manifest["artifactType"] = json!(artifact_type);
    manifest["subject"] = subject.clone();
    manifest["annotations"] = json!({"by": "a test"});
    let bytes = bytes_of(&manifest);
    let digest = sha256(&bytes).to_string();
    let answer = registry
        .send(put_manifest("a", &digest, OCI_MANIFEST, &bytes))
        .await;
    assert_eq!(answer.status, 201);
    assert_eq!(
        answer.header("oci-subject"),
        subject["digest"].as_str().unwrap()
    );
    json!({
        "mediaType": OCI_MANIFEST,
        "digest": digest,
        "size": bytes.len(),
        "artifactType": artifact_type,
        "annotations": {"by": "a test"},
    })
}

#[tokio::test]
async fn what_refers_to_a_manifest_is_listed() {
    let registry = Registry::new();
    // The subject need not exist yet.
    let subject = descriptor(OCI_MANIFEST, b"an image");
    let path = format!("/v2/a/referrers/{}", sha256(b"an image"));
    assert_eq!(manifests(&registry.get(&path).await), Vec::<Value>::new());

    let signature = attach(&registry, &subject, "application/vnd.example.signature").await;
    let sbom = attach(&registry, &subject, "application/vnd.example.sbom").await;
    let mut expected = vec![signature.clone(), sbom.clone()];
    expected.sort_by_key(|descriptor| descriptor["digest"].to_string());
    let answer = registry.get(&path).await;
    assert_eq!(manifests(&answer), expected);
    assert!(!answer.headers.contains_key("oci-filters-applied"));

    let answer = registry
        .get(&format!("{path}?artifactType=application/vnd.example.sbom"))
        .await;
    assert_eq!(manifests(&answer), std::slice::from_ref(&sbom));
    assert_eq!(answer.header("oci-filters-applied"), "artifactType");

    let gone = format!("/v2/a/manifests/{}", signature["digest"].as_str().unwrap());
    assert_eq!(registry.delete(&gone).await.status, 202);
    assert_eq!(manifests(&registry.get(&path).await), [sbom]);
}

#[tokio::test]
async fn what_clients_recorded_under_a_tag_is_listed_too() {
    let registry = Registry::new();
    let subject = sha256(b"an image");
    let signature = registry.push_image("a", "signature", "x").await;
    let mut listed = descriptor(OCI_MANIFEST, b"");
    listed["digest"] = json!(signature);
    let fallback = index(OCI_INDEX, std::slice::from_ref(&listed));
    let tag = format!("sha256-{}", subject.hex());
    registry
        .push_manifest("a", &tag, OCI_INDEX, &fallback)
        .await;
    let answer = registry.get(&format!("/v2/a/referrers/{subject}")).await;
    assert_eq!(manifests(&answer), [listed]);
}

#[tokio::test]
async fn a_repository_that_is_not_there_has_no_referrers() {
    let answer = Registry::new()
        .get(&format!("/v2/none/referrers/{}", sha256(b"x")))
        .await;
    assert_eq!(manifests(&answer), Vec::<Value>::new());
    Registry::new()
        .get("/v2/none/referrers/latest")
        .await
        .assert_error(400, "DIGEST_INVALID");
}
