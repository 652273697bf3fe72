//! What is accepted as a manifest, and what is not.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::oci::Algorithm;

fn descriptor(media_type: &str, content: &str) -> Value {
    json!({
        "mediaType": media_type,
        "digest": Algorithm::Sha256.digest(content.as_bytes()),
        "size": content.len(),
    })
}

fn image(media_type: &str) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": descriptor("application/vnd.oci.image.config.v1+json", "config"),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", "layer")],
    })
}

fn index(media_type: &str) -> Value {
    let child = descriptor(ManifestType::OciManifest.as_str(), "child");
    json!({"schemaVersion": 2, "mediaType": media_type, "manifests": [child]})
}

fn without(mut document: Value, field: &str) -> Value {
    document.as_object_mut().unwrap().remove(field);
    document
}

fn with(mut document: Value, field: &str, value: Value) -> Value {
    document[field] = value;
    document
}

fn parse(document: &Value, declared: Option<ManifestType>) -> Result<Manifest, ManifestError> {
    Manifest::parse(&serde_json::to_vec(document).unwrap(), declared)
}

const PUSHED: [ManifestType; 4] = [
    ManifestType::OciManifest,
    ManifestType::OciIndex,
    ManifestType::DockerManifest,
    ManifestType::DockerList,
];

fn sample(kind: ManifestType) -> Value {
    if kind.is_index() {
        index(kind.as_str())
    } else {
        image(kind.as_str())
    }
}

#[test]
fn each_of_the_four_types_is_read_and_recognized_again() {
    for kind in PUSHED {
        let document = sample(kind);
        for declared in [None, Some(kind)] {
            let manifest = parse(&document, declared).unwrap();
            assert_eq!(manifest.media_type(), kind);
            assert_eq!(
                manifest.blobs().count(),
                if kind.is_index() { 0 } else { 2 }
            );
            assert_eq!(manifest.children().count(), usize::from(kind.is_index()));
        }
        let bytes = serde_json::to_vec(&document).unwrap();
        assert_eq!(ManifestType::of_stored(&bytes).unwrap(), kind);
    }
}

#[test]
fn only_oci_documents_may_leave_their_type_out() {
    for kind in PUSHED {
        let document = without(sample(kind), "mediaType");
        let result = parse(&document, Some(kind));
        match kind {
            ManifestType::OciManifest | ManifestType::OciIndex => {
                assert_eq!(result.unwrap().media_type(), kind);
                let bytes = serde_json::to_vec(&document).unwrap();
                assert_eq!(ManifestType::of_stored(&bytes).unwrap(), kind);
            }
            _ => assert!(matches!(result, Err(ManifestError::TypeRequired { .. }))),
        }
    }
}

