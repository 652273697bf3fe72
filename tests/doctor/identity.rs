//! Certificates as servers have them, right and wrong.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::NamedTempFile;
use time::{Duration, OffsetDateTime};

/// What a server shows, and the key to it.
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

/// A CA that clients may be told to trust.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: NamedTempFile,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let params = ca_params(name);
        let issuer = CertifiedIssuer::self_signed(params, key()).unwrap();
        Self::of(issuer)
    }

    /// One that this one signed.
    pub(crate) fn intermediate(&self, name: &str) -> Self {
        let issuer = CertifiedIssuer::signed_by(ca_params(name), key(), &self.issuer).unwrap();
        Self::of(issuer)
    }

    fn of(issuer: CertifiedIssuer<'static, KeyPair>) -> Self {
        let file = tempfile::Builder::new().suffix(".crt").tempfile().unwrap();
        fs_err::write(file.path(), issuer.pem()).unwrap();
        Self { issuer, file }
    }

    /// The path of its certificate.
    pub(crate) fn ca(&self) -> &str {
        crate::text(self.file.path())
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// A right certificate for 127.0.0.1 and localhost.
    pub(crate) fn site(&self) -> Identity {
        self.sign(site_params(&["127.0.0.1", "localhost"]))
    }

    pub(crate) fn sign(&self, params: CertificateParams) -> Identity {
        let key = key();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity {
            chain: vec![certificate.der().clone()],
            key: private(&key),
        }
    }
}

/// The one certificate of the simplest recipe, CA and server in one.
pub(crate) fn self_signed() -> (Identity, NamedTempFile) {
    let mut params = ca_params("127.0.0.1");
    params.subject_alt_names = site_params(&["127.0.0.1"]).subject_alt_names;
    let key = key();
    let certificate = params.self_signed(&key).unwrap();
    let file = NamedTempFile::new().unwrap();
    fs_err::write(file.path(), certificate.pem()).unwrap();
    let identity = Identity {
        chain: vec![certificate.der().clone()],
        key: private(&key),
    };
    (identity, file)
}

/// A server's certificate: a year from an hour ago, its first name as common
/// name.
pub(crate) fn site_params(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, "127.0.0.1");
    params.is_ca = IsCa::ExplicitNoCa;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    valid(params, -1, 365)
}

/// Valid from and to so many days from now.
pub(crate) fn valid(mut params: CertificateParams, from: i64, to: i64) -> CertificateParams {
    let now = OffsetDateTime::now_utc();
    params.not_before = now + Duration::days(from);
    params.not_after = now + Duration::days(to);
    params
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    valid(params, -1, 3650)
}

fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}

fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(key.serialize_der()).unwrap()
}
