//! A push that comes to nothing: an upload is started, fed, and cancelled
//! (distribution specification, "Pushing a blob in chunks").

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;

use super::client::{Answer, Body, Client, NoAnswer};
use super::location::{self, Location};
use super::report::{Check, Report, Subject, shown};

/// A proxy that nobody told otherwise stops at 1 MiB (nginx).
const LARGE: usize = 3 * 512 * 1024;
/// What is sent before the pause and after it.
const SMALL: usize = 4 * 1024;
/// A second, and a little more.
pub(super) const PAUSE: Duration = Duration::from_millis(1200);
/// Enough for [`LARGE`] at a quarter of a megabit per second.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who pushes, and where.
pub(super) struct Push<'a> {
    pub(super) client: &'a mut Client,
    /// The `Authorization`, if one is wanted.
    pub(super) headers: HeaderMap,
    pub(super) repository: &'a str,
    pub(super) host: &'a str,
    pub(super) port: u16,
}

impl Push<'_> {
    /// Starts an upload, feeds it, and cancels it whatever happened meanwhile.
    pub(super) async fn run(mut self, report: &mut Report) {
        report.push_tried = true;
        let target = format!("/v2/{}/blobs/uploads/", self.repository);
        let started = self.client.ask(Method::POST, &target, &self.headers).await;
        report.say(judge_start(self.repository, started.as_ref()));
        let Ok(started) = started else { return };
        if started.status != StatusCode::ACCEPTED {
            return;
        }
        let location = Location::read(started.header("location"));
        report.say(location::judge(&location, self.host, self.port));
        let Ok(location) = location else { return };
        // Wherever it leads, this server may know the path.
        let mut upload = location.target().to_owned();

        let large = self.feed(&upload, pieces(LARGE), Duration::ZERO).await;
        report.say(judge_large(large.as_ref()));
        if follow(&mut upload, &large) {
            let slow = self
                .feed(&upload, [zeros(SMALL), zeros(SMALL)], PAUSE)
                .await;
            report.say(judge_slow(slow.as_ref()));
            follow(&mut upload, &slow);
        }

        let cancelled = self
            .client
            .ask(Method::DELETE, &upload, &self.headers)
            .await;
        let after = self.client.ask(Method::GET, &upload, &self.headers).await;
        report.say(judge_cancel(cancelled.as_ref(), after.as_ref()));
    }

    /// Sends a body of unknown length in pieces, with a pause between them.
    async fn feed(
        &mut self,
        target: &str,
        pieces: impl IntoIterator<Item = Bytes>,
        pause: Duration,
    ) -> Result<Answer, NoAnswer> {
        let mut headers = self.headers.clone();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        );
        let body = slowly(pieces.into_iter().collect(), pause);
        self.client
            .send(Method::PATCH, target, &headers, body, PATIENCE)
            .await
    }
}

/// Whether the upload goes on, and where.
fn follow(upload: &mut String, answer: &Result<Answer, NoAnswer>) -> bool {
    let Ok(answer) = answer else { return false };
    let went_well = answer.status.is_success();
    if went_well && let Ok(location) = Location::read(answer.header("location")) {
        location.target().clone_into(upload);
    }
    went_well
}

fn zeros(length: usize) -> Bytes {
    Bytes::from(vec![0; length])
}

fn pieces(length: usize) -> Vec<Bytes> {
    const PIECE: usize = 64 * 1024;
    vec![zeros(PIECE); length / PIECE]
}

/// A body of unknown length: chunked in HTTP/1.1, as docker sends layers.
fn slowly(pieces: Vec<Bytes>, pause: Duration) -> Body {
    let pieces = pieces.into_iter().enumerate();
    let frames = stream::unfold(pieces, move |mut pieces| async move {
        let (number, piece) = pieces.next()?;
        if number > 0 && !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        Some((Ok(Frame::data(piece)), pieces))
    });
    StreamBody::new(frames).boxed()
}

