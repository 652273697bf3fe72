//! `/v2/<name>/blobs/uploads/`, apart from what carries bytes.

use super::super::ask::ask;
use super::super::expected::{
    NOT_A_DIGEST, digest_invalid, size_invalid, unsupported, upload_unknown,
};
use super::super::fixture::Condition::ReadOnly;
use super::super::row::{Row, row, section};

pub(super) fn start() -> Vec<Row> {
    section(
        "POST /v2/<name>/blobs/uploads/",
        [
            row(
                "wrong method",
                ask("GET /v2/app/blobs/uploads/"),
                unsupported("POST"),
            ),
            row(
                "a digest that is none",
                ask("POST /v2/app/blobs/uploads/?digest=x"),
                digest_invalid().says(&format!("digest parsing failed: {NOT_A_DIGEST}")),
            ),
            row(
                "an unknown `digest-algorithm`",
                ask("POST /v2/app/blobs/uploads/?digest-algorithm=md5"),
                digest_invalid().says(
                    "digest parsing failed: the digest's algorithm is not supported: \
                     expected sha256 or sha512",
                ),
            ),
            row(
                "whole blob with another digest",
                ask("POST /v2/app/blobs/uploads/?digest=<absent>").body(b"four"),
                digest_invalid().detail(r#"{"expected": "<absent>", "actual": "<four>"}"#),
            ),
            row(
                "whole blob, body shorter than `Content-Length`",
                ask("POST /v2/app/blobs/uploads/?digest=<four>")
                    .body(b"four")
                    .announcing(5),
                size_invalid().detail(r#"{"expected": 5, "received": 4}"#),
            ),
            row(
                "whole blob, body longer than `Content-Length`",
                ask("POST /v2/app/blobs/uploads/?digest=<four>")
                    .body(b"four")
                    .announcing(3),
                size_invalid().detail(r#"{"expected": 3, "received": 4}"#),
            ),
            row(
                "any upload",
                ask("POST /v2/app/blobs/uploads/"),
                unsupported("GET, HEAD"),
            )
            .when(ReadOnly),
        ],
    )
}

pub(super) fn status() -> Vec<Row> {
    section(
        "GET /v2/<name>/blobs/uploads/<id>",
        [
            row(
                "no such upload",
                ask("GET /v2/app/blobs/uploads/<absent-id>"),
                upload_unknown().detail(r#"{"id": "<absent-id>"}"#),
            ),
            row(
                "an identifier that cannot be",
                ask("GET /v2/app/blobs/uploads/1234"),
                upload_unknown(),
            ),
            row(
                "an upload to another repository",
                ask("GET /v2/other/blobs/uploads/<id>"),
                upload_unknown().detail(r#"{"id": "<id>"}"#),
            ),
            row(
                "wrong method",
                ask("POST /v2/app/blobs/uploads/<id>"),
                unsupported("GET, HEAD, PATCH, PUT, DELETE"),
            ),
        ],
    )
}

pub(super) fn cancel() -> Vec<Row> {
    section(
        "DELETE /v2/<name>/blobs/uploads/<id>",
        [
            row(
                "no such upload",
                ask("DELETE /v2/app/blobs/uploads/<absent-id>"),
                upload_unknown().detail(r#"{"id": "<absent-id>"}"#),
            ),
            row(
                "an upload to another repository",
                ask("DELETE /v2/other/blobs/uploads/<id>"),
                upload_unknown().detail(r#"{"id": "<id>"}"#),
            ),
            row(
                "any upload",
                ask("DELETE <upload>"),
                unsupported("GET, HEAD"),
            )
            .when(ReadOnly),
        ],
    )
}
