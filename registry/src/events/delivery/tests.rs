use std::path::Path;
use std::sync::Mutex;

use serde_json::Value;
use tidegate_config::{Action, Ignored, Queue as QueueSettings};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::*;
use crate::events::{Actor, Event, RequestRecord, Source, Subscriber, Target};
use crate::metrics::Metrics;
use crate::oci::{Algorithm, RepoName};

/// What the receiver says to a document; `None`: it is not there.
type Answer = Option<StatusCode>;

/// A receiver that answers as it is told, and tells what it was sent.
struct Receiver {
    answers: Mutex<Vec<Answer>>,
    sent: UnboundedSender<(time::Instant, String)>,
}

#[async_trait]
impl Courier for Receiver {
    async fn deliver(&self, document: Bytes) -> Result<StatusCode, Undelivered> {
        let document: Value = serde_json::from_slice(&document).unwrap();
        let events = document["events"].as_array().unwrap();
        assert_eq!(events.len(), 1);
        let repository = events[0]["target"]["repository"].as_str().unwrap();
        let _ = self
            .sent
            .send((time::Instant::now(), repository.to_owned()));
        let mut answers = self.answers.lock().unwrap();
        match answers.pop().unwrap_or(Some(StatusCode::OK)) {
            Some(status) if status.is_success() => Ok(status),
            Some(status) => Err(Undelivered::Refused(status)),
            None => Err(Undelivered::Unreachable("connection refused".to_owned())),
        }
    }
}

/// Answers in the order given, and 200 afterwards.
fn receiver(answers: &[Answer]) -> (Receiver, UnboundedReceiver<(time::Instant, String)>) {
    let (sent, received) = unbounded_channel();
    let mut answers = answers.to_vec();
    answers.reverse();
    let receiver = Receiver {
        answers: Mutex::new(answers),
        sent,
    };
    (receiver, received)
}

fn settings() -> tidegate_config::Webhook {
    tidegate_config::Webhook {
        name: "ci".parse().unwrap(),
        url: "http://ci.example/".parse().unwrap(),
        headers: vec![],
        ca: None,
        timeout: Duration::from_secs(5),
        threshold: 3,
        backoff: Duration::from_secs(1),
        ignore: Ignored::default(),
        references: false,
        queue: QueueSettings::default(),
    }
}

fn open(
    root: &Path,
    metrics: &Metrics,
    change: impl FnOnce(&mut tidegate_config::Webhook),
) -> Webhook {
    let mut settings = settings();
    change(&mut settings);
    Webhook::open(settings, root, metrics.endpoint("ci")).unwrap()
}

fn event(action: Action, repo: &str) -> Event {
    let repo: RepoName = repo.parse().unwrap();
    let digest = Algorithm::Sha256.digest(b"{}");
    let target = Target::blob(&repo, &digest, 2, "http://reg.example");
    let request = RequestRecord {
        id: uuid::Uuid::nil(),
        addr: None,
        host: String::new(),
        method: "PUT".to_owned(),
        user_agent: String::new(),
    };
    let source = Source::new("host:5043".to_owned());
    Event::now(action, target, request, Actor::default(), source)
}

