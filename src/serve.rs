//! `tidegate serve`: build the services, say where they listen, wait for a
//! signal, drain.

use std::sync::Arc;

use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tidegate_auth::docker_auth::Refusals;
use tidegate_config::{Backend, ListenAddress, Protocol, Registry, Settings};
use tidegate_failure::Failure;
use tidegate_proxy::{BoundListener, Destination, Front, FrontSettings, VirtualServers};
use tidegate_registry::events::{Events, Source};
use tidegate_registry::store::Maintain;
use tidegate_registry::{Health, Metrics};
use time::OffsetDateTime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::audit;
use crate::backend::InProcess;
use crate::checker::Checker;
use crate::debug::{Debug, Shown};
use crate::guards::{Entrance, Guards};
use crate::inputs::{self, Inputs};
use crate::jwks::KeyFetcher;
use crate::reload::{self, Configuration, Watched};
use crate::renewal::Renewal;
use crate::webhook::{HttpCourier, WebhookError};
use crate::{collect, logging, registry, scrub};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    inputs: Inputs,

    /// Serve even if something that the configuration asks for is not there
    #[arg(long)]
    lenient: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let adopted = arguments.inputs.read()?;
    let settings = inputs::settle(adopted, arguments.lenient)?;
    if let (true, Some(auth)) = (arguments.inputs.are_of_a_registry(), &settings.auth) {
        registry::make_missing_users(&auth.htpasswd)?;
    }
    let ours = arguments.inputs.ours();
    let configuration = ours.map(Configuration::new);
    let refusals = inputs::refusals_are(arguments.lenient);
    serve(settings, configuration, refusals, print_listeners)
}

pub(crate) fn print_listeners(listeners: &[BoundListener]) {
    for listener in listeners {
        tidegate_failure::say(&format!("listening on {}", url(listener)));
    }
}

/// A listener as the URL by which it is reached from this machine.
pub(crate) fn url(listener: &BoundListener) -> String {
    let scheme = match listener.protocol {
        Protocol::Https => "https",
        Protocol::Http | Protocol::RedirectToHttps { .. } => "http",
    };
    match &listener.address {
        ListenAddress::Inet(address) => format!("{scheme}://{address}"),
        ListenAddress::Unix(_) => format!("{} ({scheme})", listener.address),
    }
}

/// The front's own section of the settings.
pub(crate) fn front_settings(settings: &Settings) -> FrontSettings {
    let sites = settings.sites.iter();
    FrontSettings {
        listeners: settings.listeners.clone(),
        certificates: settings.certificates.clone(),
        client_auth: sites.filter_map(|site| site.client_auth.clone()).collect(),
        edge: settings.edge.clone(),
        access_log: settings.log.access,
        drain_timeout: settings.server.drain_timeout,
    }
}

/// Serves until a signal ends it, and by the rules of `configuration` as they
/// change. `refusals` says whether docker_auth's file is taken with what cannot be
/// honoured in it, also when it changes. `announce` is called once every socket is
/// bound, with what is bound.
pub(crate) fn serve(
    settings: Settings,
    configuration: Option<Configuration>,
    refusals: Refusals,
    announce: impl FnOnce(&[BoundListener]),
) -> Result<(), Failure> {
    let _log = logging::start(&settings.log)?;
    raise_file_limit();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::of(&e, None))?
        .block_on(serve_until_signal(
            settings,
            configuration,
            refusals,
            announce,
        ))
}

