//! The phases of a request, as pingora runs them: admit, then answer in
//! process or forward.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::HOST;
use http::{Method, Uri, Version};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType};
use tidegate_config::AccessLog;
use tracing::{debug, warn};

use crate::access_log;
use crate::answer::{Answer, send_whole};
use crate::context::RequestContext;
use crate::edge::{Origin, TrustedProxies};
use crate::forward::Forwarder;
use crate::in_flight::InFlight;
use crate::in_process;
use crate::linger;
use crate::public_ca::PublicCa;
use crate::sites::{Action, Dress, Place, Refusal, Sites, here, over_tls};

/// How long an HTTP/1.1 connection may wait for its next request, in seconds.
pub(crate) const KEEP_ALIVE_SECONDS: u64 = 75;
/// How long an HTTP/2 client may leave a stream's window closed.
const STREAM_STALL: Duration = Duration::from_secs(180);
/// A body longer than its place lets in.
const TOO_LARGE: ErrorType = ErrorType::HTTPStatus(413);
/// The connection is to be closed without an answer: nginx's 444.
const SILENCE: ErrorType = ErrorType::Custom("Silence");

/// What serves one listener, unless that only redirects.
pub(crate) struct Service {
    /// Its index among the listeners.
    pub(crate) listener: usize,
    pub(crate) shared: Arc<Shared>,
}

/// What the listeners share.
pub(crate) struct Shared {
    pub(crate) proxies: TrustedProxies,
    pub(crate) public_ca: Arc<PublicCa>,
    pub(crate) sites: Sites,
    pub(crate) access_log: AccessLog,
    pub(crate) in_flight: Arc<InFlight>,
}

impl Service {
    /// Decides whether a request may come in: by method and host, and then by
    /// the rules of its place.
    async fn admit(&self, session: &Session, context: &mut RequestContext) -> Result<(), Refusal> {
        let request = session.req_header();
        if matches!(request.method, Method::TRACE | Method::CONNECT) {
            return Err(Answer::method_not_allowed().into());
        }
        let peer = client_address(session).ok_or_else(Answer::internal)?;
        let address = address_for_host(session);
        let origin = Origin::of(
            address.as_ref().unwrap_or(&request.uri),
            &request.headers,
            peer,
            over_tls(session),
            &self.shared.proxies,
        )
        .map_err(|bad| Answer::bad_request(bad.to_string()))?;
        context.names_no_host =
            address.is_some_and(|uri| uri.authority() == Some(&origin.authority));
        let sites = &self.shared.sites;
        sites.admit(self.listener, session, context, origin).await
    }

    /// The place of an admitted request.
    fn place(&self, context: &RequestContext) -> pingora::Result<&Place> {
        let chosen = context.chosen.ok_or_else(misled)?;
        Ok(self.shared.sites.place(chosen))
    }

    fn dress<'a>(&'a self, context: &'a RequestContext) -> Dress<'a> {
        Dress::of(&self.shared.sites, context)
    }

    /// Answers a request that was not let in.
    async fn refuse(
        &self,
        refusal: Refusal,
        session: &mut Session,
        context: &RequestContext,
    ) -> pingora::Result<()> {
        let dress = self.dress(context);
        match refusal {
            Refusal::Answer(answer) => answer.send(session, &dress).await,
            Refusal::Written(mut header, body) => {
                dress.put_on(session, &mut header);
                send_whole(session, *header, body).await
            }
            Refusal::Silence => Err(Error::explain(SILENCE, "the place closes the connection")),
        }
    }
}

/// A phase came to a request that it is not for.
fn misled() -> Box<Error> {
    Error::explain(
        ErrorType::InternalError,
        "a request that nothing is behind was to be forwarded",
    )
}

#[async_trait]
impl ProxyHttp for Service {
    type CTX = RequestContext;

    fn new_ctx(&self) -> RequestContext {
        RequestContext::new(self.shared.in_flight.enter())
    }

