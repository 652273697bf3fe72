use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::schema1::{Jws, Schema1Manifest};

const CONFIG: &str = include_str!("../testdata/config.json");

fn layer(content: &str) -> Digest {
    Algorithm::Sha256.digest(content.as_bytes())
}

fn converted(config: &str, layers: &[Digest]) -> Result<Vec<u8>, ConvertError> {
    let (repo, tag) = ("new/app".parse().unwrap(), "v1".parse().unwrap());
    convert(&repo, &tag, config.as_bytes(), layers)
}

/// The steps of the history in the payload, the newest first.
fn history(payload: &[u8]) -> Vec<Value> {
    let payload: Value = serde_json::from_slice(payload).unwrap();
    let entries = payload["history"].as_array().unwrap().iter();
    entries
        .map(|entry| serde_json::from_str(entry["v1Compatibility"].as_str().unwrap()).unwrap())
        .collect()
}

#[test]
fn the_payload_is_docker_registrys_to_the_byte() {
    let theirs = Jws::parse(include_bytes!("../testdata/converted.json")).unwrap();
    let ours = converted(CONFIG, &[layer("first layer"), layer("second layer")]).unwrap();
    assert_eq!(
        String::from_utf8(ours).unwrap(),
        String::from_utf8(theirs.into_payload()).unwrap()
    );
}

#[test]
fn the_empty_layer_has_the_digest_that_everybody_knows() {
    assert_eq!(
        empty_layer().to_string(),
        "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4"
    );
}

#[test]
fn an_image_of_one_step_has_no_parent() {
    let config = json!({
        "architecture": "arm64",
        "rootfs": {"type": "layers", "diff_ids": []},
        "history": [{"empty_layer": true}],
    });
    let payload = converted(&config.to_string(), &[]).unwrap();
    let entries = history(&payload);
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["throwaway"], true);
    assert_eq!(entries[0].get("parent"), None);
    let manifest = Schema1Manifest::parse(&payload).unwrap();
    assert_eq!(manifest.architecture(), "arm64");
    assert_eq!(manifest.layers(), [empty_layer()]);
}

#[test]
fn a_layer_below_the_first_is_its_parent() {
    let config = json!({
        "rootfs": {"type": "layers+base", "diff_ids": ["a", "b"], "base_layer": "windows"},
        "history": [{}, {}],
    });
    let entries = history(&converted(&config.to_string(), &[layer("a"), layer("b")]).unwrap());
    let below = hex::encode(&Sha384::digest("windows")[..32]);
    assert_eq!(entries[1]["parent"], below);
    assert_eq!(entries[0]["parent"], entries[1]["id"]);
}

#[test]
fn what_has_no_form_in_schema_1_is_named() {
    let steps = |count: usize| json!(vec![json!({}); count]);
    let rootfs = json!({"diff_ids": ["a"]});
    for (config, said) in [
        (json!("text"), "cannot be read"),
        (json!({"rootfs": rootfs}), "no history"),
        (json!({"rootfs": rootfs, "history": null}), "no history"),
        (json!({"history": steps(1)}), "no rootfs"),
        (
            json!({"rootfs": rootfs, "history": steps(2)}),
            "history tells of 2",
        ),
        (json!({"rootfs": {}, "history": steps(1)}), "diff_ids has 0"),
        (
            json!({"rootfs": rootfs, "history": [{"created": "yesterday"}]}),
            "\"yesterday\"",
        ),
    ] {
        let error = converted(&config.to_string(), &[layer("a")]).unwrap_err();
        assert!(error.to_string().contains(said), "{config}: {error}");
    }
}

#[test]
fn the_result_is_no_larger_than_a_manifest_may_be() {
    // 20 bytes each here, hundreds each there.
    let mut history = vec![json!({"empty_layer": true}); 100_000];
    let config = |history: &[Value]| json!({"rootfs": {}, "history": history}).to_string();
    let large = config(&history);
    assert!(large.len() < MANIFEST_SIZE_LIMIT);
    assert!(matches!(
        converted(&large, &[]),
        Err(ConvertError::TooLarge)
    ));
    history.truncate(5_000);
    assert!(converted(&config(&history), &[]).unwrap().len() <= MANIFEST_SIZE_LIMIT);
}

#[test]
fn the_first_linux_on_amd64_is_chosen() {
    let child = |about: &str, platform: Value| json!({"mediaType": "x", "size": 1, "digest": layer(about), "platform": platform});
    let list = json!({"schemaVersion": 2, "manifests": [
        child("none", Value::Null),
        child("windows", json!({"os": "windows", "architecture": "amd64"})),
        child("arm", json!({"os": "linux", "architecture": "arm64"})),
        child("first", json!({"os": "linux", "architecture": "amd64", "variant": "v3"})),
        child("second", json!({"os": "linux", "architecture": "amd64"})),
    ]});
    assert_eq!(
        linux_amd64(list.to_string().as_bytes()),
        Some(layer("first"))
    );
    for list in ["", "{}", "{\"manifests\":[]}", "{\"manifests\":[{}]}"] {
        assert_eq!(linux_amd64(list.as_bytes()), None);
    }
}

fn any_step() -> impl Strategy<Value = Value> {
    (
        any::<bool>(),
        any::<String>(),
        any::<String>(),
        0_i64..4_000_000_000,
    )
        .prop_map(|(empty, text, author, second)| {
            let created = OffsetDateTime::from_unix_timestamp(second).unwrap();
            json!({
                "created": created.format(&Rfc3339).unwrap(),
                "created_by": text,
                "author": author,
                "empty_layer": empty,
            })
        })
}

proptest! {
    #[test]
    fn never_panics(config in ".{0,400}") {
        let _ = converted(&config, &[]);
        let _ = linux_amd64(config.as_bytes());
    }

    #[test]
    fn every_image_becomes_a_chain_of_steps(
        steps in prop::collection::vec(any_step(), 1..8),
        label: String,
    ) {
        let filled = steps.iter().filter(|step| step["empty_layer"] == false).count();
        let layers: Vec<Digest> = (0..filled).map(|n| layer(&n.to_string())).collect();
        let config = json!({
            "architecture": "amd64",
            "config": {"Labels": {"label": label}},
            "rootfs": {"type": "layers", "diff_ids": layers},
            "history": steps,
        });
        let payload = converted(&config.to_string(), &layers).unwrap();

        let manifest = Schema1Manifest::parse(&payload).unwrap();
        let mut given = manifest.layers().to_vec();
        given.retain(|layer| *layer != empty_layer());
        given.reverse();
        prop_assert_eq!(&given, &layers);

        let entries = history(&payload);
        prop_assert_eq!(entries.len(), steps.len());
        for pair in entries.windows(2) {
            prop_assert_eq!(&pair[0]["parent"], &pair[1]["id"]);
        }
        for (entry, step) in entries.iter().skip(1).zip(steps.iter().rev().skip(1)) {
            prop_assert_eq!(&entry["container_config"]["Cmd"][0], &step["created_by"]);
            prop_assert_eq!(&entry["created"], &step["created"]);
        }
        prop_assert_eq!(&entries[0]["config"], &config["config"]);
        prop_assert_eq!(payload, converted(&config.to_string(), &layers).unwrap());
    }
}
