//! The same requests to two registries, and what of the answers is compared.

use bytes::Bytes;
use reqwest::Method;
use sha2::{Digest as _, Sha256};

use crate::process::Server;

pub(crate) const CONFIG: &[u8] = br#"{"architecture":"amd64","os":"linux"}"#;
pub(crate) const LAYER: &[u8] = b"a layer, or what goes for one";
const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// Header fields that clients act on.
const RELEVANT: [&str; 14] = [
    "accept-ranges",
    "allow",
    "cache-control",
    "content-range",
    "content-type",
    "docker-content-digest",
    "docker-distribution-api-version",
    "etag",
    "link",
    "location",
    "range",
    "www-authenticate",
    "x-content-type-options",
    "content-length",
];

/// One request. `{upload}` in the path is where the last upload goes on.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    method: Method,
    path: String,
    headers: Vec<(&'static str, &'static str)>,
    body: Bytes,
}

/// What of an answer is compared: a line for the status, one for each relevant
/// field, and the codes of its errors.
pub(crate) type Seen = Vec<String>;

pub(crate) fn digest(content: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(content)))
}

pub(crate) fn manifest(media_type: &str, layer: &[u8]) -> Vec<u8> {
    let (config_type, layer_type) = if media_type == OCI {
        (
            "application/vnd.oci.image.config.v1+json",
            "application/vnd.oci.image.layer.v1.tar",
        )
    } else {
        (
            "application/vnd.docker.container.image.v1+json",
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
        )
    };
    serde_json::to_vec(&serde_json::json!({
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": {"mediaType": config_type, "digest": digest(CONFIG), "size": CONFIG.len()},
        "layers": [{"mediaType": layer_type, "digest": digest(layer), "size": layer.len()}],
    }))
    .unwrap()
}

/// The requests, in an order that makes sense.
pub(crate) fn steps() -> Vec<Step> {
    let step = |name, method: Method, path: &str| Step {
        name,
        method,
        path: path.to_owned(),
        headers: vec![],
        body: Bytes::new(),
    };
    let (config, layer) = (digest(CONFIG), digest(LAYER));
    let image = manifest(DOCKER, LAYER);
    let by_digest = format!("/v2/a/manifests/{}", digest(&image));
    let blob = format!("/v2/a/blobs/{layer}");
    let absent = format!("/v2/a/blobs/{}", digest(b"absent"));
    let accept = ("accept", DOCKER);
    vec![
        step("root", Method::GET, "/"),
        step("ping", Method::GET, "/v2/"),
        step("ping by head", Method::HEAD, "/v2/"),
        step("ping without slash", Method::GET, "/v2"),
        step("old client", Method::GET, "/v2/").with("user-agent", "docker/1.5.0"),
        step("empty catalog", Method::GET, "/v2/_catalog"),
        step("no tags", Method::GET, "/v2/a/tags/list"),
        step("no manifest", Method::GET, "/v2/a/manifests/v1"),
        step("no blob", Method::HEAD, &absent),
        step("bad digest", Method::GET, "/v2/a/blobs/sha256:abc"),
        step("bad name", Method::GET, "/v2/UPPER/tags/list"),
        step("no route", Method::GET, "/v1/search"),
        step("wrong method", Method::POST, "/v2/_catalog"),
        step("begin", Method::POST, "/v2/a/blobs/uploads/"),
        step("append", Method::PATCH, "{upload}")
            .with("content-type", "application/octet-stream")
            .body(LAYER),
        step("how far", Method::GET, "{upload}"),
        step("finish", Method::PUT, &format!("{{upload}}?digest={layer}")),
        step("begin config", Method::POST, "/v2/a/blobs/uploads/"),
        step(
            "config at once",
            Method::PUT,
            &format!("{{upload}}?digest={config}"),
        )
        .body(CONFIG),
        step("begin wrong", Method::POST, "/v2/a/blobs/uploads/"),
        step(
            "wrong digest",
            Method::PUT,
            &format!("{{upload}}?digest={layer}"),
        )
        .body(b"other"),
        step("begin and", Method::POST, "/v2/a/blobs/uploads/"),
        step("cancel", Method::DELETE, "{upload}"),
        step("cancelled", Method::GET, "{upload}"),
        step("head of blob", Method::HEAD, &blob),
        step("blob", Method::GET, &blob),
        step("part of blob", Method::GET, &blob).with("range", "bytes=2-6"),
        step("no such part", Method::GET, &blob).with("range", "bytes=900-"),
        step("blob is known", Method::GET, &blob).etag(&layer),
        step(
            "mount",
            Method::POST,
            &format!("/v2/b/blobs/uploads/?mount={layer}&from=a"),
        ),
        step("manifest", Method::PUT, "/v2/a/manifests/v1")
            .with("content-type", DOCKER)
            .body(&image),
        step("no json", Method::PUT, "/v2/a/manifests/v2")
            .with("content-type", DOCKER)
            .body(b"{"),
        step("layer not there", Method::PUT, "/v2/a/manifests/v2")
            .with("content-type", OCI)
            .body(&manifest(OCI, b"absent")),
        step("by tag", Method::GET, "/v2/a/manifests/v1").with(accept.0, accept.1),
        step("head by tag", Method::HEAD, "/v2/a/manifests/v1").with(accept.0, accept.1),
        step("by digest", Method::GET, &by_digest).with(accept.0, accept.1),
        step("manifest is known", Method::GET, &by_digest)
            .with(accept.0, accept.1)
            .etag(&digest(&image)),
        step("tags", Method::GET, "/v2/a/tags/list"),
        step("catalog", Method::GET, "/v2/_catalog"),
        step("page of catalog", Method::GET, "/v2/_catalog?n=1"),
        step("too much of catalog", Method::GET, "/v2/_catalog?n=5000"),
        step("delete manifest", Method::DELETE, &by_digest),
        step("deleted", Method::GET, &by_digest).with(accept.0, accept.1),
        step("delete blob", Method::DELETE, &blob),
        step("deleted blob", Method::HEAD, &blob),
    ]
}

