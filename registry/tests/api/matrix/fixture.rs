//! A registry to get it wrong in.

use std::sync::{Arc, LazyLock};

use http::Method;
use serde_json::json;
use tidegate_auth::Permit;
use tidegate_config::{ImmutableRule, Registry as Settings, Schema1};
use tidegate_registry::Health;
use tidegate_registry::oci::{Algorithm, Digest};
use tidegate_registry::schema1::SigningKey;
use tidegate_registry::store::{Store, StoreError, Upload};

use super::super::faulty::{Fault, Faulty, Operation};
use super::super::permits::permit;
use super::super::harness::{OCI_MANIFEST, Registry, bytes_of, request, sha256};

/// What is the matter with the registry, rather than with the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// Everything is allowed.
    Usual,
    /// `registry.delete = false`
    NoDelete,
    /// `registry.read_only = true`
    ReadOnly,
    /// Every tag in `[[registry.immutable]]`
    Immutable,
    /// `registry.schema1 = true`
    Schema1,
    /// Nobody has logged in, and nothing is allowed without.
    Stranger,
    /// `bob` has logged in, and may do nothing.
    Refused,
    /// Another request writes to the upload.
    Busy,
    /// One thing fails, in one way.
    Faulty(Operation, Fault),
    /// The storage has failed its check.
    Unhealthy(Fault),
}

impl Condition {
    /// What the documentation adds to what is wrong.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Usual | Self::Busy => "",
            Self::NoDelete => " (deletion off)",
            Self::ReadOnly => " (read-only)",
            Self::Immutable => " (immutable)",
            Self::Schema1 => " (schema 1 on)",
            Self::Stranger | Self::Refused => " (rules)",
            Self::Faulty(_, Fault::Broken) => " (disk error)",
            Self::Faulty(_, Fault::Full) => " (disk full)",
            Self::Faulty(_, Fault::Damaged) => " (damaged)",
            Self::Unhealthy(Fault::Full) => " (health: disk full)",
            Self::Unhealthy(_) => " (health: failed)",
        }
    }
}

/// A registry in which there is one of everything.
pub(super) struct Fixture {
    pub(super) registry: Registry,
    /// A manifest in `app`, tagged `v1`.
    manifest: Digest,
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
    /// A layer in `app`.
    layer: Digest,
    /// The path of an upload to `app` of which four bytes have come.
    upload: String,
    /// Who writes to it.
    writer: Option<Box<dyn Upload>>,
    /// What those may do who ask; everything, if nothing says otherwise.
    pub(super) permit: Option<Permit>,
}

/// Who signs schema 1 manifests.
pub(super) static SIGNER: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate().unwrap());

/// An upload that no repository has.
const ABSENT_ID: &str = "0f5a8b3c-2c7d-4c6e-9a55-0d2f3a1b4c5d";

/// Something that no repository has.
fn absent() -> Digest {
    sha256(b"absent")
}

impl Fixture {
    pub(super) async fn new() -> Self {
        let registry = Registry::new();
        let image = registry.image("app", "x").await;
        let manifest = registry
            .push_manifest("app", "v1", OCI_MANIFEST, &image)
            .await;
        Self {
            manifest,
            bytes: bytes_of(&image),
            layer: sha256(b"layer"),
            upload: begun(&registry).await,
            writer: None,
            permit: None,
            registry,
        }
    }

