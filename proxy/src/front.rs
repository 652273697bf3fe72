//! The front itself: bound first, then served, then drained.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use pingora::apps::HttpServerApp;
use pingora::protocols::http::v2::server::{H2Options, default_h2_options};
use pingora::proxy::{HttpProxy, ProxyHttp};
use pingora::server::ShutdownWatch;
use pingora::server::configuration::ServerConf;
use rustls::server::ResolvesServerCert;
use socket2::Socket;
use tidegate_auth::Verifier;
use tidegate_config::site::Site;
use tidegate_config::{
    AccessLog, Backend, CertificateFiles, ClientAuth, Edge, Forward, ListenAddress, Listener,
    Protocol, Upstream,
};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error};

use crate::backend::Destination;
use crate::bind_error::BindError;
use crate::certificates::CertificateStore;
use crate::client_certificates::ClientCertificates;
use crate::edge::{Gate, RefusedUserAgents, TrustedProxies};
use crate::forward::{Forwarder, TRIES};
use crate::in_flight::InFlight;
use crate::linger::Closer;
use crate::listen::{self, Server};
use crate::public_ca::PublicCa;
use crate::redirect::Redirector;
use crate::service::{Service, Shared};
use crate::sites::{Action, Attached, Sites};
use crate::socket_file::SocketFile;
use crate::tls::{self, Handshakes, Offers};

/// Bytes of one upload that may be on their way to us (RFC 9113, section 6.9):
/// at 64 KiB, the default, a client 20 ms away could send 3 MiB/s at most.
const STREAM_WINDOW: u32 = 4 * 1024 * 1024;
/// The same for all uploads of a connection.
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
/// Bytes of one answer that may wait in memory for the connection.
const SEND_BUFFER: usize = 1024 * 1024;
/// The largest frame a client may send. Larger than the 16 KiB of the default,
/// and no more than half of what one read of the socket brings.
const FRAME: u32 = 64 * 1024;

/// Once nothing is served any more, how long clients may take to read their last
/// answer and to close: HTTP/2 clients have been told to (RFC 9113, section
/// 6.8), HTTP/1.1 clients see that we have.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a front needs to know.
#[derive(Debug, Clone)]
pub struct FrontSettings {
    /// Where to listen, and what to speak there.
    pub listeners: Vec<Listener>,
    /// For the listeners that speak TLS; the first is the default.
    pub certificates: Vec<CertificateFiles>,
    /// What certificates the sites ask of clients: the listeners' own are theirs.
    pub client_auth: Vec<ClientAuth>,
    /// The rules that requests meet.
    pub edge: Edge,
    /// How requests are logged.
    pub access_log: AccessLog,
    /// How long requests in flight may go on once shutdown has begun.
    pub drain_timeout: Duration,
}

/// A front that listens, and serves nobody yet.
pub struct Front {
    sockets: Vec<Held>,
    /// The files of Unix sockets, which are removed once nothing is accepted.
    files: Vec<SocketFile>,
    certificates: Arc<CertificateStore>,
    client_certificates: Arc<ClientCertificates>,
    public_ca: Arc<PublicCa>,
    tls: Arc<Offers>,
    in_flight: Arc<InFlight>,
    drain_timeout: Duration,
}

/// What serves a listener. Each has its own: that is how a request is known by
/// the listener that it came to.
enum Served {
    Sites(Arc<HttpProxy<Service>>, Option<Arc<Attached>>),
    Redirect(Arc<HttpProxy<Redirector>>),
}

/// A socket, and what serves it.
type Held = (Socket, BoundListener, Served);

/// Where a front listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundListener {
    /// The address, with the port that the system chose if it was left to it.
    pub address: ListenAddress,
    /// What is spoken there.
    pub protocol: Protocol,
}

/// How a front ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Requests that were still being served when `drain_timeout` was over.
    pub cut: usize,
}

/// What the settings give before a socket is bound: all that a check of them
/// needs.
pub struct PreparedFront {
    listeners: Vec<Listener>,
    certificates: Arc<CertificateStore>,
    client_certificates: Arc<ClientCertificates>,
    tls: Arc<Offers>,
    refused: RefusedUserAgents,
    proxies: TrustedProxies,
    access_log: AccessLog,
    drain_timeout: Duration,
}

