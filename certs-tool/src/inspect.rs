//! What a certificate says.

use std::fmt;
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::error::X509Error;
use x509_parser::nom;
use x509_parser::prelude::FromDer;

use crate::error::CertsError;
use crate::key::Key;
use crate::name::HostName;
use crate::pem;
use crate::san::San;
use crate::validity::Validity;

/// A certificate that has been read; what it says is not trusted by that.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: CertificateDer<'static>,
    subject: String,
    issuer: String,
    names: Vec<San>,
    validity: Validity,
    is_ca: bool,
    may_sign: bool,
    /// The uses that it is limited to, if it is.
    usages: Option<Usages>,
    public_bits: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Usages {
    server: bool,
    client: bool,
}

impl Certificate {
    /// Reads every certificate of a PEM file, in order; at least one.
    ///
    /// # Errors
    /// If the file cannot be read, holds no certificate, or a damaged one.
    pub fn read(path: &Path) -> Result<Vec<Self>, CertsError> {
        pem::read_certificates(path)?
            .into_iter()
            .enumerate()
            .map(|(index, der)| {
                Self::from_der(der).map_err(|reason| CertsError::BadCertificate {
                    path: path.to_owned(),
                    number: index + 1,
                    reason,
                })
            })
            .collect()
    }

    /// Reads the first certificate of a PEM file: a server's own, or a CA's.
    ///
    /// # Errors
    /// As [`Certificate::read`].
    pub fn read_first(path: &Path) -> Result<Self, CertsError> {
        let all = Self::read(path)?;
        all.into_iter().next().ok_or_else(|| CertsError::NotPem {
            path: PathBuf::from(path),
            expected: "a certificate",
            found: "none".to_owned(),
        })
    }

    /// Reads a certificate that did not come from a file.
    ///
    /// # Errors
    /// Why that cannot be done.
    pub fn from_der_bytes(der: &[u8]) -> Result<Self, String> {
        Self::from_der(CertificateDer::from(der.to_vec()))
    }

