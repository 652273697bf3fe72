//! `/v2/`, where every client begins (distribution specification, "Determining
//! Support").

use http::StatusCode;
use time::{Duration, OffsetDateTime};

use super::client::{Answer, NoAnswer};
use super::report::{Check, Subject, shown};

/// The path.
pub(super) const BASE: &str = "/v2/";

/// How far clocks may be apart before tokens and new certificates suffer.
const SKEW: Duration = Duration::minutes(1);

/// Judges HTTP/2: how asking for `/v2/` over it went, where it was offered.
pub(super) fn judge_http2(offered: bool, asked: Result<&Answer, &NoAnswer>) -> Check {
    const HTTP2: Subject = Subject::Http2;
    match asked {
        _ if !offered => Check::ok(
            HTTP2,
            "not offered; clients use HTTP/1.1, which serves as well",
        ),
        Ok(_) => Check::ok(HTTP2, "offered, and works"),
        Err(error) => Check::fail(HTTP2, format!("offered, but it does not work: {error}"))
            .hint("turn HTTP/2 off in the proxy (in nginx, `http2 off;`), or mend it: clients use it where it is offered"),
    }
}

/// Judges the answer of `/v2/` without a password.
pub(super) fn judge(asked: Result<&Answer, &NoAnswer>, asks_for_client: bool) -> Check {
    const API: Subject = Subject::Api;
    let answer = match asked {
        Ok(answer) => answer,
        Err(error) => {
            return Check::fail(API, format!("{BASE} is not answered: {error}")).hint(
                if asks_for_client {
                    "the server may want a certificate of the client, which this command has not: see its log"
                } else {
                    "see the log of the server, and of the registry behind it"
                },
            );
        }
    };
    let status = answer.status;
    let fail = |text: &str| Check::fail(API, format!("{BASE} answers {status}: {text}"));
    match status {
        StatusCode::OK if answer.is_html() => fail("a web page, not a registry")
            .hint("see that host and port are the registry's; a proxy has to pass /v2/ on to it"),
        StatusCode::OK => Check::ok(API, format!("{BASE} answers {status}")),
        StatusCode::UNAUTHORIZED => {
            Check::ok(API, format!("{BASE} answers {status}: a registry that wants a password"))
        }
        StatusCode::NOT_FOUND => fail("no registry, or one that turns this client away").hint(
            "see that host and port are the registry's and that a proxy passes /v2/ on with its path; see also its rules about `User-Agent`: this command says docker/24.0.0",
        ),
        StatusCode::FORBIDDEN => fail("this client is turned away before a password is asked for")
            .hint("see the rules of the proxy about addresses and about `User-Agent`: this command says docker/24.0.0"),
        StatusCode::TOO_MANY_REQUESTS => fail("too many requests from here").hint(
            "wait a minute; then see who sends so many, or wrong passwords",
        ),
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            fail("the proxy is there, the registry behind it is not")
                .hint("see that the registry runs, and that the proxy has its right address")
        }
        _ if status.is_redirection() => {
            let to = answer.header("location").map_or_else(String::new, |to| {
                format!(" to {}", shown(to))
            });
            fail(&format!("a redirect{to}, through which clients cannot push"))
                .hint("use the name to which it leads, or have the proxy pass /v2/ on")
        }
        StatusCode::BAD_REQUEST if asks_for_client => {
            fail("the server wants a certificate of the client, which this command has not")
                .hint("docker looks for client.cert and client.key in /etc/docker/certs.d/HOST:PORT")
        }
        _ if status.is_server_error() => {
            fail("the registry is in trouble").hint("see the registry's log")
        }
        _ => fail("expected 200 or 401").hint("see the log of the server"),
    }
}

/// Whether a registry has answered.
pub(super) fn is_registry(answer: &Answer) -> bool {
    match answer.status {
        StatusCode::OK => !answer.is_html(),
        status => status == StatusCode::UNAUTHORIZED,
    }
}

/// Judges `Docker-Distribution-Api-Version`.
pub(super) fn judge_version(answer: &Answer) -> Check {
    const VERSION: Subject = Subject::ApiVersion;
    match answer.header("docker-distribution-api-version") {
        Some(value) if value.split_whitespace().any(|v| v == "registry/2.0") => {
            Check::ok(VERSION, "registry/2.0")
        }
        Some(other) => Check::warn(VERSION, format!("`{}`, not `registry/2.0`", shown(other)))
            .hint(VERSION_HINT),
        None => Check::warn(
            VERSION,
            "Docker-Distribution-Api-Version is missing; old docker engines take this for no registry",
        )
        .hint(VERSION_HINT),
    }
}

const VERSION_HINT: &str = "in nginx, `add_header Docker-Distribution-Api-Version registry/2.0 always;`; without `always`, a 401 lacks it";

