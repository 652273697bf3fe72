//! A client that pushes and deletes without end, and knows what it was told.

use bytes::Bytes;
use http::{Method, StatusCode};
use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, IteratorRandom as _};

use crate::harness::client::Client;
use crate::harness::image::{Image, OCI_MANIFEST, noise, path_of, sha256};
use crate::ledger::Ledger;
use crate::upload::Upload;
use crate::way::{Acknowledged, Cut, Way, blob_path, expect, manifest_path};

/// The repository that all workers push to; the others belong to one each.
pub(crate) const SHARED: &str = "shared/app";

/// What a worker does next. Images and blobs are named by their number.
#[derive(Debug, Clone)]
enum Action {
    PushImage(String, usize, Vec<String>),
    PushBlob(String, usize),
    Mount(usize),
    DeleteTag(String, String),
    DeleteManifest(String, usize),
    DeleteBlob(String, usize),
}

pub(crate) struct Worker {
    pub(crate) ledger: Ledger,
    pub(crate) images: Vec<Image>,
    /// Blobs that no image has, so that they may be deleted. They are the same
    /// for all workers.
    pub(crate) blobs: Vec<Bytes>,
    /// Where blobs are pushed, and where they are mounted.
    own: [String; 2],
    tags: Vec<String>,
    pub(crate) random: StdRng,
    /// What the last kill has cut, and the upload that belongs to it.
    cut: Option<Action>,
    pub(crate) upload: Option<Upload>,
}

impl Worker {
    pub(crate) fn new(number: usize, random: StdRng) -> Self {
        // Manifests differ from worker to worker, and layers are shared.
        let layers = [300_000, 20_000, 1_000_000].map(|size| noise(size, size as usize));
        let images = layers.iter().enumerate().map(|(nth, layer)| {
            let seed = 100 * (number as u64 + 1) + nth as u64;
            Image::of(vec![layer.clone(), noise(seed, 100)])
        });
        let blobs = [10, 11, 12].map(|seed| noise(seed, 150_000));
        Self {
            ledger: Ledger::default(),
            images: images.collect(),
            blobs: blobs.into(),
            own: ["pushed", "mounted"].map(|name| format!("worker{number}/{name}")),
            tags: (0..3).map(|nth| format!("v{number}.{nth}")).collect(),
            random,
            cut: None,
            upload: None,
        }
    }

    /// The repositories that this worker writes to.
    pub(crate) fn repositories(&self) -> [&str; 3] {
        [SHARED, &self.own[0], &self.own[1]]
    }

    /// Does one thing after the other until the connection breaks.
    pub(crate) async fn work(&mut self, way: &Way) -> Cut {
        loop {
            let action = self.choose();
            if let Err(cut) = self.act(way, &action).await {
                self.cut = Some(action);
                return cut;
            }
        }
    }

    /// Asserts that everything acknowledged is there and everything deleted is
    /// gone. Of what was cut, it learns whether it has happened.
    pub(crate) async fn check(&mut self, client: &Client) {
        self.ledger.settle(client).await;
    }

    /// Does again what was cut. An upload goes on where it was.
    pub(crate) async fn again(&mut self, way: &Way) {
        if let Some(upload) = self.upload.take() {
            self.go_on(way, upload).await;
        }
        if let Some(action) = self.cut.take() {
            let done = self.act(way, &action).await;
            done.unwrap_or_else(|cut| panic!("{action:?}, again: {cut}"));
        }
    }

    fn choose(&mut self) -> Action {
        let random = &mut self.random;
        let image = random.random_range(0..self.images.len());
        let blob = random.random_range(0..self.blobs.len());
        let repository = if random.random() {
            SHARED
        } else {
            &self.own[0]
        };
        let repository = repository.to_owned();
        match random.random_range(0..12) {
            0..=3 => {
                let count = random.random_range(1..=2);
                let tags = self.tags.iter().cloned();
                Action::PushImage(repository, image, tags.choose_multiple(random, count))
            }
            4..=6 => Action::PushBlob(self.own[0].clone(), blob),
            7 => Action::Mount(blob),
            8 => {
                let tag = self.tags.choose(random).expect("there are some");
                Action::DeleteTag(repository, tag.clone())
            }
            9 => Action::DeleteManifest(repository, image),
            _ => {
                let from = self.own.choose(random).expect("there are two");
                Action::DeleteBlob(from.clone(), blob)
            }
        }
    }

