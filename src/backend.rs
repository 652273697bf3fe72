//! Joins the front to the registry in the same process: the one place that
//! knows both.

use std::net::IpAddr;

use async_trait::async_trait;
use http_body_util::BodyExt as _;
use tidegate_auth::token_server::TokenServer;
use tidegate_auth::{Door, Knock, Known};
use tidegate_proxy::{Asker, Authorization, Backend, ClientAddress, RequestBody, ResponseBody};
use tidegate_registry::{Api, Caller};
use tower_service::Service as _;

use crate::audit::{Auditing, Pending};
use crate::tokens;

/// The registry of this process, as a backend of the front.
pub(crate) struct InProcess {
    pub(crate) api: Api,
    /// Where it is found out who asks, and what they may do; without one, those
    /// whom the front lets in may do everything.
    pub(crate) door: Option<Door>,
    /// Where users get tokens.
    pub(crate) tokens: Option<TokenServer>,
    /// What is written down of requests.
    pub(crate) auditing: Auditing,
    /// Whether anybody wants to know who asks.
    pub(crate) names_callers: bool,
}

#[async_trait]
impl Backend for InProcess {
    async fn call(&self, mut request: http::Request<RequestBody>) -> http::Response<ResponseBody> {
        if let Some(tokens) = &self.tokens {
            request = match tokens::answer(tokens, request).await {
                Ok(mut response) => {
                    // A certificate says nothing there.
                    response.extensions_mut().insert(Asker(None));
                    return response;
                }
                Err(request) => request,
            };
        }
        let mut pending = self.auditing.begin(&mut request);
        let mut asker = None;
        if let Some(door) = &self.door {
            let extensions = request.extensions();
            let permit = door.admit(knock(extensions)).await;
            asker = Some(Asker(permit.user().cloned()));
            if let Some(pending) = &mut pending {
                pending.sent_by(&permit);
            }
            request.extensions_mut().insert(permit);
        }
        if self.names_callers {
            let extensions = request.extensions_mut();
            let user = match &asker {
                Some(Asker(user)) => user.clone(),
                None => extensions.remove::<Known>().map(|known| known.user),
            };
            let caller = Caller {
                name: user.map(Into::into),
                address: extensions.remove::<ClientAddress>().map(|client| client.0),
            };
            extensions.insert(caller);
        }
        let broken = pending.as_ref().map(Pending::broken);
        let request = request.map(|body| {
            body.map_err(move |error| {
                if let Some(broken) = &broken {
                    broken.set();
                }
                error
            })
        });
        // `Api` is always ready: it takes no part in tower's back-pressure, the
        // body's frames do that.
        let Ok(mut response) = self.api.clone().call(request).await;
        if let Some(pending) = pending {
            pending.answered(response.status());
        }
        if let Some(asker) = asker {
            response.extensions_mut().insert(asker);
        }
        response.map(|body| ResponseBody::new(body.map_err(Into::into)))
    }
}

/// What the front knows of a request.
fn knock(extensions: &http::Extensions) -> Knock<'_> {
    Knock {
        authorization: extensions.get().map(Authorization::as_str),
        known: extensions.get(),
        // The front always says; nobody comes from the unspecified address.
        client: extensions
            .get::<ClientAddress>()
            .map_or(IpAddr::from([0; 4]), |client| client.0),
    }
}