/// Judges the server's clock by its `Date` header.
pub(super) fn judge_clock(answer: &Answer) -> Check {
    const CLOCK: Subject = Subject::Clock;
    let date = answer
        .header("date")
        .and_then(|text| httpdate::parse_http_date(text).ok());
    let Some(date) = date else {
        return Check::skipped(CLOCK, "the server does not say what time it has");
    };
    // A header has whole seconds, and was written before it came.
    let behind = answer.received - OffsetDateTime::from(date);
    if behind.abs() <= SKEW {
        return Check::ok(CLOCK, "the server's clock and this one agree");
    }
    let (which, by) = if behind.is_positive() {
        ("behind", behind)
    } else {
        ("ahead of", -behind)
    };
    Check::warn(
        CLOCK,
        format!("the server's clock is {which} this one by {}", span(by)),
    )
    .hint("have both follow a time server (`timedatectl`): certificates and tokens are valid by the clock")
}

fn span(span: Duration) -> String {
    match (span.whole_days(), span.whole_hours(), span.whole_minutes()) {
        (days @ 2.., ..) => format!("{days} days"),
        (_, hours @ 2.., _) => format!("{hours} hours"),
        (.., minutes) => format!("{minutes} min"),
    }
}

/// Judges a second without requests: whether the same connection took one
/// before it and one after it.
pub(super) fn judge_idle(kept: bool, asked: Result<&Answer, &NoAnswer>) -> Check {
    const IDLE: Subject = Subject::Idle;
    match asked {
        Ok(_) if kept => Check::ok(IDLE, "a connection lives through a second without requests"),
        Ok(_) => Check::warn(
            IDLE,
            "the server closes a connection that is idle for a second; clients connect anew each time",
        )
        .hint("let connections live for a minute: in nginx, `keepalive_timeout 75s;`"),
        Err(error) => Check::fail(
            IDLE,
            format!("after a second without requests there is no answer any more: {error}"),
        )
        .hint("something on the way forgets connections: see the timeouts of proxies and firewalls"),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;
    use http::header::{HeaderName, HeaderValue};

    use super::super::report::Status;
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)]) -> Answer {
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_str(value).unwrap(),
                )
            })
            .collect::<HeaderMap>();
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: Bytes::new(),
            received: time::macros::datetime!(1994-11-06 08:49:37.6 UTC),
        }
    }

    #[test]
    fn only_200_and_401_are_a_registry() {
        for status in [200, 401] {
            let answer = answer(status, &[]);
            assert_eq!(judge(Ok(&answer), false).status, Status::Ok);
            assert!(is_registry(&answer));
        }
        for (status, said) in [
            (404, "no registry"),
            (403, "turned away"),
            (429, "too many"),
            (502, "behind it is not"),
            (500, "in trouble"),
            (418, "expected 200 or 401"),
            (308, "a redirect to https://other/v2/, through"),
        ] {
            let answer = answer(status, &[("location", "https://other/v2/")]);
            let check = judge(Ok(&answer), false);
            assert_eq!(check.status, Status::Fail, "{status}");
            assert!(check.text.contains(said), "{}", check.text);
            assert!(!is_registry(&answer));
        }
        let page = answer(200, &[("content-type", "Text/HTML; charset=utf-8")]);
        assert!(judge(Ok(&page), false).text.contains("a web page"));
        assert!(!is_registry(&page));
        let bare = judge(Ok(&answer(400, &[])), true);
        assert!(bare.text.contains("certificate of the client"));
    }

    #[test]
    fn the_version_may_be_one_of_several() {
        let with = |value| answer(401, &[("docker-distribution-api-version", value)]);
        assert_eq!(judge_version(&with("registry/2.0")).status, Status::Ok);
        assert_eq!(
            judge_version(&with("registry/2.0 registry/2.1")).status,
            Status::Ok
        );
        assert_eq!(judge_version(&with("registry/1.0")).status, Status::Warn);
        assert_eq!(judge_version(&answer(401, &[])).status, Status::Warn);
    }

    #[test]
    fn clocks_may_be_apart_a_little() {
        let at = |date| judge_clock(&answer(200, &[("date", date)]));
        assert_eq!(at("Sun, 06 Nov 1994 08:49:37 GMT").status, Status::Ok);
        assert_eq!(at("Sun, 06 Nov 1994 08:50:30 GMT").status, Status::Ok);
        let behind = at("Sun, 06 Nov 1994 08:19:37 GMT");
        assert_eq!(behind.status, Status::Warn);
        assert_eq!(
            behind.text,
            "the server's clock is behind this one by 30 min"
        );
        assert_eq!(
            at("Sun, 13 Nov 1994 08:49:38 GMT").text,
            "the server's clock is ahead of this one by 7 days"
        );
        assert_eq!(at("yesterday").status, Status::Skipped);
    }

    #[test]
    fn a_cut_idle_connection_is_no_failure_as_long_as_a_new_one_works() {
        let answer = answer(401, &[]);
        assert_eq!(judge_idle(true, Ok(&answer)).status, Status::Ok);
        assert_eq!(judge_idle(false, Ok(&answer)).status, Status::Warn);
        let cut = NoAnswer::Cut("reset".to_owned());
        assert_eq!(judge_idle(false, Err(&cut)).status, Status::Fail);
    }
}
