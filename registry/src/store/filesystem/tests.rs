//! The contract on a file system, and what only a file system can do: hold
//! what distribution wrote, and what a crash left.

mod broken_links;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use fs_err as fs;

use super::layout::Layout;
use super::*;
use crate::oci::Algorithm;
use crate::store::contract::{self, Subject};
use crate::store::{Maintain, Missing};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_the_contract() {
    let root = tempfile::tempdir().unwrap();
    let count = std::cell::Cell::new(0);
    contract::check(|| {
        count.set(count.get() + 1);
        let root = root.path().join(count.get().to_string());
        let layout = Layout::new(&root);
        Subject {
            store: Arc::new(Filesystem::new(&root)),
            corrupt: Box::new(move |digest| {
                let data = layout.blob_data(digest);
                let mut bytes = fs::read(&data).unwrap();
                bytes[0] ^= 1;
                fs::write(&data, bytes).unwrap();
            }),
            reopen: Box::new(move || Arc::new(Filesystem::new(&root))),
        }
    })
    .await;
}

struct Root {
    _directory: tempfile::TempDir,
    store: Filesystem,
    layout: Layout,
    repo: RepoName,
}

fn root() -> Root {
    let directory = tempfile::tempdir().unwrap();
    Root {
        store: Filesystem::new(directory.path()),
        layout: Layout::new(directory.path()),
        repo: "library/alpine".parse().unwrap(),
        _directory: directory,
    }
}

impl Root {
    async fn push(&self, content: &'static [u8]) -> Digest {
        let mut upload = self.store.begin_upload(&self.repo).await.unwrap();
        upload.write(Bytes::from_static(content)).await.unwrap();
        let digest = Algorithm::Sha256.digest(content);
        upload.commit(&digest).await.unwrap();
        digest
    }

    async fn put(&self, tag: &str) -> Digest {
        let bytes = Bytes::from_static(br#"{"schemaVersion":2,"manifests":[]}"#);
        let digest = Algorithm::Sha256.digest(&bytes);
        let tags = vec![tag.parse().unwrap()];
        let manifest = NewManifest {
            digest,
            bytes,
            subject: None,
            tags,
        };
        self.store.put_manifest(&self.repo, manifest).await.unwrap();
        digest
    }

    async fn blob_error(&self, digest: &Digest) -> Option<StoreError> {
        self.store.blob(&self.repo, digest).await.err()
    }
}

fn overwrite(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Every file below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path)
            } else {
                found.push(path)
            }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn a_push_writes_exactly_what_distribution_writes() {
    let root = root();
    let blob = root.push(b"layer").await;
    let manifest = root.put("3.20").await;
    let tag = "3.20".parse().unwrap();
    let links = [
        (root.layout.layer_link(&root.repo, &blob), blob),
        (root.layout.revision_link(&root.repo, &manifest), manifest),
        (
            root.layout.tag_index_link(&root.repo, &tag, &manifest),
            manifest,
        ),
        (root.layout.tag_current_link(&root.repo, &tag), manifest),
    ];
    for (path, digest) in &links {
        assert_eq!(
            fs::read_to_string(path).unwrap(),
            digest.to_string(),
            "{}",
            path.display()
        );
    }
    let mut expected: Vec<PathBuf> = links.into_iter().map(|(path, _)| path).collect();
    expected.extend([
        root.layout.blob_data(&blob),
        root.layout.blob_data(&manifest),
    ]);
    expected.sort();
    assert_eq!(files(root._directory.path()), expected);
    assert_eq!(fs::read(root.layout.blob_data(&blob)).unwrap(), b"layer");
}

#[tokio::test]
async fn an_upload_lies_where_distribution_looks_for_it() {
    let root = root();
    let mut upload = root.store.begin_upload(&root.repo).await.unwrap();
    upload.write(Bytes::from_static(b"part")).await.unwrap();
    let directory = root.layout.upload(&root.repo, upload.id());
    upload.suspend().await.unwrap();
    assert_eq!(fs::read(directory.join("data")).unwrap(), b"part");
    let started_at = fs::read_to_string(directory.join("startedat")).unwrap();
    assert_eq!(started_at.len(), 20, "{started_at}");
    assert!(started_at.ends_with('Z'), "{started_at}");
}

