//! What a server does for its registry by itself, beside requests.

#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

mod harness;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use harness::image::{Image, noise, push_blob, sha256};
use harness::up;

#[tokio::test]
async fn garbage_is_collected_while_it_serves() {
    let dir = tempfile::tempdir().unwrap();
    let mut tidegate = up().in_dir(dir.path()).start();
    let image = Image::of(vec![noise(1, 100_000)]);
    image.push(&tidegate.client(), "app", "v1").await;
    let nobodys = noise(2, 100_000);
    push_blob(&tidegate.client(), "app", nobodys.clone()).await;
    tidegate.stop();
    make_old(&dir.path().join("registry"));

    let mut tidegate = up()
        .in_dir(dir.path())
        .config(
            "root = \"registry\"",
            "root = \"registry\"\ncollect = { every = \"1s\" }",
        )
        .start();
    let line = tidegate.logged("collected garbage");
    assert!(line.contains("collect.blobs=1"), "{line}");
    let client = tidegate.client();
    image.assert_pulls(&client, "app", "v1").await;
    let gone = format!("/v2/app/blobs/{}", sha256(&nobodys));
    assert_eq!(client.get(&gone).await.status, 404);
    push_blob(&client, "app", nobodys).await;
    assert_eq!(client.get(&gone).await.status, 200);
    tidegate.stop();
}

#[tokio::test]
async fn what_the_disk_changed_is_found_and_not_served() {
    let dir = tempfile::tempdir().unwrap();
    let mut tidegate = up().in_dir(dir.path()).start();
    let layer = noise(3, 100_000);
    let image = Image::of(vec![layer.clone()]);
    image.push(&tidegate.client(), "app", "v1").await;
    let digest = sha256(&layer);
    let hex = digest.strip_prefix("sha256:").unwrap();
    let data = tidegate
        .storage()
        .join(format!("blobs/sha256/{}/{hex}/data", &hex[..2]));
    tidegate.stop();
    let mut bytes = fs_err::read(&data).unwrap();
    bytes[50_000] ^= 1;
    fs_err::write(&data, bytes).unwrap();

    let mut tidegate = up()
        .in_dir(dir.path())
        .config(
            "root = \"registry\"",
            "root = \"registry\"\nscrub = { every = \"1s\" }",
        )
        .start();
    let line = tidegate.logged(&format!("scrub: {digest}"));
    assert!(
        line.contains("WARN") && line.contains("push an image"),
        "{line}"
    );
    tidegate.logged("something is wrong");
    let client = tidegate.client();
    let path = format!("/v2/app/blobs/{digest}");
    assert_eq!(client.get(&path).await.status, 404);
    // A push mends it.
    push_blob(&client, "app", layer).await;
    image.assert_pulls(&client, "app", "v1").await;
    tidegate.logged("all is well");
    tidegate.stop();
}

/// Makes everything look as if it had been written two days ago.
fn make_old(root: &Path) {
    let old = SystemTime::now() - Duration::from_secs(48 * 3600);
    let mut left: Vec<PathBuf> = vec![root.to_owned()];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            let entries = fs_err::read_dir(&path).unwrap();
            left.extend(entries.map(|entry| entry.unwrap().path()));
        }
        let file = fs_err::File::open(&path).unwrap();
        file.set_modified(old).unwrap();
    }
}
