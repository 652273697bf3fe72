//! `/v2/<name>/referrers/<digest>`

use super::super::super::faulty::{Fault, Operation};
use super::super::ask::ask;
use super::super::expected::{NOT_A_DIGEST, digest_invalid, internal, unsupported};
use super::super::fixture::Condition::Faulty;
use super::super::row::{Row, row, section};

pub(super) fn referrers() -> Vec<Row> {
    section(
        "/v2/<name>/referrers/<digest>",
        [
            row(
                "wrong method",
                ask("PUT /v2/app/referrers/<manifest>"),
                unsupported("GET, HEAD"),
            ),
            row(
                "a digest that is none",
                ask("GET /v2/app/referrers/v1"),
                digest_invalid().says(NOT_A_DIGEST),
            ),
            row(
                "an unknown algorithm",
                ask("GET /v2/app/referrers/md5:900150983cd24fb0"),
                digest_invalid()
                    .says("the digest's algorithm is not supported: expected sha256 or sha512"),
            ),
            row(
                "`last` is no digest",
                ask("GET /v2/app/referrers/<manifest>?last=x"),
                digest_invalid()
                    .detail(&format!(r#"{{"last": "x", "problem": "{NOT_A_DIGEST}"}}"#)),
            ),
            row(
                "the referrers cannot be listed",
                ask("GET /v2/app/referrers/<manifest>"),
                internal(),
            )
            .when(Faulty(Operation::Referrers, Fault::Broken)),
            row(
                "the list that a client recorded cannot be read",
                ask("GET /v2/app/referrers/<manifest>"),
                internal(),
            )
            .when(Faulty(Operation::Tagged, Fault::Broken)),
        ],
    )
}
