//! Certificates, in files as a front wants them.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tidegate_config::CertificateFiles;

/// A directory with the pair `site.crt` and `site.key`.
pub(crate) struct Site {
    dir: tempfile::TempDir,
}

impl Site {
    pub(crate) fn new(names: &[&str]) -> Self {
        let site = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        site.make("site", names);
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn files(&self) -> CertificateFiles {
        self.pair("site")
    }

    pub(crate) fn pair(&self, name: &str) -> CertificateFiles {
        CertificateFiles {
            cert: self.path(&format!("{name}.crt")),
            key: self.path(&format!("{name}.key")),
            renew: false,
        }
    }

    /// Makes or replaces the pair `name`.
    pub(crate) fn make(&self, name: &str, names: &[&str]) -> CertificateFiles {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let files = self.pair(name);
        replace(&files.cert, &made.cert.pem());
        replace(&files.key, &made.signing_key.serialize_pem());
        files
    }

    /// Every certificate of the directory.
    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        for entry in fs_err::read_dir(self.dir.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "crt") {
                roots.add(certificate(&path)).unwrap();
            }
        }
        roots
    }
}

pub(crate) fn certificate(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).unwrap()
}

/// As renewal tools do it.
pub(crate) fn replace(path: &Path, content: &str) {
    let next = path.with_extension("next");
    fs_err::write(&next, content).unwrap();
    fs_err::rename(&next, path).unwrap();
}
