//! What a `config.yml` says of logs, health checks and notifications.

use std::collections::HashSet;
use std::time::Duration;

use super::http;
use super::report::Problem;
use super::section::{Field, Section};
use crate::check::{Check, Checked, is_host_with_port};
use crate::header::NOT_OF_EVENTS;
use crate::settings::{AccessLog, Health, Log, LogFormat};
use crate::webhook::{Action, Ignored, Queue, Webhook, WebhookName};

pub(super) fn log(root: &Section<'_>) -> Result<Log, Problem> {
    let old = root.field("loglevel");
    let old_level = level(&old)?;
    root.section("log", |log| {
        let field = log.honoured("level");
        let new_level = level(&field)?;
        if new_level.is_some() {
            old.harmless("log.level says it");
        } else {
            old.honoured();
        }
        let formatter = log.field("formatter");
        let format = match formatter.text()?.as_deref() {
            None | Some("text") => {
                formatter.honoured();
                LogFormat::Text
            }
            Some("json") => {
                formatter.honoured();
                LogFormat::Json
            }
            Some("logstash") => {
                formatter.replaced("json");
                LogFormat::Json
            }
            Some(other) => {
                let what = format!("expected text, json or logstash, got `{other}`");
                return Err(formatter.problem(&what, "leave it out for text"));
            }
        };
        log.harmless("fields", "messages have the fields that they are about");
        log.harmless("reportcaller", "messages say what they are about");
        log.sections("hooks", |hook| {
            let is_off = hook.honoured("disabled").is_true()?;
            for key in ["type", "levels", "options"] {
                if is_off {
                    hook.harmless(key, "the hook is off");
                } else {
                    hook.refused(key, "messages go to standard error, and are not mailed");
                }
            }
            Ok(())
        })?;
        let is_silent = log.section("accesslog", |access| access.honoured("disabled").is_true())?;
        Ok(Log {
            level: new_level.or(old_level).unwrap_or_else(|| "info".to_owned()),
            format,
            access: if is_silent {
                AccessLog::Off
            } else {
                AccessLog::Combined
            },
            audit: None,
        })
    })
}

/// A level by one of its names there, as it is called here.
fn level(field: &Field<'_>) -> Result<Option<String>, Problem> {
    let Some(text) = field.text()? else {
        return Ok(None);
    };
    let level = match text.to_ascii_lowercase().as_str() {
        "trace" => "trace",
        "debug" => "debug",
        "info" => "info",
        "warn" | "warning" => "warn",
        "error" | "fatal" | "panic" => "error",
        _ => {
            let what = format!("expected error, warn, info or debug, got `{text}`");
            return Err(field.problem(&what, "leave it out for info"));
        }
    };
    Ok(Some(level.to_owned()))
}

/// The check of the storage, which is off unless it is turned on, and the others.
pub(super) fn health(health: &Section<'_>) -> Result<(Option<Health>, Vec<Check>), Problem> {
    let mut checks = Vec::new();
    checks.extend(health.sections("file", |file| {
        let path = file.honoured("file");
        let text = path.text()?;
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Err(file.problem("it names no file", "write it as file: /run/out-of-service"));
        };
        check(file, Checked::File(text.into()))
    })?);
    checks.extend(health.sections("http", |http| {
        let uri = http.honoured("uri");
        let hint = "write it as uri: https://auth.example/health";
        let text = uri
            .text()?
            .ok_or_else(|| http.problem("it has no uri", hint))?;
        let status = http.honoured("statuscode");
        let code = status.number()?.filter(|code| *code > 0).unwrap_or(200);
        let code = u16::try_from(code)
            .ok()
            .filter(|code| (100..600).contains(code));
        let of = Checked::Http {
            url: text.parse().map_err(|why: &str| uri.problem(why, hint))?,
            headers: http::headers(&http.honoured("headers"), &NOT_OF_EVENTS)?,
            status: code
                .ok_or_else(|| status.problem("no status of HTTP", "leave it out for 200"))?,
            timeout: pause(&http.honoured("timeout"), Check::TIMEOUT)?,
        };
        check(http, of)
    })?);
    checks.extend(health.sections("tcp", |tcp| {
        let addr = tcp.honoured("addr");
        let hint = "write it as addr: redis:6379";
        let address = addr
            .text()?
            .ok_or_else(|| tcp.problem("it has no addr", hint))?;
        if !is_host_with_port(&address) {
            return Err(addr.problem("no host with a port", hint));
        }
        let timeout = pause(&tcp.honoured("timeout"), Check::TIMEOUT)?;
        check(tcp, Checked::Tcp { address, timeout })
    })?);
    let storage = health.section("storagedriver", |storage| {
        let is_on = storage.honoured("enabled").is_true()?;
        let default = Health::default();
        let interval = pause(&storage.honoured("interval"), default.interval)?;
        // There, one failure is enough unless something else is said.
        let threshold = threshold(storage)?;
        Ok(is_on.then_some(Health {
            interval,
            threshold,
        }))
    })?;
    Ok((storage, checks))
}