    async fn act(&mut self, way: &Way, action: &Action) -> Acknowledged {
        match action {
            Action::PushImage(repository, image, tags) => {
                for blob in self.images[*image].blobs.clone() {
                    self.push_blob(way, repository, blob).await?;
                }
                self.put_manifest(way, repository, *image, tags).await
            }
            Action::PushBlob(repository, blob) => {
                let blob = self.blobs[*blob].clone();
                self.push_blob(way, repository, blob).await
            }
            Action::Mount(blob) => self.mount(way, *blob).await,
            Action::DeleteTag(repository, tag) => {
                let path = manifest_path(repository, tag);
                self.delete(way, &path, vec![]).await
            }
            Action::DeleteManifest(repository, image) => {
                let digest = &self.images[*image].digest;
                let path = manifest_path(repository, digest);
                let prefix = manifest_path(repository, "");
                let tags = self.ledger.leading_to(&prefix, digest);
                self.delete(way, &path, tags).await
            }
            Action::DeleteBlob(repository, blob) => {
                let path = blob_path(repository, &sha256(&self.blobs[*blob]));
                self.delete(way, &path, vec![]).await
            }
        }
    }

    async fn put_manifest(
        &mut self,
        way: &Way,
        repository: &str,
        image: usize,
        tags: &[String],
    ) -> Acknowledged {
        let Image {
            manifest, digest, ..
        } = &self.images[image];
        let path = manifest_path(repository, digest);
        // One tag in the path, or several beside the digest.
        let target = match tags {
            [tag] => manifest_path(repository, tag),
            tags => format!("{path}?tag={}", tags.join("&tag=")),
        };
        let mut paths = vec![path];
        paths.extend(tags.iter().map(|tag| manifest_path(repository, tag)));
        for path in &paths {
            self.ledger.may_be(path, Some(digest));
        }
        let client = way.client.clone().header("content-type", OCI_MANIFEST);
        let answer = way.send_by(&client, Method::PUT, &target, manifest).await?;
        expect(&answer, StatusCode::CREATED, &target);
        assert_eq!(answer.header("docker-content-digest"), digest);
        for path in &paths {
            self.ledger.is(path, Some(digest));
        }
        Ok(())
    }

    async fn mount(&mut self, way: &Way, blob: usize) -> Acknowledged {
        let [from, to] = &self.own;
        let digest = sha256(&self.blobs[blob]);
        let path = blob_path(to, &digest);
        let target = format!("/v2/{to}/blobs/uploads/?mount={digest}&from={from}");
        if self.ledger.has(&blob_path(from, &digest)) {
            self.ledger.may_be(&path, Some(&digest));
            let answer = way.send(Method::POST, &target, &Bytes::new()).await?;
            expect(&answer, StatusCode::CREATED, &target);
            self.ledger.is(&path, Some(&digest));
            return Ok(());
        }
        // There is nothing to mount, and an upload is begun instead.
        let answer = way.send(Method::POST, &target, &Bytes::new()).await?;
        expect(&answer, StatusCode::ACCEPTED, &target);
        let upload = path_of(answer.header("location"));
        let answer = way.send(Method::DELETE, &upload, &Bytes::new()).await?;
        expect(&answer, StatusCode::NO_CONTENT, &upload);
        Ok(())
    }

    /// Deletes what is at `path`, and with it what is at `others`.
    async fn delete(&mut self, way: &Way, path: &str, others: Vec<String>) -> Acknowledged {
        if !self.ledger.has(path) {
            let answer = way.send(Method::DELETE, path, &Bytes::new()).await?;
            expect(&answer, StatusCode::NOT_FOUND, path);
            return Ok(());
        }
        let mut paths = others;
        paths.push(path.to_owned());
        for path in &paths {
            self.ledger.may_be(path, None);
        }
        let answer = way.send(Method::DELETE, path, &Bytes::new()).await?;
        expect(&answer, StatusCode::ACCEPTED, path);
        for path in &paths {
            self.ledger.is(path, None);
        }
        Ok(())
    }
}
