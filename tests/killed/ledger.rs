//! What a registry has to answer, by what it has acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;

use crate::harness::client::Client;
use crate::harness::image::sha256;

/// The digest of what a path answers with, or `None` where it answers 404.
type Found = Option<String>;

/// By path, all that it may answer. It is one thing as soon as the last
/// request has been acknowledged, and two while one is under way or was cut.
/// What is not in it has never been written.
#[derive(Debug, Default)]
pub(crate) struct Ledger(BTreeMap<String, BTreeSet<Found>>);

impl Ledger {
    /// A request is sent: from now on the path may answer that as well.
    pub(crate) fn may_be(&mut self, path: &str, found: Option<&str>) {
        let possible = self.0.entry(path.to_owned());
        let possible = possible.or_insert_with(|| BTreeSet::from([None]));
        possible.insert(found.map(str::to_owned));
    }

    /// It was acknowledged: from now on the path answers nothing else.
    pub(crate) fn is(&mut self, path: &str, found: Option<&str>) {
        let found = found.map(str::to_owned);
        self.0.insert(path.to_owned(), BTreeSet::from([found]));
    }

    /// Whether there is something at the path.
    ///
    /// # Panics
    ///
    /// When that is not certain.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.0.get(path).is_some_and(|possible| {
            assert_eq!(possible.len(), 1, "{path} is uncertain: {possible:?}");
            !possible.contains(&None)
        })
    }

    /// The paths that begin so and may answer with this digest.
    pub(crate) fn leading_to(&self, prefix: &str, digest: &str) -> Vec<String> {
        let digest = Some(digest.to_owned());
        let paths = self.0.iter();
        paths
            .filter(|(path, possible)| path.starts_with(prefix) && possible.contains(&digest))
            .map(|(path, _)| path.clone())
            .collect()
    }

    /// What is there for certain: paths and digests.
    pub(crate) fn present(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|(path, possible)| {
            let mut possible = possible.iter();
            match (possible.next(), possible.next()) {
                (Some(Some(digest)), None) => Some((path.as_str(), digest.as_str())),
                _ => None,
            }
        })
    }

    /// Asks for everything, asserts that the answers are among those that may
    /// be, and that the bytes are right; from then on they are certain.
    pub(crate) async fn settle(&mut self, client: &Client) {
        for (path, possible) in &mut self.0 {
            let found = found(client, path).await;
            assert!(
                possible.contains(&found),
                "{path} answers {found:?}, expected one of {possible:?}"
            );
            *possible = BTreeSet::from([found]);
        }
    }
}

async fn found(client: &Client, path: &str) -> Found {
    let answer = client.get(path).await;
    match answer.status {
        StatusCode::OK => {
            let digest = answer.header("docker-content-digest");
            assert_eq!(sha256(&answer.body), digest, "{path} is damaged");
            Some(digest.to_owned())
        }
        StatusCode::NOT_FOUND => None,
        status => panic!("{path}: {status}: {:?}", answer.body),
    }
}
