//! What was acknowledged is there after the process was killed; what was not
//! leaves nothing visible.

#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

mod harness;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use harness::client::Body;
use harness::image::{Image, OCI_MANIFEST, noise, path_of, sha256, with_digest};
use harness::{Tidegate, finish, run, up};
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use rustix::process::Signal;
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;

const MIB: usize = 1 << 20;
/// How much of the blob the client sends: large enough that the cut comes in
/// the middle however much is buffered on the way.
const BLOB: usize = 500 * MIB;

#[tokio::test]
async fn a_push_that_is_cut_by_kill_leaves_nothing_and_can_be_repeated() {
    let mut tidegate = up().start();
    let dir = tidegate.dir.clone();
    let image = Image::of(vec![noise(1, MIB), noise(2, 100)]);
    image.push(&tidegate.client(), "kept/image", "v1").await;
    let blobs_before = blob_files(&tidegate.storage());

    // Killed when a third of the blob has been taken.
    let digest = endless_digest(BLOB);
    let third = Arc::new(Notify::new());
    let push = {
        let (client, third) = (tidegate.client(), Arc::clone(&third));
        tokio::spawn(async move {
            let upload = client.post("/v2/cut/image/blobs/uploads/").await;
            let location = upload.header("location").to_owned();
            let body = endless(BLOB, BLOB / 3, third);
            client
                .try_send(Method::PATCH, &location, body)
                .await
                .is_err()
        })
    };
    third.notified().await;
    tidegate.kill();
    assert!(push.await.unwrap(), "the client must see the cut");
    assert_eq!(blob_files(&tidegate.storage()), blobs_before);

    let again = up().in_dir(&dir).start();
    let client = again.client();
    image.assert_pulls(&client, "kept/image", "v1").await;
    let path = format!("/v2/cut/image/blobs/{digest}");
    assert_eq!(client.head(&path).await.status, StatusCode::NOT_FOUND);
    let catalog = client.get("/v2/_catalog").await;
    assert_eq!(
        catalog.json()["repositories"],
        serde_json::json!(["kept/image"])
    );

    push_endless(&again, "cut/image", &digest).await;
    let head = client.head(&path).await;
    assert_eq!(head.status, StatusCode::OK);
    assert_eq!(head.header("content-length"), BLOB.to_string());
}

#[tokio::test]
async fn an_upload_goes_on_after_a_restart_where_it_was_cut() {
    let mut tidegate = up().start();
    let dir = tidegate.dir.clone();
    let bytes = noise(7, 3 * MIB);
    let upload = tidegate.client().post("/v2/resumed/blobs/uploads/").await;
    let first = bytes.slice(..MIB);
    let patched = tidegate
        .client()
        .patch(upload.header("location"), first)
        .await;
    assert_eq!(patched.status, StatusCode::ACCEPTED);
    let location = path_of(patched.header("location"));
    tidegate.kill();

    let again = up().in_dir(&dir).start();
    let client = again.client();
    let status = client.get(&location).await;
    assert_eq!(status.status, StatusCode::NO_CONTENT);
    assert_eq!(status.header("range"), format!("0-{}", MIB - 1));
    let rest = client
        .clone()
        .header("content-range", &format!("{MIB}-{}", bytes.len() - 1))
        .patch(status.header("location"), bytes.slice(MIB..))
        .await;
    assert_eq!(rest.status, StatusCode::ACCEPTED, "{:?}", rest.body);
    let put = with_digest(rest.header("location"), &sha256(&bytes));
    assert_eq!(client.put(&put, "").await.status, StatusCode::CREATED);
    let pulled = client
        .get(&format!("/v2/resumed/blobs/{}", sha256(&bytes)))
        .await;
    assert_eq!(pulled.body, bytes);
}

#[tokio::test]
async fn a_stop_lets_the_request_in_flight_finish() {
    let mut tidegate = up().start();
    let digest = endless_digest(64 * MIB);
    let started = Arc::new(Notify::new());
    let upload = tidegate.client().post("/v2/slow/blobs/uploads/").await;
    let put = with_digest(&path_of(upload.header("location")), &digest);
    let push = {
        let (client, started) = (tidegate.client(), Arc::clone(&started));
        tokio::spawn(async move {
            let body = endless(64 * MIB, MIB, started);
            client.send(Method::PUT, &put, body).await.status
        })
    };
    started.notified().await;
    tidegate.signal(Signal::TERM);
    assert_eq!(push.await.unwrap(), StatusCode::CREATED);
    assert!(tidegate.wait().success());
}

