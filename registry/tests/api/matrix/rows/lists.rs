//! `/v2/_catalog` and `/v2/<name>/tags/list`

use super::super::super::faulty::{Fault, Operation};
use super::super::ask::ask;
use super::super::expected::{count_invalid, internal, name_unknown, unsupported};
use super::super::fixture::Condition::Faulty;
use super::super::row::{Row, row, section};

pub(super) fn catalog() -> Vec<Row> {
    section(
        "/v2/_catalog",
        [
            row(
                "wrong method",
                ask("DELETE /v2/_catalog"),
                unsupported("GET, HEAD"),
            ),
            row(
                "`n` is no number",
                ask("GET /v2/_catalog?n=ten"),
                count_invalid().detail(r#"{"n": "ten"}"#),
            ),
            row(
                "`n` is negative",
                ask("GET /v2/_catalog?n=-1"),
                count_invalid().detail(r#"{"n": "-1"}"#),
            ),
            row(
                "`n` is over 1000",
                ask("GET /v2/_catalog?n=1001"),
                count_invalid().detail(r#"{"n": "1001"}"#),
            ),
            row(
                "of two `n`, the first is no number",
                ask("GET /v2/_catalog?n=ten&n=1"),
                count_invalid().detail(r#"{"n": "ten"}"#),
            ),
            row(
                "the repositories cannot be listed",
                ask("GET /v2/_catalog"),
                internal(),
            )
            .when(Faulty(Operation::Repositories, Fault::Broken)),
        ],
    )
}

pub(super) fn tags() -> Vec<Row> {
    section(
        "/v2/<name>/tags/list",
        [
            row(
                "wrong method",
                ask("POST /v2/app/tags/list"),
                unsupported("GET, HEAD"),
            ),
            row(
                "no such repository",
                ask("GET /v2/none/tags/list"),
                name_unknown().detail(r#"{"name": "none"}"#),
            ),
            row(
                "`n` is no number",
                ask("GET /v2/app/tags/list?n=1.5"),
                count_invalid().detail(r#"{"n": "1.5"}"#),
            ),
            row(
                "`n` is negative",
                ask("GET /v2/app/tags/list?n=-1"),
                count_invalid().detail(r#"{"n": "-1"}"#),
            ),
            row(
                "the tags cannot be listed",
                ask("GET /v2/app/tags/list"),
                internal(),
            )
            .when(Faulty(Operation::Tags, Fault::Broken)),
            row(
                "what is there makes no sense",
                ask("GET /v2/app/tags/list"),
                internal(),
            )
            .when(Faulty(Operation::Tags, Fault::Damaged)),
        ],
    )
}
