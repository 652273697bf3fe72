//! Work that blocks, on the threads that may.

use std::io;

use crate::store::StoreError;

/// Runs work on the blocking pool.
///
/// The work goes on when the caller stops waiting: this is what makes every
/// operation of the store happen entirely or not at all.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(failure) => match failure.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(cancelled) => Err(StoreError::Io(io::Error::other(cancelled))),
        },
    }
}
