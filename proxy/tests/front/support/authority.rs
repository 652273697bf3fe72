//! A CA for certificates of clients.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use time::OffsetDateTime;

/// A CA, and what it signed.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
    der: CertificateDer<'static>,
}

/// A certificate with its key, as a client has it.
pub(crate) struct Made {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    serial: SerialNumber,
}

impl Clone for Made {
    fn clone(&self) -> Self {
        Self {
            chain: self.chain.clone(),
            key: self.key.clone_key(),
            serial: self.serial.clone(),
        }
    }
}

impl Authority {
    /// A CA that nobody signed.
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = authority(name);
        let certificate = params.self_signed(&key).unwrap();
        Self {
            pem: certificate.pem(),
            der: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    /// A CA whose certificate ended long ago.
    pub(crate) fn ended(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = authority(name);
        params.not_before = rcgen::date_time_ymd(2001, 2, 3);
        params.not_after = rcgen::date_time_ymd(2002, 3, 4);
        let certificate = params.self_signed(&key).unwrap();
        Self {
            pem: certificate.pem(),
            der: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    /// A CA that this one signed.
    pub(crate) fn below(&self, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = authority(name);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Self {
            pem: certificate.pem(),
            der: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    /// A certificate for `name`, good for a client from now on.
    pub(crate) fn sign(&self, name: &str) -> Made {
        self.sign_with(name, |_| {})
    }

    /// A certificate for `name` with something changed.
    pub(crate) fn sign_with(
        &self,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Made {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let serial = SerialNumber::from(rand_serial(name));
        params.serial_number = Some(serial.clone());
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Made {
            chain: vec![certificate.der().clone()],
            key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            serial,
        }
    }

    /// A list of those that are revoked, in PEM; it ends so long from now.
    pub(crate) fn revoking(&self, revoked: &[&Made], ends: Duration) -> String {
        self.list(revoked, OffsetDateTime::now_utc() + ends)
    }

    /// A list that ended yesterday.
    pub(crate) fn ended_list(&self) -> String {
        self.list(&[], OffsetDateTime::now_utc() - time::Duration::days(1))
    }

    fn list(&self, revoked: &[&Made], next_update: OffsetDateTime) -> String {
        let params = CertificateRevocationListParams {
            this_update: OffsetDateTime::now_utc() - time::Duration::days(2),
            next_update,
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked
                .iter()
                .map(|made| RevokedCertParams {
                    serial_number: made.serial.clone(),
                    revocation_time: OffsetDateTime::now_utc(),
                    reason_code: None,
                    invalidity_date: None,
                })
                .collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }

    /// The same certificate, sent along with the CA's own.
    pub(crate) fn along(&self, mut made: Made) -> Made {
        made.chain.push(self.der.clone());
        made
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// Another one for each name.
fn rand_serial(name: &str) -> u64 {
    name.bytes()
        .fold(7, |sum, byte| sum * 31 % 0x7fff_ffff + u64::from(byte))
}
