//! What is told of what happens.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tidegate_config::Action;
use tidegate_registry::Caller;
use tidegate_registry::events::{Event, Subscriber};

use super::harness::{
    OCI_INDEX, OCI_MANIFEST, ORIGIN, Registry, bytes_of, descriptor, image, index,
    put_manifest, request, sha256,
};

/// Remembers what it is told.
#[derive(Default)]
struct Told(Mutex<Vec<Value>>);

#[async_trait]
impl Subscriber for Told {
    fn wants(&self, _: Action) -> bool {
        true
    }

    fn wants_references(&self) -> bool {
        true
    }

    async fn take(&self, event: &Event) {
        let event = serde_json::to_value(event).unwrap();
        self.0.lock().unwrap().push(event);
    }
}

impl Told {
    /// What it was told since the last time.
    fn take_all(&self) -> Vec<Value> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// The one event that it was told of, as action and target.
    #[track_caller]
    fn take_one(&self) -> (String, Value) {
        let events = self.take_all();
        let [event] = &events[..] else {
            panic!("{} events: {events:#?}", events.len())
        };
        let action = event["action"].as_str().unwrap().to_owned();
        (action, event["target"].clone())
    }
}

fn registry() -> (Registry, Arc<Told>) {
    let told = Arc::<Told>::default();
    let registry = Registry::new().telling(Arc::<Told>::clone(&told));
    (registry, told)
}

fn blob(repo: &str, content: &[u8]) -> Value {
    let digest = sha256(content);
    json!({
        "mediaType": "application/octet-stream",
        "size": content.len(),
        "length": content.len(),
        "digest": digest,
        "repository": repo,
        "url": format!("{ORIGIN}/v2/{repo}/blobs/{digest}"),
    })
}

fn manifest(repo: &str, media_type: &str, document: &Value, references: Vec<Value>) -> Value {
    let bytes = bytes_of(document);
    let digest = sha256(&bytes);
    json!({
        "mediaType": media_type,
        "size": bytes.len(),
        "length": bytes.len(),
        "digest": digest,
        "repository": repo,
        "url": format!("{ORIGIN}/v2/{repo}/manifests/{digest}"),
        "references": references,
    })
}

fn tagged(mut target: Value, tag: &str) -> Value {
    target["tag"] = tag.into();
    target
}

#[tokio::test]
async fn a_blob_is_told_of_however_it_comes() {
    let (registry, told) = registry();
    registry.push_blob("a", b"0123456789").await;
    assert_eq!(told.take_one(), ("push".to_owned(), blob("a", b"0123456789")));

    let location = registry.start_upload("a").await;
    let patch = request(Method::PATCH, &location).body(b"01234");
    assert_eq!(registry.send(patch).await.status, StatusCode::ACCEPTED);
    assert!(told.take_all().is_empty());
    let put = format!("{location}?digest={}", sha256(b"0123456789"));
    let put = request(Method::PUT, &put).body(b"56789");
    assert_eq!(registry.send(put).await.status, StatusCode::CREATED);
    assert_eq!(told.take_one(), ("push".to_owned(), blob("a", b"0123456789")));
}

#[tokio::test]
async fn a_mount_names_where_the_blob_comes_from() {
    let (registry, told) = registry();
    let digest = registry.push_blob("a", b"layer").await;
    told.take_all();
    let mount = format!("/v2/b/blobs/uploads/?mount={digest}&from=a");
    assert_eq!(registry.post(&mount).await.status, StatusCode::CREATED);
    let mut expected = blob("b", b"layer");
    expected["fromRepository"] = "a".into();
    assert_eq!(told.take_one(), ("mount".to_owned(), expected));
    let mount = format!("/v2/c/blobs/uploads/?mount={digest}");
    assert_eq!(registry.post(&mount).await.status, StatusCode::CREATED);
    assert_eq!(told.take_one(), ("mount".to_owned(), blob("c", b"layer")));
    // What could not be mounted is pushed later.
    let mount = format!("/v2/d/blobs/uploads/?mount={}&from=a", sha256(b"else"));
    assert_eq!(registry.post(&mount).await.status, StatusCode::ACCEPTED);
    assert!(told.take_all().is_empty());
}