#[tokio::test]
async fn an_upload_that_distribution_began_is_continued() {
    let root = root();
    let id = UploadId::random();
    let directory = root.layout.upload(&root.repo, id);
    overwrite(&directory.join("startedat"), b"2024-05-06T07:08:09Z");
    assert_eq!(root.store.upload_offset(&root.repo, id).await.unwrap(), 0);
    let mut upload = root.store.resume_upload(&root.repo, id).await.unwrap();
    upload.write(Bytes::from_static(b"abc")).await.unwrap();
    upload.suspend().await.unwrap();
    overwrite(
        &directory.join("hashstates/sha256/3"),
        b"state of a Go program",
    );
    let upload = root.store.resume_upload(&root.repo, id).await.unwrap();
    upload
        .commit(&Algorithm::Sha256.digest(b"abc"))
        .await
        .unwrap();
    assert!(!directory.exists());
}

#[tokio::test]
async fn a_torn_blob_counts_as_absent_and_is_replaced() {
    let root = root();
    let digest = root.push(b"whole").await;
    let data = root.layout.blob_data(&digest);
    overwrite(&data, b"");
    let error = root.blob_error(&digest).await.unwrap();
    assert!(
        matches!(error, StoreError::NotFound(Missing::Blob(..))),
        "{error}"
    );
    for torn in [&b""[..], b"who", b"whole and more"] {
        overwrite(&data, torn);
        root.push(b"whole").await;
        assert_eq!(fs::read(&data).unwrap(), b"whole");
    }
}

#[tokio::test]
async fn a_broken_layer_link_counts_as_absent_and_is_mended() {
    let root = root();
    let digest = root.push(b"layer").await;
    let link = root.layout.layer_link(&root.repo, &digest);
    for broken in [&b""[..], b"sha256:12", b"\xff"] {
        overwrite(&link, broken);
        let error = root.blob_error(&digest).await.unwrap();
        assert!(matches!(error, StoreError::NotFound(_)), "{error}");
        root.push(b"layer").await;
        assert!(root.blob_error(&digest).await.is_none());
    }
}

#[tokio::test]
async fn a_broken_tag_is_an_error_of_that_tag_alone() {
    let root = root();
    let digest = root.put("broken").await;
    root.put("whole").await;
    let broken = "broken".parse().unwrap();
    overwrite(&root.layout.tag_current_link(&root.repo, &broken), b"");
    let error = root.store.tagged(&root.repo, &broken).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(
        error.to_string().contains("tags/broken/current/link"),
        "{error}"
    );

    let whole = "whole".parse().unwrap();
    assert_eq!(root.store.tagged(&root.repo, &whole).await.unwrap(), digest);
    let listed = root.store.tags(&root.repo, None, 10).await.unwrap().items;
    assert_eq!(listed.to_vec(), [broken.clone(), whole]);

    root.put("broken").await;
    assert_eq!(
        root.store.tagged(&root.repo, &broken).await.unwrap(),
        digest
    );
    overwrite(&root.layout.tag_current_link(&root.repo, &broken), b"");
    root.store
        .delete_manifest(&root.repo, &digest)
        .await
        .unwrap();
    root.store.delete_tag(&root.repo, &broken).await.unwrap();
}

#[tokio::test]
async fn a_changed_manifest_is_never_served() {
    let root = root();
    let digest = root.put("t").await;
    let data = root.layout.blob_data(&digest);
    overwrite(&data, br#"{"schemaVersion":2,"manifests":[ ]}"#);
    let error = root.store.manifest(&root.repo, &digest).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    overwrite(&data, b"");
    let error = root.store.manifest(&root.repo, &digest).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound(_)), "{error}");
    root.put("t").await;
    assert!(root.store.manifest(&root.repo, &digest).await.is_ok());
}

#[tokio::test]
async fn leftovers_of_a_crash_are_not_seen() {
    let root = root();
    let digest = root.put("t").await;
    let tags = root.layout.tags(&root.repo);
    overwrite(&tags.join("t/current/link.0b1c.tmp"), b"sha");
    overwrite(&tags.join("stray.tmp"), b"");
    let half = "half".parse().unwrap();
    overwrite(&root.layout.tag_index_link(&root.repo, &half, &digest), b"");
    let revision = root.layout.revision_link(&root.repo, &digest);
    overwrite(&revision.with_file_name("link.0b1c.tmp"), b"");
    let listed = root.store.tags(&root.repo, None, 10).await.unwrap().items;
    assert_eq!(listed.to_vec(), ["t".parse().unwrap()]);
    root.store
        .delete_manifest(&root.repo, &digest)
        .await
        .unwrap();
    let repositories = root.store.repositories(None, 10).await.unwrap().items;
    assert_eq!(repositories, []);
}

