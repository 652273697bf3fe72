//! A worker's uploads: begun, sent in parts, and taken up after a kill.

use bytes::Bytes;
use http::{Method, StatusCode};
use rand::Rng as _;

use crate::harness::image::{path_of, sha256, with_digest};
use crate::way::{Acknowledged, Way, blob_path, expect};
use crate::worker::Worker;

/// An upload that was begun, and what is known of it.
pub(crate) struct Upload {
    path: String,
    digest: String,
    /// So many bytes were acknowledged.
    kept: usize,
    /// So many may have arrived.
    sent: usize,
    /// Its `PUT` may have arrived.
    closing: bool,
}

impl Worker {
    pub(crate) async fn push_blob(
        &mut self,
        way: &Way,
        repository: &str,
        bytes: Bytes,
    ) -> Acknowledged {
        let digest = sha256(&bytes);
        let path = blob_path(repository, &digest);
        // Most clients ask first.
        if self.random.random() {
            let head = way.send(Method::HEAD, &path, &Bytes::new()).await?;
            if head.status == StatusCode::OK {
                self.ledger.is(&path, Some(&digest));
                return Ok(());
            }
            expect(&head, StatusCode::NOT_FOUND, &path);
            assert!(!self.ledger.has(&path), "{path} is gone");
        }
        let uploads = format!("/v2/{repository}/blobs/uploads/");
        let begun = way.send(Method::POST, &uploads, &Bytes::new()).await?;
        expect(&begun, StatusCode::ACCEPTED, &uploads);
        self.upload = Some(Upload {
            path: path_of(begun.header("location")),
            digest,
            kept: 0,
            sent: 0,
            closing: false,
        });
        let middle = self.random.random_range(1..bytes.len());
        self.append(way, &bytes, middle).await?;
        self.append(way, &bytes, bytes.len()).await?;
        self.close(way, &path).await
    }

    /// Sends the upload's bytes from where it is to `end`.
    async fn append(&mut self, way: &Way, bytes: &Bytes, end: usize) -> Acknowledged {
        let upload = self.upload.as_mut().expect("the caller has begun it");
        upload.sent = end;
        let range = format!("{}-{}", upload.kept, end - 1);
        let client = way.client.clone().header("content-range", &range);
        let part = bytes.slice(upload.kept..end);
        let answer = way
            .send_by(&client, Method::PATCH, &upload.path, &part)
            .await?;
        expect(&answer, StatusCode::ACCEPTED, &upload.path);
        upload.kept = end;
        Ok(())
    }

    /// Makes the upload the blob at `path`.
    async fn close(&mut self, way: &Way, path: &str) -> Acknowledged {
        let upload = self.upload.as_mut().expect("the caller has begun it");
        upload.closing = true;
        self.ledger.may_be(path, Some(&upload.digest));
        let put = with_digest(&upload.path, &upload.digest);
        let answer = way.send(Method::PUT, &put, &Bytes::new()).await?;
        expect(&answer, StatusCode::CREATED, &put);
        self.ledger.is(path, Some(&upload.digest));
        self.upload = None;
        Ok(())
    }

    /// Takes up an upload that a kill has cut.
    pub(crate) async fn go_on(&mut self, way: &Way, mut upload: Upload) {
        let status = way.client.get(&upload.path).await;
        if status.status == StatusCode::NOT_FOUND && upload.closing {
            return;
        }
        expect(&status, StatusCode::NO_CONTENT, &upload.path);
        let last = status.header("range").strip_prefix("0-").expect("a range");
        // An upload that is empty says the same as one of a single byte.
        let offset = match last.parse::<usize>().expect("a number") {
            0 => 0,
            last => last + 1,
        };
        assert!(
            (upload.kept..=upload.sent).contains(&offset),
            "{}: {offset} bytes were kept; {} were acknowledged and {} sent",
            upload.path,
            upload.kept,
            upload.sent
        );
        upload.kept = offset;
        let layers = self.images.iter().flat_map(|image| &image.blobs);
        let mut all = layers.chain(&self.blobs);
        let bytes = all.find(|bytes| sha256(bytes) == upload.digest);
        let bytes = bytes.expect("it was one of ours").clone();
        let (repository, _) = upload.path["/v2/".len()..]
            .split_once("/blobs/uploads/")
            .expect("an upload's path");
        let path = blob_path(repository, &upload.digest);
        self.upload = Some(upload);
        let done = async {
            if offset < bytes.len() {
                self.append(way, &bytes, bytes.len()).await?;
            }
            self.close(way, &path).await
        };
        done.await.expect("nothing is killed now");
    }
}