#[tokio::test]
async fn a_blob_is_told_of_when_it_is_fetched_or_asked_after() {
    let (registry, told) = registry();
    let digest = registry.push_blob("a", b"0123456789").await;
    told.take_all();
    let path = format!("/v2/a/blobs/{digest}");
    let expected = ("pull".to_owned(), blob("a", b"0123456789"));
    registry.get(&path).await;
    assert_eq!(told.take_one(), expected);
    registry.head(&path).await;
    assert_eq!(told.take_one(), expected);
    let part = request(Method::GET, &path).header("range", "bytes=0-0");
    assert_eq!(registry.send(part).await.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(told.take_one(), expected);
    for refused in [
        request(Method::GET, &path).header("if-none-match", format!("\"{digest}\"")),
        request(Method::GET, &path).header("range", "bytes=100-"),
        request(Method::GET, &format!("/v2/b/blobs/{digest}")),
    ] {
        registry.send(refused).await;
        assert!(told.take_all().is_empty());
    }
}

#[tokio::test]
async fn a_manifest_is_told_of_with_its_tag_and_what_it_refers_to() {
    let (registry, told) = registry();
    let document = registry.image("a", "x").await;
    told.take_all();
    let references = vec![document["config"].clone(), document["layers"][0].clone()];
    let expected = manifest("a", OCI_MANIFEST, &document, references);

    let digest = registry
        .push_manifest("a", "v1", OCI_MANIFEST, &document)
        .await;
    let pushed = tagged(expected.clone(), "v1");
    assert_eq!(told.take_one(), ("push".to_owned(), pushed.clone()));
    registry.get("/v2/a/manifests/v1").await;
    assert_eq!(told.take_one(), ("pull".to_owned(), pushed.clone()));
    registry.head("/v2/a/manifests/v1").await;
    assert_eq!(told.take_one(), ("pull".to_owned(), pushed));
    registry.get(&format!("/v2/a/manifests/{digest}")).await;
    assert_eq!(told.take_one(), ("pull".to_owned(), expected.clone()));
    registry
        .push_manifest("a", &digest.to_string(), OCI_MANIFEST, &document)
        .await;
    assert_eq!(told.take_one(), ("push".to_owned(), expected.clone()));

    let with_tags = format!("{digest}?tag=v2&tag=v3");
    registry
        .push_manifest("a", &with_tags, OCI_MANIFEST, &document)
        .await;
    let targets: Vec<_> = told.take_all().iter().map(|e| e["target"].clone()).collect();
    assert_eq!(targets, [tagged(expected.clone(), "v2"), tagged(expected, "v3")]);

    let child = descriptor(OCI_MANIFEST, &bytes_of(&document));
    let list = index(OCI_INDEX, std::slice::from_ref(&child));
    registry.push_manifest("a", "all", OCI_INDEX, &list).await;
    let expected = manifest("a", OCI_INDEX, &list, vec![child]);
    assert_eq!(told.take_one(), ("push".to_owned(), tagged(expected, "all")));
}

#[tokio::test]
async fn a_deletion_names_all_that_goes() {
    let (registry, told) = registry();
    let digest = registry.push_image("a", "v1", "x").await;
    registry.push_image("a", "other", "y").await;
    for tag in ["v2", "v3"] {
        let document = image(OCI_MANIFEST, "{\"about\":\"x\"}");
        registry
            .push_manifest("a", tag, OCI_MANIFEST, &document)
            .await;
    }
    told.take_all();
    registry.delete("/v2/a/manifests/v2").await;
    let tag = |tag: &str| json!({"repository": "a", "tag": tag});
    assert_eq!(told.take_one(), ("delete".to_owned(), tag("v2")));

    registry.delete(&format!("/v2/a/manifests/{digest}")).await;
    let events = told.take_all();
    let targets: Vec<_> = events.iter().map(|event| &event["target"]).collect();
    let gone = json!({"repository": "a", "digest": digest});
    assert_eq!(targets, [&gone, &tag("v1"), &tag("v3")]);
    // They are of one request, and each is an event of its own.
    assert!(events.iter().all(|e| e["request"] == events[0]["request"]));
    assert_ne!(events[0]["id"], events[1]["id"]);

    let layer = sha256(b"layer");
    registry.delete(&format!("/v2/a/blobs/{layer}")).await;
    let gone = json!({"repository": "a", "digest": layer});
    assert_eq!(told.take_one(), ("delete".to_owned(), gone));
}

#[tokio::test]
async fn what_failed_is_not_told_of() {
    let (registry, told) = registry();
    let digest = sha256(b"absent");
    for failing in [
        request(Method::GET, "/v2/a/manifests/v1"),
        request(Method::DELETE, "/v2/a/manifests/v1"),
        request(Method::DELETE, &format!("/v2/a/manifests/{digest}")),
        request(Method::DELETE, &format!("/v2/a/blobs/{digest}")),
        request(Method::POST, &format!("/v2/a/blobs/uploads/?digest={digest}")).body(b"other"),
        put_manifest("a", "v1", OCI_MANIFEST, b"{}"),
        request(Method::GET, "/v2/_catalog"),
    ] {
        registry.send(failing).await;
        assert!(told.take_all().is_empty());
    }
}

#[tokio::test]
async fn an_event_says_who_asked_and_how() {
    let (registry, told) = registry();
    let push = |caller: Option<Caller>| {
        let digest = sha256(b"x");
        let path = format!("/v2/a/blobs/uploads/?digest={digest}");
        let push = request(Method::POST, &path).header("user-agent", "docker/28");
        let mut push = push.body(b"x").into_inner();
        if let Some(caller) = caller {
            push.extensions_mut().insert(caller);
        }
        push
    };
    let caller = Caller {
        name: Some("ann".into()),
        address: Some([192, 0, 2, 7].into()),
    };
    registry.call(push(Some(caller))).await;
    registry.call(push(None)).await;
    let [known, unknown] = <[Value; 2]>::try_from(told.take_all()).unwrap();
    assert_eq!(known["actor"], json!({"name": "ann"}));
    assert_eq!(
        known["request"],
        json!({
            "id": known["request"]["id"],
            "addr": "192.0.2.7",
            "host": "reg.example:5043",
            "method": "POST",
            "useragent": "docker/28",
        })
    );
    assert_eq!(known["source"]["addr"], "host:5043");
    assert_eq!(unknown["actor"], json!({}));
    assert_eq!(unknown["request"].get("addr"), None);
    assert_ne!(known["request"]["id"], unknown["request"]["id"]);
    assert_eq!(known["source"], unknown["source"]);
}
