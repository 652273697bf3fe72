//! No noun at all, or one that cannot be.

use super::super::super::faulty::Fault;
use super::super::ask::ask;
use super::super::expected::{
    NOT_A_NAME, moved, name_invalid, not_found, unavailable, unsupported,
};
use super::super::fixture::Condition::Unhealthy;
use super::super::row::{Row, row, section};

pub(super) fn paths() -> Vec<Row> {
    section(
        "any path",
        [
            row(
                "nothing lies there",
                ask("GET /v2/app/nothing/here"),
                not_found(),
            ),
            row("not below `/v2/`", ask("GET /v1/search"), not_found()),
            row(
                "another spelling of a path",
                ask("GET /v2//app/tags/list"),
                moved(301, "/v2/app/tags/list"),
            ),
            row(
                "another spelling, with a body to send again",
                ask("PUT /v2/app/./manifests/v2"),
                moved(308, "/v2/app/manifests/v2"),
            ),
            row(
                "an upper-case name",
                ask("GET /v2/APP/tags/list"),
                name_invalid().says(NOT_A_NAME),
            ),
            row(
                "a name of more than 255 characters",
                ask(&format!("GET /v2/{}/tags/list", "a".repeat(256))),
                name_invalid().says("the repository name has 256 characters, expected at most 255"),
            ),
            row(
                "bytes that are no UTF-8",
                ask("GET /v2/%ff/tags/list"),
                not_found(),
            ),
            row(
                "a bad name and a wrong method",
                ask("POST /v2/APP/tags/list"),
                name_invalid().says(NOT_A_NAME),
            ),
        ],
    )
}

pub(super) fn version() -> Vec<Row> {
    section(
        "/v2/",
        [
            row("wrong method", ask("POST /v2/"), unsupported("GET, HEAD")),
            row(
                "the storage has failed its check",
                ask("GET /v2/"),
                unavailable(),
            )
            .when(Unhealthy(Fault::Broken)),
        ],
    )
}
