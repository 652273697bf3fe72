//! Certificates of clients: what is asked for, whom they make their users, and
//! the files of CAs and revocation lists behind it, reloaded.

mod ask;
mod demand;
mod error;
mod lists;
mod rejection;
mod shown;
pub(crate) mod subject;
mod trust;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::CryptoProvider;
use rustls::server::ResolvesServerCert;
use tidegate_config::{ClientAuth, FileStamp};

pub(crate) use self::demand::Demand;
pub use self::error::ClientCaError;
pub(crate) use self::rejection::Rejection;
pub(crate) use self::shown::{Shown, certificate_user};
use crate::bind_error::BindError;

/// What is asked of clients, once for each way of asking: listeners and sites
/// that ask alike share it, and with it their clients' connections.
pub struct ClientCertificates {
    demands: Vec<Arc<Demand>>,
    stamps: Mutex<Vec<Vec<FileStamp>>>,
}

/// What a reload did.
#[derive(Debug, Default)]
pub struct ReloadedClientCas {
    /// The files that were read anew and are in use.
    pub replaced: Vec<PathBuf>,
    /// Those that could not be used; in their place the old ones stay.
    pub failures: Vec<ClientCaError>,
}

impl ClientCertificates {
    /// Reads the files of every demand. `certificates` are the server's own.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub(crate) fn load<'a>(
        wanted: impl IntoIterator<Item = &'a ClientAuth>,
        certificates: &Arc<dyn ResolvesServerCert>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, BindError> {
        let mut demands: Vec<Arc<Demand>> = Vec::new();
        let mut stamps = Vec::new();
        for settings in wanted {
            if demands.iter().any(|known| known.settings == *settings) {
                continue;
            }
            // Before the files are read, so that a change meanwhile is seen later.
            stamps.push(stamp(settings));
            let certificates = Arc::clone(certificates);
            let demand = Demand::load(settings.clone(), certificates, Arc::clone(provider))?;
            demands.push(Arc::new(demand));
        }
        Ok(Self {
            demands,
            stamps: Mutex::new(stamps),
        })
    }

    /// The one that was loaded for `settings`.
    pub(crate) fn find(&self, settings: &ClientAuth) -> Option<Arc<Demand>> {
        let mut demands = self.demands.iter();
        demands
            .find(|demand| demand.settings == *settings)
            .map(Arc::clone)
    }

    /// Reads the files again of demands of which one has changed since it was last
    /// read; `None` if there are none. Connections that stand are looked at
    /// again with their next request. Reads files: not for an async worker.
    pub fn reload_if_changed(&self) -> Option<ReloadedClientCas> {
        self.reload_those(|demand, stamps| stamp(&demand.settings) != *stamps)
    }

    /// Reads every file again. Reads files: not for an async worker.
    pub fn reload(&self) -> ReloadedClientCas {
        self.reload_those(|_, _| true).unwrap_or_default()
    }

    fn reload_those(
        &self,
        wanted: impl Fn(&Demand, &[FileStamp]) -> bool,
    ) -> Option<ReloadedClientCas> {
        // Nothing below leaves the list half changed, even if it panics.
        let mut stamps = self.stamps.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reloaded = ReloadedClientCas::default();
        for (demand, stamps) in self.demands.iter().zip(stamps.iter_mut()) {
            if !wanted(demand, stamps) {
                continue;
            }
            // Also when they are bad: they are reported once, not every second.
            *stamps = stamp(&demand.settings);
            match demand.reload() {
                Ok(()) => reloaded.replaced.extend(demand.settings.files().cloned()),
                Err(error) => reloaded.failures.push(error),
            }
        }
        (!reloaded.replaced.is_empty() || !reloaded.failures.is_empty()).then_some(reloaded)
    }
}

impl fmt::Debug for ClientCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificates").finish_non_exhaustive()
    }
}

fn stamp(settings: &ClientAuth) -> Vec<FileStamp> {
    settings.files().map(|file| FileStamp::of(file)).collect()
}
