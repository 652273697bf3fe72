//! The phases of a request, as pingora runs them: admit, then answer in
//! process or forward.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType};
use tidegate_config::AccessLog;
use tracing::{debug, warn};

use crate::access_log;
use crate::answer::{Answer, is_api, send_whole};
use crate::backend::Backend;
use crate::context::RequestContext;
use crate::edge::{Gate, Origin, RefusedUserAgents, TrustedProxies};
use crate::forward::Forwarder;
use crate::in_flight::InFlight;
use crate::in_process;
use crate::linger;
use crate::public_ca::PublicCa;

/// How long an HTTP/1.1 connection may wait for its next request, in seconds.
pub(crate) const KEEP_ALIVE_SECONDS: u64 = 75;
/// How long an HTTP/2 client may leave a stream's window closed.
const STREAM_STALL: Duration = Duration::from_secs(180);

/// What serves the listeners, except those that only redirect.
pub(crate) struct Service {
    pub(crate) refused: RefusedUserAgents,
    pub(crate) proxies: TrustedProxies,
    pub(crate) gate: Gate,
    pub(crate) public_ca: Arc<PublicCa>,
    pub(crate) route: Route,
    pub(crate) access_log: AccessLog,
    pub(crate) in_flight: Arc<InFlight>,
}

/// Where an admitted request goes.
pub(crate) enum Route {
    InProcess(Arc<dyn Backend>),
    Forward(Forwarder),
}

impl Service {
    /// Decides whether a request may come in, in this order: method, host,
    /// user agent, credentials.
    async fn admit(
        &self,
        session: &mut Session,
        context: &mut RequestContext,
    ) -> Result<Origin, Answer> {
        let over_tls = session
            .digest()
            .is_some_and(|digest| digest.ssl_digest.is_some());
        let peer = client_address(session);
        let request = session.req_header();
        if matches!(request.method, Method::TRACE | Method::CONNECT) {
            return Err(Answer::method_not_allowed());
        }
        let peer = peer.ok_or_else(Answer::internal)?;
        let origin = Origin::of(
            &request.uri,
            &request.headers,
            peer,
            over_tls,
            &self.proxies,
        )
        .map_err(|bad| Answer::bad_request(bad.to_string()))?;
        let user_agent = session.get_header_bytes(http::header::USER_AGENT);
        if is_api(request.uri.path()) && self.refused.refuses(user_agent) {
            return Err(Answer::client_too_old());
        }
        context.identity = self.gate.check(&request.headers, origin.client).await?;
        Ok(origin)
    }
}

#[async_trait]
impl ProxyHttp for Service {
    type CTX = RequestContext;

    fn new_ctx(&self) -> RequestContext {
        RequestContext::new(self.in_flight.enter())
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
        context.client =
            client_address(session).map(|peer| self.proxies.client(&request.headers, peer));
        if let Some((header, body)) = self.public_ca.answer(&request.method, request.uri.path()) {
            send_whole(session, header, body).await?;
            linger::drain_stream(session).await;
            return Ok(true);
        }
        let origin = match self.admit(session, context).await {
            Ok(origin) => origin,
            Err(answer) => {
                answer.send(session).await?;
                linger::drain_stream(session).await;
                return Ok(true);
            }
        };
        match &self.route {
            Route::InProcess(backend) => {
                in_process::serve(session, context, &origin, &**backend).await?;
                linger::drain_stream(session).await;
                Ok(true)
            }
            Route::Forward(_) => {
                context.origin = Some(origin);
                Ok(false)
            }
        }
    }

    async fn upstream_peer(
        &self,
        _session: &mut Session,
        context: &mut RequestContext,
    ) -> pingora::Result<Box<HttpPeer>> {
        match &self.route {
            Route::Forward(forwarder) => forwarder.peer(context.failed_connects).await,
            Route::InProcess(_) => Err(Error::explain(
                ErrorType::InternalError,
                "a request for the backend in this process was to be forwarded",
            )),
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
        error.set_retry(Forwarder::may_reconnect(&error, context.failed_connects));
        error
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        context: &mut RequestContext,
    ) -> pingora::Result<()> {
        match &context.origin {
            Some(origin) => Forwarder::prepare(&session.req_header().headers, request, origin),
            None => Ok(()),
        }
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        context: &mut RequestContext,
    ) -> pingora::Result<()> {
        context.upstream_status = Some(response.status.as_u16());
        Forwarder::finish(session.req_header().uri.path(), response)
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        context: &mut RequestContext,
    ) -> FailToProxy {
        let fault = Fault::of(error);
        fault.report(session, error);
        // A connection on which something failed is not used again.
        session.set_keepalive(None);
        if let Some(answer) = fault.answer()
            && let Err(error) = answer.send(session).await
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
        access_log::record(self.access_log, session, context);
    }
}

/// The address at the other end of the socket.
pub(crate) fn client_address(session: &Session) -> Option<std::net::IpAddr> {
    let address = session.client_addr()?.as_inet()?;
    Some(address.ip().to_canonical())
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

    fn answer(self) -> Option<Answer> {
        match self {
            Self::ClientGone => None,
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
            Self::ClientGone | Self::ClientSlow | Self::ClientWrong => {
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
