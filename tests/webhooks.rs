//! Webhooks: a receiver is told what happens, whatever becomes of it and of the
//! registry in between.
//!
//! The tests have several threads, so that a receiver answers while the test
//! waits for a line of the log.

mod harness;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use harness::image::{Image, noise};
use harness::{run, up};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What a receiver does with an event.
#[derive(Clone, Copy)]
enum Manner {
    Takes,
    Refuses,
    /// It reads it and does not answer.
    Hangs,
}

/// One event as it came.
struct Sent {
    headers: HeaderMap,
    path: String,
    event: Value,
}

impl Sent {
    /// Action, repository and tag.
    fn what(&self) -> String {
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let target = &self.event["target"];
        format!(
            "{} {} {}",
            text(&self.event["action"]),
            text(&target["repository"]),
            text(&target["tag"])
        )
    }
}

/// A receiver of events; gone when it is dropped.
struct Receiver {
    address: SocketAddr,
    events: UnboundedReceiver<Sent>,
    serving: JoinHandle<()>,
}

impl Receiver {
    async fn at(address: &str, manner: Manner) -> Self {
        Self::start(address, manner, None).await
    }

    async fn start(address: &str, manner: Manner, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, events) = unbounded_channel();
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let sender = sender.clone();
                let tls = tls.clone();
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, manner, sender).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, manner, sender).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            address,
            events,
            serving,
        }
    }

    async fn next(&mut self) -> Sent {
        self.events.recv().await.unwrap()
    }

    /// Waits for an event, past others.
    async fn until(&mut self, what: &str) -> Sent {
        loop {
            let sent = self.next().await;
            if sent.what() == what {
                return sent;
            }
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve<S>(stream: S, manner: Manner, sender: UnboundedSender<Sent>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let sender = sender.clone();
        async move {
            let (parts, body) = request.into_parts();
            assert_eq!(parts.method, http::Method::POST);
            let body = body.collect().await.unwrap().to_bytes();
            let document: Value = serde_json::from_slice(&body).unwrap();
            let events = document["events"].as_array().unwrap();
            assert_eq!(events.len(), 1, "{document}");
            let _ = sender.send(Sent {
                path: parts.uri.to_string(),
                headers: parts.headers,
                event: events[0].clone(),
            });
            let mut response = Response::new(Empty::<Bytes>::new());
            match manner {
                Manner::Takes => {}
                Manner::Refuses => *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE,
                Manner::Hangs => std::future::pending().await,
            }
            Ok::<_, Infallible>(response)
        }
    });
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// The settings of a webhook, in front of the section that follows.
fn webhook(url: &str, more: &str) -> String {
    format!(
        "[[registry.webhook]]\nname = \"ci\"\nurl = \"{url}\"\nbackoff = \"10ms\"\n\
         threshold = 2\nignore_media_types = [\"application/octet-stream\"]\n{more}\n[edge]"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_is_told_who_did_what() {
    let mut receiver = Receiver::at("127.0.0.1:0", Manner::Takes).await;
    let url = format!("http://me:s3cret@{}/hooks/x?token=s3cret", receiver.address);
    let more = "headers = { X-Token = [\"s3cret-too\"] }\nreferences = true";
    let mut tidegate = up()
        .config("[edge]", &webhook(&url, more))
        .config("# audit = \"audit.log\"", "audit = \"audit.log\"")
        .start();
    let image = Image::of(vec![noise(1, 1000)]);
    let client = tidegate.client().header("user-agent", "docker/28");
    image.push(&client, "team/app", "v1").await;

    let sent = receiver.next().await;
    assert_eq!(sent.what(), "push team/app v1");
    assert_eq!(sent.path, "/hooks/x?token=s3cret");
    let header = |name: &str| sent.headers[name].to_str().unwrap();
    assert_eq!(
        header("content-type"),
        "application/vnd.docker.distribution.events.v1+json"
    );
    assert_eq!(header("x-token"), "s3cret-too");
    assert_eq!(header("authorization"), "Basic bWU6czNjcmV0");
    let event = &sent.event;
    assert_eq!(event["actor"]["name"], harness::USER);
    assert_eq!(event["request"]["addr"], "127.0.0.1");
    assert_eq!(event["request"]["host"], tidegate.host());
    assert_eq!(event["request"]["method"], "PUT");
    assert_eq!(event["request"]["useragent"], "docker/28");
    let target = &event["target"];
    assert_eq!(target["digest"], image.digest);
    assert_eq!(target["size"], image.manifest.len());
    let url = tidegate.url(&format!("/v2/team/app/manifests/{}", image.digest));
    assert_eq!(target["url"], url);
    assert_eq!(target["references"].as_array().unwrap().len(), 2);

    image.assert_pulls(&client, "team/app", "v1").await;
    let pulled = receiver.until("pull team/app v1").await;
    client.delete("/v2/team/app/manifests/v1").await;
    let deleted = receiver.until("delete team/app v1").await;
    assert!(tidegate.stop().success());
    // The audit log calls the requests by the same names.
    let audit = fs_err::read_to_string(tidegate.dir.join("audit.log")).unwrap();
    let audit = audit
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let audit: Vec<Value> = audit
        .filter(|line: &Value| line["object"] == "manifest")
        .collect();
    for (sent, action) in [(&sent, "push"), (&pulled, "pull"), (&deleted, "delete")] {
        let line = audit.iter().find(|line| line["action"] == action).unwrap();
        assert!(line["request"].is_string(), "{line}");
        assert_eq!(line["request"], sent.event["request"]["id"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_outlive_the_registry_and_wait_for_a_receiver_that_is_down() {
    // An address where nobody listens, until somebody does.
    let address = Receiver::at("127.0.0.1:0", Manner::Takes).await.address;
    let url = format!("http://{address}/s3cret");
    let more = "headers = { Authorization = \"Bearer s3cret\" }";
    let mut tidegate = up().config("[edge]", &webhook(&url, more)).start();
    let dir = tidegate.dir.clone();
    let image = Image::of(vec![noise(1, 1000)]);
    for tag in ["v1", "v2"] {
        image.push(&tidegate.client(), "team/app", tag).await;
    }
    let line = tidegate.logged("the receiver of a webhook is down");
    assert!(line.contains(&format!("http://{address}")), "{line}");
    assert!(!line.contains("s3cret"), "{line}");
    // No notice, no time to put anything away.
    image.push(&tidegate.client(), "team/app", "v3").await;
    tidegate.kill();

    let mut refusing = Receiver::at(&address.to_string(), Manner::Refuses).await;
    let mut again = up().in_dir(&dir).start();
    assert_eq!(refusing.next().await.what(), "push team/app v1");
    image.push(&again.client(), "team/app", "v4").await;
    let line = again.logged("the receiver of a webhook is down");
    assert!(line.contains("503"), "{line}");
    let first = refusing.next().await;
    assert_eq!(first.what(), "push team/app v1");
    again.kill();
    drop(refusing);

    let mut receiver = loop {
        // Connections of the one before may still be about to close.
        match TcpListener::bind(address).await {
            Ok(free) => {
                drop(free);
                break Receiver::at(&address.to_string(), Manner::Takes).await;
            }
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let _third = up().in_dir(&dir).start();
    let mut ids = vec![];
    for tag in ["v1", "v2", "v3", "v4"] {
        let sent = receiver.next().await;
        assert_eq!(sent.what(), format!("push team/app {tag}"));
        ids.push(sent.event["id"].clone());
    }
    // Sent again, it is the same event.
    assert_eq!(ids[0], first.event["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_hangs_keeps_nobody_waiting() {
    let mut receiver = Receiver::at("127.0.0.1:0", Manner::Hangs).await;
    let url = format!("http://{}/", receiver.address);
    let more = "timeout = \"1h\"";
    let mut tidegate = up().config("[edge]", &webhook(&url, more)).start();
    let image = Image::of(vec![noise(1, 1000)]);
    image.push(&tidegate.client(), "team/app", "v0").await;
    assert_eq!(receiver.next().await.what(), "push team/app v0");
    // It would take an hour for each, if anybody waited.
    for n in 1..20 {
        let tag = format!("v{n}");
        image.push(&tidegate.client(), "team/app", &tag).await;
    }
    assert!(tidegate.stop().success());

    // All of them are in one file, each on a line of its own.
    let queue = tidegate.dir.join("registry/webhooks/ci/0");
    let segment = fs_err::read_to_string(queue.join(format!("{:020}.jsonl", 1))).unwrap();
    let tags: Vec<String> = segment
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["target"]["tag"].to_string())
        .collect();
    let expected: Vec<String> = (0..20).map(|n| format!("\"v{n}\"")).collect();
    assert_eq!(tags, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_is_trusted_by_the_ca_that_is_named() {
    let mut made = up().start();
    made.stop();
    // The certificate that `up` made is good enough for a receiver.
    let certs = made.dir.join("certs");
    let tls = acceptor(&certs.join("site.crt"), &certs.join("site.key"));
    let mut receiver = Receiver::start("127.0.0.1:0", Manner::Takes, Some(tls)).await;
    let url = format!("https://{}/", receiver.address);
    let image = Image::of(vec![noise(1, 1000)]);

    let unknown = webhook(&url, "");
    let mut tidegate = up().in_dir(&made.dir).config("[edge]", &unknown).start();
    image.push(&tidegate.client(), "team/app", "v1").await;
    let line = tidegate.logged("the receiver of a webhook is down");
    assert!(line.contains("certificate"), "{line}");
    tidegate.stop();

    let known = webhook(&url, "ca = \"certs/root-ca.crt\"");
    let _tidegate = up().in_dir(&made.dir).config(&unknown, &known).start();
    assert_eq!(receiver.next().await.what(), "push team/app v1");
}

fn acceptor(cert: &Path, key: &Path) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = CertificateDer::pem_file_iter(cert)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

#[test]
fn what_is_wrong_with_a_webhook_is_said_at_once() {
    let mut made = up().start();
    made.stop();
    let file = made.dir.join("tidegate.toml");
    let shown = file.to_string_lossy().into_owned();
    let text = fs_err::read_to_string(&file).unwrap();
    let with = |more: &str| {
        let webhook = webhook("https://u:s3cret@ci.example/s3cret", more);
        fs_err::write(&file, text.replace("[edge]", &webhook)).unwrap();
    };

    with("ignore_actions = [\"pull\"]");
    let checked = run(["check", "-c", &shown], "");
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    let line = "webhook      ci to https://ci.example, without pull, application/octet-stream\n";
    assert!(checked.stdout.contains(line), "{}", checked.stdout);
    assert!(!made.dir.join("registry/webhooks").exists());

    for (more, said) in [
        ("ca = \"absent.crt\"", "absent.crt"),
        ("ca = \"tidegate.toml\"", "holds no certificate"),
    ] {
        with(more);
        for command in ["check", "serve"] {
            let refused = run([command, "-c", &shown], "");
            assert_eq!(refused.code, Some(1), "{}", refused.stdout);
            assert!(refused.stderr.contains(said), "{}", refused.stderr);
            assert!(refused.stderr.contains("\"ci\""), "{}", refused.stderr);
            assert!(!refused.stderr.contains("s3cret"), "{}", refused.stderr);
        }
    }
    with("queue = \"tidegate.toml\"");
    let refused = run(["serve", "-c", &shown], "");
    assert_eq!(refused.code, Some(1), "{}", refused.stdout);
    let said = "`registry.webhook` \"ci\": its queue cannot be used";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
}
