//! Every endpoint, and every way to get it wrong: the same table is in
//! `docs/API.md`, which is compared with this one.

mod ask;
mod expected;
mod fixture;
mod row;
mod rows;
mod table;

use serde_json::Value;
use tidegate_registry::store::UploadId;

use self::ask::ask;
use self::fixture::{Condition, Fixture};
use self::row::Row;
use self::rows::rows;
use super::faulty::Fault;
use super::harness::Answer;

#[tokio::test]
async fn every_mistake_has_its_answer() {
    let mut whole = Fixture::new().await;
    for row in rows() {
        let fixture = whole.in_condition(row.condition).await;
        let answer = row.ask.of(&fixture).await;
        check(&row, &fixture, &answer);
        if row.ask.spends_upload() {
            whole.renew_upload().await;
        }
    }
    whole.assert_unchanged().await;
}

/// HEAD is GET without the body, also where it is wrong.
#[tokio::test]
async fn head_is_get_without_a_body() {
    let mut tried = 0;
    let whole = Fixture::new().await;
    for row in rows() {
        let Some(head) = row.ask.as_head() else {
            continue;
        };
        let fixture = whole.in_condition(row.condition).await;
        let get = row.ask.of(&fixture).await;
        let head = head.of(&fixture).await;
        assert_eq!(head.status, get.status, "{} {}", row.request, row.wrong);
        assert_eq!(head.headers, get.headers, "{} {}", row.request, row.wrong);
        assert!(head.body.is_empty());
        tried += 1;
    }
    assert!(tried > 15, "only {tried} rows are GET");
}

/// A disk that does not work is nobody's 404, wherever it is asked.
#[test]
fn every_endpoint_meets_a_disk_that_fails() {
    let rows = rows();
    let meets = |request, fault| {
        let mut rows = rows.iter().filter(|row| row.request == request);
        rows.any(|row| matches!(row.condition, Condition::Faulty(_, with) if with == fault))
    };
    for row in &rows {
        let reaches_the_store = !matches!(row.request, "any path" | "/v2/");
        assert_eq!(
            meets(row.request, Fault::Broken),
            reaches_the_store,
            "{}",
            row.request
        );
        if let Condition::Faulty(_, Fault::Broken | Fault::Damaged) = row.condition {
            assert!(matches!(row.expected.status, 500 | 202), "{}", row.wrong);
        }
    }
}

/// Whatever is asked for, while the storage fails its check.
#[tokio::test]
async fn every_request_hears_that_the_storage_has_failed() {
    let whole = Fixture::new().await;
    let failed = Condition::Unhealthy(Fault::Broken);
    let fixture = whole.in_condition(failed).await;
    for line in ENDPOINTS {
        let answer = ask(line).of(&fixture).await;
        let details = answer.assert_error(503, "UNAVAILABLE");
        assert_eq!(details, ["health check failed: please see /debug/health"]);
    }
    assert_eq!(fixture.registry.get("/").await.status, 200);
}

/// Whoever may do nothing can do nothing, whatever it is.
#[tokio::test]
async fn every_request_is_judged_by_the_rules() {
    let whole = Fixture::new().await;
    for line in ENDPOINTS {
        let stranger = whole.in_condition(Condition::Stranger).await;
        ask(line).of(&stranger).await.assert_error(401, "UNAUTHORIZED");
        let refused = whole.in_condition(Condition::Refused).await;
        let answer = ask(line).of(&refused).await;
        match line {
            // There is nothing to it but having logged in.
            "GET /v2/" => assert_eq!(answer.status, 200),
            _ => drop(answer.assert_error(403, "DENIED")),
        }
        // What was refused has changed nothing.
        assert_eq!(whole.registry.get("/v2/app/tags/list").await.status, 200);
    }
    whole.assert_unchanged().await;
    let answer = ask("GET <upload>").of(&whole).await;
    assert_eq!(answer.header("range"), "0-3");
}

/// A full disk refuses what writes, and nothing else.
#[tokio::test]
async fn what_needs_no_room_is_done_while_there_is_none() {
    for line in ENDPOINTS {
        let whole = Fixture::new().await;
        let full = Condition::Unhealthy(Fault::Full);
        let answer = ask(line).of(&whole.in_condition(full).await).await;
        let needs_room = ["POST ", "PUT ", "PATCH "];
        if needs_room.iter().any(|method| line.starts_with(method)) {
            answer.assert_error(507, "UNAVAILABLE");
        } else {
            assert!(answer.status.is_success(), "{line}: {answer:?}");
        }
    }
}

/// Headers that an answer has only where the table says so.
const HEADERS_OF_MISTAKES: [&str; 6] = [
    "allow",
    "range",
    "content-range",
    "location",
    "link",
    "www-authenticate",
];

/// A request to each endpoint, with which nothing is wrong.
const ENDPOINTS: [&str; 15] = [
    "GET /v2/",
    "GET /v2/_catalog",
    "GET /v2/app/tags/list",
    "GET /v2/app/referrers/<manifest>",
    "GET /v2/app/manifests/v1",
    "PUT /v2/app/manifests/v1",
    "DELETE /v2/app/manifests/v1",
    "DELETE /v2/app/manifests/<manifest>",
    "GET /v2/app/blobs/<layer>",
    "DELETE /v2/app/blobs/<layer>",
    "POST /v2/app/blobs/uploads/",
    "GET <upload>",
    "PATCH <upload>",
    "PUT <upload>?digest=<four>",
    "DELETE <upload>",
];

/// Whether a text is the identifier of an upload.
fn is_upload(text: &str) -> bool {
    text.parse::<UploadId>().is_ok()
}

#[track_caller]
fn check(row: &Row, fixture: &Fixture, answer: &Answer) {
    let expected = &row.expected;
    let place = format!("{}: {}: {answer:?}", row.request, row.wrong);
    assert_eq!(answer.status, expected.status, "{place}");
    assert_eq!(
        answer.header("docker-distribution-api-version"),
        "registry/2.0"
    );
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    for (name, value) in &expected.headers {
        let (got, value) = (answer.header(name), fixture.fill(value));
        let same = match value.strip_suffix("<new-id>") {
            Some(prefix) => got.strip_prefix(prefix).is_some_and(is_upload),
            None => got == value,
        };
        assert!(same, "{place}: {name}: expected {value}");
    }
    for name in HEADERS_OF_MISTAKES {
        let is_expected = expected.headers.iter().any(|(header, _)| *header == name);
        assert_eq!(
            answer.headers.contains_key(name),
            is_expected,
            "{place}: {name}"
        );
    }
    if expected.code.is_empty() {
        assert!(answer.body.is_empty(), "{place}");
        return;
    }
    if row.ask.is_head() {
        assert!(answer.body.is_empty(), "{place}");
        return;
    }
    let details = answer.assert_error(expected.status, expected.code);
    let message = &answer.json()["errors"][0]["message"];
    assert_eq!(message, expected.message, "{place}");
    let detail = match expected.detail.as_str() {
        "" => Value::Null,
        json => serde_json::from_str(&fixture.fill(json)).unwrap(),
    };
    assert_eq!(details[0], detail, "{place}");
}
