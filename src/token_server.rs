//! `tidegate token-server`: tokens for registries elsewhere, as docker_auth gives
//! them out.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use clap::Args;
use http::header::STRICT_TRANSPORT_SECURITY;
use http::{HeaderValue, StatusCode};
use tidegate_auth::audit::Audit;
use tidegate_auth::docker_auth::DockerAuth;
use tidegate_auth::token_server::{Answer, Authority, TokenServer};
use tidegate_config::auth_config::{self, Bind, RealIp};
use tidegate_config::{
    AccessLog, AuditLog, CertificateFiles, Edge, Listener, Log, LogFormat, Protocol, TlsOffer,
};
use tidegate_failure::Failure;
use tidegate_proxy::{
    Backend, ClientAddress, Destination, Front, FrontSettings, RequestBody, ResponseBody,
};
use tracing::info;

use crate::inputs;
use crate::reload::{self, Watched};
use crate::renewal::Renewal;
use crate::{audit, logging, serve, tokens};

/// How long requests may go on after SIGTERM.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Args)]
pub(crate) struct Arguments {
    /// The auth_config.yml of docker_auth
    #[arg(long, value_name = "FILE")]
    auth_config: PathBuf,

    /// Write down who gets tokens for what, and who does not, in this file
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,

    /// Serve even if something that the file asks for is not there
    #[arg(long)]
    lenient: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let adopted = auth_config::load(&arguments.auth_config)?;
    inputs::settle_findings(&adopted.findings, arguments.lenient)?;
    let server = adopted.settings.server;
    let address = address(&server.bind)?;
    let front = FrontSettings {
        listeners: vec![listener(address, server.certificate.is_some())],
        certificates: server.certificate.into_iter().collect(),
        client_auth: Default::default(),
        edge: Edge {
            refused_user_agents: None,
            trusted_proxies: Vec::new(),
            publish_ca: false,
        },
        access_log: AccessLog::Combined,
        drain_timeout: DRAIN_TIMEOUT,
    };
    let refusals = inputs::refusals_are(arguments.lenient);
    let users = DockerAuth::open(&arguments.auth_config, refusals)?;
    let served = Served {
        users: Arc::new(users),
        prefix: server.path_prefix,
        real_ip: server.real_ip,
        hsts: server.hsts,
    };
    let _log = logging::start(&Log {
        level: "info".to_owned(),
        format: LogFormat::Text,
        access: AccessLog::Combined,
        audit: None,
    })?;
    let audit = arguments
        .audit
        .clone()
        .map(|path| AuditLog { path, blobs: false });
    // Dropped last, so that what was still served is written.
    let (auditing, _audit) = audit::open(audit.as_ref(), "--audit")?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::of(&e, None))?
        .block_on(serve_until_signal(front, served, auditing.audit))
}

/// Where the token server listens.
///
/// # Errors
/// At a Unix socket.
pub(crate) fn address(bind: &Bind) -> Result<SocketAddr, Failure> {
    match bind {
        Bind::Tcp(address) => Ok(*address),
        Bind::Unix(_) => Err(Failure::new(
            "the token server cannot listen on a Unix socket: server.net is `unix`",
        )
        .with_hint("name an address and a port in server.addr")),
    }
}

fn listener(address: SocketAddr, speaks_tls: bool) -> Listener {
    Listener {
        address: address.into(),
        socket_mode: None,
        protocol: if speaks_tls {
            Protocol::Https
        } else {
            Protocol::Http
        },
        offer: TlsOffer::default(),
        client_auth: None,
    }
}

/// What the file says of the way in.
struct Served {
    users: Arc<DockerAuth>,
    prefix: String,
    real_ip: Option<RealIp>,
    hsts: bool,
}

async fn serve_until_signal(
    settings: FrontSettings,
    served: Served,
    audit: Audit,
) -> Result<(), Failure> {
    let stop = serve::Stop::listen()?;
    let token = &served.users.config().token;
    let server = TokenServer::new(
        Authority::DockerAuth(Arc::clone(&served.users)),
        tokens::signer_of(token)?,
        &token.issuer,
        "",
        token.expiration,
    );
    let server = server.with_audit(audit.clone());
    let certificates: Vec<CertificateFiles> = settings.certificates.clone();
    let users = Arc::clone(&served.users);
    let backend = Destination::InProcess(Arc::new(Tokens { server, served }));
    let front = Front::bind(settings, None, backend)?;
    let reloading = tokio::spawn(reload::watch(Watched {
        configuration: None,
        policy: None,
        robots: None,
        audit,
        verifiers: Vec::new(),
        tokens: Vec::new(),
        docker_auth: Some(users),
        certificates: front.certificates(),
        client_certificates: front.client_certificates(),
        public_ca: None,
        renewal: Renewal::new(&certificates),
    })?);
    serve::print_listeners(&front.addresses());
    let drained = front.serve(stop.received()).await;
    reloading.abort();
    info!(requests.cut = drained.cut, "stopped");
    Ok(())
}

/// The token server behind the front, at docker_auth's paths.
struct Tokens {
    server: TokenServer,
    served: Served,
}

#[async_trait]
impl Backend for Tokens {
    async fn call(&self, request: http::Request<RequestBody>) -> http::Response<ResponseBody> {
        let path = request.uri().path();
        let below = path.strip_prefix(self.served.prefix.as_str());
        let answer = match below {
            _ if path == tokens::KEYS_PATH => self.server.jwks(),
            Some("/auth" | "/auth/token") => self.ask(request).await,
            Some("" | "/") => Answer::here(),
            _ => Answer::not_found(),
        };
        let mut response = tokens::response(answer);
        if self.served.hsts {
            let value = HeaderValue::from_static("max-age=63072000; includeSubDomains");
            response
                .headers_mut()
                .insert(STRICT_TRANSPORT_SECURITY, value);
        }
        response
    }
}

impl Tokens {
    async fn ask(&self, mut request: http::Request<RequestBody>) -> Answer {
        if let Some(real_ip) = &self.served.real_ip {
            let value = request.headers().get(real_ip.header.as_str());
            let value = value.and_then(|value| value.to_str().ok());
            match value.and_then(|value| real_ip.address_in(value)) {
                Some(address) => request.extensions_mut().insert(ClientAddress(address)),
                None => return Answer::unreadable(StatusCode::BAD_REQUEST),
            };
        }
        tokens::ask(&self.server, request).await
    }
}
