//! Work that blocks, on the threads that may.

use std::io;

use tokio::task::JoinHandle;

use crate::store::StoreError;

/// Runs work on the blocking pool.
///
/// The work goes on when the caller stops waiting: this is what makes every
/// operation of the store happen entirely or not at all.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match spawn(work).await {
        Ok(result) => result,
        Err(failure) => match failure.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(cancelled) => Err(StoreError::Io(io::Error::other(cancelled))),
        },
    }
}

/// Runs work on the blocking pool, and does not wait for it.
pub(super) fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    #[cfg(test)]
    let work = {
        let script = super::disk::script::Taken::along();
        move || script.run(work)
    };
    tokio::task::spawn_blocking(work)
}
