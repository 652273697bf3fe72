//! `/v2/<name>/blobs/<digest>`

use super::super::super::faulty::{Fault, Operation};
use super::super::ask::ask;
use super::super::expected::{
    NOT_A_DIGEST, blob_unknown, digest_invalid, internal, range_invalid, unsupported,
};
use super::super::fixture::Condition::{Faulty, NoDelete, ReadOnly};
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
            row(
                "an unknown algorithm",
                ask("GET /v2/app/blobs/md5:900150983cd24fb0"),
                digest_invalid()
                    .says("the digest's algorithm is not supported: expected sha256 or sha512"),
            ),
            row(
                "the content cannot be opened",
                ask("GET /v2/app/blobs/<layer>"),
                internal(),
            )
            .when(Faulty(Operation::Blob, Fault::Broken)),
            row(
                "its link makes no sense",
                ask("GET /v2/app/blobs/<layer>"),
                internal(),
            )
            .when(Faulty(Operation::Blob, Fault::Damaged)),
            row(
                "HEAD: that it is used cannot be noted",
                ask("HEAD /v2/app/blobs/<layer>"),
                internal(),
            )
            .when(Faulty(Operation::ClaimBlob, Fault::Broken)),
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
            row(
                "a blob of another repository",
                ask("DELETE /v2/none/blobs/<layer>"),
                blob_unknown().detail(r#"{"digest": "<layer>"}"#),
            ),
            row(
                "the blob cannot be removed",
                ask("DELETE /v2/app/blobs/<layer>"),
                internal(),
            )
            .when(Faulty(Operation::DeleteBlob, Fault::Broken)),
        ],
    )
}
