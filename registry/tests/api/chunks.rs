//! What PATCH brings, piece by piece.

use super::harness::{Registry, broken_off, chunked, sha256};
use super::uploads::{assert_progress, assert_served, patch, put};

#[tokio::test]
async fn chunks_in_order() {
    let registry = Registry::new();
    let location = registry.start_upload("a").await;
    let answer = registry
        .send(
            patch(&location)
                .header("content-range", "0-3")
                .body(b"0123"),
        )
        .await;
    assert_progress(&answer, 202, &location, "0-3");
    assert_progress(&registry.get(&location).await, 204, &location, "0-3");
    assert_progress(&registry.head(&location).await, 204, &location, "0-3");

    for wrong in ["0-3", "5-8", "3-6"] {
        let answer = registry
            .send(
                patch(&location)
                    .header("content-range", wrong)
                    .body(b"4567"),
            )
            .await;
        answer.assert_error(416, "RANGE_INVALID");
        assert_progress(&answer, 416, &location, "0-3");
    }
    let unreadable = patch(&location)
        .header("content-range", "four-seven")
        .body(b"4567");
    registry
        .send(unreadable)
        .await
        .assert_error(416, "RANGE_INVALID");

    let last = put(&location, sha256(b"01234567"))
        .header("content-range", "4-7")
        .body(b"4567");
    assert_eq!(registry.send(last).await.status, 201);
    assert_served(&registry, "a", b"01234567").await;
}

#[tokio::test]
async fn a_chunk_of_another_length_than_its_range() {
    let registry = Registry::new();
    let location = registry.start_upload("a").await;
    let announced = patch(&location)
        .header("content-range", "0-9")
        .body(b"0123");
    registry
        .send(announced)
        .await
        .assert_error(400, "SIZE_INVALID");
    assert_progress(&registry.get(&location).await, 204, &location, "0-0");

    let longer = patch(&location).header("content-range", "0-3");
    registry
        .send_stream(longer, chunked(&["0123", "4"]))
        .await
        .assert_error(400, "SIZE_INVALID");
    assert_progress(&registry.get(&location).await, 204, &location, "0-3");

    let shorter = patch(&location).header("content-range", "4-9");
    registry
        .send_stream(shorter, chunked(&["45"]))
        .await
        .assert_error(400, "SIZE_INVALID");
    assert_progress(&registry.get(&location).await, 204, &location, "0-5");
    assert_eq!(
        registry
            .send(put(&location, sha256(b"012345")))
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn a_stream_without_a_length() {
    let registry = Registry::new();
    let location = registry.start_upload("a").await;
    let answer = registry
        .send_stream(patch(&location), chunked(&["one ", "", "two"]))
        .await;
    assert_progress(&answer, 202, &location, "0-6");
    let answer = registry
        .send_stream(put(&location, sha256(b"one two")), chunked(&[]))
        .await;
    assert_eq!(answer.status, 201);
}

#[tokio::test]
async fn what_came_before_a_connection_broke_is_kept() {
    let registry = Registry::new();
    let location = registry.start_upload("a").await;
    let answer = registry
        .send_stream(patch(&location), broken_off(&["0123", "45"]))
        .await;
    answer.assert_error(400, "BLOB_UPLOAD_INVALID");
    assert_progress(&registry.get(&location).await, 204, &location, "0-5");
    let rest = patch(&location)
        .header("content-range", "6-9")
        .body(b"6789");
    assert_progress(&registry.send(rest).await, 202, &location, "0-9");
    assert_eq!(
        registry
            .send(put(&location, sha256(b"0123456789")))
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn a_body_that_breaks_off_is_never_complete() {
    let registry = Registry::new();
    let location = registry.start_upload("a").await;
    let digest = sha256(b"content");
    // All bytes have come, but not the end of the body.
    let answer = registry
        .send_stream(put(&location, digest), broken_off(&["content"]))
        .await;
    answer.assert_error(400, "BLOB_UPLOAD_INVALID");
    registry
        .get(&format!("/v2/a/blobs/{digest}"))
        .await
        .assert_error(404, "BLOB_UNKNOWN");
    // Fewer bytes than announced, and a clean end.
    let short = put(&location, digest).header("content-length", "9");
    registry
        .send_stream(short, chunked(&["content"]))
        .await
        .assert_error(400, "SIZE_INVALID");
    registry
        .get(&format!("/v2/a/blobs/{digest}"))
        .await
        .assert_error(404, "BLOB_UNKNOWN");
}
