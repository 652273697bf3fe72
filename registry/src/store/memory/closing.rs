//! Uploads whose writer has gone, while what it has written is still being
//! kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::store::UploadId;

/// The uploads of this process that are being given up.
#[derive(Debug, Default)]
pub(super) struct Closing {
    uploads: Mutex<HashMap<UploadId, watch::Receiver<()>>>,
}

/// Says for as long as it lives that an upload is being given up.
#[derive(Debug)]
pub(super) struct Guard {
    closing: Arc<Closing>,
    id: UploadId,
    sender: watch::Sender<()>,
}

impl Closing {
    pub(super) fn begin(self: &Arc<Self>, id: UploadId) -> Guard {
        let (sender, receiver) = watch::channel(());
        self.lock().insert(id, receiver);
        Guard {
            closing: Arc::clone(self),
            id,
            sender,
        }
    }

    /// Waits until nobody is giving the upload up any more.
    pub(super) async fn wait(&self, id: UploadId) {
        loop {
            let Some(mut receiver) = self.lock().get(&id).cloned() else {
                return;
            };
            // Nothing is ever sent: this ends, with an error, when the guard
            // goes, which has taken the entry out by then.
            let _ = receiver.changed().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UploadId, watch::Receiver<()>>> {
        // The map is whole between any two calls on it.
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut uploads = self.closing.lock();
        let is_own =
            |receiver: &watch::Receiver<()>| receiver.same_channel(&self.sender.subscribe());
        if uploads.get(&self.id).is_some_and(is_own) {
            uploads.remove(&self.id);
        }
    }
}
