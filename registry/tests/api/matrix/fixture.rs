//! A registry to get it wrong in.

use http::Method;
use tidegate_registry::oci::{Algorithm, Digest};

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
}

/// An upload that no repository has.
const ABSENT_ID: &str = "0f5a8b3c-2c7d-4c6e-9a55-0d2f3a1b4c5d";

/// Something that no repository has.
fn absent() -> Digest {
    sha256(b"absent")
}

impl Fixture {
    async fn new() -> Self {
        let registry = Registry::new();
        let image = registry.image("app", "x").await;
        let manifest = registry
            .push_manifest("app", "v1", OCI_MANIFEST, &image)
            .await;
        let upload = registry.start_upload("app").await;
        let answer = registry
            .send(request(Method::PATCH, &upload).body(b"four"))
            .await;
        assert_eq!(answer.status, 202);
        Self {
            manifest,
            bytes: bytes_of(&image),
            layer: sha256(b"layer"),
            upload,
            registry,
        }
    }

    pub(super) async fn in_condition(condition: Condition) -> Self {
        let mut fixture = Self::new().await;
        fixture.registry = match condition {
            Condition::Usual => fixture.registry,
            Condition::NoDelete => fixture
                .registry
                .reopened(|settings| settings.delete = false),
            Condition::ReadOnly => fixture
                .registry
                .reopened(|settings| settings.read_only = true),
            Condition::Immutable => fixture.registry.reopened(|settings| {
                settings.immutable = vec![tidegate_config::ImmutableRule {
                    repositories: "**".parse().unwrap(),
                    tags: "*".parse().unwrap(),
                }];
            }),
        };
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