    /// Reads those certificates of a PEM file that can be read: of the hundred
    /// and more of a system's bundle, one that is odd says nothing of the rest.
    pub(crate) fn read_readable(path: &Path) -> Vec<Self> {
        pem::read_certificates(path)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|der| Self::from_der(der).ok())
            .collect()
    }

    /// Reads a certificate, or says why that cannot be done.
    pub(crate) fn from_der(der: CertificateDer<'static>) -> Result<Self, String> {
        let x509 = parse(&der)?;
        let show = |error: X509Error| error.to_string();
        let names = match x509.subject_alternative_name().map_err(show)? {
            Some(extension) => extension.value.general_names.iter().map(San::of).collect(),
            None => Vec::new(),
        };
        let basic_constraints = x509.basic_constraints().map_err(show)?;
        let key_usage = x509.key_usage().map_err(show)?;
        let extended_key_usage = x509.extended_key_usage().map_err(show)?;
        Ok(Self {
            subject: x509.subject().to_string(),
            issuer: x509.issuer().to_string(),
            names,
            validity: Validity {
                not_before: x509.validity().not_before.to_datetime(),
                not_after: x509.validity().not_after.to_datetime(),
            },
            is_ca: basic_constraints.is_some_and(|extension| extension.value.ca),
            may_sign: key_usage.is_none_or(|extension| extension.value.key_cert_sign()),
            usages: extended_key_usage.map(|extension| Usages {
                server: extension.value.server_auth || extension.value.any,
                client: extension.value.client_auth || extension.value.any,
            }),
            public_bits: x509.public_key().subject_public_key.data.to_vec(),
            der,
        })
    }

    /// Its bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Itself and nothing else in PEM (RFC 7468), as clients are given it.
    #[must_use]
    pub fn to_pem(&self) -> String {
        // Lines end as everywhere else on this system.
        let config = ::pem::EncodeConfig::new().set_line_ending(::pem::LineEnding::LF);
        ::pem::encode_config(&::pem::Pem::new("CERTIFICATE", self.der()), config)
    }

    /// Whom it is about, for people: `C=DE, O=Example, CN=…`.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Who signed it, for people.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What it is for. Clients look at nothing else; a common name counts for
    /// no client of today.
    #[must_use]
    pub fn names(&self) -> &[San] {
        &self.names
    }

    /// Whether a client that uses `name` accepts it: by a name that is equal,
    /// or by a wildcard for its first label (RFC 9525 section 6.3).
    #[must_use]
    pub fn covers(&self, name: &HostName) -> bool {
        self.names.iter().any(|san| san.covers(name))
    }

    /// Its first moment.
    #[must_use]
    pub fn not_before(&self) -> OffsetDateTime {
        self.validity.not_before
    }

    /// Its last moment.
    #[must_use]
    pub fn not_after(&self) -> OffsetDateTime {
        self.validity.not_after
    }

    /// Whether it is valid at a moment.
    #[must_use]
    pub fn is_valid_at(&self, moment: OffsetDateTime) -> bool {
        self.validity.contains(moment)
    }

    /// The whole days from `now` to its end; negative once it is over.
    #[must_use]
    pub fn days_left(&self, now: OffsetDateTime) -> i64 {
        (self.validity.not_after - now).whole_days()
    }

    /// Whether it says that it is a CA's.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        self.is_ca
    }

    /// Whether its key usage, if it has any, lets it sign certificates.
    #[must_use]
    pub fn may_sign_certificates(&self) -> bool {
        self.may_sign
    }

    /// Whether its extended key usage, if it has any, is for servers.
    #[must_use]
    pub fn is_for_servers(&self) -> bool {
        self.usages.is_none_or(|usages| usages.server)
    }

    /// Whether its extended key usage, if it has any, is for clients.
    #[must_use]
    pub fn is_for_clients(&self) -> bool {
        self.usages.is_none_or(|usages| usages.client)
    }

    /// The SHA-256 of its bytes, as `AB:CD:…`, the way openssl and browsers
    /// show it.
    #[must_use]
    pub fn fingerprint_sha256(&self) -> String {
        let pairs: Vec<_> = Sha256::digest(&self.der)
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect();
        pairs.join(":")
    }

    /// Whether it is for this key.
    #[must_use]
    pub fn matches_key(&self, key: &Key) -> bool {
        self.public_bits == key.public_bits()
    }

    /// Whether `ca` signed it: its issuer is the name of `ca`, and the
    /// signature is right. Says nothing about dates, nor whether `ca` may. No
    /// if the signature is of a kind that is not known here (P-521, SHA-1 with
    /// ECDSA, DSA).
    #[must_use]
    pub fn is_issued_by(&self, ca: &Self) -> bool {
        let (Ok(own), Ok(ca)) = (parse(&self.der), parse(&ca.der)) else {
            return false;
        };
        own.issuer().as_raw() == ca.subject().as_raw()
            && own.verify_signature(Some(ca.public_key())).is_ok()
    }

    /// Its subject, as it is encoded.
    pub(crate) fn subject_der(&self) -> Vec<u8> {
        // It has been parsed before.
        parse(&self.der).map_or_else(|_| Vec::new(), |x509| x509.subject().as_raw().to_vec())
    }

    pub(crate) fn validity(&self) -> Validity {
        self.validity
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("subject", &self.subject)
            .field("names", &self.names)
            .field("validity", &self.validity)
            .finish_non_exhaustive()
    }
}