#[test]
fn the_request_and_the_document_must_agree() {
    let document = image(ManifestType::OciManifest.as_str());
    let error = parse(&document, Some(ManifestType::DockerManifest)).unwrap_err();
    assert!(
        matches!(error, ManifestError::TypeMismatch { .. }),
        "{error}"
    );

    let shaped_as_index = without(index(""), "mediaType");
    let error = parse(&shaped_as_index, Some(ManifestType::OciManifest)).unwrap_err();
    assert!(
        matches!(
            error,
            ManifestError::MixedFields {
                field: "manifests",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn fields_of_the_other_kind_are_refused() {
    for kind in PUSHED {
        let (field, value) = match kind.is_index() {
            true => ("layers", json!([])),
            false => ("manifests", json!(null)),
        };
        let error = parse(&with(sample(kind), field, value), None).unwrap_err();
        assert!(
            matches!(error, ManifestError::MixedFields { .. }),
            "{kind}: {error}"
        );
    }
}

#[test]
fn required_fields_are_required() {
    for (kind, field) in [
        (ManifestType::OciManifest, "config"),
        (ManifestType::DockerManifest, "layers"),
        (ManifestType::DockerList, "manifests"),
    ] {
        let error = parse(&without(sample(kind), field), None).unwrap_err();
        assert!(
            matches!(error, ManifestError::MissingField { .. }),
            "{kind}: {error}"
        );
    }
    let no_size = json!({"mediaType": "x", "digest": Algorithm::Sha256.digest(b"")});
    let error = parse(&with(image(""), "config", no_size), None).unwrap_err();
    assert!(
        error.to_string().contains("missing field `size`"),
        "{error}"
    );
}

#[test]
fn a_foreign_layer_with_a_url_may_be_elsewhere() {
    let kind = ManifestType::DockerManifest.as_str();
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let count = |urls: Value| {
        let layer = with(descriptor(foreign, "windows"), "urls", urls);
        parse(&with(image(kind), "layers", json!([layer])), None)
            .unwrap()
            .blobs()
            .count()
    };
    assert_eq!(count(json!(["https://mcr.example/layer"])), 1);
    assert_eq!(count(json!(["file:///etc/passwd"])), 2);
    assert_eq!(count(json!([])), 2);
    assert_eq!(count(json!(null)), 2);
}

#[test]
fn an_empty_list_may_be_written_as_null() {
    let document = with(
        index(ManifestType::OciIndex.as_str()),
        "manifests",
        json!(null),
    );
    assert_eq!(parse(&document, None).unwrap().children().count(), 0);
    let bytes = serde_json::to_vec(&without(document, "mediaType")).unwrap();
    assert_eq!(
        ManifestType::of_stored(&bytes).unwrap(),
        ManifestType::OciIndex
    );
}

#[test]
fn the_artifact_type_falls_back_to_that_of_the_configuration() {
    let document = image(ManifestType::OciManifest.as_str());
    let plain = parse(&document, None).unwrap();
    assert_eq!(
        plain.artifact_type(),
        Some("application/vnd.oci.image.config.v1+json")
    );
    let signed = parse(&with(document, "artifactType", json!("a/sig")), None).unwrap();
    assert_eq!(signed.artifact_type(), Some("a/sig"));
}

#[test]
fn documents_of_the_first_schema_are_recognized_but_not_accepted() {
    let plain = br#"{"schemaVersion":1,"name":"a","fsLayers":[]}"#;
    let signed = br#"{"schemaVersion":1,"signatures":[{}]}"#;
    assert_eq!(
        ManifestType::of_stored(plain).unwrap(),
        ManifestType::DockerSchema1
    );
    assert_eq!(
        ManifestType::of_stored(signed).unwrap(),
        ManifestType::DockerSchema1Signed
    );
    let error = Manifest::parse(plain, None).unwrap_err();
    assert!(
        matches!(error, ManifestError::SchemaVersion { got: 1 }),
        "{error}"
    );
}

#[test]
fn refuses_what_two_parsers_could_read_differently() {
    for twice in [
        &br#"{"schemaVersion":2,"layers":[],"layers":[]}"#[..],
        br#"{"schemaVersion":2,"manifests":[],"signatures":1,"signatures":2}"#,
    ] {
        assert!(matches!(
            Manifest::parse(twice, None),
            Err(ManifestError::Json(_))
        ));
    }
    let trailing = br#"{"schemaVersion":2,"manifests":[]} {}"#;
    assert!(matches!(
        Manifest::parse(trailing, None),
        Err(ManifestError::Json(_))
    ));
    assert!(ManifestType::of_stored(b"").is_err());
}

#[test]
fn the_limit_is_four_mebibytes() {
    let document = serde_json::to_vec(&image(ManifestType::OciManifest.as_str())).unwrap();
    let mut padded = document;
    padded.resize(MANIFEST_SIZE_LIMIT, b' ');
    assert!(Manifest::parse(&padded, None).is_ok());
    padded.push(b' ');
    assert!(matches!(
        Manifest::parse(&padded, None),
        Err(ManifestError::TooLarge)
    ));
}

proptest! {
    #[test]
    fn never_panics(bytes: Vec<u8>) {
        let _ = Manifest::parse(&bytes, None);
        let _ = ManifestType::of_stored(&bytes);
    }

    /// What is accepted is served with the type it was accepted as.
    #[test]
    fn accepted_documents_keep_their_type(
        declared in proptest::option::of(proptest::sample::select(PUSHED.to_vec())),
        kind in proptest::sample::select(PUSHED.to_vec()),
        dropped in proptest::sample::subsequence(vec!["mediaType", "config", "layers", "manifests"], 0..3),
        emptied in proptest::sample::subsequence(vec!["mediaType", "subject", "artifactType"], 0..2),
    ) {
        let mut document = sample(kind);
        for field in dropped {
            document = without(document, field);
        }
        for field in emptied {
            let value = if field == "subject" { json!(null) } else { json!("") };
            document = with(document, field, value);
        }
        let bytes = serde_json::to_vec(&document).unwrap();
        if let Ok(manifest) = Manifest::parse(&bytes, declared) {
            prop_assert_eq!(ManifestType::of_stored(&bytes).unwrap(), manifest.media_type());
        }
    }
}
