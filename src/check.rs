//! `tidegate check`: what would be served, and what is wrong.

mod explain;
mod robots;
mod rules;

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use tidegate_auth::docker_auth::DockerAuth;
use tidegate_auth::robots::Robots;
use tidegate_auth::token::TokenVerifier;
use tidegate_config::site::{Access, Action};
use tidegate_config::{Adopted, Backend, ClientAuth, Registry, Settings, Upstream, VerifyClient};
use tidegate_failure::Failure;
use tidegate_proxy::{BoundListener, PreparedFront};

use self::explain::Question;
use crate::inputs::{self, Inputs};
use crate::{auth_config, logging, renewal, serve, tokens, users};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    inputs: Inputs,

    /// Do not mind what cannot be honoured
    #[arg(long)]
    lenient: bool,

    #[command(flatten)]
    question: Question,
}

/// Reads all that `serve` would read, and binds and makes nothing.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let asked = arguments.question.asked()?;
    if let (None, Some(path)) = (&asked, arguments.inputs.lone_auth_config()) {
        return auth_config::check(path, arguments.lenient);
    }
    let Adopted { settings, findings } = arguments.inputs.read()?;
    if let Some(asked) = asked {
        return explain::run(&asked, &settings, arguments.inputs.file());
    }
    if !findings.is_empty() {
        tidegate_failure::print(&format!("{}\n", inputs::listed(&findings)));
    }
    let refused = inputs::refusals(&findings);
    if !refused.is_empty() && !arguments.lenient {
        return Err(Failure::new(refused.join("\n"))
            .with_hint("take it out of the configuration, or serve without it: --lenient"));
    }
    let log = logging::start(&settings.log)?;
    let users = users::listed(&settings, arguments.inputs.are_of_a_registry())?;
    if let Some(token) = &settings.token {
        TokenVerifier::open(token)?;
    }
    if let Some(robots) = &settings.robots {
        Robots::open(robots)?;
    }
    let docker_auth = match &settings.auth_config {
        Some(path) => {
            let users = DockerAuth::open(path, inputs::refusals_are(arguments.lenient))?;
            tokens::signer_of(&users.config().token)?;
            auth_config::report_beside_registry(path, &users.config())
        }
        None => String::new(),
    };
    if let Some(server) = &settings.token_server {
        tokens::check_key(server)?;
    }
    let front = PreparedFront::new(serve::front_settings(&settings))?;
    front.check(&settings.backend, &settings.sites)?;
    if let Backend::Registry(registry) = &settings.backend {
        tidegate_registry::check(registry)?;
        serve::couriers(registry)?;
    }
    drop(log);
    tidegate_failure::print(&(report(&settings) + &users + &docker_auth));
    tidegate_failure::say(&format!("{}: ok", arguments.inputs.file().display()));
    Ok(())
}