    /// No modules: the default one compresses, and layers are compressed.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn request_filter(
        &self,
        session: &mut Session,
        context: &mut RequestContext,
    ) -> pingora::Result<bool> {
        bound_waiting(session);
        let request = session.req_header();
        let shared = &*self.shared;
        context.client =
            client_address(session).map(|peer| shared.proxies.client(&request.headers, peer));
        if let Some((header, body)) = shared.public_ca.answer(&request.method, request.uri.path()) {
            send_whole(session, header, body).await?;
            linger::drain_stream(session).await;
            return Ok(true);
        }
        if let Err(refusal) = self.admit(session, context).await {
            self.refuse(refusal, session, context).await?;
            linger::drain_stream(session).await;
            return Ok(true);
        }
        match &self.place(context)?.action {
            Action::InProcess(backend) => {
                let origin = context.origin.as_ref().ok_or_else(misled)?;
                let dress = self.dress(context);
                in_process::serve(session, context, origin, &**backend, &dress).await?;
            }
            Action::NotFound => {
                let dress = self.dress(context);
                Answer::not_found().send(session, &dress).await?;
            }
            Action::Forward(_) | Action::Proxy(_) => return Ok(false),
        }
        linger::drain_stream(session).await;
        Ok(true)
    }

    /// Counts what goes on to an upstream.
    async fn request_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        _end_of_stream: bool,
        context: &mut RequestContext,
    ) -> pingora::Result<()> {
        if let Some(limit) = context.body_limit {
            context.body_sent += body.as_ref().map_or(0, |body| body.len() as u64);
            if context.body_sent > limit {
                let error = Error::explain(TOO_LARGE, "the body is longer than its place allows");
                return Err(error.into_down());
            }
        }
        Ok(())
    }

    async fn upstream_peer(
        &self,
        _session: &mut Session,
        context: &mut RequestContext,
    ) -> pingora::Result<Box<HttpPeer>> {
        match &self.place(context)?.action {
            Action::Forward(forwarder) => forwarder.peer(context.failed_connects).await,
            Action::Proxy(servers) => servers.peer(&mut context.attempt).await,
            Action::InProcess(_) | Action::NotFound => Err(misled()),
        }
    }

    fn fail_to_connect(
        &self,
        _session: &mut Session,
        _peer: &HttpPeer,
        context: &mut RequestContext,
        mut error: Box<Error>,
    ) -> Box<Error> {
        context.failed_connects += 1;
        let again = match self.place(context).map(|place| &place.action) {
            Ok(Action::Proxy(servers)) => servers.has_another(&mut context.attempt),
            _ => Forwarder::may_reconnect(&error, context.failed_connects),
        };
        error.set_retry(again);
        error
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        context: &mut RequestContext,
    ) -> pingora::Result<()> {
        let (Some(origin), Some(chosen)) = (&context.origin, context.chosen) else {
            return Err(misled());
        };
        let sites = &self.shared.sites;
        match &sites.place(chosen).action {
            Action::Proxy(servers) => {
                // A body that is sent again is counted again.
                let prepared = {
                    let facts = sites.facts(session, context, chosen);
                    servers.prepare(request, origin, &facts, context.progress.keeps_path)
                };
                context.body_sent = 0;
                prepared
            }
            _ => Forwarder::prepare(&session.req_header().headers, request, origin),
        }
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        context: &mut RequestContext,
    ) -> pingora::Result<()> {
        context.upstream_status = Some(response.status.as_u16());
        Forwarder::finish(session.req_header().uri.path(), response)?;
        if let (Some(origin), Some(chosen)) = (&context.origin, context.chosen)
            && let Action::Proxy(servers) = &self.place(context)?.action
        {
            let here = here(over_tls(session), origin.authority.as_str());
            let facts = self.shared.sites.facts(session, context, chosen);
            servers.finish(response, &context.attempt, &facts, &here)?;
        }
        self.dress(context).put_on(session, response);
        Ok(())
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        context: &mut RequestContext,
    ) -> FailToProxy {
        let fault = Fault::of(error);
        fault.report(session, error);
        if matches!(fault, Fault::Upstream | Fault::UpstreamSlow)
            && context.upstream_status.is_none()
            && let Ok(Place {
                action: Action::Proxy(servers),
                ..
            }) = self.place(context)
        {
            servers.failed(&context.attempt);
        }
        // A connection on which something failed is not used again.
        session.set_keepalive(None);
        let limit = context.body_limit.unwrap_or_default();
        if let Some(answer) = fault.answer(limit)
            && let Err(error) = answer.send(session, &self.dress(context)).await
        {
            debug!(%error, http.client = ?context.client, "the answer could not be sent");
        }
        FailToProxy {
            error_code: session
                .response_written()
                .map_or(0, |written| written.status.as_u16()),
            can_reuse_downstream: false,
        }
    }

    /// Failures are reported by [`Self::fail_to_proxy`], in our words.
    fn suppress_error_log(&self, _: &Session, _: &RequestContext, _: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(
        &self,
        _: &Session,
        _: &RequestContext,
        error: &Error,
        _: ProxyWarnLogContext,
    ) -> bool {
        debug!(%error, "trying again");
        true
    }

    async fn logging(
        &self,
        session: &mut Session,
        _error: Option<&Error>,
        context: &mut RequestContext,
    ) {
        access_log::record(self.shared.access_log, session, context);
    }
}

/// The address at the other end of the socket.
pub(crate) fn client_address(session: &Session) -> Option<IpAddr> {
    let address = session.client_addr()?.as_inet()?;
    Some(address.ip().to_canonical())
}

