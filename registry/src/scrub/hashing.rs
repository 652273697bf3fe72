//! Reading content for its digest.

use std::sync::Arc;

use futures_util::TryStreamExt;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::pace::Pace;
use crate::oci::{Algorithm, Digest, Hasher};
use crate::store::{Blob, Maintain, StoreError};

/// The digest that content has, by any algorithm; `None` if it is not there.
pub(super) async fn digest_of(
    store: &dyn Maintain,
    content: &Digest,
    algorithm: Algorithm,
    pace: &Arc<Pace>,
) -> Result<Option<Digest>, StoreError> {
    let blob = match store.content(content).await {
        Err(StoreError::NotFound(_)) => return Ok(None),
        result => result?,
    };
    let (hasher, pace) = (Hasher::new(algorithm), Arc::clone(pace));
    let (runtime, ended) = (Handle::current(), CancellationToken::new());
    // Nobody waits for a whole layer to be read when a server is to stop.
    let _end = ended.clone().drop_guard();
    // Hashing is work for a thread, however many the runtime has.
    let hashed = spawn_blocking(move || {
        let hashing = hash(&*blob, hasher, &pace);
        runtime.block_on(ended.run_until_cancelled(hashing))
    });
    let hashed = hashed
        .await
        .map_err(|failure| StoreError::Io(failure.into()))?;
    hashed.transpose()
}

async fn hash(blob: &dyn Blob, mut hasher: Hasher, pace: &Pace) -> Result<Digest, StoreError> {
    let mut frames = blob.read(0..blob.size());
    while let Some(frame) = frames.try_next().await? {
        hasher.update(&frame);
        pace.take(frame.len() as u64).await;
    }
    Ok(hasher.finish())
}
