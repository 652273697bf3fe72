//! What is known of content while links are followed.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU64;
use std::sync::Arc;

use super::hashing;
use super::pace::Pace;
use crate::oci::{Algorithm, Digest};
use crate::store::{Maintain, StoreError};

/// Above this many, what is known is forgotten: about 50 MiB.
const REMEMBERED: usize = 500_000;

/// How content is, as far as it was looked for.
pub(super) struct Known {
    store: Arc<dyn Maintain>,
    pace: Arc<Pace>,
    /// What may not be what its digest says.
    suspects: HashSet<Digest>,
    states: HashMap<Digest, State>,
    /// Other digests of content. Bytes that are right do not change.
    others: HashMap<Digest, Digest>,
}

/// How content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It is not there.
    Absent,
    /// It is not what its digest says.
    Corrupt,
    /// It has so many bytes.
    There(u64),
}

impl Known {
    pub(super) fn new(
        store: Arc<dyn Maintain>,
        rate: Option<NonZeroU64>,
        suspects: HashSet<Digest>,
    ) -> Self {
        Self {
            store,
            pace: Arc::new(Pace::new(rate)),
            suspects,
            states: HashMap::new(),
            others: HashMap::new(),
        }
    }

    pub(super) async fn state(&mut self, content: &Digest) -> Result<State, StoreError> {
        if let Some(known) = self.states.get(content) {
            return Ok(*known);
        }
        let state = self.look_at(content).await?;
        if self.states.len() >= REMEMBERED {
            self.states.clear();
        }
        self.states.insert(*content, state);
        Ok(state)
    }

    async fn look_at(&self, content: &Digest) -> Result<State, StoreError> {
        let size = match self.store.content(content).await {
            Err(StoreError::NotFound(_)) => return Ok(State::Absent),
            result => result?.size(),
        };
        if !self.suspects.contains(content) {
            return Ok(State::There(size));
        }
        let hashed = hashing::digest_of(&*self.store, content, content.algorithm(), &self.pace);
        match hashed.await {
            Ok(Some(actual)) if actual == *content => Ok(State::There(size)),
            Ok(None) => Ok(State::Absent),
            // What cannot be read is as good as corrupt, and was reported so.
            Ok(Some(_)) | Err(_) => Ok(State::Corrupt),
        }
    }

    /// The digest of content by another algorithm than the one it is kept by.
    /// `None` if it is not there.
    pub(super) async fn other_digest(
        &mut self,
        content: &Digest,
        algorithm: Algorithm,
    ) -> Result<Option<Digest>, StoreError> {
        if let Some(known) = self.others.get(content) {
            return Ok(Some(*known));
        }
        let hashed = hashing::digest_of(&*self.store, content, algorithm, &self.pace).await?;
        if let Some(digest) = hashed {
            if self.others.len() >= REMEMBERED {
                self.others.clear();
            }
            self.others.insert(*content, digest);
        }
        Ok(hashed)
    }

    /// Forgets what a push or a deletion may have changed.
    pub(super) fn look_again(&mut self) {
        self.states.clear();
    }
}