/// The only way in which bytes become a certificate here.
pub(crate) fn parse(der: &[u8]) -> Result<X509Certificate<'_>, String> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err("more bytes follow it".to_owned()),
        Err(nom::Err::Error(error) | nom::Err::Failure(error)) => Err(error.to_string()),
        Err(nom::Err::Incomplete(_)) => Err("it ends too early".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::openssl;
    use crate::{CaOptions, SiteOptions, Subject, make_ca};

    fn host(text: &str) -> HostName {
        HostName::parse(text).unwrap()
    }

    #[test]
    fn names_cover_as_clients_match_them() {
        let certificate = make_ca(&CaOptions::default())
            .unwrap()
            .issue(&SiteOptions::new(vec![
                host("registry.lan"),
                host("*.example.com"),
                host("10.0.0.7"),
                host("::1"),
            ]))
            .unwrap()
            .certificate;
        for name in [
            "registry.lan",
            "REGISTRY.LAN.",
            "a.example.com",
            "*.example.com",
            "10.0.0.7",
            "[::1]",
        ] {
            assert!(certificate.covers(&host(name)), "{name}");
        }
        for name in [
            "lan",
            "x.registry.lan",
            "example.com",
            "a.b.example.com",
            "10.0.0.8",
            "::2",
            "*.registry.lan",
        ] {
            assert!(!certificate.covers(&host(name)), "{name}");
        }
        let shown: Vec<_> = certificate.names().iter().map(San::to_string).collect();
        assert_eq!(shown, ["registry.lan", "*.example.com", "10.0.0.7", "::1"]);
    }

    #[test]
    fn days_left_are_whole_and_go_below_zero() {
        let ca = make_ca(&CaOptions {
            days: 10,
            ..CaOptions::default()
        })
        .unwrap();
        let end = ca.certificate().not_after();
        assert_eq!(
            ca.certificate().days_left(end - time::Duration::hours(47)),
            1
        );
        assert_eq!(ca.certificate().days_left(end), 0);
        assert_eq!(
            ca.certificate().days_left(end + time::Duration::days(3)),
            -3
        );
        assert!(!ca.certificate().is_valid_at(end + time::Duration::SECOND));
    }

    #[test]
    fn tells_who_signed_it() {
        // Of one name, so that the signature alone tells them apart.
        let [ca, other] = [(); 2].map(|()| {
            let subject = Subject::of_common_name("CA");
            make_ca(&CaOptions {
                subject,
                ..CaOptions::default()
            })
            .unwrap()
        });
        let site = ca.issue(&SiteOptions::new(vec![host("a.lan")])).unwrap();
        assert!(site.certificate.is_issued_by(ca.certificate()));
        assert!(!site.certificate.is_issued_by(other.certificate()));
        assert!(ca.certificate().is_issued_by(ca.certificate()));
        let stranger = make_ca(&CaOptions::default()).unwrap();
        assert!(!site.certificate.is_issued_by(stranger.certificate()));
        assert!(!ca.certificate().is_issued_by(&site.certificate));
    }

    #[test]
    fn the_fingerprint_is_that_of_openssl() {
        let directory = tempfile::tempdir().unwrap();
        let ca = make_ca(&CaOptions::default()).unwrap();
        fs_err::write(directory.path().join("ca"), ca.certificate_pem()).unwrap();
        let arguments = ["x509", "-in", "ca", "-noout", "-fingerprint", "-sha256"];
        if let Some(shown) = openssl(directory.path(), &arguments) {
            let expected = format!("={}", ca.certificate().fingerprint_sha256());
            assert!(shown.trim().ends_with(&expected), "{shown}");
        }
        let read = Certificate::read(&directory.path().join("ca")).unwrap();
        assert_eq!(read, [ca.certificate().clone()]);
    }

    #[test]
    fn as_pem_it_is_what_was_written() {
        let ca = make_ca(&CaOptions::default()).unwrap();
        assert_eq!(ca.certificate().to_pem(), ca.certificate_pem());
    }

    #[test]
    fn a_damaged_certificate_is_named_by_its_number() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chain");
        let ca = make_ca(&CaOptions::default()).unwrap();
        let damaged = "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n";
        fs_err::write(&path, ca.certificate_pem().to_owned() + damaged).unwrap();
        let error = Certificate::read(&path).unwrap_err();
        let start = format!("`{}`: certificate 2 cannot be read: ", path.display());
        assert!(error.to_string().starts_with(&start), "{error}");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
            let _ = Certificate::from_der(bytes.into());
        }

        #[test]
        fn no_damage_panics(at in any::<proptest::sample::Index>(), byte in any::<u8>()) {
            static DER: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
                let ca = make_ca(&CaOptions::default()).unwrap();
                let names = vec![host("a.lan"), host("::1")];
                ca.issue(&SiteOptions::new(names)).unwrap().certificate.der().to_vec()
            });
            let mut der = DER.clone();
            let at = at.index(der.len());
            der[at] = byte;
            if let Ok(certificate) = Certificate::from_der(der.into()) {
                let _ = certificate.is_issued_by(&certificate);
            }
        }
    }
}
