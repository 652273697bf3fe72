//! The way of a request to its place.

use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_LENGTH};
use pingora::proxy::Session;
use std::sync::OnceLock;

use super::facts::Facts;
use super::path::normalize;
use super::places::Choice;
use super::rules::{first_answer, redirect};
use super::{Action, Place, Refusal, Sites};
use crate::answer::{Answer, is_api};
use crate::client_certificates::{Shown, certificate_user};
use crate::context::RequestContext;
use crate::edge::Origin;

/// A place of a site, by their indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chosen {
    site: usize,
    place: usize,
}

impl Sites {
    /// The place that was chosen for a request.
    pub(crate) fn place(&self, chosen: Chosen) -> &Place {
        &self.sites[chosen.site].places[chosen.place]
    }

    /// What is known of the request of `session`, whose place was chosen.
    pub(crate) fn facts<'a>(
        &'a self,
        session: &'a Session,
        context: &'a RequestContext,
        chosen: Chosen,
    ) -> Facts<'a> {
        let origin = context.origin.as_ref().filter(|_| !context.names_no_host);
        let host = origin.map_or("", |origin| origin.authority.host());
        let address = |address: Option<&pingora::protocols::l4::socket::SocketAddr>| {
            address.and_then(|address| address.as_inet().copied())
        };
        Facts {
            request: session.req_header(),
            host,
            over_tls: over_tls(session),
            client: context.client,
            peer: address(session.client_addr()),
            local: address(session.server_addr()),
            shown: Shown::of(session),
            server_name: &self.sites[chosen.site].name,
            proxy_host: match &self.place(chosen).action {
                Action::Proxy(servers) => &servers.host,
                _ => "",
            },
            answer: None,
        }
    }

    /// Leads a request that came to the listener of that index to its place, and
    /// lets it in there, in nginx's order: the client's certificate, the site's own
    /// rewrites, the choice of the place, the length of the body, the place's
    /// rewrites, and who may come in.
    ///
    /// # Errors
    /// What it is answered with instead.
    pub(crate) async fn admit(
        &self,
        listener: usize,
        session: &Session,
        context: &mut RequestContext,
        origin: Origin,
    ) -> Result<(), Refusal> {
        let attached = self.attached(listener).ok_or_else(Answer::internal)?;
        let index = match context.names_no_host {
            true => attached.default_site(),
            false => attached.choose(origin.authority.host()),
        };
        let site = &self.sites[index];
        let here = Here::of(&origin);
        let client = origin.client;
        context.origin = Some(origin);
        let mut chosen = Chosen {
            site: index,
            place: site.places.len() - 1,
        };
        context.chosen = Some(chosen);
        attached.admit(session, index)?;

        let request = session.req_header();
        let path = request.uri.path();
        if let Some(paths) = &site.paths {
            let resolved = normalize(path).map_err(|bad| Answer::bad_request(bad.to_string()))?;
            if !site.rewrites.is_empty() {
                let facts = self.facts(session, context, chosen);
                if let Some(answer) = first_answer(&site.rewrites, &facts, &here.url(session)) {
                    return Err(answer);
                }
            }
            match paths.choose(&resolved) {
                Choice::Place(place) => chosen.place = place,
                Choice::Nowhere => {}
                Choice::AddSlash => {
                    let query = request.uri.query();
                    let query = query.map_or_else(String::new, |query| format!("?{query}"));
                    let to = format!("{}/{query}", super::path::escape(&resolved));
                    return Err(redirect(301, &to, &here.url(session), path));
                }
            }
            context.chosen = Some(chosen);
        }

        let rules = &self.place(chosen).rules;
        if let Some(limit) = rules.max_body {
            if content_length(&request.headers).is_some_and(|length| length > limit) {
                return Err(Answer::too_large(limit).into());
            }
            context.body_limit = Some(limit);
        }
        let user_agent = session.get_header_bytes(http::header::USER_AGENT);
        if is_api(path) && rules.refused.refuses(user_agent) {
            return Err(Answer::client_too_old().into());
        }
        if !rules.rewrites.is_empty() {
            let facts = self.facts(session, context, chosen);
            if let Some(answer) = first_answer(&rules.rewrites, &facts, &here.url(session)) {
                return Err(answer);
            }
        }
        let admitted = rules
            .access
            .admit(&request.method, &request.headers, client)
            .await;
        // Whoever says who they are is taken at their word, be it by whom they go on
        // to, and not at that of their certificate.
        let says_nothing = !request.headers.contains_key(AUTHORIZATION);
        let by_certificate = || certificate_user(session).filter(|_| says_nothing).cloned();
        let identity = admitted?.or_else(by_certificate);
        context.identity = identity.map(OnceLock::from).unwrap_or_default();
        Ok(())
    }
}

/// How this front is reached: what stands before a path to make it a URL.
struct Here(http::uri::Authority);

impl Here {
    fn of(origin: &Origin) -> Self {
        Self(origin.authority.clone())
    }

    fn url(&self, session: &Session) -> String {
        here(over_tls(session), self.0.as_str())
    }
}

/// Scheme and authority as a URL begins with them.
pub(crate) fn here(over_tls: bool, authority: &str) -> String {
    let scheme = if over_tls { "https" } else { "http" };
    format!("{scheme}://{authority}")
}

/// Whether the client's own connection is TLS.
pub(crate) fn over_tls(session: &Session) -> bool {
    session
        .digest()
        .is_some_and(|digest| digest.ssl_digest.is_some())
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
