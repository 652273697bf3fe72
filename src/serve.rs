//! `tidegate serve`: build the services, say where they listen, wait for a
//! signal, drain.

use std::sync::Arc;

use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tidegate_auth::docker_auth::{DockerAuth, Refusals};
use tidegate_auth::policy::{Policy, SharedPolicy};
use tidegate_auth::robots::Robots;
use tidegate_auth::token::TokenVerifier;
use tidegate_auth::token_server::TokenServer;
use tidegate_auth::{Door, Keepers, Verifier};
use tidegate_config::{Backend, Protocol, Registry, Settings, UserFrom};
use tidegate_failure::Failure;
use tidegate_proxy::{BoundListener, Destination, Front, FrontSettings, VirtualServers};
use tidegate_registry::events::{Events, Source};
use tidegate_registry::store::Maintain;
use tidegate_registry::{Health, Metrics};
use time::OffsetDateTime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::audit::{self, Auditing};
use crate::backend::InProcess;
use crate::debug::{Debug, Shown};
use crate::inputs::{self, Inputs};
use crate::jwks::KeyFetcher;
use crate::reload::{self, Configuration, Watched};
use crate::renewal::Renewal;
use crate::webhook::{HttpCourier, WebhookError};
use crate::{collect, logging, registry, scrub, tokens};

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
    serve(settings, configuration, print_listeners)
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
    format!("{scheme}://{}", listener.address)
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
/// change. `announce` is called once every socket is
/// bound, with what is bound.
pub(crate) fn serve(
    settings: Settings,
    configuration: Option<Configuration>,
    announce: impl FnOnce(&[BoundListener]),
) -> Result<(), Failure> {
    let _log = logging::start(&settings.log)?;
    raise_file_limit();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::of(&e, None))?
        .block_on(serve_until_signal(settings, configuration, announce))
}

async fn serve_until_signal(
    settings: Settings,
    configuration: Option<Configuration>,
    announce: impl FnOnce(&[BoundListener]),
) -> Result<(), Failure> {
    // From here on a signal is ours: one that comes during the start is kept.
    let stop = Stop::listen()?;
    let others = settings.token.as_ref().map(TokenVerifier::open);
    let others = others.transpose()?.map(Arc::new);
    // Sites say themselves who may come in.
    let auth = settings.auth.as_ref().filter(|_| settings.sites.is_empty());
    let verifier = auth.map(Verifier::open).transpose()?.map(Arc::new);
    // With rules, the registry's own door asks who comes, and the front lets
    // everybody as far as there.
    let policy = settings
        .access
        .clone()
        .map(Policy::new)
        .map(SharedPolicy::new);
    let users = settings.auth_config.as_deref();
    // What it asks for that is not there has been judged before.
    let users = users.map(|path| DockerAuth::open(path, Refusals::Pass));
    let users = users.transpose()?.map(Arc::new);
    let robots = settings.robots.as_ref().map(Robots::open);
    let robots = robots.transpose()?.map(Arc::new);
    // Dropped last, so that what was still served is written.
    let (auditing, _audit) = audit::open(settings.log.audit.as_ref())?;
    let (door, tokens) = door(
        &settings,
        &auditing,
        verifier.clone(),
        robots.clone(),
        policy.clone(),
        others.clone(),
        users.clone(),
    )?;
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
    if let Some(verifier) = &others
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
    let mut verifiers: Vec<_> = verifier.iter().map(Arc::clone).collect();
    let destination = match destination {
        Some(destination) if settings.sites.is_empty() => destination,
        registry => {
            let registry = match registry {
                Some(Destination::InProcess(registry)) => Some(registry),
                _ => None,
            };
            let servers = VirtualServers::new(settings.sites.clone(), registry)?;
            let servers = servers.with_audit(auditing.audit.clone());
            verifiers = servers.verifiers();
            Destination::Sites(servers)
        }
    };
    // Before they are loaded, so that a registry that was off for long does not
    // begin with a certificate that is over.
    let mut renewal = Renewal::new(&settings.certificates);
    renewal.look(OffsetDateTime::now_utc());
    let asked_by_front = verifier.filter(|_| !has_door);
    let front = Front::bind(front_settings(&settings), asked_by_front, destination)?;
    let public_ca = settings
        .edge
        .publish_ca
        .then(|| (front.public_ca(), settings.certificates.clone()));
    let reloading = tokio::spawn(reload::watch(Watched {
        configuration,
        policy,
        verifiers,
        tokens: others.into_iter().collect(),
        docker_auth: users,
        robots,
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

/// Who asks at the registry's door, if the front does not, and the token server
/// behind it.
fn door(
    settings: &Settings,
    auditing: &Auditing,
    passwords: Option<Arc<Verifier>>,
    robots: Option<Arc<Robots>>,
    policy: Option<SharedPolicy>,
    others: Option<Arc<TokenVerifier>>,
    users: Option<Arc<DockerAuth>>,
) -> Result<(Option<Door>, Option<TokenServer>), Failure> {
    let other_tokens = others.zip(settings.token.as_ref().map(tokens::challenge_of_others));
    if let Some(users) = users {
        let own = tokens::of_docker_auth(&users)?;
        let keepers = Keepers {
            other_tokens: Some((own.verifier, own.challenge)),
            ..Keepers::default()
        };
        return Ok((
            Some(Door::new(keepers, "Registry")),
            Some(own.server.with_audit(auditing.audit.clone())),
        ));
    }
    let by_certificate = passwords.is_some() && takes_certificates_for_users(settings);
    // Whoever writes down what was refused has to hear of it where that is known.
    let is_audited = auditing.audit.is_on() && passwords.is_some();
    let is_asked_for = settings.token_server.is_some() || policy.is_some() || robots.is_some();
    if !is_asked_for && other_tokens.is_none() && !by_certificate && !is_audited {
        return Ok((None, None));
    }
    let own = settings.token_server.as_ref().map(|server| {
        let policy = policy.clone().unwrap_or_default();
        tokens::open(server, passwords.clone(), robots.clone(), policy)
    });
    let own = own.transpose()?;
    let (server, own_tokens) = match own {
        Some(own) => (
            Some(own.server.with_audit(auditing.audit.clone())),
            Some((own.verifier, own.challenge)),
        ),
        None => (None, None),
    };
    let realm = settings
        .auth
        .as_ref()
        .map_or("Registry", |auth| &auth.realm);
    let keepers = Keepers {
        passwords,
        robots,
        policy,
        own_tokens,
        other_tokens,
    };
    Ok((Some(Door::new(keepers, realm)), server))
}

/// Whether a certificate does in place of a password for the registry in this
/// process: the front alone would ask for both.
fn takes_certificates_for_users(settings: &Settings) -> bool {
    let mut demands = settings
        .listeners
        .iter()
        .filter_map(|listener| listener.client_auth.as_ref());
    matches!(settings.backend, Backend::Registry(_))
        && demands.any(|demand| demand.user != UserFrom::Nowhere)
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
        .map_or(0, |listener| listener.address.port());
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
