//! A certificate and its key, read from two PEM files (RFC 7468).

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error as TlsError, InconsistentKeys};
use tidegate_config::CertificateFiles;
use tracing::warn;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::error::CertificateError;

/// A pair that can be served.
pub(super) struct Pair {
    pub(super) certified: Arc<CertifiedKey>,
    /// The DNS names the leaf covers.
    pub(super) names: Vec<String>,
    valid_from: SystemTime,
    valid_until: SystemTime,
}

impl Pair {
    /// Reads both files and makes sure that they belong together.
    pub(super) fn load(
        files: &CertificateFiles,
        provider: &CryptoProvider,
    ) -> Result<Self, CertificateError> {
        let chain = read_chain(&files.cert)?;
        let key = read_key(&files.key)?;
        let leaf = Leaf::read(&chain[0], &files.cert)?;

        let certified = CertifiedKey::from_der(chain.clone(), key.clone_key(), provider)
            .map_err(|error| refusal(files, &chain, &key, provider, error))?;
        Ok(Self {
            certified: Arc::new(certified),
            names: leaf.names,
            valid_from: leaf.valid_from,
            valid_until: leaf.valid_until,
        })
    }

    /// Says it if clients will refuse the certificate for its dates.
    pub(super) fn warn_of_dates(&self, files: &CertificateFiles) {
        let cert = files.cert.display();
        let now = SystemTime::now();
        if let Ok(age) = now.duration_since(self.valid_until) {
            let age = in_words(age);
            warn!(tls.cert = %cert, "the certificate expired {age} ago: clients will refuse it");
        } else if let Ok(wait) = self.valid_from.duration_since(now) {
            let wait = in_words(wait);
            warn!(
                tls.cert = %cert,
                "the certificate is not valid for another {wait}: clients will refuse it until then"
            );
        }
    }
}

