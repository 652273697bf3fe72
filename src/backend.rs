//! Joins the front to the registry in the same process: the one place that
//! knows both.

use async_trait::async_trait;
use http_body_util::BodyExt as _;
use tidegate_proxy::{Backend, RequestBody, ResponseBody};
use tidegate_registry::Api;
use tower_service::Service as _;

/// The registry of this process, as a backend of the front.
pub(crate) struct InProcess(pub(crate) Api);

#[async_trait]
impl Backend for InProcess {
    async fn call(&self, request: http::Request<RequestBody>) -> http::Response<ResponseBody> {
        // `Api` is always ready: it takes no part in tower's back-pressure, the
        // body's frames do that.
        let Ok(response) = self.0.clone().call(request).await;
        response.map(|body| ResponseBody::new(body.map_err(Into::into)))
    }
}
