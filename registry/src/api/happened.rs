//! Telling of what a handler did: one line in the handler, and nothing to pay
//! where nobody listens.

use std::net::IpAddr;
use std::sync::Arc;

use http::header::USER_AGENT;
use tidegate_config::Action;
use uuid::Uuid;

use super::manifests::Served;
use super::{Call, headers, pointing};
use crate::events::{Actor, RequestRecord, Target};
use crate::oci::{Digest, Manifest, ManifestType, Reference, RepoName, Tag};
use crate::store::{Store, StoreError};

/// Who sends a request, put into its extensions by whoever knows.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// The user, if passwords are asked for.
    pub name: Option<Arc<str>>,
    /// The address of the client itself.
    pub address: Option<IpAddr>,
}

impl Call {
    /// A manifest is on its way to the client.
    pub(super) async fn pulled_manifest(
        &self,
        repo: &RepoName,
        reference: &Reference,
        served: &Served,
    ) {
        let tags = match reference {
            Reference::Tag(tag) => std::slice::from_ref(tag),
            Reference::Digest(_) => &[],
        };
        let (digest, media_type) = (&served.digest, served.media_type);
        self.seen(digest, served.bytes.len() as u64);
        self.manifest(Action::Pull, repo, digest, media_type, &served.bytes, tags)
            .await;
    }

    /// A manifest was stored: one event, or one for each tag.
    pub(super) async fn pushed_manifest(
        &self,
        repo: &RepoName,
        digest: &Digest,
        bytes: &[u8],
        tags: &[Tag],
    ) {
        self.seen(digest, bytes.len() as u64);
        if self.events().are_wanted(Action::Push)
            && let Ok(media_type) = ManifestType::of_stored(bytes)
        {
            self.manifest(Action::Push, repo, digest, media_type, bytes, tags)
                .await;
        }
    }

    /// The tags that go with a manifest, for those who want to know.
    pub(super) async fn tags_to_go(
        &self,
        store: &dyn Store,
        repo: &RepoName,
        digest: &Digest,
    ) -> Result<Vec<Tag>, StoreError> {
        if !self.events().are_wanted(Action::Delete) {
            return Ok(Vec::new());
        }
        pointing::tags_of(store, repo, digest, |_| true).await
    }

    /// A manifest was removed, and these tags with it.
    pub(super) async fn deleted_manifest(&self, repo: &RepoName, digest: &Digest, tags: &[Tag]) {
        self.tell(Action::Delete, |_| Target::digest(repo, digest))
            .await;
        for tag in tags {
            self.deleted_tag(repo, tag).await;
        }
    }

    /// A tag was removed.
    pub(super) async fn deleted_tag(&self, repo: &RepoName, tag: &Tag) {
        self.tell(Action::Delete, |_| Target::tag(repo, tag)).await;
    }

    /// A blob is on its way to the client, or a part of it.
    pub(super) async fn pulled_blob(&self, repo: &RepoName, digest: &Digest, size: u64) {
        self.seen(digest, size);
        self.tell(Action::Pull, |o| Target::blob(repo, digest, size, o))
            .await;
    }

    /// A blob was stored.
    pub(super) async fn pushed_blob(&self, repo: &RepoName, digest: &Digest, size: u64) {
        self.seen(digest, size);
        self.tell(Action::Push, |o| Target::blob(repo, digest, size, o))
            .await;
    }

    /// A blob of another repository became one of this.
    pub(super) async fn mounted_blob(
        &self,
        store: &dyn Store,
        repo: &RepoName,
        from: Option<&RepoName>,
        digest: &Digest,
    ) {
        if let Some(witness) = &self.witness {
            witness.sees_mount(digest, from);
        }
        if !self.events().are_wanted(Action::Mount) {
            return;
        }
        // It was there a moment ago. If it is not any more, its size is not known.
        let size = store.blob(repo, digest).await.ok().map(|blob| blob.size());
        self.tell(Action::Mount, |origin| Target {
            size,
            length: size,
            from_repository: from.map(ToString::to_string),
            ..Target::blob(repo, digest, 0, origin)
        })
        .await;
    }

    /// A blob was removed.
    pub(super) async fn deleted_blob(&self, repo: &RepoName, digest: &Digest) {
        self.tell(Action::Delete, |_| Target::digest(repo, digest))
            .await;
    }

    async fn manifest(
        &self,
        action: Action,
        repo: &RepoName,
        digest: &Digest,
        media_type: ManifestType,
        bytes: &[u8],
        tags: &[Tag],
    ) {
        if !self.events().are_wanted(action) {
            return;
        }
        let mut target = Target::manifest(
            repo,
            digest,
            media_type,
            bytes.len(),
            &self.shared.links.absolute(&self.origin),
        );
        if self.events().want_references(action)
            && let Ok(manifest) = Manifest::parse(bytes, None)
        {
            target.references = manifest.references().cloned().collect();
        }
        if tags.is_empty() {
            return self.tell(action, |_| target).await;
        }
        for tag in tags {
            let tagged = Target {
                tag: Some(tag.to_string()),
                ..target.clone()
            };
            self.tell(action, |_| tagged).await;
        }
    }

    fn seen(&self, digest: &Digest, bytes: u64) {
        if let Some(witness) = &self.witness {
            witness.sees(digest, bytes);
        }
    }

    fn new_id(&self) -> Uuid {
        let id = Uuid::new_v4();
        if let Some(witness) = &self.witness {
            witness.sees_id(id);
        }
        id
    }

    async fn tell(&self, action: Action, target: impl FnOnce(&str) -> Target) {
        if !self.events().are_wanted(action) {
            return;
        }
        let target = target(&self.shared.links.absolute(&self.origin));
        let request = RequestRecord {
            id: *self.id.get_or_init(|| self.new_id()),
            addr: self.caller.address,
            host: self.origin.host().to_owned(),
            method: self.method.to_string(),
            user_agent: headers::text(&self.headers, USER_AGENT)
                .unwrap_or_default()
                .to_owned(),
        };
        let actor = Actor {
            name: self.caller.name.as_deref().map(str::to_owned),
        };
        self.events().tell(action, target, request, actor).await;
    }
}
