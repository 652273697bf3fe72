//! `/v2/<name>/blobs/uploads/`

use std::time::{Duration, SystemTime};

use http::Method;
use tidegate_registry::oci::Algorithm;

use super::harness::{Answer, ORIGIN, Registry, broken_off, chunked, request, sha256};

pub(super) fn patch(location: &str) -> super::harness::Request {
    request(Method::PATCH, location).header("content-type", "application/octet-stream")
}

pub(super) fn put(location: &str, digest: impl std::fmt::Display) -> super::harness::Request {
    request(Method::PUT, &format!("{location}?digest={digest}"))
}

#[track_caller]
pub(super) fn assert_progress(answer: &Answer, status: u16, location: &str, range: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("location"), format!("{ORIGIN}{location}"));
    assert_eq!(answer.header("range"), range);
    let id = location.rsplit_once('/').unwrap().1;
    assert_eq!(answer.header("docker-upload-uuid"), id);
    assert!(status == 416 || answer.body.is_empty());
}

pub(super) async fn assert_served(registry: &Registry, repo: &str, content: &[u8]) {
    let answer = registry
        .get(&format!("/v2/{repo}/blobs/{}", sha256(content)))
        .await;
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, content));
}

#[tokio::test]
async fn a_push_in_three_steps() {
    let registry = Registry::new();
    let answer = registry.post("/v2/library/alpine/blobs/uploads/").await;
    let location = answer.location();
    assert!(location.starts_with("/v2/library/alpine/blobs/uploads/"));
    assert_progress(&answer, 202, &location, "0-0");
    assert_eq!(answer.header("content-length"), "0");

    let answer = registry.send(patch(&location).body(b"content")).await;
    assert_progress(&answer, 202, &location, "0-6");

    let digest = sha256(b"content");
    let answer = registry.send(put(&location, digest)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(
        answer.location(),
        format!("/v2/library/alpine/blobs/{digest}")
    );
    assert_eq!(answer.header("docker-content-digest"), digest.to_string());
    assert_eq!(answer.header("content-length"), "0");
    assert_served(&registry, "library/alpine", b"content").await;
    registry
        .get(&location)
        .await
        .assert_error(404, "BLOB_UPLOAD_UNKNOWN");
}

#[tokio::test]
async fn a_push_whose_last_request_carries_everything() {
    let registry = Registry::new();
    let location = registry.start_upload("a").await;
    let answer = registry
        .send(put(&location, sha256(b"content")).body(b"content"))
        .await;
    assert_eq!(answer.status, 201);
    assert_served(&registry, "a", b"content").await;
}

#[tokio::test]
async fn a_push_in_one_request() {
    let registry = Registry::on_disk();
    let digest = sha256(b"content");
    let path = format!("/v2/a/blobs/uploads/?digest={digest}");
    let answer = registry
        .send(request(Method::POST, &path).body(b"content"))
        .await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.location(), format!("/v2/a/blobs/{digest}"));
    assert_served(&registry, "a", b"content").await;

    let answer = registry
        .send_stream(request(Method::POST, &path), chunked(&["con", "tent"]))
        .await;
    assert_eq!(answer.status, 201);
    let answer = registry.send(request(Method::POST, &path).body(b"")).await;
    assert_eq!(
        answer.status, 202,
        "without a body it is the first of several"
    );
    let answer = registry
        .send(request(Method::POST, &path).body(b"other"))
        .await;
    answer.assert_error(400, "DIGEST_INVALID");
    let answer = registry
        .send_stream(request(Method::POST, &path), broken_off(&["content"]))
        .await;
    answer.assert_error(400, "BLOB_UPLOAD_INVALID");
    let left = fs_err::read_dir(registry.file("repositories/a/_uploads"))
        .unwrap()
        .count();
    assert_eq!(left, 1, "only what can be continued is left");
}