fn judge_start(repository: &str, asked: Result<&Answer, &NoAnswer>) -> Check {
    const UPLOAD: Subject = Subject::Upload;
    let answer = match asked {
        Ok(answer) => answer,
        Err(error) => {
            return Check::fail(UPLOAD, format!("an upload cannot be started: {error}"))
                .hint("see the registry's log");
        }
    };
    let refused = |hint: &str| {
        Check::fail(
            UPLOAD,
            format!(
                "an upload to `{repository}` is refused: {}",
                answer.detail()
            ),
        )
        .hint(hint)
    };
    match answer.status {
        StatusCode::ACCEPTED => Check::ok(UPLOAD, format!("one to `{repository}` was started")),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => refused(
            "this user may not push to this repository: give the right, or say with --repo where it may",
        ),
        StatusCode::NOT_FOUND => refused(
            "some registries want a project that exists before the name: say one with --repo PROJECT/NAME",
        ),
        StatusCode::METHOD_NOT_ALLOWED => {
            refused("the registry is read-only, or a proxy lets only GET and HEAD pass")
        }
        StatusCode::INSUFFICIENT_STORAGE => refused("the registry's disk is full"),
        status if status.is_redirection() => refused(
            "clients do not push through a redirect: have the proxy pass the path on as it is",
        ),
        status if status.is_server_error() => {
            refused("see the registry's log: it may not be able to write to its disk")
        }
        _ => refused("expected 202; see the registry's log"),
    }
}

fn judge_large(asked: Result<&Answer, &NoAnswer>) -> Check {
    const LIMIT: Subject = Subject::BodyLimit;
    const UNLIMITED: &str =
        "let layers of any size pass: in nginx, `client_max_body_size 0;` (its default is 1 MiB)";
    let answer = match asked {
        Ok(answer) => answer,
        Err(error) => {
            return Check::fail(LIMIT, format!("sending 1.5 MiB fails: {error}")).hint(UNLIMITED);
        }
    };
    let refused = |hint: &str| {
        Check::fail(LIMIT, format!("1.5 MiB are refused: {}", answer.detail())).hint(hint)
    };
    match answer.status {
        status if status.is_success() => match received(answer) {
            Some(length) if length != LARGE as u64 => Check::fail(
                LIMIT,
                format!("of {LARGE} bytes that were sent, the registry has {length}"),
            )
            .hint("a proxy changes or cuts bodies: see its log"),
            _ => Check::ok(LIMIT, "1.5 MiB pass"),
        },
        StatusCode::PAYLOAD_TOO_LARGE => refused(UNLIMITED),
        StatusCode::LENGTH_REQUIRED => refused(
            "the proxy takes no chunked bodies, which clients send: in nginx, `proxy_request_buffering off;` with `proxy_http_version 1.1;`",
        ),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => refused(
            "the proxy asks for a password or has rules by method: let PATCH and PUT pass like POST",
        ),
        StatusCode::NOT_FOUND => refused(
            "an upload that was just started is unknown: several registries behind one name need one storage, and docker-registry one `http.secret`",
        ),
        StatusCode::METHOD_NOT_ALLOWED => refused("let PATCH and PUT pass through the proxy"),
        StatusCode::INSUFFICIENT_STORAGE => refused("the registry's disk is full"),
        _ => refused("see the logs of the proxy and of the registry"),
    }
}

/// How much the registry says it has, by `Range: 0-LAST`.
fn received(answer: &Answer) -> Option<u64> {
    let range = answer.header("range")?;
    let range = range.strip_prefix("bytes=").unwrap_or(range);
    let last: u64 = range.strip_prefix("0-")?.parse().ok()?;
    last.checked_add(1)
}

fn judge_slow(asked: Result<&Answer, &NoAnswer>) -> Check {
    const SLOW: Subject = Subject::SlowUpload;
    const HINT: &str = "let slow clients finish: in nginx, `client_body_timeout 60s;` or more, and `proxy_request_buffering off;`";
    match asked {
        Ok(answer) if answer.status.is_success() => {
            Check::ok(SLOW, "a layer may pause for a second")
        }
        Ok(answer) => Check::fail(
            SLOW,
            format!(
                "a layer that pauses for a second is refused: {}",
                answer.detail()
            ),
        )
        .hint(HINT),
        Err(error) => Check::fail(
            SLOW,
            format!("a layer that pauses for a second is cut off: {error}"),
        )
        .hint(HINT),
    }
}