#[tokio::test]
async fn a_layer_of_any_size_streams_through_bounded_memory() {
    // The whole figure is 10 GiB; the tests take less unless they are asked to.
    let gib: usize = std::env::var("TIDEGATE_TEST_LAYER_GIB")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1);
    let size = gib << 30;
    let tidegate = up().start();
    let digest = endless_digest(size);
    let client = tidegate.client();
    let upload = client.post("/v2/large/blobs/uploads/").await;

    let peak = Arc::new(AtomicUsize::new(0));
    let sent = Arc::new(Notify::new());
    let patch = {
        let (client, sent) = (client.clone(), Arc::clone(&sent));
        let location = upload.header("location").to_owned();
        tokio::spawn(async move {
            client
                .send(Method::PATCH, &location, endless(size, size, sent))
                .await
        })
    };
    while !patch.is_finished() {
        let resident = usize::try_from(tidegate.resident_bytes()).unwrap();
        peak.fetch_max(resident, Ordering::Relaxed);
        tokio::task::yield_now().await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let patched = patch.await.unwrap();
    assert_eq!(patched.status, StatusCode::ACCEPTED, "{:?}", patched.body);
    let put = with_digest(patched.header("location"), &digest);
    assert_eq!(client.put(&put, "").await.status, StatusCode::CREATED);
    let peak = peak.load(Ordering::Relaxed);
    assert!(peak < 64 * MIB, "{} MiB resident for {gib} GiB", peak / MIB);
}

#[tokio::test]
async fn a_full_disk_is_said_and_keeps_what_was_there() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let dir = disk.0.path().join("data");
    let mut tidegate = up().in_dir(&dir).start();
    let image = Image::of(vec![noise(1, MIB)]);
    image.push(&tidegate.client(), "kept/image", "v1").await;

    for client in [tidegate.client(), tidegate.client().http2()] {
        let upload = client.post("/v2/too/large/blobs/uploads/").await;
        let location = upload.header("location");
        let body = endless(64 * MIB, 64 * MIB, Arc::new(Notify::new()));
        let answer = client.send(Method::PATCH, location, body).await;
        assert_eq!(answer.status, StatusCode::INSUFFICIENT_STORAGE);
        assert_eq!(answer.error_code(), "UNAVAILABLE");
        assert!(answer.text().contains("the registry's disk is full"));
        assert!(!answer.text().contains("space"), "{}", answer.text());
        let line = tidegate.logged("ERROR");
        assert!(line.contains("No space left on device"), "{line}");
        assert_eq!(client.delete(location).await.status, StatusCode::NO_CONTENT);
    }
    image
        .assert_pulls(&tidegate.client(), "kept/image", "v1")
        .await;
    let catalog = tidegate.client().get("/v2/_catalog").await;
    assert_eq!(
        catalog.json()["repositories"],
        serde_json::json!(["kept/image"])
    );
}

