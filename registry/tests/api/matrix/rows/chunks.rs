//! `/v2/<name>/blobs/uploads/<id>` with bytes.

use super::super::ask::ask;
use super::super::expected::{
    NOT_A_DIGEST, digest_invalid, range_invalid, size_invalid, unsupported, upload_unknown,
};
use super::super::fixture::Condition::ReadOnly;
use super::super::row::{Row, row, section};

pub(super) fn append() -> Vec<Row> {
    section(
        "PATCH /v2/<name>/blobs/uploads/<id>",
        [
            row(
                "no such upload",
                ask("PATCH /v2/app/blobs/uploads/<absent-id>"),
                upload_unknown().detail(r#"{"id": "<absent-id>"}"#),
            ),
            row(
                "a chunk out of order",
                ask("PATCH <upload>")
                    .header("content-range", "10-13")
                    .body(b"more"),
                range_invalid().with_progress(),
            ),
            row(
                "a chunk that has come before",
                ask("PATCH <upload>")
                    .header("content-range", "0-3")
                    .body(b"four"),
                range_invalid().with_progress(),
            ),
            row(
                "a `Content-Range` that cannot be read",
                ask("PATCH <upload>")
                    .header("content-range", "4 to 7")
                    .body(b"more"),
                range_invalid().says("Content-Range cannot be read"),
            ),
            row(
                "a `Content-Range` of another length than the body",
                ask("PATCH <upload>")
                    .header("content-range", "4-8")
                    .body(b"more"),
                size_invalid().detail(r#"{"content-range": 5, "content-length": 4}"#),
            ),
            row(
                "a body shorter than `Content-Length`",
                ask("PATCH <upload>").body(b"more").announcing(5),
                size_invalid().detail(r#"{"expected": 5, "received": 4}"#),
            ),
            row(
                "a body longer than `Content-Length`",
                ask("PATCH <upload>").body(b"more").announcing(3),
                size_invalid().detail(r#"{"expected": 3, "received": 4}"#),
            ),
            row(
                "any chunk",
                ask("PATCH <upload>").body(b"more"),
                unsupported("GET, HEAD"),
            )
            .when(ReadOnly),
        ],
    )
}

pub(super) fn finish() -> Vec<Row> {
    section(
        "PUT /v2/<name>/blobs/uploads/<id>",
        [
            row(
                "no such upload",
                ask("PUT /v2/app/blobs/uploads/<absent-id>?digest=<four>"),
                upload_unknown().detail(r#"{"id": "<absent-id>"}"#),
            ),
            row(
                "no digest",
                ask("PUT <upload>"),
                digest_invalid().says("digest missing"),
            ),
            row(
                "a digest that is none",
                ask("PUT <upload>?digest=x"),
                digest_invalid().says(&format!("digest parsing failed: {NOT_A_DIGEST}")),
            ),
            row(
                "another digest than the content has",
                ask("PUT <upload>?digest=<absent>"),
                digest_invalid().detail(r#"{"expected": "<absent>", "actual": "<four>"}"#),
            ),
            row(
                "a last chunk out of order",
                ask("PUT <upload>?digest=<four>")
                    .header("content-range", "10-13")
                    .body(b"more"),
                range_invalid().with_progress(),
            ),
            row(
                "a `Content-Range` that cannot be read",
                ask("PUT <upload>?digest=<four>")
                    .header("content-range", "4 to 7")
                    .body(b"more"),
                range_invalid().says("Content-Range cannot be read"),
            ),
            row(
                "a body shorter than `Content-Length`",
                ask("PUT <upload>?digest=<four>")
                    .body(b"more")
                    .announcing(5),
                size_invalid().detail(r#"{"expected": 5, "received": 4}"#),
            ),
            row(
                "any upload",
                ask("PUT <upload>?digest=<four>"),
                unsupported("GET, HEAD"),
            )
            .when(ReadOnly),
        ],
    )
}
