//! Requests to a registry in this process.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tidegate_registry::Api;
use tower_service::Service as _;

#[derive(Clone)]
pub(crate) struct Client {
    api: Api,
}

/// An answer with its whole body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

impl Client {
    pub(crate) fn new(api: Api) -> Self {
        Self { api }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, Bytes::new()).await
    }

    pub(crate) async fn head(&self, path: &str) -> StatusCode {
        self.send(Method::HEAD, path, Bytes::new()).await.status
    }

    pub(crate) async fn post(&self, path: &str, body: Bytes) -> StatusCode {
        self.send(Method::POST, path, body).await.status
    }

    pub(crate) async fn put(&self, path: &str, body: Bytes) -> Answer {
        self.send(Method::PUT, path, body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> StatusCode {
        self.send(Method::DELETE, path, Bytes::new()).await.status
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://registry.test{path}"))
            .header("content-length", body.len());
        let request = request.body(Full::new(body)).unwrap();
        let response = self.api.clone().call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Answer {
            status: parts.status,
            body,
        }
    }
}
