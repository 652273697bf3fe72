//! The rules about futures that are dropped, wherever they are.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;

use super::manifests::{index, put, tag};
use super::{assert_missing, read, repo};
use crate::oci::{Algorithm, RepoName};
use crate::store::{Maintain, Missing, NewManifest, Store, StoreError, Upload, UploadId};

/// How often a future is polled at most before it is dropped.
const POLLS: usize = 24;

/// Polls a future so often, lets others go on in between, and drops it.
async fn dropped_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    for _ in 0..polls {
        let polled = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
        if let Poll::Ready(done) = polled {
            return Some(done);
        }
        tokio::task::yield_now().await;
    }
    None
}

/// A dropped operation may still be at work: whoever finds the upload busy
/// comes again.
async fn resume(
    store: &dyn Store,
    repo: &RepoName,
    id: UploadId,
) -> Result<Box<dyn Upload>, StoreError> {
    loop {
        match store.resume_upload(repo, id).await {
            Err(StoreError::UploadBusy(_)) => tokio::task::yield_now().await,
            result => return result,
        }
    }
}

pub(super) async fn a_dropped_commit_has_happened_or_not(store: Arc<dyn Maintain>) {
    let repo = repo("a");
    for polls in 0..POLLS {
        let content = [vec![9; 200_000], polls.to_le_bytes().to_vec()].concat();
        let digest = Algorithm::Sha256.digest(&content);
        let mut upload = store.begin_upload(&repo).await.unwrap();
        let id = upload.id();
        upload.write(content.clone().into()).await.unwrap();
        let done = dropped_after(polls, upload.commit(&digest)).await;
        match resume(&*store, &repo, id).await {
            Ok(upload) => {
                assert!(done.is_none(), "an upload is there after its commit");
                upload.commit(&digest).await.unwrap();
            }
            Err(error) => assert_missing(&error, &Missing::Upload(repo.clone(), id)),
        }
        assert!(read(&*store, &repo, &digest, 0..content.len()).await == content);
    }
}

pub(super) async fn a_dropped_write_leaves_no_gap(store: Arc<dyn Maintain>) {
    let repo = repo("a");
    let piece = Bytes::from(vec![7; 300_000]);
    for polls in 0..POLLS {
        let mut upload = store.begin_upload(&repo).await.unwrap();
        let id = upload.id();
        for _ in 0..4 {
            upload.write(piece.clone()).await.unwrap();
        }
        dropped_after(polls, upload.write(piece.clone())).await;
        let taken = upload.offset();
        dropped_after(polls, upload.suspend()).await;
        let upload = resume(&*store, &repo, id).await.unwrap();
        assert_eq!(upload.offset(), taken, "after {polls} polls");
        let content = vec![7; usize::try_from(taken).unwrap()];
        let digest = Algorithm::Sha256.digest(&content);
        upload.commit(&digest).await.unwrap();
    }
}

/// Nobody holds an upload that was taken up by whoever is gone.
pub(super) async fn a_dropped_resumption_holds_nobody_up(store: Arc<dyn Maintain>) {
    let repo = repo("a");
    let upload = store.begin_upload(&repo).await.unwrap();
    let id = upload.id();
    upload.suspend().await.unwrap();
    for polls in 0..POLLS {
        drop(dropped_after(polls, store.begin_upload(&repo)).await);
        drop(dropped_after(polls, store.resume_upload(&repo, id)).await);
        let mut upload = resume(&*store, &repo, id).await.unwrap();
        upload.write(Bytes::from_static(b"x")).await.unwrap();
        assert_eq!(upload.suspend().await.unwrap(), polls as u64 + 1);
    }
    dropped_after(3, resume(&*store, &repo, id).await.unwrap().cancel()).await;
    if let Ok(upload) = resume(&*store, &repo, id).await {
        upload.cancel().await.unwrap();
    }
    let error = store.upload_offset(&repo, id).await.unwrap_err();
    assert_missing(&error, &Missing::Upload(repo, id));
}

/// Every round has tags of its own: what was dropped may still be at work.
pub(super) async fn a_dropped_manifest_is_there_or_not(store: Arc<dyn Maintain>) {
    let repo = repo("a");
    let old = put(&*store, &repo, &index("old"), None).await;
    for polls in 0..POLLS {
        let bytes = index(&format!("new {polls}"));
        let digest = Algorithm::Sha256.digest(&bytes);
        let tags = [format!("{polls}-moved"), format!("{polls}-new")];
        put(&*store, &repo, &index("old"), Some(&tags[0])).await;
        let manifest = NewManifest {
            digest,
            bytes: bytes.clone(),
            subject: Some(old),
            tags: tags.iter().map(|name| tag(name)).collect(),
        };
        dropped_after(polls, store.put_manifest(&repo, manifest.clone())).await;
        let moved = store.tagged(&repo, &tag(&tags[0])).await.unwrap();
        assert!([old, digest].contains(&moved));
        let found = store.manifest(&repo, &moved).await;
        found.expect("a tag leads to a manifest");
        store.put_manifest(&repo, manifest).await.unwrap();
        for name in &tags {
            let target = store.tagged(&repo, &tag(name)).await.unwrap();
            assert_eq!(target, digest);
        }
        let referrers = store.referrers(&repo, &old).await.unwrap();
        assert!(referrers.contains(&digest));

        dropped_after(polls, store.delete_manifest(&repo, &digest)).await;
        for name in &tags {
            leads_somewhere_or_is_gone(&*store, &repo, name).await;
            while store.tagged(&repo, &tag(name)).await.is_ok() {
                match store.delete_manifest(&repo, &digest).await {
                    Err(StoreError::NotFound(_)) => tokio::task::yield_now().await,
                    result => result.unwrap(),
                }
            }
        }
    }
}

/// A deletion may go on between the two questions, but not halfway.
async fn leads_somewhere_or_is_gone(store: &dyn Store, repo: &RepoName, name: &str) {
    let Ok(target) = store.tagged(repo, &tag(name)).await else {
        return;
    };
    if store.manifest(repo, &target).await.is_err() {
        let now = store.tagged(repo, &tag(name)).await.ok();
        assert_ne!(now, Some(target), "a tag leads to no manifest");
    }
}
