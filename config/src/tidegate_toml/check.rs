//! `[[registry.check]]`: what has to be well beside the storage.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::observe::{headers_of_events, pause};
use super::value;
use crate::check::{Check, Checked, is_host_with_port};
use crate::header::HeaderField;
use crate::webhook::ReceiverUrl;

/// What a section may look like.
pub(super) const HINT: &str = "name one of `file = \"/run/out-of-service\"`, \
                               `http = \"https://auth.example/health\"` and \
                               `tcp = \"redis:6379\"`";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckSection {
    file: Option<PathBuf>,
    #[serde(default, deserialize_with = "url")]
    http: Option<ReceiverUrl>,
    tcp: Option<String>,
    #[serde(default, deserialize_with = "headers_of_events")]
    headers: Vec<HeaderField>,
    status: Option<u16>,
    #[serde(default = "usual_interval", deserialize_with = "pause")]
    interval: Duration,
    #[serde(default = "usual_timeout", deserialize_with = "pause")]
    timeout: Duration,
    #[serde(default = "one", deserialize_with = "value::positive")]
    threshold: u32,
}

fn usual_interval() -> Duration {
    Check::INTERVAL
}

fn usual_timeout() -> Duration {
    Check::TIMEOUT
}

fn one() -> u32 {
    1
}

fn url<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<ReceiverUrl>, D::Error> {
    super::observe::url(d).map(Some)
}

impl CheckSection {
    pub(super) fn into_settings(self, base: &Path) -> Result<Check, &'static str> {
        let is_of_http = self.http.is_some();
        if !is_of_http && (self.status.is_some() || !self.headers.is_empty()) {
            return Err("`status` and `headers` belong to `http`");
        }
        let of = match (self.file, self.http, self.tcp) {
            (Some(file), None, None) => Checked::File(base.join(file)),
            (None, Some(url), None) => Checked::Http {
                url,
                headers: self.headers,
                status: match self.status.unwrap_or(200) {
                    status @ 100..=599 => status,
                    _ => return Err("`status` is no status of HTTP"),
                },
                timeout: self.timeout,
            },
            (None, None, Some(address)) if is_host_with_port(&address) => Checked::Tcp {
                address,
                timeout: self.timeout,
            },
            (None, None, Some(_)) => return Err("`tcp` is no host with a port"),
            _ => return Err("a check is of one thing"),
        };
        Ok(Check {
            of,
            interval: self.interval,
            threshold: self.threshold,
        })
    }
}