fn judge_cancel(cancelled: Result<&Answer, &NoAnswer>, after: Result<&Answer, &NoAnswer>) -> Check {
    const CANCEL: Subject = Subject::Cancel;
    const LATER: &str = "it holds no blob and is in nobody's way; registries throw such uploads away after some days";
    match (cancelled, after) {
        (Ok(deleted), Ok(after))
            if deleted.status.is_success() && after.status == StatusCode::NOT_FOUND =>
        {
            Check::ok(
                CANCEL,
                "the upload is gone: the registry does not know it any more",
            )
        }
        (Ok(deleted), _) if !deleted.status.is_success() => Check::warn(
            CANCEL,
            format!("the upload cannot be cancelled: {}", deleted.detail()),
        )
        .hint(LATER),
        (Ok(_), Ok(after)) => Check::warn(
            CANCEL,
            format!(
                "the upload was cancelled, but asking for it gives {}",
                shown(&after.detail())
            ),
        )
        .hint(LATER),
        (Err(error), _) | (_, Err(error)) => Check::warn(
            CANCEL,
            format!("whether the upload is cancelled is not known: {error}"),
        )
        .hint(LATER),
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::super::report::Status;
    use super::*;

    fn answer(status: u16) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            received: OffsetDateTime::UNIX_EPOCH,
        }
    }

    fn with_range(range: &'static str) -> Answer {
        let mut answer = answer(202);
        answer
            .headers
            .insert("range", HeaderValue::from_static(range));
        answer
    }

    #[test]
    fn an_upload_starts_with_202_alone() {
        assert_eq!(judge_start("a", Ok(&answer(202))).status, Status::Ok);
        for status in [200, 301, 401, 403, 404, 405, 500, 507] {
            let check = judge_start("a", Ok(&answer(status)));
            assert_eq!(check.status, Status::Fail, "{status}");
            assert!(check.text.contains(&status.to_string()));
            assert!(check.hint.is_some());
        }
    }

    #[test]
    fn limits_are_named_with_their_remedy() {
        let check = judge_large(Ok(&answer(413)));
        assert_eq!(check.status, Status::Fail);
        assert!(check.hint.unwrap().contains("client_max_body_size 0"));
        let check = judge_large(Ok(&answer(411)));
        assert!(check.hint.unwrap().contains("chunked"));
        let check = judge_large(Ok(&answer(404)));
        assert!(check.hint.unwrap().contains("http.secret"));
        assert_eq!(judge_large(Ok(&answer(202))).status, Status::Ok);
    }

    #[test]
    fn what_arrived_is_counted() {
        assert_eq!(judge_large(Ok(&with_range("0-1572863"))).status, Status::Ok);
        let short = judge_large(Ok(&with_range("0-1048575")));
        assert_eq!(short.status, Status::Fail);
        assert!(short.text.ends_with("has 1048576"), "{}", short.text);
        for odd in ["", "0-", "bytes=0-18446744073709551615", "5-6"] {
            assert_eq!(received(&with_range(odd)), None, "{odd}");
        }
    }

    #[test]
    fn only_what_is_gone_is_cancelled() {
        let judge = |deleted, after| judge_cancel(Ok(&answer(deleted)), Ok(&answer(after))).status;
        assert_eq!(judge(204, 404), Status::Ok);
        assert_eq!(judge(204, 204), Status::Warn);
        assert_eq!(judge(405, 204), Status::Warn);
        let cut = NoAnswer::Cut("reset".to_owned());
        assert_eq!(
            judge_cancel(Err(&cut), Ok(&answer(404))).status,
            Status::Warn
        );
    }

    #[tokio::test]
    async fn the_body_comes_in_pieces_of_unknown_number() {
        let body = slowly(pieces(LARGE), Duration::ZERO);
        assert_eq!(hyper::body::Body::size_hint(&body).exact(), None);
        let bytes = body.collect().await.unwrap().to_bytes();
        assert_eq!(bytes.len(), LARGE);
    }
}
