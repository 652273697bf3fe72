//! The HTTP API: OCI distribution-spec 1.1, as Docker and its kin speak it.
//!
//! A request goes through `route` (what is asked for), `access` (whether it is
//! allowed) and the file of its noun (`blobs`, `uploads`, `manifests`, `tags`,
//! `referrers`, `catalog`, `base`), which answers with a response or an
//! [`error::ApiError`].

mod accept;
mod access;
mod base;
mod blobs;
mod body;
mod catalog;
mod conditional;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod happened;
mod headers;
mod immutable;
mod links;
mod manifests;
mod multipart;
mod origin;
mod pointing;
mod pulls;
mod query;
mod range;
mod receive;
mod referrers;
mod route;
mod schema1;
mod tags;
mod uploads;
mod witness;

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use tidegate_auth::Permit;
use tidegate_config::access::Action;
use uuid::Uuid;

use self::access::Policy;
pub use self::body::Body;
use self::error::ApiError;
pub use self::happened::Caller;
use self::immutable::Immutable;
use self::links::Links;
use self::origin::Origin;
use self::pulls::Pulls;
use self::query::Query;
use self::route::{Refusal, Route, route_below};
pub use self::witness::{Asked, Deed, Done, Object, Witness};
use crate::events::Events;
use crate::metrics::{Handler, InFlight, Metrics, Received, UploadMetrics};
use crate::observers::Observers;
use crate::oci::RepoName;
use crate::schema1::SigningKey;
use crate::store::Store;

/// Any error of the body of a request.
pub type BoxError = Box<dyn Error + Send + Sync>;

type Response = http::Response<Body>;
type RequestBody = UnsyncBoxBody<Bytes, BoxError>;

/// The registry as a service: a request in, a response out.
///
/// The URI of a request is the effective one (RFC 9110 §7.1), with scheme and
/// host as the client used them, since they are where `Location` leads. A URI
/// without them is taken to be plain HTTP on the `Host` of the request.
///
/// Whoever knows who sends a request puts a [`Caller`] into its extensions, and
/// whoever knows what that lets them do, a [`Permit`]. Without one, everything is
/// allowed. Who wants to know what a request was about puts a [`Witness`] there.
///
/// Clones share everything and are cheap. The service is always ready.
#[derive(Clone)]
pub struct Api {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn Store>,
    policy: Policy,
    /// What schema 1 manifests are signed with, if there are any.
    schema1: Option<SigningKey>,
    /// What the settings add to every answer.
    headers: Vec<(HeaderName, HeaderValue)>,
    immutable: Immutable,
    pulls: Pulls,
    observers: Observers,
    links: Links,
    /// How many repositories, and how many tags, are listed at once at most.
    catalog_most: usize,
    tags_most: usize,
}

/// What handlers know of a request, apart from its route and its body.
struct Call {
    method: Method,
    headers: HeaderMap,
    origin: Origin,
    query: Query,
    /// Whether nothing may be changed.
    read_only: bool,
    caller: Caller,
    /// What the sender may do; everything, if nobody has said.
    permit: Option<Permit>,
    /// Who looks on.
    witness: Option<Witness>,
    /// What the request is called in events, once there is one.
    id: OnceLock<Uuid>,
    shared: Arc<Shared>,
}

impl Call {
    /// Whether the client asks only in order to know what it need not push:
    /// what it is told then has to stay.
    fn is_relied_on(&self) -> bool {
        self.method == Method::HEAD && !self.read_only
    }

    /// Whether the sender may pull from a repository.
    fn may_pull(&self, repo: &RepoName) -> bool {
        let permit = self.permit.as_ref();
        permit.is_none_or(|permit| permit.judge(Action::Pull, Some(repo.as_str())).is_ok())
    }

    /// Whether the sender may pull from all of them.
    fn may_pull_everything(&self) -> bool {
        self.permit.as_ref().is_none_or(Permit::pulls_everything)
    }

    /// Who is told of what happens.
    fn events(&self) -> &Events {
        &self.shared.observers.events
    }

    /// The URL of a path of the API, for `Location`.
    fn location(&self, path: &str) -> HeaderValue {
        headers::value(format!("{}{path}", self.shared.links.base(&self.origin)))
    }

    /// The same path for somebody who has come as far as this host.
    fn local(&self, path: &str) -> String {
        format!("{}{path}", self.shared.links.prefix())
    }

    /// Where uploads are counted, if anybody counts.
    fn uploads(&self) -> Option<&UploadMetrics> {
        self.shared.observers.metrics.as_ref().map(Metrics::uploads)
    }
}

impl Api {
    /// Serves a store, with the rights that the settings give to everybody.
    pub fn new(store: Arc<dyn Store>, settings: &tidegate_config::Registry) -> Self {
        Self::with_schema1(store, settings, None)
    }

    /// Does the same, and with a key also takes in and gives out schema 1
    /// manifests: see [`crate::schema1`].
    pub fn with_schema1(
        store: Arc<dyn Store>,
        settings: &tidegate_config::Registry,
        schema1: Option<SigningKey>,
    ) -> Self {
        Self::observed(store, settings, schema1, Observers::default())
    }

