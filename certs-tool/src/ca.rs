//! Certificate authorities: made anew, or loaded from the files of an old one.

use std::fmt;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

use crate::error::CertsError;
use crate::files::Pair;
use crate::inspect::{self, Certificate};
use crate::key::{Key, KeyKind};
use crate::passphrase::Passphrase;
use crate::subject::Subject;
use crate::validity::Validity;

/// What a new CA is to be like.
#[derive(Debug, Clone)]
pub struct CaOptions {
    /// Its name. By default `/O=Tidegate/CN=Tidegate CA …` with a random number,
    /// since two CAs of one name confuse those who trust both.
    pub subject: Option<Subject>,
    /// Its key.
    pub key: KeyKind,
    /// For how many days it is valid.
    pub days: u32,
    /// What its key is encrypted with on the disk; by default it is not, and
    /// the mode of its file protects it.
    pub passphrase: Option<Passphrase>,
}

impl Default for CaOptions {
    fn default() -> Self {
        Self {
            subject: None,
            key: KeyKind::default(),
            days: 3650,
            passphrase: None,
        }
    }
}

/// A CA: a certificate that clients trust, and the key that signs for it.
pub struct Ca {
    pub(crate) issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
    /// What a client that knows the root alone needs besides the certificates
    /// that this CA signs: its own and those above it, PEM. Empty for a root.
    pub(crate) chain: String,
    pair: Pair,
}

/// Makes a CA, in memory.
///
/// Its certificate is critical `CA:TRUE` with a path length of 1, which leaves
/// room for an intermediate; its key may sign certificates and CRLs only.
///
/// # Errors
/// If the lifetime is out of range, or the cryptographic library fails.
pub fn make_ca(options: &CaOptions) -> Result<Ca, CertsError> {
    make_ca_at(options, OffsetDateTime::now_utc())
}

pub(crate) fn make_ca_at(options: &CaOptions, now: OffsetDateTime) -> Result<Ca, CertsError> {
    let validity = Validity::new(now, options.days)?;
    let key = Key::generate(options.key)?;
    let subject = match &options.subject {
        Some(subject) => subject.to_distinguished_name(),
        None => default_subject()?.to_distinguished_name(),
    };
    let mut params = CertificateParams::default();
    params.serial_number = Some(random_serial());
    params.not_before = validity.not_before;
    params.not_after = validity.not_after;
    params.distinguished_name = subject;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let made = params
        .self_signed(key.pair())
        .map_err(CertsError::crypto("sign the CA's certificate"))?;
    let certificate = read_back(made.der())?;
    let key = match &options.passphrase {
        Some(passphrase) => key.encrypted(passphrase)?,
        None => key,
    };
    let (key, key_pem) = key.into_parts();
    Ok(Ca {
        issuer: Issuer::new(params, key),
        certificate,
        chain: String::new(),
        pair: Pair {
            certificate: made.pem(),
            key: key_pem,
        },
    })
}

impl Ca {
    /// Loads a CA from its certificate, the first of its file, and its key.
    /// Where the certificate is an intermediate's, those above it may follow in
    /// its file.
    ///
    /// # Errors
    /// If a file cannot be read or used, the two do not belong together, the
    /// certificate is no CA's, is not valid now, or has a subject that would
    /// come out changed in the certificates that it signs.
    pub fn load(cert: &Path, key: &Path) -> Result<Self, CertsError> {
        Self::load_with(cert, key, None)
    }

    /// As [`Ca::load`], with the passphrase of its key.
    ///
    /// # Errors
    /// As [`Ca::load`], or if the passphrase is wrong.
    pub fn load_with(
        cert: &Path,
        key: &Path,
        passphrase: Option<&Passphrase>,
    ) -> Result<Self, CertsError> {
        Self::load_at(cert, key, passphrase, OffsetDateTime::now_utc())
    }

