//! `/v2/<name>/blobs/uploads/`, apart from what carries bytes.

use super::super::super::faulty::{Fault, Operation};
use super::super::ask::ask;
use super::super::expected::{
    NOT_A_DIGEST, begun, busy, cut, digest_invalid, full, internal, size_invalid, unsupported,
    upload_unknown,
};
use super::super::fixture::Condition::{Busy, Faulty, ReadOnly, Unhealthy};
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
            row(
                "`mount` is no digest",
                ask("POST /v2/app/blobs/uploads/?mount=x&from=other"),
                begun(),
            ),
            row(
                "`from` is no repository name",
                ask("POST /v2/app/blobs/uploads/?mount=<layer>&from=APP"),
                begun(),
            ),
            row(
                "`from` does not have the blob to mount",
                ask("POST /v2/app/blobs/uploads/?mount=<layer>&from=other"),
                begun(),
            ),
            row(
                "the blob cannot be mounted",
                ask("POST /v2/app/blobs/uploads/?mount=<layer>&from=app"),
                begun(),
            )
            .when(Faulty(Operation::MountBlob, Fault::Broken)),
            row(
                "of two digests, the first is wrong",
                ask("POST /v2/app/blobs/uploads/?digest=<absent>&digest=<four>").body(b"four"),
                digest_invalid().detail(r#"{"expected": "<absent>", "actual": "<four>"}"#),
            ),
            row(
                "whole blob, body that breaks off",
                ask("POST /v2/app/blobs/uploads/?digest=<four>").cut_after("fo"),
                cut(),
            ),
            row(
                "the upload cannot be made",
                ask("POST /v2/app/blobs/uploads/"),
                internal(),
            )
            .when(Faulty(Operation::BeginUpload, Fault::Broken)),
            row(
                "whole blob, which cannot be written",
                ask("POST /v2/app/blobs/uploads/?digest=<four>").body(b"four"),
                internal(),
            )
            .when(Faulty(Operation::Write, Fault::Broken)),
            row(
                "whole blob, which cannot be made durable",
                ask("POST /v2/app/blobs/uploads/?digest=<four>").body(b"four"),
                internal(),
            )
            .when(Faulty(Operation::Commit, Fault::Broken)),
            row(
                "whole blob, for which there is no room",
                ask("POST /v2/app/blobs/uploads/?digest=<four>").body(b"four"),
                full(),
            )
            .when(Faulty(Operation::Write, Fault::Full)),
            row(
                "there is no room for an upload",
                ask("POST /v2/app/blobs/uploads/"),
                full(),
            )
            .when(Faulty(Operation::BeginUpload, Fault::Full)),
            row("any upload", ask("POST /v2/app/blobs/uploads/"), full())
                .when(Unhealthy(Fault::Full)),
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
            row(
                "how much has come cannot be read",
                ask("GET <upload>"),
                internal(),
            )
            .when(Faulty(Operation::UploadOffset, Fault::Broken)),
            row(
                "what has come makes no sense",
                ask("GET <upload>"),
                internal(),
            )
            .when(Faulty(Operation::UploadOffset, Fault::Damaged)),
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
            row(
                "another request writes to it",
                ask("DELETE <upload>"),
                busy(),
            )
            .when(Busy),
            row(
                "the upload cannot be opened",
                ask("DELETE <upload>"),
                internal(),
            )
            .when(Faulty(Operation::ResumeUpload, Fault::Broken)),
            row(
                "the upload cannot be removed",
                ask("DELETE <upload>"),
                internal(),
            )
            .when(Faulty(Operation::Cancel, Fault::Broken)),
        ],
    )
}
