//! Which parts of two answers are to be the same.

use std::fmt::Write as _;

use super::asks::Differs::{self, Header, No, Page, Status};
use super::asks::asks;
use crate::harness::client::Answer;

/// The headers that clients look at.
const COMPARED: [&str; 13] = [
    "accept-ranges",
    "content-range",
    "content-length",
    "docker-content-digest",
    "docker-distribution-api-version",
    "etag",
    "link",
    "location",
    "oci-subject",
    "range",
    "www-authenticate",
    "x-content-type-options",
    "x-site",
];

#[track_caller]
pub(crate) fn assert_same(theirs: &[Answer], ours: &[Answer]) {
    let asks = asks();
    assert!(asks.len() >= 60, "{}", asks.len());
    let mut unexpected = String::new();
    for ((ask, theirs), ours) in asks.iter().zip(theirs).zip(ours) {
        let problems = compare(theirs, ours, ask.differs);
        if !problems.is_empty() {
            let _ = writeln!(unexpected, "{}: {}", ask.line, problems.join("; "));
        }
    }
    assert!(unexpected.is_empty(), "\n{unexpected}");
}

fn compare(theirs: &Answer, ours: &Answer, differs: Differs) -> Vec<String> {
    let mut problems = Vec::new();
    if differs == Status {
        return problems;
    }
    if theirs.status != ours.status {
        problems.push(format!("status {} and {}", theirs.status, ours.status));
    }
    let shown = |answer: &Answer, name: &str| {
        let values = answer.headers.get_all(name).iter();
        let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        // Ports are not the same; everything else of a URL is.
        let values = values.map(|value| match value.strip_prefix("https://127.0.0.1:") {
            Some(rest) => rest
                .trim_start_matches(|c: char| c.is_ascii_digit())
                .to_owned(),
            None => value,
        });
        values.collect::<Vec<_>>()
    };
    let is_success = theirs.status.is_success() || theirs.status.is_redirection();
    for name in COMPARED {
        // What belongs to the body of an error belongs to the other body.
        let of_body = matches!(name, "content-length" | "accept-ranges" | "etag");
        if (of_body && !is_success) || differs == Header(name) {
            continue;
        }
        let of_page = of_body || name == "x-content-type-options";
        if differs == Page && (of_page || name == "docker-distribution-api-version") {
            continue;
        }
        // We say more than asked for: no browser may guess what an answer is.
        if name == "x-content-type-options" && shown(theirs, name).is_empty() {
            continue;
        }
        // A range or a length that only we announce does no harm.
        if name == "accept-ranges" {
            continue;
        }
        let (theirs, ours) = (shown(theirs, name), shown(ours, name));
        if theirs != ours {
            problems.push(format!("{name} {theirs:?} and {ours:?}"));
        }
    }
    let is_json = |answer: &Answer| {
        let kind = answer.headers.get("content-type");
        !answer.body.is_empty()
            && kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
    };
    if differs == No {
        if is_json(theirs) && !theirs.status.is_success() {
            if is_json(ours) && theirs.error_code() != ours.error_code() {
                problems.push(format!(
                    "code {} and {}",
                    theirs.error_code(),
                    ours.error_code()
                ));
            }
        } else if theirs.status.is_success() && theirs.body != ours.body {
            problems.push(format!("body {:?} and {:?}", theirs.body, ours.body));
        }
    }
    problems
}
