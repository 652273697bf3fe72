//! No noun at all, or one that cannot be.

use super::super::super::faulty::Fault;
use super::super::ask::ask;
use super::super::expected::{
    NOT_A_NAME, denied, moved, name_invalid, not_found, unauthorized, unavailable, unsupported,
};
use super::super::fixture::Condition::{Refused, Stranger, Unhealthy};
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
            row(
                "nobody has logged in to pull",
                ask("GET /v2/app/manifests/v1"),
                unauthorized().detail(&needs(&["pull"])),
            )
            .when(Stranger),
            row(
                "nobody has logged in to push",
                ask("POST /v2/app/blobs/uploads/"),
                unauthorized().detail(&needs(&["pull", "push"])),
            )
            .when(Stranger),
            row(
                "nobody has logged in to delete",
                ask("DELETE /v2/app/manifests/v1"),
                unauthorized().detail(&needs(&["delete"])),
            )
            .when(Stranger),
            row(
                "the user may not do this",
                ask("PUT /v2/app/manifests/v1"),
                denied().says("`bob` may not push in app"),
            )
            .when(Refused),
            row(
                "the user may not list repositories",
                ask("GET /v2/_catalog"),
                denied().says("`bob` may not catalog"),
            )
            .when(Refused),
            row(
                "nobody has logged in, and nothing lies there",
                ask("GET /v2/app/nothing/here"),
                unauthorized(),
            )
            .when(Stranger),
            row(
                "the user may do nothing, and nothing lies there",
                ask("GET /v2/app/nothing/here"),
                not_found(),
            )
            .when(Refused),
        ],
    )
}

pub(super) fn version() -> Vec<Row> {
    section(
        "/v2/",
        [
            row("wrong method", ask("POST /v2/"), unsupported("GET, HEAD")),
            row("nobody has logged in", ask("GET /v2/"), unauthorized()).when(Stranger),
            row(
                "the storage has failed its check",
                ask("GET /v2/"),
                unavailable(),
            )
            .when(Unhealthy(Fault::Broken)),
        ],
    )
}

/// What a request needs in `app`, as distribution says it.
fn needs(actions: &[&str]) -> String {
    let record = |action: &&str| {
        format!(r#"{{"Type": "repository", "Class": "", "Name": "app", "Action": "{action}"}}"#)
    };
    let records: Vec<String> = actions.iter().map(record).collect();
    format!("[{}]", records.join(", "))
}