/// A URI with the address that a request came to, if it names no host and need not:
/// HTTP/1.0 has no `Host`.
pub(crate) fn address_for_host(session: &Session) -> Option<Uri> {
    let request = session.req_header();
    let names_one = request.uri.authority().is_some() || request.headers.contains_key(HOST);
    if names_one || request.version > Version::HTTP_10 {
        return None;
    }
    let address = session.server_addr()?.as_inet()?;
    let usual_port = if over_tls(session) { 443 } else { 80 };
    let address = match (address.ip().to_canonical(), address.port()) {
        (ip, port) if port != usual_port => SocketAddr::new(ip, port).to_string(),
        (IpAddr::V4(ip), _) => ip.to_string(),
        (IpAddr::V6(ip), _) => format!("[{ip}]"),
    };
    Uri::builder()
        .scheme("http")
        .authority(address)
        .path_and_query("/")
        .build()
        .ok()
}

/// Sets how long the client may keep us waiting.
pub(crate) fn bound_waiting(session: &mut Session) {
    // Without this a connection may be idle forever: pingora takes the client's
    // `keep-alive` for that.
    if session.get_keepalive().is_some() {
        session.set_keepalive(Some(KEEP_ALIVE_SECONDS));
    }
    if session.is_http2() {
        session.set_write_timeout(Some(STREAM_STALL));
    }
}

/// Whose fault a failure is, and what follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The client went; there is nobody to answer.
    ClientGone,
    /// The client stopped in the middle of its request.
    ClientSlow,
    /// The client sent more than its place lets in.
    ClientTooLong,
    /// Nothing failed: the connection is to be closed without an answer.
    Silent,
    /// The client's request cannot be understood.
    ClientWrong,
    Upstream,
    UpstreamSlow,
    Ours,
}

impl Fault {
    fn of(error: &Error) -> Self {
        use ErrorType::{
            ConnectTimedout, ConnectionClosed, H2Error, ReadError, ReadTimedout, WriteError,
            WriteTimedout,
        };
        match (error.esource(), error.etype()) {
            (_, kind) if *kind == TOO_LARGE => Self::ClientTooLong,
            (_, kind) if *kind == SILENCE => Self::Silent,
            (ErrorSource::Upstream, ConnectTimedout | ReadTimedout | WriteTimedout) => {
                Self::UpstreamSlow
            }
            (ErrorSource::Upstream, _) => Self::Upstream,
            (ErrorSource::Downstream, ReadTimedout) => Self::ClientSlow,
            // pingora does not always say whose connection failed, but it does
            // for an upstream's.
            (_, ConnectionClosed | H2Error | ReadError | WriteError | WriteTimedout) => {
                Self::ClientGone
            }
            (ErrorSource::Downstream, _) => Self::ClientWrong,
            (ErrorSource::Internal | ErrorSource::Unset, _) => Self::Ours,
        }
    }

    fn answer(self, limit: u64) -> Option<Answer> {
        match self {
            Self::ClientGone | Self::Silent => None,
            Self::ClientTooLong => Some(Answer::too_large(limit)),
            Self::ClientSlow => Some(Answer::request_timeout()),
            Self::ClientWrong => Some(Answer::bad_request("the request is not well-formed HTTP")),
            Self::Upstream => Some(Answer::bad_gateway()),
            Self::UpstreamSlow => Some(Answer::gateway_timeout()),
            Self::Ours => Some(Answer::internal()),
        }
    }

    /// Says once what went wrong, loudly if the operator can mend it.
    fn report(self, session: &Session, error: &Error) {
        let request = session.req_header();
        let (method, path) = (&request.method, request.uri.path());
        match self {
            Self::ClientGone
            | Self::ClientSlow
            | Self::ClientTooLong
            | Self::Silent
            | Self::ClientWrong => {
                debug!(http.method = %method, http.path = path, %error, "the client failed");
            }
            Self::Upstream | Self::UpstreamSlow => {
                warn!(http.method = %method, http.path = path, %error, "the upstream failed");
            }
            Self::Ours => {
                warn!(http.method = %method, http.path = path, %error, "the request failed");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(source: ErrorSource, kind: ErrorType) -> Fault {
        let mut error = Error::new(kind);
        error.esource = source;
        Fault::of(&error)
    }

    #[test]
    fn failures_are_told_by_whose_they_are() {
        use ErrorSource::{Downstream, Internal, Unset, Upstream};
        use ErrorType::{
            ConnectRefused, ConnectTimedout, ConnectionClosed, InternalError, InvalidHTTPHeader,
            ReadTimedout, WriteError,
        };
        for (source, kind, expected) in [
            (Upstream, ConnectRefused, Fault::Upstream),
            (Upstream, ConnectionClosed, Fault::Upstream),
            (Upstream, ConnectTimedout, Fault::UpstreamSlow),
            (Upstream, ReadTimedout, Fault::UpstreamSlow),
            (Downstream, ConnectionClosed, Fault::ClientGone),
            (Unset, WriteError, Fault::ClientGone),
            (Downstream, ReadTimedout, Fault::ClientSlow),
            (Downstream, InvalidHTTPHeader, Fault::ClientWrong),
            (Internal, InternalError, Fault::Ours),
            (Unset, InternalError, Fault::Ours),
        ] {
            assert_eq!(fault(source, kind.clone()), expected, "{kind:?}");
        }
    }
}