impl PreparedFront {
    /// Loads and checks the certificates, and the CAs of clients', and compiles the expression.
    ///
    /// # Errors
    /// See [`BindError`].
    pub fn new(settings: FrontSettings) -> Result<Self, BindError> {
        let provider = tls::provider();
        // pingora makes a connector for TLS upstreams and for it installs ring as the process's provider if there is none.
        // Failing means that there is one.
        let _ = (*provider).clone().install_default();

        let listeners = settings.listeners;
        if listeners.is_empty() {
            return Err(BindError::NoListener);
        }
        let speaks_tls = |listener: &&Listener| listener.protocol == Protocol::Https;
        if let Some(Listener { address, .. }) = listeners.iter().find(speaks_tls)
            && settings.certificates.is_empty()
        {
            let address = address.clone();
            return Err(BindError::NoCertificate { address });
        }
        let certificates = CertificateStore::load(&settings.certificates, Arc::clone(&provider))?;
        let certificates = Arc::new(certificates);
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(&certificates) as _;
        let of_listeners = listeners.iter().filter_map(|l| l.client_auth.as_ref());
        let wanted = of_listeners.chain(&settings.client_auth);
        let client_certificates = ClientCertificates::load(wanted, &resolver, &provider)?;
        let offers = Offers::new(&resolver, &provider, None).map_err(BindError::Tls)?;
        Ok(Self {
            listeners,
            certificates,
            client_certificates: Arc::new(client_certificates),
            tls: Arc::new(offers),
            refused: RefusedUserAgents::compile(settings.edge.refused_user_agents.as_deref())?,
            proxies: TrustedProxies::new(settings.edge.trusted_proxies),
            access_log: settings.access_log,
            drain_timeout: settings.drain_timeout,
        })
    }

    /// Reads what the way to the backend needs, as [`Self::bind`] does, and binds
    /// nothing.
    ///
    /// # Errors
    /// See [`BindError`].
    pub fn check(&self, backend: &Backend, sites: &[Site]) -> Result<(), BindError> {
        match backend {
            Backend::Forward(settings) if sites.is_empty() => forwarder(settings.clone()).map(drop),
            _ if sites.is_empty() => Ok(()),
            backend => {
                let has_registry = matches!(backend, Backend::Registry(_));
                let clients = &self.client_certificates;
                Sites::check(&self.listeners, clients, sites, has_registry)
            }
        }
    }

    /// Binds every socket. Without a verifier, nobody is asked for a password.
    ///
    /// # Errors
    /// The first address that cannot be listened on.
    pub fn bind(
        self,
        auth: Option<Arc<Verifier>>,
        destination: Destination,
    ) -> Result<Front, BindError> {
        let in_flight = Arc::new(InFlight::default());
        let public_ca = Arc::new(PublicCa::default());
        let listeners = &self.listeners;
        let clients = &self.client_certificates;
        let simple = |action| {
            let gate = Gate::new(auth);
            Sites::simple(listeners, clients, self.refused, gate, action)
        };
        let sites = match destination {
            Destination::InProcess(backend) => simple(Action::InProcess(backend))?,
            Destination::Forward(settings) => simple(Action::Forward(forwarder(settings)?))?,
            Destination::Sites(virtual_servers) => Sites::of(listeners, clients, virtual_servers)?,
        };
        let tries = TRIES.max(sites.tries());
        let shared = Arc::new(Shared {
            public_ca: Arc::clone(&public_ca),
            proxies: self.proxies,
            sites,
            access_log: self.access_log,
            in_flight: Arc::clone(&in_flight),
        });
        let mut files = Vec::new();
        let sockets = listeners
            .iter()
            .enumerate()
            .map(|(index, listener)| {
                let (socket, file) = listen::bind(listener, &self.listeners)?;
                files.extend(file);
                let bound = BoundListener {
                    address: local_address(&socket, &listener.address)?,
                    protocol: listener.protocol,
                };
                let service = match listener.protocol {
                    Protocol::RedirectToHttps { port } => Served::Redirect(proxy(
                        Redirector {
                            port,
                            access_log: self.access_log,
                            in_flight: Arc::clone(&in_flight),
                        },
                        tries,
                    )),
                    Protocol::Https | Protocol::Http => {
                        let speaks_tls = listener.protocol == Protocol::Https;
                        let attached = shared.sites.attached(index).filter(|_| speaks_tls);
                        let attached = attached.map(Arc::clone);
                        let shared = Arc::clone(&shared);
                        let listener = index;
                        Served::Sites(proxy(Service { listener, shared }, tries), attached)
                    }
                };
                Ok((socket, bound, service))
            })
            .collect::<Result<_, BindError>>()?;
        Ok(Front {
            sockets,
            files,
            certificates: self.certificates,
            client_certificates: self.client_certificates,
            public_ca,
            tls: self.tls,
            in_flight,
            drain_timeout: self.drain_timeout,
        })
    }
}

impl Front {
    /// Prepares a front and binds every socket. What can fail fails here,
    /// before anything is served.
    ///
    /// Without a verifier, nobody is asked for a password.
    ///
    /// # Errors
    /// See [`BindError`].
    pub fn bind(
        settings: FrontSettings,
        auth: Option<Arc<Verifier>>,
        destination: Destination,
    ) -> Result<Self, BindError> {
        PreparedFront::new(settings)?.bind(auth, destination)
    }

    /// Where the front listens, in the order of the settings.
    #[must_use]
    pub fn addresses(&self) -> Vec<BoundListener> {
        self.sockets
            .iter()
            .map(|(_, bound, _)| bound.clone())
            .collect()
    }

    /// The CA's certificate that anybody may fetch; none at first.
    #[must_use]
    pub fn public_ca(&self) -> Arc<PublicCa> {
        Arc::clone(&self.public_ca)
    }

