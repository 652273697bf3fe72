//! How a worker talks to the server of this round.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;

use crate::fuse::Fuse;
use crate::harness::client::{Answer, Body, Client, empty};

/// How much of a body is handed over at once.
const PIECE: usize = 64 * 1024;

/// A worker's way to the server of this round.
pub(crate) struct Way {
    pub(crate) client: Client,
    pub(crate) fuse: Arc<Fuse>,
}

/// The connection broke before the answer had come.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Cut(String);

pub(crate) type Acknowledged<T = ()> = Result<T, Cut>;

impl Way {
    pub(crate) async fn send(
        &self,
        method: Method,
        target: &str,
        bytes: &Bytes,
    ) -> Acknowledged<Answer> {
        self.send_by(&self.client, method, target, bytes).await
    }

    pub(crate) async fn send_by(
        &self,
        client: &Client,
        method: Method,
        target: &str,
        bytes: &Bytes,
    ) -> Acknowledged<Answer> {
        let shown = format!("{method} {target}");
        let answer = client.try_send(method, target, self.body(bytes)).await;
        self.fuse.event();
        answer.map_err(|error| Cut(format!("{shown}: {error}")))
    }

    /// A body in pieces, each of which is an event.
    fn body(&self, bytes: &Bytes) -> Body {
        if bytes.is_empty() {
            return empty();
        }
        let (bytes, fuse) = (bytes.clone(), Arc::clone(&self.fuse));
        let pieces = (0..bytes.len()).step_by(PIECE).map(move |at| {
            fuse.event();
            Ok(Frame::data(bytes.slice(at..bytes.len().min(at + PIECE))))
        });
        StreamBody::new(stream::iter(pieces)).boxed()
    }
}

pub(crate) fn manifest_path(repository: &str, reference: &str) -> String {
    format!("/v2/{repository}/manifests/{reference}")
}

pub(crate) fn blob_path(repository: &str, digest: &str) -> String {
    format!("/v2/{repository}/blobs/{digest}")
}

pub(crate) fn expect(answer: &Answer, status: StatusCode, what: &str) {
    assert_eq!(answer.status, status, "{what}: {:?}", answer.body);
}
