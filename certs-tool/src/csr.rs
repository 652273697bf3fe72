//! Requests for certificates (PKCS#10, RFC 2986) that another CA is to sign.

use std::fmt;

use rcgen::CertificateParams;
use zeroize::Zeroizing;

use crate::error::CertsError;
use crate::key::{Key, KeyKind};
use crate::name::HostName;
use crate::site::{alternative_names, subject_for};
use crate::subject::Subject;

/// What a request asks for.
#[derive(Debug, Clone)]
pub struct RequestOptions {
    /// Every name and address that clients use; at least one.
    pub names: Vec<HostName>,
    /// The subject. By default the first name as common name, or nothing if
    /// that is too long.
    pub subject: Option<Subject>,
    /// The key.
    pub key: KeyKind,
}

/// A request that was just made, and its key.
pub struct NewRequest {
    /// The request, PEM.
    pub request: String,
    /// The key, PEM. A secret, and not for the CA.
    pub key: Zeroizing<String>,
}

/// Makes a key and a request for it.
///
/// The request holds the names and nothing else: what a certificate may be used
/// for is for the CA to say.
///
/// # Errors
/// If there is no name, or the cryptographic library fails.
pub fn make_request(options: &RequestOptions) -> Result<NewRequest, CertsError> {
    let first = options.names.first().ok_or(CertsError::NoNames)?;
    let key = Key::generate(options.key)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = subject_for(options.subject.as_ref(), first);
    params.subject_alt_names = alternative_names(&options.names)?;
    let request = params
        .serialize_request(key.pair())
        .and_then(|request| request.pem())
        .map_err(CertsError::crypto("make the request"))?;
    Ok(NewRequest {
        request,
        key: key.into_parts().1,
    })
}

impl fmt::Debug for NewRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewRequest").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Request;
    use crate::testing::openssl;

    fn options(names: &[&str]) -> RequestOptions {
        RequestOptions {
            names: names.iter().map(|n| n.parse().unwrap()).collect(),
            subject: None,
            key: KeyKind::default(),
        }
    }

    #[test]
    fn what_is_made_is_read_here_and_by_openssl() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("csr");
        for kind in KeyKind::ALL {
            let mut options = options(&["registry.lan", "*.example.com", "10.0.0.7", "::1"]);
            options.key = kind;
            options.subject = Some("/C=DE/O=Ünit/CN=registry".parse().unwrap());
            let made = make_request(&options).unwrap();
            assert!(!format!("{made:?}").contains("BEGIN"));
            fs_err::write(&path, &made.request).unwrap();
            let read = Request::read(&path).unwrap();
            assert_eq!(read.names().len(), 4);
            assert_eq!(read.ignored(), [""; 0]);
            let show = ["req", "-in", "csr", "-noout", "-verify", "-text"];
            if let Some(text) = openssl(directory.path(), &show) {
                assert!(text.contains("verify OK"), "{kind}: {text}");
                let names = "DNS:registry.lan, DNS:*.example.com, IP Address:10.0.0.7, IP Address:0:0:0:0:0:0:0:1";
                assert!(text.contains(names), "{kind}: {text}");
            }
        }
    }

    #[test]
    fn nobody_is_no_name() {
        let error = make_request(&options(&[])).unwrap_err();
        assert!(matches!(error, CertsError::NoNames));
    }
}
