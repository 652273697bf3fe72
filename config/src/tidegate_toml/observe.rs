//! What of the file says who watches: `[debug]`, `[registry.health]`,
//! `[[registry.webhook]]` and `registry.headers`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::value;
use crate::header::{HeaderField, NOT_OF_ANSWERS, NOT_OF_EVENTS};
use crate::settings::{DebugListener, Health};
use crate::webhook::{Action, Ignored, Queue, ReceiverUrl, Webhook, WebhookName};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DebugSection {
    #[serde(deserialize_with = "value::socket_address")]
    address: SocketAddr,
    #[serde(default = "super::file::yes")]
    metrics: bool,
    #[serde(default = "usual_path", deserialize_with = "path")]
    metrics_path: String,
}

fn usual_path() -> String {
    DebugListener::METRICS.to_owned()
}

fn path<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    let text = String::deserialize(d)?;
    if text.starts_with('/') {
        Ok(text)
    } else {
        Err(value::wrong(
            format_args!("`{text}` is no path"),
            "write it as \"/metrics\"",
        ))
    }
}

impl From<DebugSection> for DebugListener {
    fn from(section: DebugSection) -> Self {
        Self {
            address: section.address,
            metrics: section.metrics.then_some(section.metrics_path),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HealthSection {
    enabled: bool,
    #[serde(deserialize_with = "pause")]
    interval: Duration,
    #[serde(deserialize_with = "value::positive")]
    threshold: u32,
}

impl Default for HealthSection {
    fn default() -> Self {
        let Health {
            interval,
            threshold,
        } = Health::default();
        Self {
            enabled: true,
            interval,
            threshold,
        }
    }
}

impl From<HealthSection> for Option<Health> {
    fn from(section: HealthSection) -> Self {
        section.enabled.then_some(Health {
            interval: section.interval,
            threshold: section.threshold,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookSection {
    #[serde(deserialize_with = "name")]
    name: WebhookName,
    #[serde(deserialize_with = "url")]
    url: ReceiverUrl,
    #[serde(default, deserialize_with = "headers_of_events")]
    headers: Vec<HeaderField>,
    ca: Option<PathBuf>,
    #[serde(default = "five_seconds", deserialize_with = "pause")]
    timeout: Duration,
    #[serde(default = "ten", deserialize_with = "value::positive")]
    threshold: u32,
    #[serde(default = "one_second", deserialize_with = "pause")]
    backoff: Duration,
    #[serde(default, deserialize_with = "actions")]
    ignore_actions: Vec<Action>,
    #[serde(default)]
    ignore_media_types: Vec<String>,
    #[serde(default)]
    references: bool,
    queue: Option<PathBuf>,
    #[serde(default = "most_events", deserialize_with = "value::positive")]
    queue_events: u32,
    #[serde(default = "most_bytes", deserialize_with = "value::bytes")]
    queue_bytes: u64,
}

impl WebhookSection {
    pub(super) fn into_settings(self, base: &Path) -> Webhook {
        Webhook {
            name: self.name,
            url: self.url,
            headers: self.headers,
            ca: self.ca.map(|ca| base.join(ca)),
            timeout: self.timeout,
            threshold: self.threshold,
            backoff: self.backoff,
            ignore: Ignored {
                actions: self.ignore_actions,
                media_types: self.ignore_media_types,
            },
            references: self.references,
            queue: Queue {
                directory: self.queue.map(|directory| base.join(directory)),
                events: usize::try_from(self.queue_events).unwrap_or(usize::MAX),
                bytes: self.queue_bytes,
            },
        }
    }
}

fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

fn one_second() -> Duration {
    Duration::from_secs(1)
}

fn ten() -> u32 {
    10
}

fn most_events() -> u32 {
    u32::try_from(Queue::default().events).unwrap_or(u32::MAX)
}

fn most_bytes() -> u64 {
    Queue::default().bytes
}

/// The fields that every answer of the registry carries.
pub(super) fn headers_of_answers<'de, D: Deserializer<'de>>(
    d: D,
) -> Result<Vec<HeaderField>, D::Error> {
    headers(d, &NOT_OF_ANSWERS)
}

pub(super) fn headers_of_events<'de, D: Deserializer<'de>>(
    d: D,
) -> Result<Vec<HeaderField>, D::Error> {
    headers(d, &NOT_OF_EVENTS)
}

/// `{ X-Name = "value", X-Other = ["one", "two"] }`
fn headers<'de, D: Deserializer<'de>>(
    d: D,
    refused: &[&str],
) -> Result<Vec<HeaderField>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Values {
        One(String),
        Several(Vec<String>),
    }
    const HINT: &str = "write it as { X-Name = [\"value\"] }";
    // What serde would say quotes the value.
    let named = BTreeMap::<String, Values>::deserialize(d)
        .map_err(|_| value::wrong_secret("a header has a text or a list of texts", HINT))?;
    let mut fields = Vec::new();
    for (name, values) in named {
        let values = match values {
            Values::One(value) => vec![value],
            Values::Several(values) => values,
        };
        for value in values {
            let field = HeaderField::new(&name, &value)
                .map_err(|error| value::wrong_secret(error, HINT))?;
            if refused.contains(&field.name()) {
                return Err(value::wrong_secret(
                    format_args!("`{name}` says what the message is"),
                    "it cannot be configured: leave it out",
                ));
            }
            fields.push(field);
        }
    }
    Ok(fields)
}

fn name<'de, D: Deserializer<'de>>(d: D) -> Result<WebhookName, D::Error> {
    let text = String::deserialize(d)?;
    text.parse()
        .map_err(|error| value::wrong(format_args!("`{text}` cannot name a webhook"), error))
}

pub(super) fn url<'de, D: Deserializer<'de>>(d: D) -> Result<ReceiverUrl, D::Error> {
    ReceiverUrl::from_str(&String::deserialize(d)?).map_err(|error| {
        value::wrong_secret(error, "write it as \"https://hooks.example/registry\"")
    })
}

fn actions<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Action>, D::Error> {
    Vec::<String>::deserialize(d)?
        .iter()
        .map(|text| {
            let known = Action::ALL.into_iter().find(|known| known.as_str() == text);
            known.ok_or_else(|| {
                value::wrong(
                    format_args!("`{text}` is not what happens here"),
                    "one of \"pull\", \"push\", \"mount\", \"delete\"",
                )
            })
        })
        .collect()
}

/// A time that passes: zero would be a loop without one.
pub(super) fn pause<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
    match value::duration(d)? {
        Duration::ZERO => Err(value::wrong(
            "no time at all",
            "write it as \"1s\" or \"10s\"",
        )),
        pause => Ok(pause),
    }
}

/// The webhooks, each of which has a name of its own; or the place of the first
/// that has not, and what is wrong with it.
pub(super) fn webhooks(
    sections: Vec<Spanned<WebhookSection>>,
    base: &Path,
) -> Result<Vec<Webhook>, (Range<usize>, String)> {
    let mut webhooks: Vec<Webhook> = Vec::with_capacity(sections.len());
    for section in sections {
        let span = section.span();
        let webhook = section.into_inner().into_settings(base);
        if webhooks.iter().any(|other| other.name == webhook.name) {
            let message = format!("there are two webhooks with the name `{}`", webhook.name);
            return Err((span, message));
        }
        webhooks.push(webhook);
    }
    Ok(webhooks)
}