impl Step {
    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    fn etag(self, digest: &str) -> Self {
        // It lives as long as the test.
        let value = Box::leak(format!("\"{digest}\"").into_boxed_str());
        self.with("if-none-match", value)
    }

    fn body(mut self, content: &[u8]) -> Self {
        self.body = Bytes::copy_from_slice(content);
        self
    }
}

/// Sends all of them; the answers in the same order.
pub(crate) async fn replay(server: &Server, steps: &[Step]) -> Vec<Seen> {
    let mut upload = String::new();
    let mut seen = Vec::with_capacity(steps.len());
    for step in steps {
        let url = match step.path.strip_prefix("{upload}") {
            None => format!("{}{}", server.url, step.path),
            // The upload may have a query of its own.
            Some(more) if upload.contains('?') => format!("{upload}{}", more.replace('?', "&")),
            Some(more) => format!("{upload}{more}"),
        };
        let mut request = server.client.request(step.method.clone(), url);
        for (name, value) in &step.headers {
            request = request.header(*name, *value);
        }
        let sent = request.body(step.body.clone()).send().await;
        let answer = sent.unwrap_or_else(|e| panic!("{}: {e}", step.name));
        let mut lines = vec![format!("status: {}", answer.status().as_u16())];
        let is_error = answer.status().as_u16() >= 400;
        for name in RELEVANT {
            let Some(value) = answer.headers().get(name) else {
                continue;
            };
            let value = value.to_str().unwrap();
            // The text of an error is each program's own.
            if name != "content-length" || !is_error {
                lines.push(format!("{name}: {}", neutral(value, &server.url)));
            }
            if name == "location" && value.contains("/uploads/") {
                value.clone_into(&mut upload);
            }
        }
        // docker-registry announces more than it sends with a 416.
        let body = answer.bytes().await.unwrap_or_default();
        match serde_json::from_slice::<serde_json::Value>(&body) {
            Ok(document) if document["errors"].is_array() => {
                for error in document["errors"].as_array().unwrap() {
                    lines.push(format!("code: {}", error["code"].as_str().unwrap()));
                }
            }
            _ if is_error => {}
            _ => lines.push(format!("body: {}", digest(&body))),
        }
        seen.push(lines);
    }
    seen
}

/// A value without what differs from one run to the next.
fn neutral(value: &str, url: &str) -> String {
    let value = value.replace(url, "");
    match value.split_once("/uploads/") {
        Some((front, _)) => format!("{front}/uploads/…"),
        None => value,
    }
}