    /// Does the same, and has somebody look on.
    pub fn observed(
        store: Arc<dyn Store>,
        settings: &tidegate_config::Registry,
        schema1: Option<SigningKey>,
        observers: Observers,
    ) -> Self {
        let policy = Policy {
            delete: settings.delete,
            read_only: settings.read_only,
        };
        Self {
            shared: Arc::new(Shared {
                store,
                policy,
                schema1,
                headers: settings.headers.iter().map(headers::configured).collect(),
                immutable: Immutable::new(&settings.immutable),
                pulls: Pulls::new(&settings.retention),
                observers,
                links: Links::new(settings),
                catalog_most: settings.catalog_most,
                tags_most: settings.tags_most,
            }),
        }
    }

    async fn answer(
        self,
        mut parts: http::request::Parts,
        routed: Result<Route, Refusal>,
        body: RequestBody,
    ) -> Response {
        let uri = parts.uri;
        let call = Call {
            origin: Origin::of(&uri, &parts.headers),
            query: Query::new(uri.query()),
            read_only: self.shared.policy.read_only,
            method: parts.method,
            headers: parts.headers,
            caller: parts.extensions.remove().unwrap_or_default(),
            permit: parts.extensions.remove(),
            witness: parts.extensions.remove(),
            id: OnceLock::new(),
            shared: Arc::clone(&self.shared),
        };
        let is_ours = match &routed {
            Ok(route) => *route != Route::Root,
            Err(refusal) => !matches!(refusal, Refusal::NoRoute | Refusal::Moved { .. }),
        };
        if let (Some(witness), Ok(route)) = (&call.witness, &routed) {
            witness.sees_route(route, &call.query);
        }
        let response = match routed {
            Ok(route) => self.dispatch(&call, route, body).await,
            Err(refusal) => {
                let permit = call.permit.as_ref();
                let heard =
                    permit.map_or(Ok(()), |permit| access::check_nowhere(permit, &call.origin));
                heard.and_then(|()| Err(ApiError::refused(refusal, &call.method, uri.query())))
            }
        };
        let path = uri.path();
        let response = response.unwrap_or_else(|error| error.into_response(&call.method, path));
        let mut response = finish(response, &call.method, path);
        if is_ours {
            headers::replace(response.headers_mut(), &self.shared.headers);
        }
        response
    }

    async fn dispatch(
        &self,
        call: &Call,
        route: Route,
        body: RequestBody,
    ) -> Result<Response, ApiError> {
        if let Some(permit) = &call.permit {
            access::check_permit(permit, &call.origin, &route)?;
        }
        access::check_health(&self.shared.observers.health, &route)?;
        access::check(self.shared.policy, &route)?;
        let store = &*self.shared.store;
        let schema1 = self.shared.schema1.as_ref();
        match &route {
            Route::Root => Ok(base::root()),
            Route::Base => Ok(base::version()),
            Route::Catalog => catalog::list(store, call).await,
            Route::ListTags(repo) => tags::list(store, call, repo).await,
            Route::ListReferrers(repo, digest) => referrers::list(store, call, repo, digest).await,
            Route::GetManifest(repo, reference) => {
                manifests::get(store, schema1, call, repo, reference).await
            }
            Route::PutManifest(repo, reference) => {
                manifests::put(store, schema1, call, body, repo, reference.clone()).await
            }
            Route::DeleteManifest(repo, reference) => {
                manifests::delete(store, call, repo, reference).await
            }
            Route::GetBlob(repo, digest) => blobs::get(store, schema1, call, repo, digest).await,
            Route::DeleteBlob(repo, digest) => blobs::delete(store, call, repo, digest).await,
            Route::StartUpload(repo) => uploads::start(store, call, body, repo).await,
            Route::UploadStatus(repo, id) => uploads::status(store, call, repo, *id).await,
            Route::AppendUpload(repo, id) => uploads::append(store, call, body, repo, *id).await,
            Route::FinishUpload(repo, id) => uploads::finish(store, call, body, repo, *id).await,
            Route::CancelUpload(repo, id) => uploads::cancel(store, call, repo, *id).await,
        }
    }
}

impl<B> tower_service::Service<http::Request<B>> for Api
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let api = self.clone();
        let prefix = self.shared.links.prefix();
        let routed = route_below(prefix, &parts.method, parts.uri.path());
        let Some(metrics) = &self.shared.observers.metrics else {
            let body = body.map_err(Into::into).boxed_unsync();
            return Box::pin(async move { Ok(api.answer(parts, routed, body).await) });
        };
        let handler = routed.as_ref().map_or(Handler::Other, Route::handler);
        let mut in_flight = InFlight::begin(metrics, handler, &parts.method);
        let mut received = Received::begin(metrics, handler);
        let body = body
            .map_frame(move |frame| {
                received.received(frame.data_ref().map_or(0, |data| data.len() as u64));
                frame
            })
            .map_err(Into::into)
            .boxed_unsync();
        Box::pin(async move {
            let mut response = api.answer(parts, routed, body).await;
            in_flight.answered(response.status());
            response.body_mut().watch(in_flight);
            Ok(response)
        })
    }
}

/// What all answers have in common.
fn finish(mut response: Response, method: &Method, path: &str) -> Response {
    let has_no_length = matches!(
        response.status(),
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
    );
    let length = response.body().length();
    if *method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    let headers = response.headers_mut();
    if !has_no_length {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    // Content comes from those who push: no browser may guess what it is.
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if path != "/" {
        headers.insert(
            headers::API_VERSION,
            HeaderValue::from_static("registry/2.0"),
        );
    }
    response
}
