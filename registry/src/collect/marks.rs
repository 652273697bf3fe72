//! Which content is in use.

use std::collections::HashSet;

use crate::oci::Digest;

/// A set of SHA-256 digests, of which a large registry has millions: 32 bytes
/// each and the room that a hash table needs.
#[derive(Default)]
pub(super) struct Marks(HashSet<[u8; 32]>);

impl Marks {
    /// Adds content by the digest that it is kept under. Another digest names
    /// no content by itself; what it leads to is added by its link.
    pub(super) fn insert(&mut self, digest: &Digest) {
        if let Some(bytes) = digest.sha256_bytes() {
            self.0.insert(bytes);
        }
    }

    pub(super) fn contains(&self, digest: &Digest) -> bool {
        digest
            .sha256_bytes()
            .is_some_and(|bytes| self.0.contains(&bytes))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