async fn serve_until_signal(
    settings: Settings,
    configuration: Option<Configuration>,
    refusals: Refusals,
    announce: impl FnOnce(&[BoundListener]),
) -> Result<(), Failure> {
    // From here on a signal is ours: one that comes during the start is kept.
    let stop = Stop::listen()?;
    let guards = Guards::open(&settings, refusals)?;
    // Dropped last, so that what was still served is written.
    let (auditing, _audit) = audit::open(settings.log.audit.as_ref(), "log.audit")?;
    let Entrance { door, tokens } = guards.entrance(&settings, &auditing.audit)?;
    let has_door = door.is_some();
    let debug = match &settings.debug {
        Some(debug) => Some(Debug::bind(debug).await?),
        None => None,
    };
    let metrics = settings
        .debug
        .as_ref()
        .filter(|debug| debug.metrics.is_some())
        .map(|_| Metrics::new());
    // What goes on beside serving, and ends with it.
    let mut beside = JoinSet::new();
    if let Some(verifier) = &guards.other_tokens
        && let Some(fetcher) = KeyFetcher::new(verifier)?
    {
        beside.spawn(fetcher.run());
    }
    let mut health = Health::default();
    let mut events = Events::default();
    let destination = match &settings.backend {
        Backend::Registry(registry) => {
            let couriers = couriers(registry)?;
            let source = Source::new(source_address(&settings));
            let opened = tidegate_registry::open_observed(registry, metrics.clone(), source)?;
            for (delivery, courier) in opened.deliveries.into_iter().zip(couriers) {
                beside.spawn(async move { delivery.run(&courier).await });
            }
            health = opened.health;
            if let Some(check) = opened.check {
                beside.spawn(check.run());
            }
            for check in &registry.checks {
                beside.spawn(Checker::new(check, health.clone())?.run());
            }
            let store: Arc<dyn Maintain> = opened.store;
            if let Some(scrubbing) = scrub::scheduled(registry, Arc::clone(&store)) {
                beside.spawn(scrubbing);
            }
            if let Some(collecting) = collect::scheduled(registry, store, metrics.clone()) {
                beside.spawn(collecting);
            }
            events = opened.events;
            Some(Destination::InProcess(Arc::new(InProcess {
                api: opened.api,
                door,
                tokens,
                auditing: auditing.clone(),
                names_callers: events.are_heard(),
            })))
        }
        Backend::Forward(forward) => Some(Destination::Forward(forward.clone())),
        Backend::Places => None,
    };
    let mut verifiers: Vec<_> = guards.passwords.iter().map(Arc::clone).collect();
    let destination = match destination {
        Some(destination) if settings.sites.is_empty() => destination,
        registry => {
            let registry = match registry {
                Some(Destination::InProcess(registry)) => Some(registry),
                _ => None,
            };
            let servers = VirtualServers::new(settings.sites.clone(), registry)?;
            verifiers = servers.verifiers();
            Destination::Sites(match auditing.audit.is_on() {
                true => servers.with_refusals(Arc::new(auditing.clone())),
                false => servers,
            })
        }
    };
    // Before they are loaded, so that a registry that was off for long does not
    // begin with a certificate that is over.
    let mut renewal = Renewal::new(&settings.certificates);
    renewal.look(OffsetDateTime::now_utc());
    let asked_by_front = guards.passwords.filter(|_| !has_door);
    let front = Front::bind(front_settings(&settings), asked_by_front, destination)?;
    let public_ca = settings
        .edge
        .publish_ca
        .then(|| (front.public_ca(), settings.certificates.clone()));
    let reloading = tokio::spawn(reload::watch(Watched {
        configuration,
        policy: guards.policy,
        verifiers,
        tokens: guards.other_tokens.into_iter().collect(),
        docker_auth: guards.docker_auth,
        robots: guards.robots,
        audit: auditing.audit.clone(),
        certificates: front.certificates(),
        client_certificates: front.client_certificates(),
        public_ca,
        renewal,
    })?);
    announce(&front.addresses());
    if let Some(debug) = debug {
        let address = debug.address();
        info!("debug listener on http://{address}");
        beside.spawn(debug.serve(Shown { health, metrics }));
    }

    let drained = front.serve(stop.received()).await;
    reloading.abort();
    events.flush().await;
    beside.shutdown().await;
    match drained.cut {
        0 => info!("stopped: every request was answered"),
        cut => warn!(
            requests.cut = cut,
            "stopped: `server.drain_timeout` ended before these requests did"
        ),
    }
    Ok(())
}

/// What brings the events of each webhook to its receiver.
pub(crate) fn couriers(registry: &Registry) -> Result<Vec<HttpCourier>, WebhookError> {
    registry.webhooks.iter().map(HttpCourier::new).collect()
}

/// What the registry is called in events: this machine, and the first port.
fn source_address(settings: &Settings) -> String {
    let host = gethostname::gethostname();
    let port = settings
        .listeners
        .first()
        .and_then(|listener| listener.address.inet())
        .map_or(0, |address| address.port());
    format!("{}:{port}", host.to_string_lossy())
}

/// SIGTERM and Ctrl-C.
pub(crate) struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    pub(crate) fn listen() -> Result<Self, Failure> {
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// Ends with the first signal. A second one ends the process at once, for
    /// those who do not want to wait for the drain.
    pub(crate) async fn received(mut self) {
        let name = self.next().await;
        info!(
            signal = name,
            "stopping: requests in flight are finished first"
        );
        tokio::spawn(async move {
            let name = self.next().await;
            warn!(signal = name, "stopping at once");
            std::process::exit(1);
        });
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

pub(crate) fn listen(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|e| Failure::of(&e, None))
}

/// Each connection is a file, and each blob being sent is one more: the usual
/// soft limit of 1,024 is there for programs that use `select`.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(e) = setrlimit(Resource::Nofile, raised) {
        warn!(error = %e, "the limit of open files stays at {:?}", limit.current);
    }
}
