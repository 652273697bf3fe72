//! The way of a request to its place.

use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_LENGTH};
use pingora::proxy::Session;
use tidegate_auth::Known;
use tidegate_auth::audit::Shown as Proof;
use tidegate_config::site::Rewrite;
use tracing::warn;

use super::facts::{Facts, Within};
use super::path::normalize;
use super::places::Choice;
use super::progress::{Progress, path_of, query_of};
use super::rules::{Next, follow, redirect};
use super::{Action, Place, Refusal, Sites};
use crate::answer::{Answer, is_api};
use crate::client_certificates::{Shown, certificate_user};
use crate::context::RequestContext;
use crate::edge::Origin;

/// How often a place is looked for anew: as often as in nginx.
const MOST_SEARCHES: usize = 10;

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
            target: context.progress.target.as_ref(),
            found: &context.progress.found,
            within: Within::Nothing,
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
        let host = origin.authority.host().to_owned();
        let host = if context.names_no_host { "" } else { &host };
        context.origin = Some(origin);
        let chosen = Chosen {
            site: index,
            place: site.places.len() - 1,
        };
        context.chosen = Some(chosen);
        attached.admit(session, index)?;

        // Taken out of the context, which the facts are told from meanwhile.
        let mut progress = Progress {
            is_asked_for: site.uses_captures,
            ..Progress::default()
        };
        let found = attached.find(host).filter(|_| site.uses_captures);
        if let Some(found) = found {
            progress.found.take(found);
        }
        let led = self.lead(session, context, chosen, &mut progress, &here);
        context.progress = progress;
        let chosen = led?;

        let rules = &self.place(chosen).rules;
        let request = session.req_header();
        let admitted = rules.access.admit(request, client).await?;
        let by_password = admitted.map(|user| Known {
            user,
            shown: Proof::Password,
        });
        context.known = by_password.or_else(|| self.by_certificate(session, chosen));
        Ok(())
    }

    /// Whom the client's certificate names. Whoever says who they are to a registry
    /// that only it knows is taken at their word, and not at that of their
    /// certificate; a registry in this process knows what it makes of both.
    fn by_certificate(&self, session: &Session, chosen: Chosen) -> Option<Known> {
        let goes_on = matches!(
            self.place(chosen).action,
            Action::Forward(_) | Action::Proxy(_)
        );
        if goes_on && session.req_header().headers.contains_key(AUTHORIZATION) {
            return None;
        }
        certificate_user(session).map(|user| Known {
            user: user.clone(),
            shown: Proof::Certificate,
        })
    }

    /// Leads a request to its place, through the rewrites of its site and of the
    /// places on the way.
    ///
    /// # Errors
    /// What it is answered with instead.
    fn lead(
        &self,
        session: &Session,
        context: &mut RequestContext,
        mut chosen: Chosen,
        progress: &mut Progress,
        here: &Here,
    ) -> Result<Chosen, Refusal> {
        let site = &self.sites[chosen.site];
        let request = session.req_header();
        let path = request.uri.path();
        if site.paths.is_some() {
            normalize(path).map_err(|bad| Answer::bad_request(bad.to_string()))?;
        }
        let follow = |rewrites: &[Rewrite], context: &RequestContext, chosen, progress: &mut _| {
            if rewrites.is_empty() {
                return Next::Pass;
            }
            let facts = self.facts(session, context, chosen);
            follow(rewrites, &facts, progress, &here.url(session))
        };
        // A site has chosen no place yet: it is looked for in any case.
        if let Next::Answer(answer) = follow(&site.rewrites, context, chosen, progress) {
            return Err(answer);
        }
        for _ in 0..=MOST_SEARCHES {
            if let Some(paths) = &site.paths {
                let resolved = path_of(progress.target.as_ref(), &request.uri);
                chosen.place = match paths.choose(&resolved) {
                    Choice::Place(place) => place,
                    Choice::Nowhere => site.places.len() - 1,
                    Choice::AddSlash => {
                        let query = query_of(progress.target.as_ref(), &request.uri);
                        let query = query.map_or_else(String::new, |query| format!("?{query}"));
                        let to = format!("{}/{query}", super::path::escape(&resolved));
                        return Err(redirect(301, &to, &here.url(session), path));
                    }
                };
                let found = paths.find(chosen.place, &resolved);
                if let Some(found) = found.filter(|_| site.uses_captures) {
                    progress.found.take(found);
                }
                context.chosen = Some(chosen);
            }
            let rules = &self.place(chosen).rules;
            context.body_limit = rules.max_body;
            if let Some(limit) = rules.max_body
                && content_length(&request.headers).is_some_and(|length| length > limit)
            {
                return Err(Answer::too_large(limit).into());
            }
            let user_agent = session.get_header_bytes(http::header::USER_AGENT);
            if is_api(path) && rules.refused.refuses(user_agent) {
                return Err(Answer::client_too_old().into());
            }
            match follow(&rules.rewrites, context, chosen, progress) {
                Next::Pass => return Ok(chosen),
                Next::Answer(answer) => return Err(answer),
                Next::Search => {}
            }
        }
        warn!(
            http.path = path,
            "rewrites lead from place to place without an end"
        );
        Err(Answer::internal().into())
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
