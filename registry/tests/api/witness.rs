//! What somebody who looks on learns of a request.

use http::Method;
use tidegate_registry::{Asked, Deed, Done, Object, Witness};

use super::harness::{OCI_MANIFEST, Registry, Request, put_manifest, request, sha256};

/// Sends a request, and tells what was seen of it.
async fn seen(registry: &Registry, request: Request) -> (u16, Option<Asked>, Option<Done>) {
    let witness = Witness::default();
    let mut request = request.into_inner();
    request.extensions_mut().insert(witness.clone());
    let status = registry.call(request).await.status().as_u16();
    (status, witness.asked().cloned(), witness.done().cloned())
}

#[tokio::test]
async fn it_is_seen_what_a_request_asks_for() {
    use Object::{Blob, Manifest, Referrers, Tags, Upload};
    let registry = Registry::new();
    let digest = sha256(b"absent");
    let upload = registry.start_upload("a/b").await;
    let named = |deed, object, reference: Option<&str>| {
        Some(Asked {
            deed,
            object: Some(object),
            repository: Some("a/b".to_owned()),
            reference: reference.map(str::to_owned),
        })
    };
    let alone = |deed| {
        Some(Asked {
            deed,
            object: None,
            repository: None,
            reference: None,
        })
    };
    let digest = &*digest.to_string();
    for (method, path, expected) in [
        (Method::GET, "/v2/".to_owned(), alone(Deed::Ping)),
        (Method::GET, "/v2/_catalog".to_owned(), alone(Deed::Catalog)),
        (Method::GET, "/v2/a/b/tags/list".to_owned(), named(Deed::Pull, Tags, None)),
        (Method::GET, format!("/v2/a/b/referrers/{digest}"), named(Deed::Pull, Referrers, Some(digest))),
        (Method::GET, "/v2/a/b/manifests/v1".to_owned(), named(Deed::Pull, Manifest, Some("v1"))),
        (Method::GET, format!("/v2/a/b/blobs/{digest}"), named(Deed::Pull, Blob, Some(digest))),
        (Method::PUT, "/v2/a/b/manifests/v1".to_owned(), named(Deed::Push, Manifest, Some("v1"))),
        (Method::DELETE, "/v2/a/b/manifests/v1".to_owned(), named(Deed::Delete, Manifest, Some("v1"))),
        (Method::DELETE, format!("/v2/a/b/blobs/{digest}"), named(Deed::Delete, Blob, Some(digest))),
        (Method::POST, "/v2/a/b/blobs/uploads/".to_owned(), named(Deed::Push, Upload, None)),
        (Method::PUT, format!("{upload}?digest={digest}"), named(Deed::Push, Blob, Some(digest))),
        (Method::PUT, format!("{upload}?digest=%0anonsense"), named(Deed::Push, Blob, None)),
        // What is no part of the API is nobody's business.
        (Method::GET, "/".to_owned(), None),
        (Method::GET, "/v2/UPPER/manifests/v1".to_owned(), None),
        (Method::GET, "/elsewhere".to_owned(), None),
    ] {
        let (_, asked, done) = seen(&registry, request(method, &path)).await;
        assert_eq!(asked, expected, "{path}");
        assert_eq!(done, None, "{path}");
    }
}

#[tokio::test]
async fn it_is_seen_what_was_done() {
    let registry = Registry::new();
    let done = |digest: &str, bytes: Option<u64>, mounted: Option<Option<&str>>| {
        Some(Done {
            digest: digest.to_owned(),
            bytes,
            mounted: mounted.map(|from| from.map(str::to_owned)),
        })
    };
    let manifest = registry.image("a", "it").await.to_string();
    let name = sha256(manifest.as_bytes()).to_string();
    let whole = done(&name, Some(manifest.len() as u64), None);
    let put = put_manifest("a", "v1", OCI_MANIFEST, manifest.as_bytes());
    let (status, _, seen_put) = seen(&registry, put).await;
    assert_eq!((status, seen_put), (201, whole.clone()));
    let get = request(Method::GET, "/v2/a/manifests/v1");
    let (status, _, seen_get) = seen(&registry, get).await;
    assert_eq!((status, seen_get), (200, whole));

    let layer = sha256(b"layer").to_string();
    let mount = |query: &str| request(Method::POST, &format!("/v2/b/blobs/uploads/?{query}"));
    let (status, _, mounted) = seen(&registry, mount(&format!("mount={layer}&from=a"))).await;
    assert_eq!((status, mounted), (201, done(&layer, None, Some(Some("a")))));
    let (status, _, mounted) = seen(&registry, mount(&format!("mount={layer}"))).await;
    assert_eq!((status, mounted), (201, done(&layer, None, Some(None))));
    // What cannot be mounted is an upload, of which nothing is done yet.
    let (status, _, mounted) = seen(&registry, mount(&format!("mount={layer}&from=c"))).await;
    assert_eq!((status, mounted), (202, None));

    let blob = sha256(b"blob").to_string();
    let push = mount(&format!("digest={blob}")).body(b"blob");
    let (status, _, pushed) = seen(&registry, push).await;
    assert_eq!((status, pushed), (201, done(&blob, Some(4), None)));
    let get = request(Method::GET, &format!("/v2/b/blobs/{blob}"));
    let (status, _, pulled) = seen(&registry, get).await;
    assert_eq!((status, pulled), (200, done(&blob, Some(4), None)));
}
