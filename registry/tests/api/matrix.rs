//! Every endpoint, and every way to get it wrong: the same table is in
//! `docs/API.md`, which is compared with this one.

mod rows;
mod table;

use std::rc::Rc;

use http::Method;
use serde_json::Value;
use tidegate_registry::oci::{Algorithm, Digest};

use self::rows::rows;
use super::harness::{
    Answer, OCI_MANIFEST, Registry, Request, bytes_of, put_manifest, request, sha256,
};

/// One way to get it wrong.
struct Row {
    /// Method and path, as in the documentation.
    request: &'static str,
    /// What is wrong with it.
    wrong: &'static str,
    /// In which registry.
    mode: Mode,
    /// Makes the request.
    make: fn(&Fixture) -> Request,
    status: u16,
    /// Nothing for an answer without a body.
    code: &'static str,
    /// JSON, in which names stand for what the fixture has; empty for none.
    detail: &'static str,
    /// Headers that the answer has beside the usual ones, by the same rule.
    headers: &'static [(&'static str, &'static str)],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
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
struct Fixture {
    registry: Registry,
    /// A manifest in `app`, tagged `v1`.
    manifest: Digest,
    /// Its bytes.
    bytes: Vec<u8>,
    /// A layer in `app`.
    layer: Digest,
    /// The path of an upload to `app` of which four bytes have come.
    upload: String,
}

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

    async fn in_mode(mode: Mode) -> Self {
        let mut fixture = Self::new().await;
        fixture.registry = match mode {
            Mode::Usual => fixture.registry,
            Mode::NoDelete => fixture
                .registry
                .reopened(|settings| settings.delete = false),
            Mode::ReadOnly => fixture
                .registry
                .reopened(|settings| settings.read_only = true),
            Mode::Immutable => fixture.registry.reopened(|settings| {
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
    fn fill(&self, text: &str) -> String {
        let four = sha256(b"four");
        [
            ("<manifest>", self.manifest.to_string()),
            ("<layer>", self.layer.to_string()),
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

#[tokio::test]
async fn every_mistake_has_its_answer() {
    let mut fixtures = Fixtures::default();
    for row in rows() {
        let fixture = fixtures.of(row.mode).await;
        let answer = fixture.registry.send((row.make)(&fixture)).await;
        check(&row, &fixture, &answer);
        if row.request.starts_with("PUT") || row.request.starts_with("PATCH") {
            // A mistake may end an upload.
            fixtures.0.retain(|(mode, _)| *mode != row.mode);
        }
    }
}

/// One of each mode, as long as nothing has changed it.
#[derive(Default)]
struct Fixtures(Vec<(Mode, Rc<Fixture>)>);

impl Fixtures {
    async fn of(&mut self, mode: Mode) -> Rc<Fixture> {
        if let Some((_, fixture)) = self.0.iter().find(|(of, _)| *of == mode) {
            return Rc::clone(fixture);
        }
        let fixture = Rc::new(Fixture::in_mode(mode).await);
        self.0.push((mode, Rc::clone(&fixture)));
        fixture
    }
}

/// HEAD is GET without the body, also where it is wrong.
#[tokio::test]
async fn head_is_get_without_a_body() {
    let mut tried = 0;
    let mut fixtures = Fixtures::default();
    for row in rows() {
        let fixture = fixtures.of(row.mode).await;
        let get = (row.make)(&fixture).into_inner();
        // A range means something in a GET only (RFC 9110 section 14.2).
        if get.method() != Method::GET || get.headers().contains_key("range") {
            continue;
        }
        let mut head = (row.make)(&fixture).into_inner();
        *head.method_mut() = Method::HEAD;
        let get = Answer::of(fixture.registry.call(get).await).await;
        let head = Answer::of(fixture.registry.call(head).await).await;
        assert_eq!(head.status, get.status, "{} {}", row.request, row.wrong);
        assert_eq!(head.headers, get.headers, "{} {}", row.request, row.wrong);
        assert!(head.body.is_empty());
        tried += 1;
    }
    assert!(tried > 15, "only {tried} rows are GET");
}

#[track_caller]
fn check(row: &Row, fixture: &Fixture, answer: &Answer) {
    let place = format!("{}: {}: {answer:?}", row.request, row.wrong);
    assert_eq!(answer.status, row.status, "{place}");
    assert_eq!(
        answer.header("docker-distribution-api-version"),
        "registry/2.0"
    );
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    for (name, value) in row.headers {
        assert_eq!(answer.header(name), fixture.fill(value), "{place}");
    }
    for name in ["allow", "range", "content-range", "location", "link"] {
        let expected = row.headers.iter().any(|(header, _)| *header == name);
        assert_eq!(
            answer.headers.contains_key(name),
            expected,
            "{place}: {name}"
        );
    }
    if row.code.is_empty() {
        assert!(answer.body.is_empty(), "{place}");
        return;
    }
    let details = answer.assert_error(row.status, row.code);
    let expected = match row.detail {
        "" => Value::Null,
        json => serde_json::from_str(&fixture.fill(json)).unwrap(),
    };
    assert_eq!(details[0], expected, "{place}");
}

/// A manifest as the fixture's, put by any reference.
fn put(fixture: &Fixture, reference: &str) -> Request {
    put_manifest("app", reference, OCI_MANIFEST, &fixture.bytes)
}
