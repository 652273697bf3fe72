//! Tags that stay what they are, and pulls that are remembered.

use serde_json::json;
use tidegate_config::{ImmutableRule, RetentionRule};
use tidegate_registry::oci::Algorithm;

use super::harness::{OCI_MANIFEST, Registry, bytes_of, image, put_manifest, sha256};

fn with_rule() -> Registry {
    Registry::new().reopened(|settings| {
        settings.immutable = vec![ImmutableRule {
            repositories: "team/*".parse().unwrap(),
            tags: "v*".parse().unwrap(),
        }];
    })
}

#[tokio::test]
async fn an_immutable_tag_cannot_be_moved() {
    let registry = with_rule();
    let first = registry.push_image("team/app", "v1", "first").await;
    let other = bytes_of(&registry.image("team/app", "other").await);
    for reference in [
        "v1".to_owned(),
        format!("{}?tag=latest&tag=v1", sha256(&other)),
    ] {
        let answer = registry
            .send(put_manifest("team/app", &reference, OCI_MANIFEST, &other))
            .await;
        let details = answer.assert_error(409, "DENIED");
        assert_eq!(details[0]["tag"], "v1");
    }
    // Nothing of it was written: neither the manifest nor the other tag.
    let path = format!("/v2/team/app/manifests/{}", sha256(&other));
    registry.get(&path).await.assert_error(404, "MANIFEST_UNKNOWN");
    let tags = registry.get("/v2/team/app/tags/list").await.json();
    assert_eq!(tags["tags"], json!(["v1"]));

    // The same again is no change, by whatever digest.
    let same = bytes_of(&image(OCI_MANIFEST, "{\"about\":\"first\"}"));
    assert_eq!(sha256(&same), first);
    let long = format!("{}?tag=v1", Algorithm::Sha512.digest(&same));
    for reference in ["v1", &long, "v1"] {
        let answer = registry
            .send(put_manifest("team/app", reference, OCI_MANIFEST, &same))
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    // Other tags and other repositories move.
    for (repo, tag) in [("team/app", "latest"), ("team/app/base", "v1"), ("v1", "v1")] {
        registry.push_image(repo, tag, "first").await;
        registry.push_image(repo, tag, "second").await;
    }
}

#[tokio::test]
async fn an_immutable_tag_cannot_be_deleted() {
    let registry = with_rule();
    let kept = registry.push_image("team/app", "v1", "kept").await;
    registry.push_image("team/app", "latest", "kept").await;
    let free = registry.push_image("team/app", "w1", "free").await;
    for reference in ["v1", &kept.to_string()] {
        let answer = registry
            .delete(&format!("/v2/team/app/manifests/{reference}"))
            .await;
        answer.assert_error(409, "DENIED");
    }
    for (reference, status) in [
        ("latest", 202),
        (free.to_string().as_str(), 202),
        ("v2", 404),
    ] {
        let path = format!("/v2/team/app/manifests/{reference}");
        assert_eq!(registry.delete(&path).await.status, status, "{reference}");
    }
    assert_eq!(registry.get("/v2/team/app/manifests/v1").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_create_an_immutable_tag_one_is_refused() {
    let registry = with_rule();
    let manifests = [
        bytes_of(&registry.image("team/app", "one").await),
        bytes_of(&registry.image("team/app", "two").await),
    ];
    for round in 0..20 {
        let tag = format!("v{round}");
        let put = async |bytes: &[u8]| {
            let put = put_manifest("team/app", &tag, OCI_MANIFEST, bytes);
            registry.send(put).await.status.as_u16()
        };
        let (one, two) = futures_util::join!(put(&manifests[0]), put(&manifests[1]));
        let mut statuses = [one, two];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409]);
    }
}

#[tokio::test]
async fn pulls_are_remembered_where_a_rule_asks() {
    let registry = Registry::on_disk().reopened(|settings| {
        settings.retention = vec![RetentionRule {
            repositories: "team/**".parse().unwrap(),
            keep_newest: None,
            keep_pulled_within: Some(std::time::Duration::from_secs(3600)),
            keep_pushed_within: None,
            keep_tags: None,
        }];
    });
    for repo in ["team/app", "other"] {
        registry.push_image(repo, "v1", "x").await;
    }
    let noted = |repo: &str| {
        registry
            .file(&format!("repositories/{repo}/_pulls/v1"))
            .exists()
    };
    assert!(!noted("team/app"), "a push is no pull");
    // As containerd does before it gets the manifest by its digest.
    for repo in ["team/app", "other"] {
        registry.head(&format!("/v2/{repo}/manifests/v1")).await;
    }
    assert!(noted("team/app") && !noted("other"));
}
