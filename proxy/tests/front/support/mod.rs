//! A front on a free port, the backend and the upstream behind it, and clients.

pub(crate) mod authority;
pub(crate) mod backend;
pub(crate) mod client;
pub(crate) mod site;
pub(crate) mod upstream;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tidegate_auth::Verifier;
use tidegate_config::{AccessLog, Auth, Edge, Listener, Protocol, TlsOffer};
use tidegate_proxy::{
    BoundListener, CertificateStore, ClientCertificates, Destination, Drained, Front,
    FrontSettings, PublicCa,
};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use self::backend::{Events, TestBackend};
use self::client::Client;
use self::site::Site;

/// What a front is to be like; `start` brings it up.
pub(crate) struct Setup {
    pub(crate) settings: FrontSettings,
    pub(crate) auth: Option<Auth>,
    pub(crate) site: Site,
}

/// A front that serves.
pub(crate) struct Running {
    pub(crate) site: Site,
    pub(crate) listeners: Vec<BoundListener>,
    pub(crate) certificates: Arc<CertificateStore>,
    pub(crate) client_certificates: Arc<ClientCertificates>,
    pub(crate) public_ca: Arc<PublicCa>,
    shutdown: Option<oneshot::Sender<()>>,
    served: JoinHandle<Drained>,
}

/// One TLS listener for `localhost`, no passwords.
pub(crate) fn front() -> Setup {
    let site = Site::new(&["localhost"]);
    Setup {
        settings: FrontSettings {
            listeners: vec![listener(Protocol::Https)],
            certificates: vec![site.files()],
            client_auth: Vec::new(),
            edge: Edge {
                refused_user_agents: Some(Edge::DEFAULT_REFUSED_USER_AGENTS.to_owned()),
                trusted_proxies: Vec::new(),
                publish_ca: true,
            },
            access_log: AccessLog::Off,
            drain_timeout: Duration::from_secs(30),
        },
        auth: None,
        site,
    }
}

pub(crate) fn listener(protocol: Protocol) -> Listener {
    Listener {
        address: SocketAddr::from(([127, 0, 0, 1], 0)).into(),
        protocol,
        socket_mode: None,
        offer: TlsOffer::default(),
        client_auth: None,
    }
}

impl Setup {
    /// Lets in `alice` with the password `secret`.
    pub(crate) fn with_password(mut self) -> Self {
        let htpasswd = self.site.path("htpasswd");
        let hash = bcrypt::hash("secret", 4).unwrap();
        fs_err::write(&htpasswd, format!("alice:{hash}\n")).unwrap();
        self.auth = Some(Auth {
            htpasswd,
            allow_weak_hashes: false,
            realm: "The \"registry\"".to_owned(),
            cache_ttl: Duration::from_secs(60),
            max_failures: 3,
            failure_window: Duration::from_secs(60),
        });
        self
    }

    pub(crate) fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.settings.listeners = vec![listener(protocol)];
        self
    }

    pub(crate) fn with_drain_timeout(mut self, timeout: Duration) -> Self {
        self.settings.drain_timeout = timeout;
        self
    }

    pub(crate) fn trusting_loopback(mut self) -> Self {
        self.settings.edge.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        self
    }

    /// In front of a backend of which the events tell.
    pub(crate) fn start(self) -> (Running, Events) {
        let (backend, events) = TestBackend::new();
        let running = self.start_to(Destination::InProcess(Arc::new(backend)));
        (running, events)
    }

    pub(crate) fn start_to(self, destination: Destination) -> Running {
        let auth = self
            .auth
            .map(|auth| Arc::new(Verifier::open(&auth).unwrap()));
        let front = Front::bind(self.settings, auth, destination).unwrap();
        let (shutdown, stopped) = oneshot::channel();
        let (listeners, certificates) = (front.addresses(), front.certificates());
        let public_ca = front.public_ca();
        let client_certificates = front.client_certificates();
        let served = tokio::spawn(front.serve(async {
            let _ = stopped.await;
        }));
        Running {
            site: self.site,
            listeners,
            certificates,
            client_certificates,
            public_ca,
            shutdown: Some(shutdown),
            served,
        }
    }
}

impl Running {
    pub(crate) fn address(&self) -> SocketAddr {
        self.at(0)
    }

    /// The address of the listener of that index.
    pub(crate) fn at(&self, listener: usize) -> SocketAddr {
        self.listeners[listener].address.inet().unwrap()
    }

    /// A client that trusts the front's certificates.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address(), self.site.roots())
    }

    pub(crate) fn begin_shutdown(&mut self) {
        let _ = self.shutdown.take().unwrap().send(());
    }

    pub(crate) async fn drained(self) -> Drained {
        self.served.await.unwrap()
    }
}