    /// The certificates, to be reloaded while the front serves.
    #[must_use]
    pub fn certificates(&self) -> Arc<CertificateStore> {
        Arc::clone(&self.certificates)
    }

    /// The CAs and revocation lists for certificates of clients, to be reloaded
    /// while the front serves.
    #[must_use]
    pub fn client_certificates(&self) -> Arc<ClientCertificates> {
        Arc::clone(&self.client_certificates)
    }

    /// Serves until `shutdown` resolves. Then nothing more is accepted, idle
    /// connections are closed, and requests in flight have `drain_timeout` to
    /// finish.
    ///
    /// Must be awaited in a multi-threaded tokio runtime with I/O and time.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> Drained {
        let stop = CancellationToken::new();
        let (closing, watch) = watch::channel(false);
        let closer = Closer {
            connections: TaskTracker::new(),
            cut: CancellationToken::new(),
        };
        let loops = TaskTracker::new();
        let mut served = Vec::new();

        for (socket, bound, service) in self.sockets {
            let serving = Serving {
                shutdown: watch.clone(),
                closer: closer.clone(),
                stop: stop.clone(),
                loops: loops.clone(),
                bound,
            };
            match &service {
                Served::Sites(service, sites) => {
                    let sites = sites.as_ref().map(Arc::clone);
                    let tls = sites.map(|sites| Handshakes::new(Arc::clone(&self.tls), sites));
                    serving.start(socket, Arc::clone(service), tls);
                }
                Served::Redirect(service) => serving.start(socket, Arc::clone(service), None),
            }
            served.push(service);
        }

        shutdown.await;
        stop.cancel();
        loops.close();
        loops.wait().await;
        drop(self.files);
        // HTTP/2 clients are told to go; connections that wait for their next
        // request are closed.
        closing.send_replace(true);
        for service in served {
            match service {
                Served::Sites(service, _) => service.http_cleanup().await,
                Served::Redirect(service) => service.http_cleanup().await,
            }
        }

        let deadline = Instant::now() + self.drain_timeout;
        let Closer { connections, cut } = closer;
        connections.close();
        let ended = timeout_at(deadline, async {
            loop {
                self.in_flight.idle().await;
                // A client may still begin a request that crossed our farewell.
                if timeout(FAREWELL, connections.wait()).await.is_ok()
                    || self.in_flight.count() == 0
                {
                    return;
                }
            }
        });
        let drained = match ended.await {
            Ok(()) => Drained { cut: 0 },
            Err(_) => Drained {
                cut: self.in_flight.count(),
            },
        };
        cut.cancel();
        connections.wait().await;
        debug!(requests.cut = drained.cut, "the front has drained");
        drained
    }
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front")
            .field("addresses", &self.addresses())
            .finish_non_exhaustive()
    }
}

/// What one accept loop shares with the others.
struct Serving {
    shutdown: ShutdownWatch,
    closer: Closer,
    stop: CancellationToken,
    loops: TaskTracker,
    bound: BoundListener,
}

impl Serving {
    fn start<A: HttpServerApp + Send + Sync + 'static>(
        self,
        socket: Socket,
        app: Arc<A>,
        tls: Option<Handshakes>,
    ) {
        let server = Server {
            app,
            tls,
            shutdown: self.shutdown,
            closer: self.closer,
        };
        match server.accept(socket, self.stop) {
            Ok(accepting) => {
                self.loops.spawn(accepting);
            }
            // Registering with the runtime fails only when the system is out of
            // resources; the other listeners go on.
            Err(error) => {
                error!(listener.address = %self.bound.address, %error, "not serving");
            }
        }
    }
}

fn forwarder(settings: Forward) -> Result<Forwarder, BindError> {
    let path = match &settings.to {
        Upstream::Unix(path) => path.clone(),
        Upstream::Http { .. } => std::path::PathBuf::new(),
    };
    Forwarder::new(settings).map_err(|source| BindError::UpstreamSocket { path, source })
}

fn local_address(socket: &Socket, asked: &ListenAddress) -> Result<ListenAddress, BindError> {
    let address = socket.local_addr().map_err(|source| BindError::Listen {
        address: asked.clone(),
        source,
    })?;
    let port_is_known = address.as_socket().map(ListenAddress::Inet);
    Ok(port_is_known.unwrap_or_else(|| asked.clone()))
}

/// A pingora application around `service`.
fn proxy<S>(service: S, tries: usize) -> Arc<HttpProxy<S>>
where
    S: ProxyHttp + Send + Sync + 'static,
    S::CTX: Send + Sync,
{
    let conf = ServerConf {
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        max_retries: tries,
        // Upstreams in TLS have their own; without this the system's roots
        // would be loaded, and a bad `SSL_CERT_FILE` would be a panic.
        ca_file: Some("/dev/null".to_owned()),
        ..ServerConf::default()
    };
    let mut proxy = HttpProxy::new(service, Arc::new(conf));
    proxy.h2_options = Some(h2_options());
    proxy.handle_init_modules();
    Arc::new(proxy)
}

fn h2_options() -> H2Options {
    let mut options = default_h2_options();
    options
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_frame_size(FRAME);
    options
}