#[tokio::test]
async fn what_a_full_or_read_only_disk_refused_works_once_it_is_mended() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let dir = disk.0.path().join("data");
    let mut tidegate = up().in_dir(&dir).start();
    let kept = Image::of(vec![noise(1, MIB)]);
    kept.push(&tidegate.client(), "kept/image", "v1").await;

    let filler = disk.0.path().join("filler");
    let fill = || {
        let file = fs_err::File::create(&filler).unwrap();
        let _ = std::io::copy(&mut std::io::repeat(0), &mut &file);
    };
    let empty = || fs_err::remove_file(&filler).unwrap();
    let remount = |how: &str| {
        let mut mount = Command::new("mount");
        mount
            .args(["-o", &format!("remount,{how}")])
            .arg(disk.0.path());
        let finished = finish(mount, "");
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    };
    let close = || remount("ro");
    let open = || remount("rw");
    /// How a disk is broken, how it is mended, what the log says, and what the
    /// client is told.
    type Fault<'a> = (
        &'a dyn Fn(),
        &'a dyn Fn(),
        &'static str,
        (u16, &'static str),
    );
    let faults: [Fault<'_>; 2] = [
        (
            &fill,
            &empty,
            "No space left on device",
            (507, "UNAVAILABLE"),
        ),
        (&close, &open, "Read-only file system", (500, "UNKNOWN")),
    ];
    for (number, (break_it, mend, cause, (status, code))) in faults.into_iter().enumerate() {
        let image = Image::of(vec![noise(10 + number as u64, MIB)]);
        let repository = format!("new/image{number}");
        for client in [tidegate.client(), tidegate.client().http2()] {
            break_it();
            // A manifest, whose content is there already, and a blob.
            let manifest = client
                .clone()
                .header("content-type", OCI_MANIFEST)
                .put("/v2/kept/image/manifests/v2", kept.manifest.clone())
                .await;
            let upload = client
                .post(&format!("/v2/{repository}/blobs/uploads/"))
                .await;
            for answer in [manifest, upload] {
                assert_eq!(answer.status, status, "{cause}");
                assert_eq!(answer.error_code(), code);
                let line = tidegate.logged("ERROR");
                assert!(line.contains(cause) && line.contains("hint"), "{line}");
            }
            // What is there is served, and nothing half-done is seen.
            kept.assert_pulls(&client, "kept/image", "v1").await;
            let tags = client.get("/v2/kept/image/tags/list").await;
            assert_eq!(tags.json()["tags"], serde_json::json!(["v1"]));
            mend();
        }
        let client = tidegate.client();
        image.push(&client, &repository, "v1").await;
        image.assert_pulls(&client, &repository, "v1").await;
    }
}

#[test]
fn a_start_on_a_full_disk_leaves_nothing_behind() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let filler = fs_err::File::create(disk.0.path().join("filler")).unwrap();
    let _ = std::io::copy(&mut std::io::repeat(0), &mut &filler);
    let dir = disk.0.path().join("data");
    let shown = dir.to_string_lossy().into_owned();
    let finished = run(["up", "--dir", &shown, "--listen", "127.0.0.1:0"], "");
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("No space left"),
        "{}",
        finished.stderr
    );
    assert!(!dir.exists());
}

/// A file system of 24 MiB; unmounted when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"])
            .arg(dir.path());
        if finish(mount, "").code == Some(0) {
            Some(Self(dir))
        } else {
            eprintln!("skipped: the right to mount a file system not found");
            None
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let mut unmount = Command::new("umount");
        unmount.arg("--lazy").arg(self.0.path());
        let _ = finish(unmount, "");
    }
}

async fn push_endless(tidegate: &Tidegate, repository: &str, digest: &str) {
    let client = tidegate.client();
    let upload = client
        .post(&format!("/v2/{repository}/blobs/uploads/"))
        .await;
    let body = endless(BLOB, BLOB, Arc::new(Notify::new()));
    let patched = client
        .send(Method::PATCH, upload.header("location"), body)
        .await;
    assert_eq!(patched.status, StatusCode::ACCEPTED, "{:?}", patched.body);
    let put = with_digest(patched.header("location"), digest);
    assert_eq!(client.put(&put, "").await.status, StatusCode::CREATED);
}

/// `size` bytes made on the fly; `reached` is notified once `mark` of them have
/// been taken.
fn endless(size: usize, mark: usize, reached: Arc<Notify>) -> Body {
    let chunk = noise(99, MIB);
    let frames = (0..size / MIB).map(move |n| {
        if n * MIB <= mark && mark < (n + 1) * MIB {
            reached.notify_one();
        }
        Ok(Frame::data(chunk.clone()))
    });
    StreamBody::new(futures_util::stream::iter(frames)).boxed()
}

fn endless_digest(size: usize) -> String {
    let chunk: Bytes = noise(99, MIB);
    let mut hash = Sha256::new();
    for _ in 0..size / MIB {
        hash.update(&chunk);
    }
    format!("sha256:{}", hex::encode(hash.finalize()))
}

/// The blobs that are visible, by the file that holds each.
fn blob_files(storage: &Path) -> Vec<String> {
    let mut found = vec![];
    let mut directories = vec![storage.join("blobs")];
    while let Some(directory) = directories.pop() {
        for entry in fs_err::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.ends_with("data") {
                found.push(path.display().to_string());
            }
        }
    }
    found.sort();
    found
}
