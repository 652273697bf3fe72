//! What those may do who send requests: see `docs/ACCESS.md`.

use std::net::IpAddr;
use std::path::Path;

use http::Method;
use serde_json::json;
use tidegate_auth::audit::Shown;
use tidegate_auth::policy::{Policy, SharedPolicy};
use tidegate_auth::{Door, Identity, Keepers, Knock, Known, Permit};

use super::harness::{Registry, request, sha256};

/// The permit of a user, or of somebody who has not logged in, by the lines of
/// an `[access]` section.
pub(crate) async fn permit(user: Option<&str>, access: &str) -> Permit {
    let text = format!(
        "[[listener]]\naddress = \"127.0.0.1:0\"\nprotocol = \"http\"\n\
         [auth]\nhtpasswd = \"users\"\n[registry]\nroot = \"registry\"\n[access]\n{access}"
    );
    let settings = tidegate_config::parse(Path::new("t.toml"), &text).unwrap();
    let policy = Policy::new(settings.access.unwrap());
    let keepers = Keepers {
        policy: Some(SharedPolicy::new(policy)),
        ..Keepers::default()
    };
    let user = user.map(|user| Known {
        user: Identity::new(user),
        shown: Shown::Certificate,
    });
    let knock = Knock {
        authorization: None,
        known: user.as_ref(),
        client: IpAddr::from([192, 0, 2, 1]),
    };
    Door::new(keepers, "Registry").admit(knock).await
}

const READERS: &str = "[[access.rule]]\nusers = [\"reader\"]\n\
                       repositories = [\"a/**\", \"c/**\"]\nactions = [\"pull\", \"catalog\"]\n";

/// A registry with an image in each of these.
async fn filled(repositories: &[&str]) -> Registry {
    let registry = Registry::new();
    for repository in repositories {
        registry.push_image(repository, "v1", "x").await;
    }
    registry
}

#[tokio::test]
async fn the_catalog_passes_over_what_may_not_be_pulled() {
    let registry = filled(&["a/1", "a/2", "b/1", "b/2", "c/1", "d/1"]).await;
    let reader = permit(Some("reader"), READERS).await;
    let get = async |path: &str| {
        let request = request(Method::GET, path).by(reader.clone());
        let answer = registry.send(request).await;
        let listed = answer.json()["repositories"].clone();
        let more = answer.headers.get("link").map(|link| link.to_str().unwrap().to_owned());
        (listed, more)
    };
    assert_eq!(get("/v2/_catalog").await, (json!(["a/1", "a/2", "c/1"]), None));
    let next = "</v2/_catalog?last=a%2F2&n=2>; rel=\"next\"".to_owned();
    assert_eq!(
        get("/v2/_catalog?n=2").await,
        (json!(["a/1", "a/2"]), Some(next))
    );
    assert_eq!(get("/v2/_catalog?n=2&last=a/2").await, (json!(["c/1"]), None));
    assert_eq!(get("/v2/_catalog?n=3").await, (json!(["a/1", "a/2", "c/1"]), None));
    assert_eq!(get("/v2/_catalog?n=0").await.0, json!([]));
    assert_eq!(get("/v2/_catalog?last=d/1").await, (json!([]), None));
}

#[tokio::test]
async fn a_mount_tells_nothing_of_what_may_not_be_pulled() {
    let registry = filled(&["a/1", "b/1"]).await;
    let pusher = "[[access.rule]]\nusers = [\"pusher\"]\nrepositories = [\"a/**\"]\n";
    let pusher = permit(Some("pusher"), pusher).await;
    let secret = registry.push_blob("b/1", b"secret").await;
    let own = sha256(b"layer");
    for (query, status) in [
        (format!("{own}&from=a/1"), 201),
        (format!("{own}&from=b/1"), 202),
        (own.to_string(), 202),
        (format!("{secret}&from=b/1"), 202),
        (format!("{secret}&from=b/none"), 202),
        (secret.to_string(), 202),
    ] {
        let path = format!("/v2/a/2/blobs/uploads/?mount={query}");
        let answer = registry.send(request(Method::POST, &path).by(pusher.clone())).await;
        assert_eq!(answer.status, status, "{query}: {answer:?}");
    }
    let path = format!("/v2/a/2/blobs/{secret}");
    registry.get(&path).await.assert_error(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn what_anybody_may_is_not_asked_for() {
    let registry = filled(&["a/1"]).await;
    let stranger = permit(None, "anonymous = \"pull\"\n").await;
    let send = async |method, path: &str| {
        let request = request(method, path).by(stranger.clone());
        registry.send(request).await
    };
    let blob = format!("/v2/a/1/blobs/{}", sha256(b"layer"));
    for path in ["/v2/a/1/manifests/v1", "/v2/a/1/tags/list", &blob] {
        assert_eq!(send(Method::GET, path).await.status, 200, "{path}");
        assert_eq!(send(Method::HEAD, path).await.status, 200, "{path}");
    }
    for (method, path, scope) in [
        (Method::GET, "/v2/_catalog", "registry"),
        (Method::POST, "/v2/a/1/blobs/uploads/", "repository"),
        (Method::DELETE, "/v2/a/1/manifests/v1", "repository"),
    ] {
        let answer = send(method, path).await;
        let details = answer.assert_error(401, "UNAUTHORIZED");
        assert_eq!(details[0][0]["Type"], scope);
        assert_eq!(answer.header("www-authenticate"), "Basic realm=\"Registry\"");
    }
}