    /// The same data, in a registry with which something may be the matter.
    pub(super) async fn in_condition(&self, condition: Condition) -> Self {
        let fixture = Self {
            registry: self.registry.replica(),
            manifest: self.manifest,
            bytes: self.bytes.clone(),
            layer: self.layer,
            upload: self.upload.clone(),
            writer: None,
            permit: None,
        };
        match condition {
            Condition::Usual => fixture,
            Condition::NoDelete => fixture.with(|settings| settings.delete = false),
            Condition::ReadOnly => fixture.with(|settings| settings.read_only = true),
            Condition::Immutable => fixture.with(|settings| {
                settings.immutable = vec![ImmutableRule {
                    repositories: "**".parse().unwrap(),
                    tags: "*".parse().unwrap(),
                }];
            }),
            Condition::Schema1 => {
                fixture.with(|settings| settings.schema1 = Some(Schema1 { signing_key: None }))
            }
            Condition::Stranger => fixture.asked_by(None).await,
            Condition::Refused => fixture.asked_by(Some("bob")).await,
            Condition::Busy => fixture.written_to().await,
            Condition::Faulty(operation, fault) => {
                let store = Faulty::new(fixture.registry.store(), operation, fault);
                fixture.through(Arc::new(store), Health::default())
            }
            Condition::Unhealthy(fault) => {
                let health = Health::default();
                let StoreError::Io(error) = fault.error() else {
                    panic!("a check finds errors of the disk")
                };
                health.fail(&error);
                let store = fixture.registry.store();
                fixture.through(store, health)
            }
        }
    }

    /// Takes another upload, since a mistake may end one.
    pub(super) async fn renew_upload(&mut self) {
        self.upload = begun(&self.registry).await;
    }

    /// Asserts that all but uploads is as it was in the beginning.
    pub(super) async fn assert_unchanged(&self) {
        let manifest = self.registry.get("/v2/app/manifests/v1").await;
        assert_eq!(manifest.body, self.bytes);
        let layer = self.registry.get(&self.fill("/v2/app/blobs/<layer>")).await;
        assert_eq!(&layer.body[..], b"layer");
        let tags = self.registry.get("/v2/app/tags/list").await.json();
        assert_eq!(tags["tags"], json!(["v1"]));
        let catalog = self.registry.get("/v2/_catalog").await.json();
        assert_eq!(catalog["repositories"], json!(["app"]));
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        self.registry = self.registry.reopened(change);
        self
    }

    fn through(mut self, store: Arc<dyn Store>, health: Health) -> Self {
        self.registry = self.registry.through(store, health);
        self
    }

    /// By whom nothing may be done, by the rules.
    async fn asked_by(mut self, user: Option<&str>) -> Self {
        let rules = "[[access.rule]]\nusers = [\"admin\"]\n";
        self.permit = Some(permit(user, rules).await);
        self
    }

    async fn written_to(self) -> Self {
        let store = self.registry.store();
        let id = self.id().parse().unwrap();
        let writer = store.resume_upload(&"app".parse().unwrap(), id).await;
        let mut fixture = self.through(store, Health::default());
        fixture.writer = Some(writer.unwrap());
        fixture
    }

    /// The identifier of the upload.
    fn id(&self) -> &str {
        self.upload.rsplit('/').next().unwrap()
    }

    /// Puts what the fixture has in the place of the names in a text.
    pub(super) fn fill(&self, text: &str) -> String {
        let four = sha256(b"four");
        [
            ("<manifest>", self.manifest.to_string()),
            (
                "<manifest-512>",
                Algorithm::Sha512.digest(&self.bytes).to_string(),
            ),
            ("<key>", SIGNER.id().as_str().to_owned()),
            ("<layer>", self.layer.to_string()),
            ("<absent-id>", ABSENT_ID.to_owned()),
            ("<absent>", absent().to_string()),
            (
                "<absent-512>",
                Algorithm::Sha512.digest(b"absent").to_string(),
            ),
            ("<config>", sha256(br#"{"about":"x"}"#).to_string()),
            ("<four>", four.to_string()),
            ("<upload>", self.upload.clone()),
            ("<id>", self.id().to_owned()),
            ("<size>", self.bytes.len().to_string()),
        ]
        .iter()
        .fold(text.to_owned(), |text, (name, value)| {
            text.replace(name, value)
        })
    }
}

/// The path of an upload to `app` of which four bytes have come.
async fn begun(registry: &Registry) -> String {
    let upload = registry.start_upload("app").await;
    let patch = request(Method::PATCH, &upload).body(b"four");
    assert_eq!(registry.send(patch).await.status, 202);
    upload
}