#[tokio::test]
async fn a_deletion_by_another_process_is_noticed() {
    let root = root();
    let digest = root.put("t").await;
    root.store.manifest(&root.repo, &digest).await.unwrap();
    fs::remove_file(root.layout.revision_link(&root.repo, &digest)).unwrap();
    let error = root.store.manifest(&root.repo, &digest).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound(_)), "{error}");
}

#[tokio::test]
async fn what_cannot_be_read_is_not_called_missing() {
    let root = root();
    let digest = root.push(b"layer").await;
    let data = root.layout.blob_data(&digest);
    fs::remove_file(&data).unwrap();
    std::os::unix::fs::symlink(&data, &data).unwrap();
    let error = root.blob_error(&digest).await.unwrap();
    assert!(matches!(error, StoreError::Io(_)), "{error}");
    assert!(
        error.to_string().contains(data.to_str().unwrap()),
        "{error}"
    );
}

#[tokio::test]
async fn a_blob_is_read_to_its_end_after_it_was_deleted() {
    use futures_util::TryStreamExt;

    let root = root();
    let digest = root.push(b"layer").await;
    let blob = root.store.blob(&root.repo, &digest).await.unwrap();
    fs::remove_file(root.layout.blob_data(&digest)).unwrap();
    let read: Vec<Bytes> = blob.read(0..5).try_collect().await.unwrap();
    assert_eq!(read.concat(), b"layer");
}

/// Either the claim comes first and the link stays, or the removal does and
/// the claim is told so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_and_a_removal_exclude_each_other() {
    let root = root();
    let digest = root.push(b"layer").await;
    let link = root.layout.layer_link(&root.repo, &digest);
    let (mut kept, mut removed) = (0, 0);
    for _ in 0..200 {
        root.push(b"layer").await;
        let old = SystemTime::now() - Duration::from_secs(3600);
        fs::File::open(&link).unwrap().set_modified(old).unwrap();
        let (store, repo) = (root.store.clone(), root.repo.clone());
        let claim = tokio::spawn(async move { store.claim_blob(&repo, &digest).await.is_ok() });
        let grace = SystemTime::now() - Duration::from_secs(60);
        let expired = root
            .store
            .expire_layer(&root.repo, &digest, grace)
            .await
            .unwrap();
        let claimed = claim.await.unwrap();
        assert_eq!(claimed, !expired);
        assert_eq!(fs::exists(&link).unwrap(), claimed);
        if claimed { kept += 1 } else { removed += 1 }
    }
    assert!(kept + removed == 200, "kept {kept}, removed {removed}");
}

/// Content that was pushed long ago stays while it is pushed again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_of_old_content_and_its_removal_exclude_each_other() {
    let root = root();
    let digest = root.push(b"layer").await;
    let data = root.layout.blob_data(&digest);
    for _ in 0..100 {
        root.push(b"layer").await;
        let old = SystemTime::now() - Duration::from_secs(3600);
        fs::File::open(&data).unwrap().set_modified(old).unwrap();
        let (store, repo) = (root.store.clone(), root.repo.clone());
        let push = tokio::spawn(async move {
            let mut upload = store.begin_upload(&repo).await.unwrap();
            upload.write("layer".into()).await.unwrap();
            upload.commit(&digest).await.unwrap();
        });
        let grace = SystemTime::now() - Duration::from_secs(60);
        root.store.expire_content(&digest, grace).await.unwrap();
        push.await.unwrap();
        assert_eq!(fs::read(&data).unwrap(), b"layer");
    }
}

/// Whoever tidies up removes directories into which others are about to write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_and_tidying_do_not_disturb_each_other() {
    let root = root();
    let store = root.store.clone();
    let repo = root.repo.clone();
    let tidying = tokio::spawn(async move {
        for _ in 0..300 {
            // Far less than any collector grants.
            let since = SystemTime::now() - Duration::from_millis(10);
            store.tidy(Some(&repo), since).await.unwrap();
            store.tidy(None, since).await.unwrap();
        }
    });
    for round in 0..40 {
        let digest = root.push(b"layer").await;
        let manifest = root.put(&format!("t{round}")).await;
        root.store.blob(&root.repo, &digest).await.unwrap();
        root.store
            .delete_manifest(&root.repo, &manifest)
            .await
            .unwrap();
        root.store.delete_blob(&root.repo, &digest).await.unwrap();
    }
    tidying.await.unwrap();
}
