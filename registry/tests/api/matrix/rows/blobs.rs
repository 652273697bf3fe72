//! `/v2/<name>/blobs/<digest>`

use super::super::ask::ask;
use super::super::expected::{
    NOT_A_DIGEST, blob_unknown, digest_invalid, range_invalid, unsupported,
};
use super::super::fixture::Condition::{NoDelete, ReadOnly};
use super::super::row::{Row, row, section};

pub(super) fn get() -> Vec<Row> {
    section(
        "GET /v2/<name>/blobs/<digest>",
        [
            row(
                "no such blob",
                ask("GET /v2/app/blobs/<absent>"),
                blob_unknown().detail(r#"{"digest": "<absent>"}"#),
            ),
            row(
                "a blob of another repository",
                ask("GET /v2/none/blobs/<layer>"),
                blob_unknown().detail(r#"{"digest": "<layer>"}"#),
            ),
            row(
                "a digest that is none",
                ask("GET /v2/app/blobs/latest"),
                digest_invalid().says(NOT_A_DIGEST),
            ),
            row(
                "a range beyond its end",
                ask("GET /v2/app/blobs/<layer>").header("range", "bytes=5-"),
                range_invalid().header("content-range", "bytes */5"),
            ),
            row(
                "wrong method",
                ask("PUT /v2/app/blobs/<layer>"),
                unsupported("GET, HEAD, DELETE"),
            ),
            row(
                "a range that ends before it begins",
                ask("GET /v2/app/blobs/<layer>").header("range", "bytes=3-1"),
                range_invalid().header("content-range", "bytes */5"),
            ),
        ],
    )
}

pub(super) fn delete() -> Vec<Row> {
    section(
        "DELETE /v2/<name>/blobs/<digest>",
        [
            row(
                "no such blob",
                ask("DELETE /v2/app/blobs/<absent>"),
                blob_unknown().detail(r#"{"digest": "<absent>"}"#),
            ),
            row(
                "a digest that is none",
                ask("DELETE /v2/app/blobs/latest"),
                digest_invalid().says(NOT_A_DIGEST),
            ),
            row(
                "any blob",
                ask("DELETE /v2/app/blobs/<layer>"),
                unsupported("GET, HEAD"),
            )
            .when(NoDelete),
            row(
                "any blob",
                ask("DELETE /v2/app/blobs/<layer>"),
                unsupported("GET, HEAD"),
            )
            .when(ReadOnly),
        ],
    )
}
