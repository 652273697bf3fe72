//! `/v2/<name>/blobs/<digest>`

use futures_util::StreamExt;
use http::Method;
use http_body_util::BodyExt;

use super::harness::{Registry, request, sha256};

fn content() -> Vec<u8> {
    (0..700_000_u32).map(|at| (at * 13 % 251) as u8).collect()
}

#[tokio::test]
async fn a_blob_is_served_whole() {
    let registry = Registry::new();
    let digest = registry.push_blob("library/alpine", &content()).await;
    let path = format!("/v2/library/alpine/blobs/{digest}");
    let answer = registry.get(&path).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body == content());
    for (name, value) in [
        ("content-length", "700000"),
        ("content-type", "application/octet-stream"),
        ("docker-content-digest", &digest.to_string()),
        ("etag", &format!("\"{digest}\"")),
        ("cache-control", "max-age=31536000"),
        ("accept-ranges", "bytes"),
        ("docker-distribution-api-version", "registry/2.0"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(answer.header(name), value);
    }
    let head = registry.head(&path).await;
    assert_eq!(
        (head.status.as_u16(), &head.headers),
        (200, &answer.headers)
    );
    assert!(head.body.is_empty());
}

#[tokio::test]
async fn an_empty_blob_is_a_blob() {
    let registry = Registry::new();
    let digest = registry.push_blob("a", b"").await;
    let answer = registry.get(&format!("/v2/a/blobs/{digest}")).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-length")),
        (200, "0")
    );
}

#[tokio::test]
async fn what_is_not_there_is_unknown() {
    let registry = Registry::new();
    registry.push_blob("a", b"content").await;
    let digest = sha256(b"content");
    for path in [
        format!("/v2/b/blobs/{digest}"),
        format!("/v2/a/blobs/{}", sha256(b"other")),
    ] {
        let details = registry.get(&path).await.assert_error(404, "BLOB_UNKNOWN");
        assert!(details[0]["digest"].is_string());
        assert_eq!(registry.head(&path).await.status, 404);
    }
    registry
        .get("/v2/a/blobs/sha256:abc")
        .await
        .assert_error(400, "DIGEST_INVALID");
    registry
        .get("/v2/a/blobs/md5:abc")
        .await
        .assert_error(400, "DIGEST_INVALID");
}

#[tokio::test]
async fn a_part_is_served() {
    let registry = Registry::new();
    let content = content();
    let digest = registry.push_blob("a", &content).await;
    let path = format!("/v2/a/blobs/{digest}");
    for (range, content_range, from, to) in [
        ("bytes=0-0", "bytes 0-0/700000", 0, 1),
        (
            "bytes=300000-599999",
            "bytes 300000-599999/700000",
            300_000,
            600_000,
        ),
        (
            "bytes=699999-",
            "bytes 699999-699999/700000",
            699_999,
            700_000,
        ),
        ("bytes=-10", "bytes 699990-699999/700000", 699_990, 700_000),
        ("bytes=5-900000", "bytes 5-699999/700000", 5, 700_000),
    ] {
        let answer = registry
            .send(request(Method::GET, &path).header("range", range))
            .await;
        assert_eq!(answer.status, 206, "{range}");
        assert_eq!(answer.header("content-range"), content_range);
        assert_eq!(answer.header("content-length"), (to - from).to_string());
        assert_eq!(answer.header("content-type"), "application/octet-stream");
        assert!(answer.body == content[from..to], "{range}");
    }
}

#[tokio::test]
async fn several_parts_come_in_one_answer() {
    let registry = Registry::new();
    let digest = registry.push_blob("a", b"0123456789").await;
    let asked =
        request(Method::GET, &format!("/v2/a/blobs/{digest}")).header("range", "bytes=1-2,-3");
    let answer = registry.send(asked).await;
    assert_eq!(answer.status, 206);
    let content_type = answer.header("content-type");
    let boundary = content_type
        .strip_prefix("multipart/byteranges; boundary=")
        .unwrap();
    let expected = format!(
        "\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes 1-2/10\r\n\r\n12\
         \r\n--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes 7-9/10\r\n\r\n789\
         \r\n--{boundary}--\r\n"
    );
    assert_eq!(answer.body, expected);
    assert_eq!(answer.header("content-length"), expected.len().to_string());
}

