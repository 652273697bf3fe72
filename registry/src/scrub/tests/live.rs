//! Scrubbing a registry that is being used.

use crate::oci::{Digest, RepoName};
use crate::scrub::{Report, run};
use crate::store::memory::{Bucket, Memory};
use crate::store::{Maintain, Store};

use super::*;

/// Whatever is pushed and deleted between any two calls of a scrub, nothing of
/// it is said to be wrong.
#[tokio::test]
async fn what_changes_meanwhile_is_no_finding() {
    for nth in 0.. {
        let bucket = Bucket::default();
        let user = Memory::new(bucket.another_client());
        let old = push_image(&user, "a", "old", &["moved", "deleted"]).await;
        let client = bucket.another_client();
        let gate = client.hold_call(nth);
        let held: Arc<dyn Maintain> = Arc::new(Memory::new(client));
        let options = options();
        let scrub = run(&held, &options, &());
        let use_it = async {
            gate.reached().await;
            push_image(&user, "a", "new", &["moved", "v2"]).await;
            push_image(&user, "b", "elsewhere", &["v1"]).await;
            remove_image(&user, "a", old).await;
            gate.open();
        };
        tokio::pin!(scrub, use_it);
        let (report, came_between): (Report, bool) = tokio::select! {
            biased;
            report = &mut scrub => (report.unwrap(), false),
            () = &mut use_it => (scrub.await.unwrap(), true),
        };
        assert_eq!(report.findings, [], "before call {nth}");
        if !came_between {
            assert!(nth > 20, "only {nth} calls");
            return;
        }
    }
}

async fn push_image(store: &Memory, repo: &str, about: &str, tags: &[&str]) -> Digest {
    let layer = push_to(store, repo, about).await;
    let bytes = image(&layer, about.len() as u64);
    let digest = Algorithm::Sha256.digest(&bytes);
    let manifest = NewManifest {
        digest,
        bytes,
        subject: None,
        tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
    };
    let repo: RepoName = repo_of(repo);
    store.put_manifest(&repo, manifest).await.unwrap();
    digest
}

/// Removes a manifest, and what a collector would remove then.
async fn remove_image(store: &Memory, repo: &str, manifest: Digest) {
    let (repo, layer) = (repo_of(repo), Algorithm::Sha256.digest(b"old"));
    let later = SystemTime::now() + Duration::from_secs(3600);
    store.delete_manifest(&repo, &manifest).await.unwrap();
    assert!(store.expire_layer(&repo, &layer, later).await.unwrap());
    for content in [manifest, layer] {
        let freed = store.expire_content(&content, later).await.unwrap();
        assert!(freed.is_some());
    }
}
