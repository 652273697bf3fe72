//! The certificates of the TLS listeners: loaded, chosen, reloaded.

mod error;
mod names;
mod pair;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tidegate_config::{CertificateFiles, FileStamp};

pub use error::CertificateError;
use names::Names;
use pair::Pair;

/// The certificates in use, chosen for each handshake by the name that the
/// client asks for and the signatures that it understands.
///
/// Connections that stand keep the certificate they were made with; a reload
/// concerns handshakes that come after it.
pub struct CertificateStore {
    provider: Arc<CryptoProvider>,
    current: ArcSwap<Names<Arc<CertifiedKey>>>,
    watched: Mutex<Vec<Watched>>,
}

/// One pair of files, what they looked like when last read, and what was in
/// them when they were last good.
struct Watched {
    files: CertificateFiles,
    stamps: [FileStamp; 2],
    pair: Pair,
}

/// What a reload did.
#[derive(Debug, Default)]
pub struct Reloaded {
    /// The pairs that were read anew and are in use.
    pub replaced: Vec<CertificateFiles>,
    /// The pairs that could not be used; in their place the old ones stay.
    pub failures: Vec<CertificateError>,
}

impl CertificateStore {
    /// Loads every pair of `files`. One that has expired or is not valid yet is
    /// used all the same, with a warning: clients that ignore dates, and the
    /// other names, are still served.
    ///
    /// # Errors
    /// The first pair that cannot be used.
    pub(crate) fn load(
        files: &[CertificateFiles],
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, CertificateError> {
        let watched = files
            .iter()
            .map(|files| Watched::load(files.clone(), &provider))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            provider,
            current: ArcSwap::from_pointee(names(&watched)),
            watched: Mutex::new(watched),
        })
    }

    /// Reads the pairs again of which a file has changed since it was last
    /// read; `None` if there are none. Reads files: not for an async worker.
    pub fn reload_if_changed(&self) -> Option<Reloaded> {
        self.reload_those(|watched| Watched::stamp(&watched.files) != watched.stamps)
    }

    /// Reads every pair again. Reads files: not for an async worker.
    pub fn reload(&self) -> Reloaded {
        self.reload_those(|_| true).unwrap_or_default()
    }

    fn reload_those(&self, wanted: impl Fn(&Watched) -> bool) -> Option<Reloaded> {
        // Nothing below leaves the list half changed, even if it panics.
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reloaded = Reloaded::default();
        for watched in watched.iter_mut().filter(|watched| wanted(watched)) {
            match watched.reload(&self.provider) {
                Ok(()) => reloaded.replaced.push(watched.files.clone()),
                Err(error) => reloaded.failures.push(error),
            }
        }
        if !reloaded.replaced.is_empty() {
            self.current.store(Arc::new(names(&watched)));
        }
        (!reloaded.replaced.is_empty() || !reloaded.failures.is_empty()).then_some(reloaded)
    }
}

impl ResolvesServerCert for CertificateStore {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let names = self.current.load();
        let candidates = names.candidates(hello.server_name());
        // The same name may have an RSA and an ECDSA certificate.
        candidates
            .iter()
            .find(|candidate| {
                let schemes = hello.signature_schemes();
                candidate.key.choose_scheme(schemes).is_some()
            })
            .or(candidates.first())
            .cloned()
    }
}

impl fmt::Debug for CertificateStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateStore").finish_non_exhaustive()
    }
}

impl Watched {
    fn load(files: CertificateFiles, provider: &CryptoProvider) -> Result<Self, CertificateError> {
        // Before the files are read, so that a change meanwhile is seen later.
        let stamps = Self::stamp(&files);
        let pair = Pair::load(&files, provider)?;
        pair.warn_of_dates(&files);
        Ok(Self {
            files,
            stamps,
            pair,
        })
    }

    /// Takes what the files hold now, or keeps what there is.
    fn reload(&mut self, provider: &CryptoProvider) -> Result<(), CertificateError> {
        // Also when they are bad: they are reported once, not every second.
        self.stamps = Self::stamp(&self.files);
        self.pair = Pair::load(&self.files, provider)?;
        self.pair.warn_of_dates(&self.files);
        Ok(())
    }

    fn stamp(files: &CertificateFiles) -> [FileStamp; 2] {
        [FileStamp::of(&files.cert), FileStamp::of(&files.key)]
    }
}

fn names(watched: &[Watched]) -> Names<Arc<CertifiedKey>> {
    let mut names = Names::default();
    for Watched { pair, .. } in watched {
        names.add(Arc::clone(&pair.certified), &pair.names);
    }
    names
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::tls;

    struct Site {
        dir: tempfile::TempDir,
    }

    impl Site {
        fn new() -> Self {
            let site = Self {
                dir: tempfile::tempdir().unwrap(),
            };
            site.write(&["a.example.com"]);
            site
        }

        fn files(&self) -> CertificateFiles {
            CertificateFiles {
                cert: self.path("site.crt"),
                key: self.path("site.key"),
                renew: false,
            }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        fn write(&self, names: &[&str]) {
            let (cert, key) = make(names);
            replace(&self.path("site.crt"), &cert);
            replace(&self.path("site.key"), &key);
        }

        fn store(&self) -> CertificateStore {
            CertificateStore::load(&[self.files()], tls::provider()).unwrap()
        }
    }

    fn make(names: &[&str]) -> (String, String) {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    /// As renewal tools do it; a new inode makes a new stamp on every kernel.
    fn replace(path: &Path, content: &str) {
        let next = path.with_extension("next");
        fs_err::write(&next, content).unwrap();
        fs_err::rename(&next, path).unwrap();
    }

    fn leaf(store: &CertificateStore) -> Vec<u8> {
        store.current.load().candidates(None)[0].cert[0].to_vec()
    }

    #[test]
    fn a_changed_pair_is_taken_and_an_unchanged_one_is_left() {
        let site = Site::new();
        let store = site.store();
        let before = leaf(&store);
        assert!(store.reload_if_changed().is_none());

        site.write(&["b.example.com"]);
        let reloaded = store.reload_if_changed().unwrap();
        assert_eq!(reloaded.replaced, [site.files()]);
        assert!(reloaded.failures.is_empty());
        assert_ne!(leaf(&store), before);
        assert!(store.reload_if_changed().is_none());
    }

    #[test]
    fn a_bad_pair_leaves_the_old_one_and_is_reported_once() {
        let site = Site::new();
        let store = site.store();
        let before = leaf(&store);

        let (cert, _) = make(&["a.example.com"]);
        replace(&site.path("site.crt"), &cert);
        let reloaded = store.reload_if_changed().unwrap();
        assert!(reloaded.replaced.is_empty());
        assert!(matches!(
            reloaded.failures[..],
            [CertificateError::Mismatch { .. }]
        ));
        assert_eq!(leaf(&store), before);
        assert!(store.reload_if_changed().is_none());
        assert_eq!(
            store.reload().failures.len(),
            1,
            "asked for, it says it again"
        );

        fs_err::remove_file(site.path("site.key")).unwrap();
        assert_eq!(store.reload_if_changed().unwrap().failures.len(), 1);
        assert_eq!(leaf(&store), before);

        site.write(&["a.example.com"]);
        assert_eq!(store.reload_if_changed().unwrap().replaced.len(), 1);
        assert_ne!(leaf(&store), before);
    }
}
