//! What leads somewhere, but to the wrong thing.

use super::*;

fn found<'a>(report: &'a Report, subject: &str) -> Vec<(Kind, &'a str)> {
    let findings = report.findings.iter();
    findings
        .filter(|finding| finding.subject == subject)
        .map(|finding| (finding.kind, finding.problem.as_str()))
        .collect()
}

#[tokio::test]
async fn images_of_corrupt_layers_are_named_also_where_nothing_is_moved() {
    let registry = Registry::new();
    let layer = registry.push("a", "layer").await;
    let manifest = registry.put("a", &layer, "v1").await;
    fs::write(registry.content(&layer), b"Layer").unwrap();
    let options = Options {
        quarantine: false,
        ..options()
    };
    let report = run(&registry.store, &options, &()).await.unwrap();
    let named = found(&report, &format!("a@{manifest} (v1)"));
    assert_eq!(named.len(), 1, "{report:?}");
    assert_eq!(named[0].0, Kind::Corrupt);
    assert!(named[0].1.contains(&layer.to_string()), "{named:?}");
}

#[tokio::test]
async fn a_layer_with_another_name_has_that_digest() {
    let registry = Registry::new();
    let long = Algorithm::Sha512.digest(b"layer");
    push_by(&*registry.store, "a", "layer", &long).await;
    assert_eq!(registry.scrub().await.findings, []);
    let other = registry.push("a", "other").await;
    let link = format!("repositories/a/_layers/sha512/{}/link", long.hex());
    fs::write(registry.file(&link), other.to_string()).unwrap();
    let report = registry.scrub().await;
    assert_eq!(report.findings.len(), 1);
    let named = found(&report, &format!("a@{long}"));
    let actual = Algorithm::Sha512.digest(b"other");
    assert_eq!(named[0].0, Kind::BrokenLink);
    assert!(named[0].1.contains(&actual.to_string()), "{named:?}");
    // A push mends it.
    push_by(&*registry.store, "a", "layer", &long).await;
    assert_eq!(registry.scrub().await.findings, []);
}

#[tokio::test]
async fn a_manifest_with_another_name_has_that_digest() {
    let registry = Registry::new();
    let layer = registry.push("a", "layer").await;
    let kept = registry.put("a", &layer, "v1").await;
    let bytes = Bytes::from_static(br#"{"schemaVersion":2,"manifests":[]}"#);
    let long = Algorithm::Sha512.digest(&bytes);
    let manifest = NewManifest {
        digest: long,
        bytes,
        subject: None,
        tags: Vec::new(),
    };
    let repo = repo_of("a");
    registry.store.put_manifest(&repo, manifest).await.unwrap();
    assert_eq!(registry.scrub().await.findings, []);
    let link = format!("repositories/a/_aliases/digests/sha512/{}/link", long.hex());
    fs::write(registry.file(&link), kept.to_string()).unwrap();
    let report = registry.scrub().await;
    let named = found(&report, &format!("a@{kept} (v1)"));
    assert_eq!(named.len(), 1, "{report:?}");
    assert_eq!(named[0].0, Kind::BrokenLink);
}

#[tokio::test]
async fn a_referrer_is_listed_under_the_subject_that_it_names() {
    let registry = Registry::new();
    let layer = registry.push("a", "layer").await;
    let subject = registry.put("a", &layer, "v1").await;
    let mut document: serde_json::Value = serde_json::from_slice(&image(&layer, 5)).unwrap();
    document["subject"] = json!({"mediaType": "x/y", "digest": subject, "size": 1});
    let bytes = Bytes::from(document.to_string());
    let referrer = registry
        .put_bytes("a", bytes, Some(subject), Vec::new())
        .await;
    assert_eq!(registry.scrub().await.findings, []);
    let listed = registry.file("repositories/a/_referrers/sha256");
    fs::rename(listed.join(subject.hex()), listed.join(layer.hex())).unwrap();
    let report = registry.scrub().await;
    let named = found(&report, &format!("a@{referrer}"));
    assert_eq!(named.len(), 1, "{report:?}");
    assert!(named[0].1.contains(&layer.to_string()), "{named:?}");
    assert!(named[0].1.contains(&subject.to_string()), "{named:?}");
}

#[tokio::test]
async fn an_index_says_how_large_its_manifests_are() {
    let registry = Registry::new();
    let layer = registry.push("a", "layer").await;
    let child = registry.put("a", &layer, "amd64").await;
    let right = image(&layer, 5).len();
    for (size, findings) in [(right, 0), (right + 1, 1)] {
        let kind = "application/vnd.oci.image.index.v1+json";
        let listed = json!({"mediaType": "x/y", "digest": child, "size": size});
        let index = json!({"schemaVersion": 2, "mediaType": kind, "manifests": [listed]});
        let tags = vec!["latest".parse().unwrap()];
        let bytes = Bytes::from(index.to_string());
        let index = registry.put_bytes("a", bytes, None, tags).await;
        let report = registry.scrub().await;
        let named = found(&report, &format!("a@{index} (latest)"));
        assert_eq!(named.len(), findings, "{report:?}");
    }
}