#[tokio::test]
async fn a_range_that_is_no_use_is_ignored_or_refused() {
    let registry = Registry::new();
    let digest = registry.push_blob("a", b"0123456789").await;
    let path = format!("/v2/a/blobs/{digest}");
    let with = |range: &str| request(Method::GET, &path).header("range", range);
    for range in ["bytes=2-x", "pages=1-2", "nonsense"] {
        let answer = registry.send(with(range)).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body[..]),
            (200, &b"0123456789"[..]),
            "{range}"
        );
    }
    for range in ["bytes=10-", "bytes=2-1"] {
        let answer = registry.send(with(range)).await;
        answer.assert_error(416, "RANGE_INVALID");
        assert_eq!(answer.header("content-range"), "bytes */10", "{range}");
    }

    let head = registry
        .send(request(Method::HEAD, &path).header("range", "bytes=1-2"))
        .await;
    assert_eq!(
        (head.status.as_u16(), head.header("content-length")),
        (200, "10")
    );
}

#[tokio::test]
async fn a_range_of_other_content_is_the_whole() {
    let registry = Registry::new();
    let digest = registry.push_blob("a", b"0123456789").await;
    let with = |tag: String| {
        request(Method::GET, &format!("/v2/a/blobs/{digest}"))
            .header("range", "bytes=1-2")
            .header("if-range", tag)
    };
    assert_eq!(
        registry.send(with(format!("\"{digest}\""))).await.body,
        "12"
    );
    let answer = registry
        .send(with(format!("\"{}\"", sha256(b"other"))))
        .await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body[..]),
        (200, &b"0123456789"[..])
    );
}

#[tokio::test]
async fn a_blob_that_the_client_has_is_not_sent() {
    let registry = Registry::new();
    let digest = registry.push_blob("a", b"content").await;
    let asked = request(Method::GET, &format!("/v2/a/blobs/{digest}"))
        .header("if-none-match", format!("\"{digest}\""));
    let answer = registry.send(asked).await;
    assert_eq!(answer.status, 304);
    assert!(answer.body.is_empty());
    assert_eq!(answer.header("etag"), format!("\"{digest}\""));
    assert!(!answer.headers.contains_key("content-length"));
}

#[tokio::test]
async fn a_deleted_blob_is_gone_from_its_repository_alone() {
    let registry = Registry::new();
    let digest = registry.push_blob("a", b"content").await;
    registry.push_blob("b", b"content").await;
    let path = format!("/v2/a/blobs/{digest}");
    let answer = registry.delete(&path).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-length")),
        (202, "0")
    );
    registry.get(&path).await.assert_error(404, "BLOB_UNKNOWN");
    registry
        .delete(&path)
        .await
        .assert_error(404, "BLOB_UNKNOWN");
    assert_eq!(
        registry.get(&format!("/v2/b/blobs/{digest}")).await.status,
        200
    );
}

#[tokio::test]
async fn nothing_is_deleted_unless_that_is_allowed() {
    let registry = Registry::new();
    let digest = registry.push_blob("a", b"content").await;
    let registry = registry.reopened(|settings| settings.delete = false);
    let path = format!("/v2/a/blobs/{digest}");
    let answer = registry.delete(&path).await;
    answer.assert_error(405, "UNSUPPORTED");
    assert_eq!(answer.header("allow"), "GET, HEAD");
    assert_eq!(registry.get(&path).await.status, 200);
}

#[tokio::test]
async fn a_blob_that_becomes_shorter_is_cut_and_not_ended() {
    let registry = Registry::on_disk();
    let digest = registry.push_blob("a", &content()).await;
    let path = format!("/v2/a/blobs/{digest}");
    let response = registry
        .call(request(Method::GET, &path).into_inner())
        .await;
    let hex = digest.hex();
    let data = registry.file(&format!("blobs/sha256/{}/{hex}/data", &hex[..2]));
    fs_err::OpenOptions::new()
        .write(true)
        .open(data)
        .unwrap()
        .set_len(300_000)
        .unwrap();
    let frames: Vec<_> = response.into_body().into_data_stream().collect().await;
    let (last, whole) = frames.split_last().unwrap();
    assert!(last.is_err(), "the body ends as if it were whole");
    let received: usize = whole
        .iter()
        .map(|frame| frame.as_ref().unwrap().len())
        .sum();
    assert!(received <= 300_000);
}

#[tokio::test]
async fn a_disk_that_fails_is_not_a_blob_that_is_missing() {
    let registry = Registry::on_disk();
    let digest = registry.push_blob("a", b"content").await;
    let hex = digest.hex();
    let data = registry.file(&format!("blobs/sha256/{}/{hex}/data", &hex[..2]));
    fs_err::remove_file(&data).unwrap();
    // A link to itself: the file cannot be opened, and yet is not absent.
    std::os::unix::fs::symlink(&data, &data).unwrap();
    let answer = registry.get(&format!("/v2/a/blobs/{digest}")).await;
    let details = answer.assert_error(500, "UNKNOWN");
    assert!(details[0].is_null());
    assert!(
        !String::from_utf8_lossy(&answer.body).contains("docker/registry"),
        "{answer:?}"
    );
}