fn in_words(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..120 => format!("{seconds} seconds"),
        seconds @ 120..7_200 => format!("{} minutes", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} hours", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    fs_err::read(path).map_err(CertificateError::Read)
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let pem = read(path)?;
    let chain = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| CertificateError::Pem {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
    if chain.is_empty() {
        return Err(CertificateError::NoCertificate {
            path: path.to_owned(),
        });
    }
    Ok(chain)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, CertificateError> {
    let pem = read(path)?;
    if is_encrypted(&pem) {
        return Err(CertificateError::EncryptedKey {
            path: path.to_owned(),
        });
    }
    match PrivateKeyDer::from_pem_slice(&pem) {
        Ok(key) => Ok(key),
        Err(rustls::pki_types::pem::Error::NoItemsFound) => Err(CertificateError::NoKey {
            path: path.to_owned(),
        }),
        Err(error) => Err(CertificateError::Pem {
            path: path.to_owned(),
            reason: error.to_string(),
        }),
    }
}

/// PKCS#8's label, or the header of the older form (RFC 1421).
fn is_encrypted(pem: &[u8]) -> bool {
    pem.split(|&byte| byte == b'\n').any(|line| {
        line.starts_with(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
            || (line.starts_with(b"Proc-Type:") && line.trim_ascii().ends_with(b"ENCRYPTED"))
    })
}

/// Why rustls would not take the pair.
fn refusal(
    files: &CertificateFiles,
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
    provider: &CryptoProvider,
    error: TlsError,
) -> CertificateError {
    match error {
        TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            let leaf_is_further_down = chain.iter().skip(1).any(|certificate| {
                CertifiedKey::from_der(vec![certificate.clone()], key.clone_key(), provider).is_ok()
            });
            CertificateError::Mismatch {
                cert: files.cert.clone(),
                key: files.key.clone(),
                leaf_is_further_down,
            }
        }
        error => CertificateError::UnusableKey {
            path: files.key.clone(),
            reason: error.to_string(),
        },
    }
}

struct Leaf {
    names: Vec<String>,
    valid_from: SystemTime,
    valid_until: SystemTime,
}

impl Leaf {
    fn read(der: &CertificateDer<'_>, path: &Path) -> Result<Self, CertificateError> {
        let unreadable = |reason: String| CertificateError::Unreadable {
            path: path.to_owned(),
            reason,
        };
        let (_, leaf) =
            X509Certificate::from_der(der).map_err(|error| unreadable(error.to_string()))?;
        let alternatives = leaf
            .subject_alternative_name()
            .map_err(|error| unreadable(error.to_string()))?;
        let names = match alternatives {
            Some(alternatives) => alternatives
                .value
                .general_names
                .iter()
                .filter_map(|name| match name {
                    GeneralName::DNSName(name) => Some((*name).to_owned()),
                    _ => None,
                })
                .collect(),
            // Old certificates have their name here alone, and so have the old
            // clients that accept them.
            None => leaf
                .subject()
                .iter_common_name()
                .filter_map(|name| name.as_str().ok().map(str::to_owned))
                .collect(),
        };
        let validity = leaf.validity();
        Ok(Self {
            names,
            valid_from: validity.not_before.to_datetime().into(),
            valid_until: validity.not_after.to_datetime().into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair};

    use super::*;
    use crate::tls;

    struct Files {
        dir: tempfile::TempDir,
    }

    impl Files {
        fn of(cert: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
            let dir = tempfile::tempdir().unwrap();
            fs_err::write(dir.path().join("site.crt"), cert).unwrap();
            fs_err::write(dir.path().join("site.key"), key).unwrap();
            Self { dir }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        fn load(&self) -> Result<Pair, CertificateError> {
            let files = CertificateFiles {
                cert: self.path("site.crt"),
                key: self.path("site.key"),
                renew: false,
            };
            Pair::load(&files, &tls::provider())
        }

        fn error(&self) -> CertificateError {
            self.load().err().unwrap()
        }
    }

    fn made(names: &[&str]) -> (String, KeyPair) {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(names).unwrap().self_signed(&key);
        (cert.unwrap().pem(), key)
    }

    #[test]
    fn a_pair_knows_the_names_it_covers() {
        let (cert, key) = made(&["r.example.com", "*.example.com", "192.0.2.1"]);
        let pair = Files::of(cert, key.serialize_pem()).load().unwrap();
        assert_eq!(pair.names, ["r.example.com", "*.example.com"]);
        assert!(pair.valid_from < pair.valid_until);
    }

    #[test]
    fn dates_are_those_of_the_certificate() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["r".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2001, 2, 3);
        params.not_after = rcgen::date_time_ymd(2002, 3, 4);
        let cert = params.self_signed(&key).unwrap().pem();
        let pair = Files::of(cert, key.serialize_pem()).load().unwrap();
        let seconds = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(seconds(pair.valid_from).as_secs(), 981_158_400);
        assert_eq!(seconds(pair.valid_until).as_secs(), 1_015_200_000);
    }

    #[test]
    fn each_fault_is_told_from_the_others() {
        let (cert, key) = made(&["r"]);
        let key = key.serialize_pem();

        let missing = Files::of(&cert, &key);
        fs_err::remove_file(missing.path("site.key")).unwrap();
        let error = missing.error();
        assert!(matches!(error, CertificateError::Read(_)));
        assert!(error.to_string().contains("site.key"), "{error}");

        assert!(matches!(
            Files::of("", &key).error(),
            CertificateError::NoCertificate { .. }
        ));
        assert!(matches!(
            Files::of(&key, &key).error(),
            CertificateError::NoCertificate { .. }
        ));
        assert!(matches!(
            Files::of(&cert, &cert).error(),
            CertificateError::NoKey { .. }
        ));
        assert!(matches!(
            Files::of(
                "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n",
                &key
            )
            .error(),
            CertificateError::Pem { .. }
        ));
        assert!(matches!(
            Files::of(
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                &key
            )
            .error(),
            CertificateError::Unreadable { .. }
        ));
        assert!(matches!(
            Files::of(
                &cert,
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
            )
            .error(),
            CertificateError::UnusableKey { .. }
        ));
    }

    #[test]
    fn an_encrypted_key_is_called_by_its_name() {
        let (cert, _) = made(&["r"]);
        for key in [
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "-----BEGIN RSA PRIVATE KEY-----\r\nProc-Type: 4,ENCRYPTED\r\n\r\nAAAA\r\n-----END RSA PRIVATE KEY-----\r\n",
        ] {
            let error = Files::of(&cert, key).error();
            assert!(matches!(error, CertificateError::EncryptedKey { .. }));
            assert!(error.hint().unwrap().contains("openssl pkey"));
        }
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let (cert, key) = made(&["r"]);
        let (other, _) = made(&["r"]);
        let error = Files::of(&other, key.serialize_pem()).error();
        assert!(matches!(
            error,
            CertificateError::Mismatch {
                leaf_is_further_down: false,
                ..
            }
        ));

        let error = Files::of(other + &cert, key.serialize_pem()).error();
        assert!(error.hint().unwrap().contains("first"), "{error}");
    }

    proptest! {
        #[test]
        fn any_files_are_a_pair_or_an_error(
            cert in proptest::collection::vec(any::<u8>(), 0..128),
            key in proptest::collection::vec(any::<u8>(), 0..128),
        ) {
            prop_assert!(Files::of(cert, key).load().is_err());
        }

        #[test]
        fn any_der_is_a_certificate_or_an_error(der in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = Leaf::read(&CertificateDer::from(der), Path::new("x"));
        }
    }
}