#[track_caller]
fn assert_counted(metrics: &Metrics, lines: &[&str]) {
    let text = metrics.exposition();
    for line in lines {
        let line = format!("registry_notifications_{line}");
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn events_arrive_in_order_and_are_sent_until_they_are_taken() {
    let root = tempfile::tempdir().unwrap();
    let metrics = Metrics::new();
    let webhook = open(root.path(), &metrics, |_| {});
    for repo in ["a", "b"] {
        webhook.take(&event(Action::Push, repo)).await;
    }
    assert_counted(&metrics, &["pending_total{endpoint=\"ci\"} 2"]);
    let bad = Some(StatusCode::INTERNAL_SERVER_ERROR);
    let (receiver, mut sent) = receiver(&[None, bad, None, bad, None]);
    let delivery = Delivery::of(&webhook);
    let running = tokio::spawn(async move { delivery.run(&receiver).await });

    let mut at = Vec::new();
    for _ in 0..6 {
        let (time, repo) = sent.recv().await.unwrap();
        assert_eq!(repo, "a");
        at.push(time);
    }
    assert_eq!(sent.recv().await.unwrap().1, "b");
    // Three failures at the usual distance; then the receiver is down.
    let pauses: Vec<u64> = at.windows(2).map(|w| (w[1] - w[0]).as_secs()).collect();
    assert_eq!(pauses, [1, 1, 1, 2, 4]);

    webhook.take(&event(Action::Delete, "c")).await;
    assert_eq!(sent.recv().await.unwrap().1, "c");
    running.abort();
    let _ = running.await;
    webhook.flush().await;
    assert_counted(
        &metrics,
        &[
            "events_total{type=\"Events\",endpoint=\"ci\"} 3",
            "events_total{type=\"Failures\",endpoint=\"ci\"} 2",
            "events_total{type=\"Errors\",endpoint=\"ci\"} 3",
            "events_total{type=\"Dropped\",endpoint=\"ci\"} 0",
            "status_total{code=\"500 Internal Server Error\",endpoint=\"ci\"} 2",
        ],
    );
}

#[tokio::test]
async fn what_waits_is_sent_after_a_restart() {
    let root = tempfile::tempdir().unwrap();
    let metrics = Metrics::new();
    let webhook = open(root.path(), &metrics, |_| {});
    for repo in ["a", "b", "c"] {
        webhook.take(&event(Action::Push, repo)).await;
    }
    drop(webhook);

    let metrics = Metrics::new();
    let webhook = open(root.path(), &metrics, |_| {});
    assert_counted(&metrics, &["pending_total{endpoint=\"ci\"} 3"]);
    let (receiver, mut sent) = receiver(&[]);
    let delivery = Delivery::of(&webhook);
    let running = tokio::spawn(async move { delivery.run(&receiver).await });
    for repo in ["a", "b", "c"] {
        assert_eq!(sent.recv().await.unwrap().1, repo);
    }
    running.abort();
}

#[tokio::test]
async fn what_is_to_be_ignored_is_not_sent() {
    let root = tempfile::tempdir().unwrap();
    let metrics = Metrics::new();
    let ignores_pulls = open(root.path(), &metrics, |settings| {
        settings.ignore.actions = vec![Action::Pull, Action::Mount];
    });
    assert!(!ignores_pulls.wants(Action::Pull) && !ignores_pulls.wants(Action::Mount));
    assert!(ignores_pulls.wants(Action::Push) && ignores_pulls.wants(Action::Delete));
    drop(ignores_pulls);

    let ignores_blobs = open(root.path(), &metrics, |settings| {
        settings.ignore.media_types = vec!["application/octet-stream".to_owned()];
    });
    ignores_blobs.take(&event(Action::Push, "a")).await;
    let mut tag = event(Action::Delete, "a");
    tag.target = Target::tag(&"a".parse().unwrap(), &"v1".parse().unwrap());
    ignores_blobs.take(&tag).await;
    assert_counted(
        &metrics,
        &[
            "events_total{type=\"Events\",endpoint=\"ci\"} 1",
            "pending_total{endpoint=\"ci\"} 1",
        ],
    );
}

#[tokio::test]
async fn a_full_queue_drops_the_oldest_and_counts_it() {
    let root = tempfile::tempdir().unwrap();
    let metrics = Metrics::new();
    let webhook = open(root.path(), &metrics, |settings| settings.queue.events = 2);
    for repo in ["a", "b", "c", "d", "e"] {
        webhook.take(&event(Action::Push, repo)).await;
    }
    assert_counted(
        &metrics,
        &[
            "events_total{type=\"Dropped\",endpoint=\"ci\"} 3",
            "pending_total{endpoint=\"ci\"} 2",
        ],
    );
    let (receiver, mut sent) = receiver(&[]);
    let delivery = Delivery::of(&webhook);
    let running = tokio::spawn(async move { delivery.run(&receiver).await });
    assert_eq!(sent.recv().await.unwrap().1, "d");
    assert_eq!(sent.recv().await.unwrap().1, "e");
    running.abort();
}

#[tokio::test]
async fn a_pull_waits_for_nothing_and_is_kept_all_the_same() {
    let root = tempfile::tempdir().unwrap();
    let metrics = Metrics::new();
    let webhook = open(root.path(), &metrics, |_| {});
    let held = webhook.shared().clone();
    // The disk does not answer: nobody who pulls notices.
    let (locked, unlock) = std::sync::mpsc::channel::<()>();
    let holding = tokio::spawn(async move { held.with_queue(move |_| unlock.recv()).await });
    for _ in 0..10 {
        webhook.take(&event(Action::Pull, "a")).await;
    }
    drop(locked);
    let _ = holding.await;
    webhook.flush().await;
    assert_counted(
        &metrics,
        &[
            "events_total{type=\"Events\",endpoint=\"ci\"} 10",
            "pending_total{endpoint=\"ci\"} 10",
        ],
    );
}

#[tokio::test]
async fn a_line_that_is_no_event_is_passed_over() {
    let root = tempfile::tempdir().unwrap();
    let metrics = Metrics::new();
    let webhook = open(root.path(), &metrics, |_| {});
    webhook
        .shared()
        .with_queue(|queue| queue.append(b"\0\0\0\0"))
        .await
        .unwrap()
        .unwrap();
    webhook.take(&event(Action::Push, "a")).await;
    let (receiver, mut sent) = receiver(&[]);
    let delivery = Delivery::of(&webhook);
    let running = tokio::spawn(async move { delivery.run(&receiver).await });
    assert_eq!(sent.recv().await.unwrap().1, "a");
    assert_counted(
        &metrics,
        &["events_total{type=\"Dropped\",endpoint=\"ci\"} 1"],
    );
    running.abort();
}

#[test]
fn the_longest_pause_is_five_minutes_or_what_the_settings_say() {
    let root = tempfile::tempdir().unwrap();
    let metrics = Metrics::new();
    for (backoff, longest) in [(1, 300), (1000, 1000)] {
        let webhook = open(root.path(), &metrics, |settings| {
            settings.backoff = Duration::from_secs(backoff);
        });
        let mut delivery = Delivery::of(&webhook);
        delivery.failures = u32::MAX;
        assert_eq!(delivery.pause(), Duration::from_secs(longest));
    }
}
