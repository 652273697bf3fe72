//! What answers the requests that passed the edge.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use http_body_util::combinators::UnsyncBoxBody;
use tidegate_auth::Identity;
use tidegate_config::Forward;

use crate::request_body::RequestBody;
use crate::sites::VirtualServers;

/// Any error of a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a [`Backend`]'s response. An error in it cuts the response, so
/// that the client never takes a part for the whole.
pub type ResponseBody = UnsyncBoxBody<Bytes, BoxError>;

/// Where requests go that passed the edge.
pub enum Destination {
    /// To a backend in this process.
    InProcess(Arc<dyn Backend>),
    /// To another registry.
    Forward(Forward),
    /// Where the places of virtual servers lead. They say as well who may come
    /// in, and what the simple settings say of that does not count.
    Sites(VirtualServers),
}

/// A registry in this process.
///
/// The request's URI is absolute: scheme and authority are those by which the
/// client reached the front, also through trusted proxies. `Authorization`,
/// `X-Forwarded-*`, `Forwarded`, `X-Real-IP`, `Expect` and the hop-by-hop
/// fields have been dealt with and are gone. The extensions hold the
/// [`ClientAddress`], the [`tidegate_auth::Known`] if the front knows whom the
/// request comes from, and the [`Authorization`] if there is any. A backend that
/// finds out itself puts an [`Asker`] into the extensions of its response, for the
/// access log.
///
/// `Expect: 100-continue` is answered when the request's body is first polled.
/// A body that is dropped unread costs the client nothing but its connection.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Answers one request. A panic becomes a 500 and is logged.
    async fn call(&self, request: http::Request<RequestBody>) -> http::Response<ResponseBody>;
}

/// The address of the client that sent the request, found among the request's
/// extensions: the socket's peer, or what trusted proxies said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// Who sent a request, if anybody, as the backend found out: among the extensions
/// of its response. It counts in place of what the front knew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker(pub Option<Identity>);

/// What a request shows of who sent it, found among its extensions.
#[derive(Clone)]
pub struct Authorization(HeaderValue);

impl Authorization {
    /// The header's value. Of a request that has two headers, or one that is no
    /// text, it is empty: nothing that could be right.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = values.next()?;
        Some(Self(match values.next() {
            None => value.clone(),
            Some(_) => HeaderValue::from_static(""),
        }))
    }
}
