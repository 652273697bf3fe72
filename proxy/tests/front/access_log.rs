//! The access log as it is written.

use std::sync::OnceLock;

use tidegate_config::AccessLog;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::support::client::{basic, request};
use crate::support::front;

/// Keeps the messages of the access log's target, as the program's layer does.
struct Lines(UnboundedSender<String>);

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "tidegate::access"
    }

    fn event(&self, event: &Event<'_>) {
        struct Message(String);
        impl Visit for Message {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                assert_eq!(field.name(), "message");
                self.0 = format!("{value:?}");
            }
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        let _ = self.0.send(message.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The lines of all fronts in this process that log; one test reads at a time.
fn lines() -> &'static Mutex<UnboundedReceiver<String>> {
    static LINES: OnceLock<Mutex<UnboundedReceiver<String>>> = OnceLock::new();
    LINES.get_or_init(|| {
        let (sender, receiver) = unbounded_channel();
        tracing::subscriber::set_global_default(Lines(sender)).unwrap();
        Mutex::new(receiver)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_is_one_line() {
    let mut lines = lines().lock().await;
    let mut setup = front().with_password();
    setup.settings.access_log = AccessLog::Combined;
    let (front, _events) = setup.start();
    let client = front.client();
    let right = basic("alice", "secret");
    let headers = [
        ("authorization", right.as_str()),
        ("user-agent", "a \"quoted\" agent"),
    ];

    client.h1(request("GET", "/v2/?n=1", &headers, "")).await;
    let line = lines.recv().await.unwrap();
    let (before, rest) = line.split_once(" [").unwrap();
    assert_eq!(before, "127.0.0.1 - alice");
    let (_, rest) = rest.split_once("] ").unwrap();
    let expected = "\"GET /v2/?n=1 HTTP/1.1\" 200 7 \"-\" \"a \\\"quoted\\\" agent\" time=";
    assert!(rest.starts_with(expected), "{line}");
    assert!(rest.ends_with(" upstream=-"), "{line}");
    assert!(!line.contains("secret") && !line.contains(&right));

    client.h2(request("PUT", "/v2/x", &[], "body")).await;
    let line = lines.recv().await.unwrap();
    assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
    assert!(line.contains("\"PUT /v2/x HTTP/2.0\" 401 "), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn json_lines_can_be_read_back() {
    let mut lines = lines().lock().await;
    let mut setup = front();
    setup.settings.access_log = AccessLog::Json;
    let (front, _events) = setup.start();
    front.client().h1(request("GET", "/v2/", &[], "")).await;
    let line: serde_json::Value = serde_json::from_str(&lines.recv().await.unwrap()).unwrap();
    assert_eq!(line["target"], "/v2/");
    assert_eq!(line["status"], 200);
    assert_eq!(line["bytes"], 7);
    assert_eq!(line["user"], serde_json::Value::Null);
}
