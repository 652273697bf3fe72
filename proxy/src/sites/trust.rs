//! Who may sign an upstream's certificate.

use std::path::Path;
use std::sync::Arc;

use pingora::protocols::tls::CaType;
use pingora::utils::tls::{WrappedX509, parse_x509};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::bind_error::BindError;

/// Certificates of CAs; never empty.
pub(crate) type Trusted = Arc<CaType>;

/// Reads the CAs in `path`.
///
/// # Errors
/// If certificates are to be checked and there is no file, or it has no CA.
pub(crate) fn load(verify: bool, path: Option<&Path>) -> Result<Trusted, BindError> {
    match path {
        Some(path) => read(path).map_err(|reason| BindError::Trust {
            path: path.to_owned(),
            reason,
        }),
        None if verify => Err(BindError::NoTrust),
        None => Ok(placeholder()),
    }
}

fn read(path: &Path) -> Result<Trusted, String> {
    let pem = fs_err::read(path).map_err(|error| error.to_string())?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("not PEM: {error}"))?;
    if certificates.is_empty() {
        return Err("no certificate in it".to_owned());
    }
    // What the connector beneath would find out at the first request, and
    // panic at what is no certificate.
    let mut roots = RootCertStore::empty();
    for certificate in &certificates {
        X509Certificate::from_der(certificate).map_err(|error| error.to_string())?;
        let added = roots.add(certificate.clone());
        added.map_err(|error| error.to_string())?;
    }
    Ok(certificates.iter().map(|der| wrapped(der)).collect())
}

/// The connector beneath wants a CA even where it checks nothing: one whose key
/// was thrown away when it was made.
const NOBODY: &[u8] = include_bytes!("nobody.der");

fn placeholder() -> Trusted {
    Arc::new([wrapped(NOBODY)])
}

fn wrapped(der: &[u8]) -> WrappedX509 {
    WrappedX509::new(der.to_vec(), parse_x509)
}
