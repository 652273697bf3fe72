//! `/v2/<name>/manifests/<reference>`, apart from PUT.

use super::super::super::faulty::{Fault, Operation};
use super::super::ask::ask;
use super::super::expected::{
    NOT_A_TAG, digest_invalid, immutable, internal, manifest_unknown, unsupported,
};
use super::super::fixture::Condition::{Faulty, Immutable, NoDelete, ReadOnly};
use super::super::row::{Row, row, section};

pub(super) fn get() -> Vec<Row> {
    section(
        "GET /v2/<name>/manifests/<reference>",
        [
            row(
                "no such tag",
                ask("GET /v2/app/manifests/none"),
                manifest_unknown().detail(r#"{"tag": "none"}"#),
            ),
            row(
                "no such digest",
                ask("GET /v2/app/manifests/<absent>"),
                manifest_unknown().detail(r#"{"digest": "<absent>"}"#),
            ),
            row(
                "no such SHA-512 digest",
                ask("GET /v2/app/manifests/<absent-512>"),
                manifest_unknown().detail(r#"{"digest": "<absent-512>"}"#),
            ),
            row(
                "no such repository",
                ask("GET /v2/none/manifests/v1"),
                manifest_unknown().detail(r#"{"tag": "v1"}"#),
            ),
            row(
                "the digest of a layer",
                ask("GET /v2/app/manifests/<layer>"),
                manifest_unknown().detail(r#"{"digest": "<layer>"}"#),
            ),
            row(
                "a tag that cannot be",
                ask("GET /v2/app/manifests/.hidden"),
                manifest_unknown().says(NOT_A_TAG),
            ),
            row(
                "a digest that is too short",
                ask("GET /v2/app/manifests/sha256:12"),
                digest_invalid().says("the digest has 2 characters of hex, expected 64"),
            ),
            row(
                "a digest in upper case",
                ask(&format!("GET /v2/app/manifests/sha256:{}", "A".repeat(64))),
                digest_invalid().says("the digest has a character other than 0-9 and a-f"),
            ),
            row(
                "wrong method",
                ask("POST /v2/app/manifests/v1"),
                unsupported("GET, HEAD, PUT, DELETE"),
            ),
            row(
                "the tag cannot be read",
                ask("GET /v2/app/manifests/v1"),
                internal(),
            )
            .when(Faulty(Operation::Tagged, Fault::Broken)),
            row(
                "the tag's link makes no sense",
                ask("GET /v2/app/manifests/v1"),
                internal(),
            )
            .when(Faulty(Operation::Tagged, Fault::Damaged)),
            row(
                "the manifest cannot be read",
                ask("GET /v2/app/manifests/<manifest>"),
                internal(),
            )
            .when(Faulty(Operation::Manifest, Fault::Broken)),
            row(
                "the manifest's link makes no sense",
                ask("GET /v2/app/manifests/<manifest>"),
                internal(),
            )
            .when(Faulty(Operation::Manifest, Fault::Damaged)),
            row(
                "HEAD: that it is used cannot be noted",
                ask("HEAD /v2/app/manifests/v1"),
                internal(),
            )
            .when(Faulty(Operation::ClaimManifest, Fault::Broken)),
        ],
    )
}

pub(super) fn delete() -> Vec<Row> {
    section(
        "DELETE /v2/<name>/manifests/<reference>",
        [
            row(
                "no such tag",
                ask("DELETE /v2/app/manifests/none"),
                manifest_unknown().detail(r#"{"tag": "none"}"#),
            ),
            row(
                "no such digest",
                ask("DELETE /v2/app/manifests/<absent>"),
                manifest_unknown().detail(r#"{"digest": "<absent>"}"#),
            ),
            row(
                "no such repository",
                ask("DELETE /v2/none/manifests/v1"),
                manifest_unknown().detail(r#"{"tag": "v1"}"#),
            ),
            row(
                "a tag that cannot be",
                ask("DELETE /v2/app/manifests/.hidden"),
                manifest_unknown().says(NOT_A_TAG),
            ),
            row(
                "a digest that is too short",
                ask("DELETE /v2/app/manifests/sha256:12"),
                digest_invalid().says("the digest has 2 characters of hex, expected 64"),
            ),
            row(
                "a tag that stays",
                ask("DELETE /v2/app/manifests/v1"),
                immutable(),
            )
            .when(Immutable),
            row(
                "the manifest of a tag that stays",
                ask("DELETE /v2/app/manifests/<manifest>"),
                immutable(),
            )
            .when(Immutable),
            row(
                "any manifest",
                ask("DELETE /v2/app/manifests/<manifest>"),
                unsupported("GET, HEAD, PUT"),
            )
            .when(NoDelete),
            row(
                "any tag",
                ask("DELETE /v2/app/manifests/v1"),
                unsupported("GET, HEAD"),
            )
            .when(ReadOnly),
            row(
                "the digest of a layer",
                ask("DELETE /v2/app/manifests/<layer>"),
                manifest_unknown().detail(r#"{"digest": "<layer>"}"#),
            ),
            row(
                "any manifest",
                ask("DELETE /v2/app/manifests/<manifest>"),
                unsupported("GET, HEAD"),
            )
            .when(ReadOnly),
            row(
                "the manifest cannot be removed",
                ask("DELETE /v2/app/manifests/<manifest>"),
                internal(),
            )
            .when(Faulty(Operation::DeleteManifest, Fault::Broken)),
            row(
                "a SHA-512 digest whose link makes no sense",
                ask("DELETE /v2/app/manifests/<absent-512>"),
                internal(),
            )
            .when(Faulty(Operation::DeleteManifest, Fault::Damaged)),
            row(
                "the tag cannot be removed",
                ask("DELETE /v2/app/manifests/v1"),
                internal(),
            )
            .when(Faulty(Operation::DeleteTag, Fault::Broken)),
        ],
    )
}
