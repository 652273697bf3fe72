//! Two servers on one directory, as two replicas of a registry are: whatever
//! one has begun or acknowledged, the other goes on with, also when the first
//! is killed.

mod harness;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use harness::client::{Answer, Body, Client};
use harness::image::{Image, noise, path_of, sha256, with_digest};
use harness::{PATIENCE, Tidegate, up};
use http::{Method, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use sha2::{Digest as _, Sha512};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const MIB: usize = 1 << 20;
/// How much of a body is handed over at once.
const PIECE: usize = 64 * 1024;

/// A registry's directory, which servers share.
struct Shared(TempDir);

impl Shared {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// One more server, with a certificate and a port of its own.
    fn serve(&self) -> Tidegate {
        let root = format!("root = \"{}\"", self.0.path().display());
        up().config("root = \"registry\"", &root).start()
    }
}

/// How many bytes an upload has, by the answer that says it.
fn offset(answer: &Answer) -> usize {
    let last = answer.header("range").strip_prefix("0-").unwrap();
    last.parse::<usize>().unwrap() + 1
}

async fn append(client: &Client, location: &str, bytes: &Bytes, from: usize, to: usize) -> Answer {
    let range = format!("{from}-{}", to - 1);
    let client = client.clone().header("content-range", &range);
    client.patch(location, bytes.slice(from..to)).await
}

/// The first `mark` bytes, and then nothing: the body does not end.
fn stalling(bytes: &Bytes, mark: usize) -> Body {
    let bytes = bytes.slice(..mark);
    let pieces = (0..mark).step_by(PIECE);
    let pieces = pieces.map(move |at| Ok(Frame::data(bytes.slice(at..mark.min(at + PIECE)))));
    BodyExt::boxed(StreamBody::new(
        stream::iter(pieces).chain(stream::pending()),
    ))
}

/// Sends what does not end, in the background; the result is whether the client
/// has seen that it was cut.
fn send_stalling(client: &Client, upload: &str, bytes: &Bytes, mark: usize) -> JoinHandle<bool> {
    let (client, upload) = (client.clone(), upload.to_owned());
    let body = stalling(bytes, mark);
    tokio::spawn(async move { client.try_send(Method::PATCH, &upload, body).await.is_err() })
}

/// Waits until so much of an upload is kept, whoever is writing it.
async fn until_kept(client: &Client, upload: &str, expected: usize) {
    let wait = async {
        loop {
            let status = client.get(upload).await;
            assert_eq!(status.status, StatusCode::NO_CONTENT, "{:?}", status.body);
            if offset(&status) >= expected {
                break;
            }
        }
    };
    timeout(PATIENCE, wait)
        .await
        .unwrap_or_else(|_| panic!("{upload} does not come to {expected} bytes"));
}

#[tokio::test]
async fn an_upload_goes_from_one_to_the_other_and_back() {
    let shared = Shared::new();
    let (one, two) = (shared.serve(), shared.serve());
    let (one, two) = (one.client(), two.client());
    let bytes = noise(21, 3 * MIB);
    let begun = one.post("/v2/app/blobs/uploads/").await;
    let upload = path_of(begun.header("location"));

    let first = append(&one, &upload, &bytes, 0, MIB).await;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    let status = two.get(&upload).await;
    assert_eq!(
        (status.status, offset(&status)),
        (StatusCode::NO_CONTENT, MIB)
    );
    let second = append(&two, &upload, &bytes, MIB, 2 * MIB).await;
    assert_eq!(second.status, StatusCode::ACCEPTED);
    // The first one does not believe what it knew.
    let late = append(&one, &upload, &bytes, MIB, 2 * MIB).await;
    assert_eq!(late.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(offset(&late), 2 * MIB);
    let third = append(&one, &upload, &bytes, 2 * MIB, 3 * MIB).await;
    assert_eq!(third.status, StatusCode::ACCEPTED);

    let digest = format!("sha512:{}", hex::encode(Sha512::digest(&bytes)));
    let done = two.put(&with_digest(&upload, &digest), "").await;
    assert_eq!(done.status, StatusCode::CREATED, "{:?}", done.body);
    for client in [&one, &two] {
        for digest in [&digest, &sha256(&bytes)] {
            let blob = client.get(&format!("/v2/app/blobs/{digest}")).await;
            assert_eq!((blob.status, &blob.body), (StatusCode::OK, &bytes));
        }
        let gone = client.get(&upload).await;
        assert_eq!(gone.status, StatusCode::NOT_FOUND);
        assert_eq!(gone.error_code(), "BLOB_UPLOAD_UNKNOWN");
    }
}

#[tokio::test]
async fn what_a_killed_one_was_sent_is_finished_by_the_other() {
    let shared = Shared::new();
    let (mut one, two) = (shared.serve(), shared.serve());
    let bytes = noise(22, 32 * MIB);
    let begun = one.client().post("/v2/app/blobs/uploads/").await;
    let upload = path_of(begun.header("location"));
    let sending = send_stalling(&one.client(), &upload, &bytes, 24 * MIB);
    let two = two.client();
    until_kept(&two, &upload, 8 * MIB).await;

    // An upload has one writer, wherever it is.
    let busy = two.patch(&upload, "in between").await;
    assert_eq!(busy.status, StatusCode::CONFLICT, "{:?}", busy.body);
    one.kill();
    assert!(sending.await.unwrap(), "the client must see the cut");

    finish(&two, &upload, &bytes).await;
}

#[tokio::test]
async fn what_a_killed_one_was_sent_is_finished_after_its_restart() {
    let mut tidegate = up().start();
    let dir = tidegate.dir.clone();
    let bytes = noise(23, 32 * MIB);
    let begun = tidegate.client().post("/v2/app/blobs/uploads/").await;
    let upload = path_of(begun.header("location"));
    let client = tidegate.client();
    let sending = send_stalling(&client, &upload, &bytes, 24 * MIB);
    until_kept(&client, &upload, 8 * MIB).await;
    tidegate.kill();
    assert!(sending.await.unwrap(), "the client must see the cut");

    let again = up().in_dir(&dir).start();
    finish(&again.client(), &upload, &bytes).await;
}

/// Sends what an upload lacks, and asserts that the blob is whole.
async fn finish(client: &Client, upload: &str, bytes: &Bytes) {
    let status = client.get(upload).await;
    assert_eq!(status.status, StatusCode::NO_CONTENT);
    let kept = offset(&status);
    assert!(
        (8 * MIB..=24 * MIB).contains(&kept),
        "{kept} bytes were kept"
    );
    let rest = append(client, upload, bytes, kept, bytes.len()).await;
    assert_eq!(rest.status, StatusCode::ACCEPTED, "{:?}", rest.body);
    let digest = sha256(bytes);
    let done = client.put(&with_digest(upload, &digest), "").await;
    assert_eq!(done.status, StatusCode::CREATED, "{:?}", done.body);
    let blob = client.get(&format!("/v2/app/blobs/{digest}")).await;
    assert!(blob.body == *bytes, "the blob differs");
}

#[tokio::test]
async fn what_one_acknowledges_the_other_serves_at_once() {
    let shared = Shared::new();
    let (one, two) = (shared.serve(), shared.serve());
    let clients = [one.client(), two.client()];
    for (nth, from) in clients.iter().enumerate() {
        let to = &clients[1 - nth];
        let (first, second) = (
            Image::of(vec![noise(30, 1000)]),
            Image::of(vec![noise(32, 1000)]),
        );
        // The tag is asked for before and between, so that it could be remembered.
        for image in [&first, &second, &first] {
            image.push(from, "team/app", "v1").await;
            image.assert_pulls(to, "team/app", "v1").await;
            image.assert_pulls(from, "team/app", "v1").await;
        }
        let list = to.get("/v2/team/app/tags/list").await;
        assert_eq!(list.json()["tags"], serde_json::json!(["v1"]));
        let manifest = format!("/v2/team/app/manifests/{}", first.digest);
        let deleted = to.delete(&manifest).await;
        assert_eq!(deleted.status, StatusCode::ACCEPTED, "{:?}", deleted.body);
        for path in [manifest.as_str(), "/v2/team/app/manifests/v1"] {
            assert_eq!(from.get(path).await.status, StatusCode::NOT_FOUND);
        }
        let list = from.get("/v2/team/app/tags/list").await;
        assert_eq!(list.json()["tags"], serde_json::json!([]));
    }
}

#[tokio::test]
async fn an_upload_that_one_cancels_is_gone_for_the_other() {
    let shared = Shared::new();
    let (one, two) = (shared.serve(), shared.serve());
    let (one, two) = (one.client(), two.client());
    let begun = one.post("/v2/app/blobs/uploads/").await;
    let upload = path_of(begun.header("location"));
    let sent = one.patch(&upload, "some bytes").await;
    assert_eq!(sent.status, StatusCode::ACCEPTED);
    assert_eq!(two.delete(&upload).await.status, StatusCode::NO_CONTENT);
    for answer in [
        one.get(&upload).await,
        one.patch(&upload, "more").await,
        one.put(&with_digest(&upload, &sha256(b"some bytes")), "")
            .await,
    ] {
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{:?}", answer.body);
        assert_eq!(answer.error_code(), "BLOB_UPLOAD_UNKNOWN");
    }
}