fn report(settings: &Settings) -> String {
    let mut text = String::new();
    // Writing to a `String` cannot fail.
    for listener in &settings.listeners {
        let bound = BoundListener {
            address: listener.address.clone(),
            protocol: listener.protocol,
        };
        let asks = listener.client_auth.as_ref().map(asks_for_certificates);
        let asks = asks.unwrap_or_default();
        let _ = writeln!(text, "listen       {}{asks}", serve::url(&bound));
    }
    for pair in &settings.certificates {
        let _ = writeln!(
            text,
            "certificate  {} with {}{}",
            pair.cert.display(),
            pair.key.display(),
            if renewal::renews(pair) {
                " (renewed by itself)"
            } else {
                ""
            }
        );
    }
    report_sites(&mut text, settings);
    let _ = match &settings.auth {
        _ if !settings.sites.is_empty() => Ok(()),
        Some(auth) => writeln!(
            text,
            "passwords    {}, realm \"{}\"",
            auth.htpasswd.display(),
            auth.realm
        ),
        None if settings.token.is_some() || settings.auth_config.is_some() => Ok(()),
        None => writeln!(text, "passwords    none: everybody is let in"),
    };
    if let Some(token) = &settings.token {
        let _ = writeln!(
            text,
            "tokens       of \"{}\" for \"{}\"",
            token.issuer, token.service
        );
    }
    if let Some(robots) = &settings.robots {
        let _ = writeln!(text, "robots       {}", robots.display());
    }
    if let Some(audit) = &settings.log.audit {
        let _ = writeln!(
            text,
            "audit        {}{}",
            audit.path.display(),
            if audit.blobs { ", with each blob" } else { "" }
        );
    }
    let _ = match &settings.backend {
        Backend::Registry(registry) => writeln!(
            text,
            "registry     {}{} (deletion {}{}{})",
            registry.root.display(),
            if registry.root.exists() {
                ""
            } else {
                ", which will be made"
            },
            if registry.delete { "on" } else { "off" },
            if registry.read_only {
                ", read-only"
            } else {
                ""
            },
            if registry.schema1.is_some() {
                ", schema 1 on"
            } else {
                ""
            },
        ),
        Backend::Forward(forward) => match &forward.to {
            Upstream::Http { host, port } => writeln!(text, "forward      http://{host}:{port}"),
            Upstream::Unix(path) => writeln!(text, "forward      unix:{}", path.display()),
        },
        Backend::Places => Ok(()),
    };
    if let Some(access) = &settings.access {
        rules::report(&mut text, access);
    }
    if let Backend::Registry(registry) = &settings.backend {
        report_collection(&mut text, registry);
        report_observers(&mut text, registry);
    }
    if let Some(debug) = &settings.debug {
        let metrics = debug.metrics.as_ref();
        let metrics = metrics.map_or_else(String::new, |path| format!(" and {path}"));
        let _ = writeln!(
            text,
            "debug        http://{} with /debug/health{metrics}",
            debug.address
        );
    }
    text
}

/// What each place of each site leads to, and who may come in.
fn report_sites(text: &mut String, settings: &Settings) {
    for site in &settings.sites {
        let names: Vec<String> = site.names.iter().map(ToString::to_string).collect();
        let at = site.attachments.iter().map(|at| {
            let address = &settings.listeners[at.listener].address;
            let else_as_well = if at.is_default {
                " (and for other names)"
            } else {
                ""
            };
            format!("{address}{else_as_well}")
        });
        let at: Vec<String> = at.collect();
        let names = if names.is_empty() {
            "without a name".to_owned()
        } else {
            names.join(", ")
        };
        let shown = site.client_auth.as_ref().map(asks_for_certificates);
        let shown = shown.unwrap_or_default();
        let _ = writeln!(text, "site         {names} at {}{shown}", at.join(", "));
        for place in &site.places {
            let to = match &place.action {
                Action::Registry => "the registry".to_owned(),
                Action::Proxy(proxy) => {
                    let servers = proxy.servers.iter().map(|server| server.to.to_string());
                    servers.collect::<Vec<_>>().join(", ")
                }
                Action::NotFound => "nothing".to_owned(),
            };
            let _ = writeln!(
                text,
                "             {} to {to}{}",
                place.path,
                asks(&place.rules.access)
            );
        }
    }
}

/// Which certificates are asked of clients.
fn asks_for_certificates(client_auth: &ClientAuth) -> String {
    let files: Vec<String> = client_auth
        .ca
        .iter()
        .map(|ca| ca.display().to_string())
        .collect();
    let of = match client_auth.verify {
        VerifyClient::Full => format!(" of {}", files.join(", ")),
        VerifyClient::AnyIssuer => " of any CA".to_owned(),
        VerifyClient::Nothing => ", whatever they are".to_owned(),
    };
    let required = if client_auth.required {
        "required"
    } else {
        "optional"
    };
    let crl = client_auth.crl.as_ref();
    let crl = crl.map_or_else(String::new, |crl| format!(", revoked by {}", crl.display()));
    format!(" (client certificates {required}{of}{crl})")
}