    fn load_at(
        cert: &Path,
        key: &Path,
        passphrase: Option<&Passphrase>,
        now: OffsetDateTime,
    ) -> Result<Self, CertsError> {
        let certificate = Certificate::read_first(cert)?;
        let certificates = Certificate::read(cert)?;
        let certificate_pem = fs_err::read_to_string(cert).map_err(CertsError::Read)?;
        let key_path = key;
        let key = Key::read_with(key_path, passphrase)?;
        if !certificate.matches_key(&key) {
            return Err(CertsError::KeyMismatch {
                cert: cert.to_owned(),
                key: key_path.to_owned(),
            });
        }
        let reason = match () {
            () if !certificate.is_ca() => Some("it is not a CA's (no CA:TRUE)"),
            () if !certificate.may_sign_certificates() => Some("its key usage lacks keyCertSign"),
            () => None,
        };
        if let Some(reason) = reason {
            return Err(CertsError::NotACa {
                path: cert.to_owned(),
                reason,
            });
        }
        certificate.check_valid_at(now, &format!("`{}`", cert.display()))?;
        let (key, key_pem) = key.into_parts();
        let issuer = faithful_issuer(&certificate, key).map_err(|reason| CertsError::Issuer {
            path: cert.to_owned(),
            subject: certificate.subject().to_owned(),
            reason,
        })?;
        Ok(Self {
            issuer,
            chain: chain_above(&certificate, &certificates),
            certificate,
            pair: Pair {
                certificate: certificate_pem,
                key: key_pem,
            },
        })
    }

    /// Its certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Its certificate, PEM: what clients are given.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.pair.certificate
    }

    /// Certificate and key, for [`write_pair`](crate::write_pair).
    #[must_use]
    pub fn pair(&self) -> &Pair {
        &self.pair
    }
}

impl fmt::Debug for Ca {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ca")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

impl Certificate {
    pub(crate) fn check_valid_at(
        &self,
        now: OffsetDateTime,
        shown: &str,
    ) -> Result<(), CertsError> {
        if self.is_valid_at(now) {
            return Ok(());
        }
        Err(CertsError::NotValidNow {
            certificate: shown.to_owned(),
            not_before: self.not_before(),
            not_after: self.not_after(),
        })
    }
}

/// An intermediate's certificate and those above it, as far as they are there, up
/// to the root, which whoever trusts it has. PEM; empty for a root.
fn chain_above(ca: &Certificate, known: &[Certificate]) -> String {
    let mut chain = Vec::new();
    let mut next = Some(ca);
    while let Some(certificate) = next {
        let is_root = certificate.is_issued_by(certificate);
        // Certificates that sign each other in a circle end it as well.
        if is_root || chain.contains(&certificate) {
            break;
        }
        chain.push(certificate);
        next = known.iter().find(|ca| certificate.is_issued_by(ca));
    }
    chain.into_iter().map(Certificate::to_pem).collect()
}

/// What was just made; that it cannot be read would be a fault of the library.
pub(crate) fn read_back(der: &CertificateDer<'static>) -> Result<Certificate, CertsError> {
    Certificate::from_der(der.clone()).map_err(|reason| CertsError::Crypto {
        what: "read the certificate that was made",
        reason,
    })
}

/// A positive number of 128 bits, 126 of them random: a serial must be unique
/// for a CA and should not be foreseen (RFC 5280 section 4.1.2.2).
pub(crate) fn random_serial() -> SerialNumber {
    let mut bytes: [u8; 16] = rand::random();
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&bytes)
}

fn default_subject() -> Result<Subject, CertsError> {
    let text = format!("/O=Tidegate/CN=Tidegate CA {:08X}", rand::random::<u32>());
    Subject::parse(&text).map_err(|error| CertsError::Crypto {
        what: "name the CA",
        reason: error.to_string(),
    })
}

/// An issuer that writes the subject of `certificate` byte for byte, or what
/// stands against it: clients find the CA by comparing these bytes.
fn faithful_issuer(
    certificate: &Certificate,
    key: KeyPair,
) -> Result<Issuer<'static, KeyPair>, &'static str> {
    const OTHER: &str = "an attribute of an unusual kind";
    let x509 = inspect::parse(certificate.der()).map_err(|_| OTHER)?;
    let mut seen = Vec::new();
    for rdn in x509.subject().iter() {
        let mut attributes = rdn.iter();
        let (Some(attribute), None) = (attributes.next(), attributes.next()) else {
            return Err("several attributes joined into one (`+`)");
        };
        if seen.contains(attribute.attr_type()) {
            return Err("an attribute that comes up twice");
        }
        seen.push(attribute.attr_type().clone());
    }
    if seen.is_empty() {
        return Err("no attributes");
    }
    let der = CertificateDer::from(certificate.der());
    let issuer = Issuer::from_ca_cert_der(&der, key).map_err(|_| OTHER)?;
    // Whatever else there may be, such as strings of an old encoding, shows when
    // the issuer signs something.
    let probe = CertificateParams::default()
        .signed_by(issuer.key(), &issuer)
        .map_err(|_| OTHER)?;
    let written = inspect::parse(probe.der()).map_err(|_| OTHER)?;
    if written.issuer().as_raw() != x509.subject().as_raw() {
        return Err(OTHER);
    }
    Ok(issuer)
}

#[cfg(test)]
mod tests;
