//! `PUT /v2/<name>/manifests/<reference>`

use serde_json::json;
use time::OffsetDateTime;

use super::super::super::faulty::{Fault, Operation};
use super::super::super::harness::{DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, bytes_of, sha256};
use super::super::ask::{put, put_document, put_to};
use super::super::expected::{
    NOT_A_TAG, content_unknown, digest_invalid, full, immutable, internal, manifest_invalid,
    manifest_unverified, size_invalid, tag_invalid, unsupported,
};
use super::super::fixture::Condition::{Faulty, Immutable, ReadOnly, Schema1, Unhealthy};
use super::super::fixture::SIGNER;
use super::super::row::{Row, row, section};

pub(super) fn put_manifest() -> Vec<Row> {
    section(
        "PUT /v2/<name>/manifests/<reference>",
        [
            row(
                "a tag that cannot be",
                put(".hidden"),
                tag_invalid().says(NOT_A_TAG),
            ),
            row(
                "a bad tag in `?tag=`",
                put("<manifest>?tag=.bad"),
                tag_invalid().detail(&format!(r#"{{"tag": ".bad", "problem": "{NOT_A_TAG}"}}"#)),
            ),
            row(
                "more than 64 tags in `?tag=`",
                put(&many_tags()),
                tag_invalid()
                    .status(414)
                    .says("one request may name 64 tags"),
            ),
            row(
                "another digest than the body has",
                put("<absent>"),
                digest_invalid().detail(r#"{"expected": "<absent>", "actual": "<manifest>"}"#),
            ),
            row(
                "no JSON",
                put_document("v2", OCI_MANIFEST, b"{"),
                manifest_invalid().says(
                    "the manifest cannot be read: EOF while parsing an object at line 1 \
                     column 1",
                ),
            ),
            row(
                "an empty body",
                put_document("v2", OCI_MANIFEST, b""),
                manifest_invalid().says(
                    "the manifest cannot be read: EOF while parsing a value at line 1 \
                     column 0",
                ),
            ),
            row(
                "an unknown type in the request",
                put("v2").media_type("text/plain"),
                manifest_invalid().says(
                    r#"the media type "text/plain" is not one of an image manifest or index"#,
                ),
            ),
            row(
                "another type than the document says",
                put("v2").media_type(DOCKER_MANIFEST),
                manifest_invalid().says(
                    "the manifest has mediaType \
                     application/vnd.oci.image.manifest.v1+json, but was sent as \
                     application/vnd.docker.distribution.manifest.v2+json",
                ),
            ),
            row(
                "an old version of the schema",
                put_document("v2", OCI_MANIFEST, br#"{"schemaVersion":1}"#),
                manifest_invalid().says("the manifest has schemaVersion 1, expected 2"),
            ),
            row(
                "a field is missing",
                put_document("v2", OCI_MANIFEST, br#"{"schemaVersion":2}"#),
                manifest_invalid().says(
                    "a document of type application/vnd.oci.image.manifest.v1+json must \
                     have the field config",
                ),
            ),
            row(
                "fields of a manifest and of an index",
                put_document(
                    "v2",
                    OCI_INDEX,
                    br#"{"schemaVersion":2,"manifests":[],"layers":[]}"#,
                ),
                manifest_invalid().says(
                    "a document of type application/vnd.oci.image.index.v1+json must \
                     not have the field layers",
                ),
            ),
            row(
                "content that the repository does not have",
                put_to("other", "v1"),
                content_unknown().detail(r#"{"digest": "<config>"}"#),
            ),
            row(
                "more than 4 MiB",
                put_document("v2", OCI_MANIFEST, &vec![b' '; 4 * 1024 * 1024 + 1]),
                manifest_invalid()
                    .status(413)
                    .says("the manifest is larger than 4194304 bytes"),
            ),
            row(
                "a body shorter than `Content-Length`",
                put("v2").announcing(9999),
                size_invalid().detail(r#"{"expected": 9999, "received": <size>}"#),
            ),
            row(
                "a descriptor with `data` that is not its content",
                put_document("v2", OCI_INDEX, WRONG_DATA),
                manifest_invalid().says(
                    "the data of the descriptor of \
                     sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a \
                     has digest \
                     sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
                ),
            ),
            row(
                "a body longer than `Content-Length`",
                put_document("v2", OCI_MANIFEST, b"{}").announcing(1),
                size_invalid().detail(r#"{"expected": 1, "received": 2}"#),
            ),
            row("any manifest", put("v2"), unsupported("GET, HEAD")).when(ReadOnly),
            row(
                "another manifest for a tag that stays",
                put_document("v1", OCI_INDEX, OTHER),
                immutable(),
            )
            .when(Immutable),
            row(
                "another SHA-512 digest than the body has",
                put("<absent-512>"),
                digest_invalid()
                    .detail(r#"{"expected": "<absent-512>", "actual": "<manifest-512>"}"#),
            ),
            row(
                "a child that the repository does not have",
                put_document("v2", OCI_INDEX, ABSENT_CHILD),
                content_unknown().detail(&format!(r#"{{"digest": "{EMPTY}"}}"#)),
            ),
            row(
                "a body that breaks off",
                put("v2").cut_after("{"),
                manifest_invalid().says("the body of the request broke off"),
            ),
            row(
                "a tag in `?tag=` that stays",
                put_document(&other_by_digest(), OCI_INDEX, OTHER),
                immutable(),
            )
            .when(Immutable),
            row(
                "a schema 1 manifest",
                put_document("v2", SCHEMA1, signed().as_bytes()),
                manifest_invalid().says("the manifest has schemaVersion 1, expected 2"),
            ),
            row(
                "a schema 1 manifest that is not signed",
                put_document("v2", SCHEMA1, br#"{"schemaVersion":1}"#),
                manifest_invalid().says("the manifest has schemaVersion 1 and no signatures"),
            )
            .when(Schema1),
            row(
                "a schema 1 manifest that was changed after it was signed",
                put_document("v2", SCHEMA1, forged().as_bytes()),
                manifest_unverified()
                    .says("signatures[0] is no ES256 signature of this manifest by the key <key>"),
            )
            .when(Schema1),
            row("what it names cannot be looked for", put("v2"), internal())
                .when(Faulty(Operation::ClaimBlob, Fault::Broken)),
            row("it cannot be written", put("v2"), internal())
                .when(Faulty(Operation::PutManifest, Fault::Broken)),
            row("there is no room for it", put("v2"), full())
                .when(Faulty(Operation::PutManifest, Fault::Full)),
            row("any manifest", put("v2"), full()).when(Unhealthy(Fault::Full)),
        ],
    )
}

/// A reference with one tag too many.
fn many_tags() -> String {
    let tags: String = (0..65).map(|tag| format!("&tag=t{tag}")).collect();
    format!("<manifest>?{tags}")
}

/// The digest of `{}`.
const EMPTY: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

/// An index that lists it.
const ABSENT_CHILD: &[u8] = br#"{
    "schemaVersion": 2,
    "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "size": 2,
        "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    }]
}"#;

/// Another manifest than that of the fixture.
const OTHER: &[u8] = br#"{"schemaVersion":2,"manifests":[]}"#;

/// Its digest, with the request for a tag.
fn other_by_digest() -> String {
    format!("{}?tag=v1", sha256(OTHER))
}

const SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";

/// A signed manifest of the fixture's layer.
fn signed() -> String {
    let payload = json!({
        "schemaVersion": 1,
        "name": "app",
        "tag": "v2",
        "architecture": "amd64",
        "fsLayers": [{"blobSum": sha256(b"layer")}],
        "history": [{"v1Compatibility": "{\"id\":\"x\"}"}],
    });
    let signed = SIGNER.sign(&bytes_of(&payload), OffsetDateTime::UNIX_EPOCH);
    String::from_utf8(signed.unwrap()).unwrap()
}

/// The same, after somebody has changed it.
fn forged() -> String {
    signed().replace("amd64", "arm64")
}

/// `{}` is announced, and `[]` is there.
const WRONG_DATA: &[u8] = br#"{
    "schemaVersion": 2,
    "manifests": [{
        "mediaType": "a/b",
        "size": 2,
        "data": "W10=",
        "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    }]
}"#;
