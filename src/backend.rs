//! Joins the front to the registry in the same process: the one place that
//! knows both.

use async_trait::async_trait;
use http_body_util::BodyExt as _;
use tidegate_auth::Identity;
use tidegate_proxy::{Backend, ClientAddress, RequestBody, ResponseBody};
use tidegate_registry::{Api, Caller};
use tower_service::Service as _;

/// The registry of this process, as a backend of the front.
pub(crate) struct InProcess {
    pub(crate) api: Api,
    /// Whether anybody wants to know who asks.
    pub(crate) names_callers: bool,
}

#[async_trait]
impl Backend for InProcess {
    async fn call(&self, mut request: http::Request<RequestBody>) -> http::Response<ResponseBody> {
        if self.names_callers {
            let known = request.extensions_mut();
            let caller = Caller {
                name: known.remove::<Identity>().map(Into::into),
                address: known.remove::<ClientAddress>().map(|client| client.0),
            };
            known.insert(caller);
        }
        // `Api` is always ready: it takes no part in tower's back-pressure, the
        // body's frames do that.
        let Ok(response) = self.api.clone().call(request).await;
        response.map(|body| ResponseBody::new(body.map_err(Into::into)))
    }
}
