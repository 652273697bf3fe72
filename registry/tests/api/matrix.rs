//! Every endpoint, and every way to get it wrong: the same table is in
//! `docs/API.md`, which is compared with this one.

mod ask;
mod expected;
mod fixture;
mod row;
mod rows;
mod table;

use std::rc::Rc;

use serde_json::Value;

use self::fixture::{Condition, Fixture};
use self::row::Row;
use self::rows::rows;
use super::harness::Answer;

#[tokio::test]
async fn every_mistake_has_its_answer() {
    let mut fixtures = Fixtures::default();
    for row in rows() {
        let fixture = fixtures.of(row.condition).await;
        let answer = row.ask.of(&fixture).await;
        check(&row, &fixture, &answer);
        if row.ask.writes() {
            // A mistake may end an upload.
            fixtures.0.retain(|(of, _)| *of != row.condition);
        }
    }
}

/// One in each condition, as long as nothing has changed it.
#[derive(Default)]
struct Fixtures(Vec<(Condition, Rc<Fixture>)>);

impl Fixtures {
    async fn of(&mut self, condition: Condition) -> Rc<Fixture> {
        if let Some((_, fixture)) = self.0.iter().find(|(of, _)| *of == condition) {
            return Rc::clone(fixture);
        }
        let fixture = Rc::new(Fixture::in_condition(condition).await);
        self.0.push((condition, Rc::clone(&fixture)));
        fixture
    }
}

/// HEAD is GET without the body, also where it is wrong.
#[tokio::test]
async fn head_is_get_without_a_body() {
    let mut tried = 0;
    let mut fixtures = Fixtures::default();
    for row in rows() {
        let Some(head) = row.ask.as_head() else {
            continue;
        };
        let fixture = fixtures.of(row.condition).await;
        let get = row.ask.of(&fixture).await;
        let head = head.of(&fixture).await;
        assert_eq!(head.status, get.status, "{} {}", row.request, row.wrong);
        assert_eq!(head.headers, get.headers, "{} {}", row.request, row.wrong);
        assert!(head.body.is_empty());
        tried += 1;
    }
    assert!(tried > 15, "only {tried} rows are GET");
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
        assert_eq!(answer.header(name), fixture.fill(value), "{place}");
    }
    for name in ["allow", "range", "content-range", "location", "link"] {
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
    let details = answer.assert_error(expected.status, expected.code);
    let message = &answer.json()["errors"][0]["message"];
    assert_eq!(message, expected.message, "{place}");
    let detail = match expected.detail.as_str() {
        "" => Value::Null,
        json => serde_json::from_str(&fixture.fill(json)).unwrap(),
    };
    assert_eq!(details[0], detail, "{place}");
}
