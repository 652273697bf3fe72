//! `/v2/<name>/referrers/<digest>`

use serde_json::{Value, json};
use tidegate_registry::oci::Algorithm;

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

/// The digest of a manifest about `subject` whose annotations have `size` bytes.
async fn attach_large(registry: &Registry, subject: &Value, by: usize, size: usize) -> String {
    let mut manifest = registry.image("a", "large").await;
    manifest["artifactType"] = json!(["application/vnd.odd", "application/vnd.even+x"][by % 2]);
    manifest["subject"] = subject.clone();
    manifest["annotations"] = json!({"by": by.to_string(), "large": "x".repeat(size)});
    let bytes = bytes_of(&manifest);
    let digest = sha256(&bytes).to_string();
    let answer = registry
        .send(put_manifest("a", &digest, OCI_MANIFEST, &bytes))
        .await;
    assert_eq!(answer.status, 201);
    digest
}

#[tokio::test]
async fn what_is_too_much_for_one_answer_comes_in_pages() {
    let registry = Registry::new();
    let subject = descriptor(OCI_MANIFEST, b"an image");
    let mut all = Vec::new();
    for by in 0..6 {
        all.push(attach_large(&registry, &subject, by, 1_500_000).await);
    }
    let even: Vec<_> = all.iter().skip(1).step_by(2).cloned().collect();
    let path = format!("/v2/a/referrers/{}", sha256(b"an image"));
    for (first, mut expected) in [
        (path.clone(), all),
        (format!("{path}?artifactType=application/vnd.even%2Bx"), even),
    ] {
        expected.sort();
        let (mut seen, mut pages, mut next) = (Vec::new(), 0, Some(first.clone()));
        while let Some(path) = next {
            let answer = registry.get(&path).await;
            assert!(answer.body.len() <= 4 * 1024 * 1024, "{}", answer.body.len());
            assert_eq!(
                answer.headers.contains_key("oci-filters-applied"),
                first.contains("artifactType")
            );
            assert_eq!(registry.head(&path).await.headers, answer.headers);
            let digests = manifests(&answer);
            seen.extend(digests.iter().map(|m| m["digest"].as_str().unwrap().to_owned()));
            pages += 1;
            next = answer.headers.contains_key("link").then(|| {
                let link = answer.header("link");
                link.strip_prefix('<')
                    .and_then(|link| link.strip_suffix(">; rel=\"next\""))
                    .expect("a link to the next page")
                    .to_owned()
            });
        }
        assert_eq!(seen, expected);
        assert_eq!(pages, expected.len().div_ceil(2));
    }
    let details = registry
        .get(&format!("{path}?last=x"))
        .await
        .assert_error(400, "DIGEST_INVALID");
    assert_eq!(details[0]["last"], "x");
}

#[tokio::test]
async fn a_record_of_what_is_gone_is_not_listed() {
    let registry = Registry::new();
    let subject = sha256(b"an image");
    let signature = registry.push_image("a", "signature", "x").await;
    let mut listed = descriptor(OCI_MANIFEST, b"");
    listed["digest"] = json!(signature);
    let tag = format!("sha256-{}", subject.hex());
    let fallback = index(OCI_INDEX, &[listed]);
    registry
        .push_manifest("a", &tag, OCI_INDEX, &fallback)
        .await;
    registry
        .delete(&format!("/v2/a/manifests/{signature}"))
        .await;
    let answer = registry.get(&format!("/v2/a/referrers/{subject}")).await;
    assert_eq!(manifests(&answer), Vec::<Value>::new());
}

#[tokio::test]
async fn a_subject_may_be_named_by_sha512() {
    let registry = Registry::new();
    let subject = Algorithm::Sha512.digest(b"an image");
    let named = json!({"mediaType": OCI_MANIFEST, "digest": subject, "size": 8});
    let about = attach(&registry, &named, "application/vnd.example.sbom").await;
    let answer = registry.get(&format!("/v2/a/referrers/{subject}")).await;
    assert_eq!(manifests(&answer), std::slice::from_ref(&about));
    let gone = format!("/v2/a/manifests/{}", about["digest"].as_str().unwrap());
    assert_eq!(registry.delete(&gone).await.status, 202);
    let answer = registry.get(&format!("/v2/a/referrers/{subject}")).await;
    assert_eq!(manifests(&answer), Vec::<Value>::new());
}