#[tokio::test]
async fn an_upload_is_continued_after_a_restart() {
    let registry = Registry::new();
    let location = registry.start_upload("a").await;
    registry.send(patch(&location).body(b"before ")).await;
    let registry = registry.reopened(|_| {});
    assert_progress(&registry.get(&location).await, 204, &location, "0-6");
    registry.send(patch(&location).body(b"after")).await;
    let answer = registry.send(put(&location, sha256(b"before after"))).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

#[tokio::test]
async fn an_upload_is_continued_by_another_replica() {
    let one = Registry::new();
    let other = one.replica();
    let location = one.start_upload("a").await;
    one.send(patch(&location).body(b"one, ")).await;
    assert_progress(&other.get(&location).await, 204, &location, "0-4");
    let chunk = patch(&location).header("content-range", "5-9");
    other.send(chunk.body(b"other")).await;
    assert_progress(&one.get(&location).await, 204, &location, "0-9");
    let answer = one
        .send(put(&location, sha256(b"one, other, one")).body(b", one"))
        .await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_served(&other, "a", b"one, other, one").await;
}

#[tokio::test]
async fn a_second_writer_is_refused() {
    let registry = Registry::new();
    let location = registry.start_upload("a").await;
    let (started, has_started) = tokio::sync::oneshot::channel();
    let (finish, may_finish) = tokio::sync::oneshot::channel::<()>();
    let slow = futures_util::StreamExt::chain(
        futures_util::stream::once(async move {
            started.send(()).unwrap();
            may_finish.await.unwrap();
            Ok(bytes::Bytes::from_static(b"slow"))
        }),
        chunked(&[]),
    );
    let first = registry.send_stream(patch(&location), slow);
    let second = async {
        has_started.await.unwrap();
        for refused in [
            patch(&location).body(b"x"),
            put(&location, sha256(b"x")).body(b"x"),
        ] {
            registry
                .send(refused)
                .await
                .assert_error(409, "BLOB_UPLOAD_INVALID");
        }
        registry
            .delete(&location)
            .await
            .assert_error(409, "BLOB_UPLOAD_INVALID");
        finish.send(()).unwrap();
    };
    let (first, ()) = tokio::join!(first, second);
    assert_progress(&first, 202, &location, "0-3");
    assert_eq!(
        registry.send(put(&location, sha256(b"slow"))).await.status,
        201
    );
}

#[tokio::test]
async fn a_digest_that_cannot_be_read_leaves_the_upload() {
    let registry = Registry::new();
    let location = registry.start_upload("a").await;
    registry.send(patch(&location).body(b"content")).await;
    let details = registry
        .send(request(Method::PUT, &location))
        .await
        .assert_error(400, "DIGEST_INVALID");
    assert_eq!(details[0], "digest missing");
    for digest in ["", "sha256:abc", "md5:00", "latest"] {
        let details = registry
            .send(put(&location, digest))
            .await
            .assert_error(400, "DIGEST_INVALID");
        assert!(
            details[0]
                .as_str()
                .unwrap()
                .starts_with("digest parsing failed"),
            "{details:?}"
        );
    }
    assert_eq!(
        registry
            .send(put(&location, sha256(b"content")))
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn content_with_another_digest_is_thrown_away() {
    let registry = Registry::new();
    let location = registry.start_upload("a").await;
    let expected = sha256(b"expected");
    let details = registry
        .send(put(&location, expected).body(b"actual"))
        .await
        .assert_error(400, "DIGEST_INVALID");
    assert_eq!(details[0]["expected"], expected.to_string());
    assert_eq!(details[0]["actual"], sha256(b"actual").to_string());
    for digest in [expected, sha256(b"actual")] {
        registry
            .get(&format!("/v2/a/blobs/{digest}"))
            .await
            .assert_error(404, "BLOB_UNKNOWN");
    }
    registry
        .get(&location)
        .await
        .assert_error(404, "BLOB_UPLOAD_UNKNOWN");
}

#[tokio::test]
async fn a_blob_is_pushed_and_served_by_its_sha512() {
    let registry = Registry::new();
    let location = registry.start_upload("a").await;
    let digest = Algorithm::Sha512.digest(b"content");
    let answer = registry.send(put(&location, digest).body(b"content")).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("docker-content-digest"), digest.to_string());
    let answer = registry.get(&format!("/v2/a/blobs/{digest}")).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body[..]),
        (200, &b"content"[..])
    );
    assert_eq!(answer.header("docker-content-digest"), digest.to_string());
}

#[tokio::test]
async fn a_cancelled_upload_is_gone() {
    let registry = Registry::new();
    let location = registry.start_upload("a").await;
    registry.send(patch(&location).body(b"content")).await;
    let answer = registry.delete(&location).await;
    assert_eq!(answer.status, 204);
    assert!(!answer.headers.contains_key("content-length"));
    for gone in [
        request(Method::GET, &location),
        patch(&location),
        put(&location, sha256(b"")),
        request(Method::DELETE, &location),
    ] {
        registry
            .send(gone)
            .await
            .assert_error(404, "BLOB_UPLOAD_UNKNOWN");
    }
    registry
        .get("/v2/a/blobs/uploads/not-a-uuid")
        .await
        .assert_error(404, "BLOB_UPLOAD_UNKNOWN");
}

#[tokio::test]
async fn an_upload_belongs_to_its_repository() {
    let registry = Registry::new();
    let location = registry.start_upload("a").await;
    let elsewhere = location.replace("/v2/a/", "/v2/b/");
    registry
        .get(&elsewhere)
        .await
        .assert_error(404, "BLOB_UPLOAD_UNKNOWN");
    registry
        .send(patch(&elsewhere).body(b"x"))
        .await
        .assert_error(404, "BLOB_UPLOAD_UNKNOWN");
}

#[tokio::test]
async fn an_upload_by_an_unknown_algorithm_is_not_begun() {
    let registry = Registry::new();
    for (algorithm, status) in [("sha256", 202), ("sha512", 202), ("md5", 400)] {
        let path = format!("/v2/a/blobs/uploads/?digest-algorithm={algorithm}");
        let answer = registry.post(&path).await;
        assert_eq!(answer.status, status, "{algorithm}");
    }
}

/// A pusher that was told that a blob is there sends its manifest later.
#[tokio::test]
async fn what_a_head_finds_counts_as_used() {
    let registry = Registry::on_disk();
    let digest = registry.push_blob("a", b"layer").await;
    let link = registry.file(&format!(
        "repositories/a/_layers/sha256/{}/link",
        digest.hex()
    ));
    let old = SystemTime::now() - Duration::from_secs(24 * 3600);
    let age = || {
        let used = fs_err::metadata(&link).unwrap().modified().unwrap();
        used.elapsed().unwrap_or_default()
    };
    let make_old = || {
        let file = fs_err::File::open(&link).unwrap();
        file.set_modified(old).unwrap();
    };
    let path = format!("/v2/a/blobs/{digest}");
    make_old();
    registry.get(&path).await;
    assert!(age() > Duration::from_secs(3600), "a pull is no claim");
    registry.head(&path).await;
    assert!(age() < Duration::from_secs(3600));
    // Where nothing can be pushed, nothing is claimed.
    let registry = registry.reopened(|settings| settings.read_only = true);
    make_old();
    assert_eq!(registry.head(&path).await.status, 200);
    assert!(age() > Duration::from_secs(3600));
}