/// Whose passwords are asked for.
fn asks(access: &Access) -> String {
    let auth = |access: &Access| {
        let auth = access.auth.as_ref()?;
        Some(format!(
            "{}, realm \"{}\"",
            auth.htpasswd.display(),
            auth.realm
        ))
    };
    let of_others = access.methods.as_ref().and_then(|methods| {
        let asked = auth(&methods.access)?;
        Some(format!(
            " ({asked}, except for {})",
            methods.except.join(", ")
        ))
    });
    let asked = auth(access).map_or_else(
        || " without a password".to_owned(),
        |asked| format!(" ({asked})"),
    );
    asked + &of_others.unwrap_or_default()
}

/// What is removed, and when, and when everything is read again.
fn report_collection(text: &mut String, registry: &Registry) {
    let collect = &registry.collect;
    let time = |time: Duration| humantime::format_duration(time).to_string();
    let _ = match collect.every.filter(|_| !registry.read_only) {
        Some(every) if collect.uploads_only => writeln!(
            text,
            "collection   every {}: uploads alone{}",
            time(every),
            match collect.uploads_after {
                Some(after) => format!(", after {}", time(after)),
                None => String::new(),
            }
        ),
        Some(every) => writeln!(
            text,
            "collection   every {}: what nobody has used for {}{}{}",
            time(every),
            time(collect.grace),
            if collect.delete_untagged {
                ", with manifests without a tag"
            } else {
                ""
            },
            match collect.uploads_after {
                Some(after) => format!("; uploads after {}", time(after)),
                None => String::new(),
            }
        ),
        None => writeln!(text, "collection   none by itself"),
    };
    let scrub = &registry.scrub;
    let _ = match scrub.every.filter(|_| !registry.read_only) {
        Some(every) => writeln!(
            text,
            "scrub        every {}, reading {} a second",
            time(every),
            bytesize::ByteSize(scrub.rate.get())
        ),
        None => writeln!(text, "scrub        none by itself"),
    };
    for rule in &registry.retention {
        let mut keeps = Vec::new();
        keeps.extend(rule.keep_newest.map(|n| format!("the {n} newest")));
        keeps.extend(
            rule.keep_pushed_within
                .map(|t| format!("pushed within {}", time(t))),
        );
        keeps.extend(
            rule.keep_pulled_within
                .map(|t| format!("pulled within {}", time(t))),
        );
        keeps.extend(rule.keep_tags.as_ref().map(|tags| format!("named {tags}")));
        let _ = writeln!(
            text,
            "tags kept    in {}: {}",
            rule.repositories,
            keeps.join(", or ")
        );
    }
    if !registry.retention.is_empty() && !collect.delete_untagged {
        let _ = writeln!(
            text,
            "             their manifests stay: registry.collect.delete_untagged is off"
        );
    }
    for rule in &registry.immutable {
        let _ = writeln!(text, "immutable    {} in {}", rule.tags, rule.repositories);
    }
}

fn report_observers(text: &mut String, registry: &Registry) {
    let _ = match &registry.health {
        Some(health) => writeln!(
            text,
            "health       looked at every {:?}; 503 after {} failures",
            health.interval, health.threshold
        ),
        None => writeln!(text, "health       not looked at"),
    };
    for field in &registry.headers {
        let _ = writeln!(text, "header       {}: {}", field.name(), field.value());
    }
    for webhook in &registry.webhooks {
        let ignored: Vec<&str> = webhook
            .ignore
            .actions
            .iter()
            .map(|action| action.as_str())
            .chain(webhook.ignore.media_types.iter().map(String::as_str))
            .collect();
        let ignored = if ignored.is_empty() {
            String::new()
        } else {
            format!(", without {}", ignored.join(", "))
        };
        let _ = writeln!(
            text,
            "webhook      {} to {}{ignored}",
            webhook.name, webhook.url
        );
    }
}