fn check(section: &Section<'_>, of: Checked) -> Result<Check, Problem> {
    let interval = pause(&section.honoured("interval"), Check::INTERVAL)?;
    // A file has none: it is there, or it is not.
    let threshold = match of {
        Checked::File(_) => 1,
        Checked::Http { .. } | Checked::Tcp { .. } => threshold(section)?,
    };
    Ok(Check {
        of,
        interval,
        threshold,
    })
}

fn threshold(section: &Section<'_>) -> Result<u32, Problem> {
    let threshold = section.honoured("threshold").number()?.unwrap_or(0).max(1);
    Ok(u32::try_from(threshold).unwrap_or(u32::MAX))
}

/// Those who are told what happens. Names that are none here, or that were given
/// twice, are made from what was written.
pub(super) fn notifications(notifications: &Section<'_>) -> Result<Vec<Webhook>, Problem> {
    let references = notifications.section("events", |events| {
        events.honoured("includereferences").is_true()
    })?;
    let mut names = HashSet::new();
    let endpoints = notifications.sections("endpoints", |endpoint| {
        let is_off = endpoint.honoured("disabled").is_true()?;
        let webhook = webhook(endpoint, references, &mut names)?;
        Ok((!is_off).then_some(webhook))
    })?;
    Ok(endpoints.into_iter().flatten().collect())
}

fn webhook(
    endpoint: &Section<'_>,
    references: bool,
    names: &mut HashSet<WebhookName>,
) -> Result<Webhook, Problem> {
    let name = endpoint.field("name");
    let written = name.text()?.unwrap_or_default();
    let given = free_name(&written, names);
    if given.as_str() == written {
        name.honoured();
    } else {
        name.replaced(&format!("the name `{given}`"));
    }
    let url = endpoint.honoured("url");
    let Some(text) = url.text()? else {
        return Err(endpoint.problem(
            "it has no url",
            "write it as url: https://hooks.example/registry",
        ));
    };
    let receiver = text
        .parse()
        .map_err(|why: &str| url.problem(why, "write it as https://hooks.example/registry"))?;
    let threshold = endpoint.honoured("threshold").number()?.filter(|n| *n > 0);
    let mut media_types = endpoint.honoured("ignoredmediatypes").texts()?;
    let actions = endpoint.section("ignore", |ignore| {
        media_types.extend(ignore.honoured("mediatypes").texts()?);
        let field = ignore.honoured("actions");
        let known = |text: &String| {
            let action = Action::ALL.into_iter().find(|known| known.as_str() == text);
            action.ok_or_else(|| {
                let what = format!("`{text}` is not what happens here");
                field.problem(&what, "one of pull, push, mount, delete")
            })
        };
        field.texts()?.iter().map(known).collect()
    })?;
    Ok(Webhook {
        name: given,
        url: receiver,
        headers: http::headers(&endpoint.honoured("headers"), &NOT_OF_EVENTS)?,
        ca: None,
        timeout: pause(&endpoint.honoured("timeout"), Duration::from_secs(1))?,
        threshold: threshold.map_or(10, |n| u32::try_from(n).unwrap_or(u32::MAX)),
        backoff: pause(&endpoint.honoured("backoff"), Duration::from_secs(1))?,
        ignore: Ignored {
            actions,
            media_types,
        },
        references,
        queue: Queue::default(),
    })
}

/// A name that nobody has yet, as like the one that was written as can be.
fn free_name(written: &str, names: &mut HashSet<WebhookName>) -> WebhookName {
    const LONGEST: usize = 56;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let plain: String = written
        .chars()
        .map(|c| if is_plain(c) { c } else { '-' })
        .take(LONGEST)
        .collect();
    let plain = match plain.trim_start_matches('.') {
        "" => "webhook",
        plain => plain,
    };
    let mut number = 1_u32;
    loop {
        let name = match number {
            1 => plain.to_owned(),
            number => format!("{plain}-{number}"),
        };
        let name: WebhookName = name.parse().expect("made of what names are made of");
        if names.insert(name.clone()) {
            return name;
        }
        number += 1;
    }
}

/// A time that passes. None at all is what distribution takes for its default.
fn pause(field: &Field<'_>, default: Duration) -> Result<Duration, Problem> {
    let pause = field.duration()?;
    Ok(pause.filter(|pause| !pause.is_zero()).unwrap_or(default))
}
