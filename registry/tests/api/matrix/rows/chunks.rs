//! `/v2/<name>/blobs/uploads/<id>` with bytes.

use super::super::super::faulty::{Fault, Operation};
use super::super::ask::ask;
use super::super::expected::{
    NOT_A_DIGEST, busy, cut, digest_invalid, full, internal, range_invalid, size_invalid,
    unsupported, upload_unknown,
};
use super::super::fixture::Condition::{Busy, Faulty, ReadOnly, Unhealthy};
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
                range_invalid()
                    .says("Content-Range cannot be read")
                    .with_progress(),
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
            row(
                "an upload to another repository",
                ask("PATCH /v2/other/blobs/uploads/<id>").body(b"more"),
                upload_unknown().detail(r#"{"id": "<id>"}"#),
            ),
            row(
                "an identifier that cannot be",
                ask("PATCH /v2/app/blobs/uploads/1234"),
                upload_unknown(),
            ),
            row(
                "a body that breaks off",
                ask("PATCH <upload>").cut_after("mo"),
                cut(),
            ),
            row(
                "another request writes to it",
                ask("PATCH <upload>").body(b"more"),
                busy(),
            )
            .when(Busy),
            row(
                "the upload cannot be opened",
                ask("PATCH <upload>").body(b"more"),
                internal(),
            )
            .when(Faulty(Operation::ResumeUpload, Fault::Broken)),
            row(
                "the chunk cannot be written",
                ask("PATCH <upload>").body(b"more"),
                internal(),
            )
            .when(Faulty(Operation::Write, Fault::Broken)),
            row(
                "the chunk cannot be kept",
                ask("PATCH <upload>").body(b"more"),
                internal(),
            )
            .when(Faulty(Operation::Suspend, Fault::Broken)),
            row(
                "there is no room for the chunk",
                ask("PATCH <upload>").body(b"more"),
                full(),
            )
            .when(Faulty(Operation::Write, Fault::Full)),
            row(
                "there is no room to keep the chunk",
                ask("PATCH <upload>").body(b"more"),
                full(),
            )
            .when(Faulty(Operation::Suspend, Fault::Full)),
            row("any chunk", ask("PATCH <upload>").body(b"more"), full())
                .when(Unhealthy(Fault::Full)),
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
                range_invalid()
                    .says("Content-Range cannot be read")
                    .with_progress(),
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
            row(
                "an upload to another repository",
                ask("PUT /v2/other/blobs/uploads/<id>?digest=<four>"),
                upload_unknown().detail(r#"{"id": "<id>"}"#),
            ),
            row(
                "an unknown algorithm",
                ask("PUT <upload>?digest=md5:900150983cd24fb0"),
                digest_invalid().says(
                    "digest parsing failed: the digest's algorithm is not supported: \
                     expected sha256 or sha512",
                ),
            ),
            row(
                "of two digests, the first is wrong",
                ask("PUT <upload>?digest=<absent>&digest=<four>"),
                digest_invalid().detail(r#"{"expected": "<absent>", "actual": "<four>"}"#),
            ),
            row(
                "a `Content-Range` of another length than the body",
                ask("PUT <upload>?digest=<four>")
                    .header("content-range", "4-8")
                    .body(b"more"),
                size_invalid().detail(r#"{"content-range": 5, "content-length": 4}"#),
            ),
            row(
                "a body longer than `Content-Length`",
                ask("PUT <upload>?digest=<four>")
                    .body(b"more")
                    .announcing(3),
                size_invalid().detail(r#"{"expected": 3, "received": 4}"#),
            ),
            row(
                "a body that breaks off",
                ask("PUT <upload>?digest=<four>").cut_after("mo"),
                cut(),
            ),
            row(
                "another request writes to it",
                ask("PUT <upload>?digest=<four>"),
                busy(),
            )
            .when(Busy),
            row(
                "the upload cannot be opened",
                ask("PUT <upload>?digest=<four>"),
                internal(),
            )
            .when(Faulty(Operation::ResumeUpload, Fault::Broken)),
            row(
                "the last chunk cannot be written",
                ask("PUT <upload>?digest=<four>").body(b"more"),
                internal(),
            )
            .when(Faulty(Operation::Write, Fault::Broken)),
            row(
                "the blob cannot be made durable",
                ask("PUT <upload>?digest=<four>"),
                internal(),
            )
            .when(Faulty(Operation::Commit, Fault::Broken)),
            row(
                "there is no room for the last chunk",
                ask("PUT <upload>?digest=<four>").body(b"more"),
                full(),
            )
            .when(Faulty(Operation::Write, Fault::Full)),
            row(
                "there is no room for the blob",
                ask("PUT <upload>?digest=<four>"),
                full(),
            )
            .when(Faulty(Operation::Commit, Fault::Full)),
            row("any upload", ask("PUT <upload>?digest=<four>"), full())
                .when(Unhealthy(Fault::Full)),
        ],
    )
}
