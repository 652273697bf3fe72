//! Which certificates of a CA no longer count: its revocation list (RFC 5280
//! section 5).
//!
//! The list itself is the database. It is read back, its signature checked, and
//! written anew with a higher number; there is nothing beside it that could say
//! otherwise. A list that openssl made goes on here.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use rcgen::{
    CertificateRevocationListParams, KeyIdMethod, RevocationReason, RevokedCertParams, SerialNumber,
};
use tidegate_failure::Explain;
use time::{Duration, OffsetDateTime};
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::{CertificateRevocationList, RevokedCertificate};

use crate::ca::Ca;
use crate::error::CertsError;
use crate::inspect::{self, Certificate};
use crate::{atomic, pem};

/// The certificates that a CA has revoked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RevocationList {
    /// The number of the list that this was read from.
    number: u128,
    revoked: Vec<Revoked>,
}

/// A certificate that no longer counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// Its serial number.
    pub serial: Serial,
    /// Since when.
    pub at: OffsetDateTime,
    /// Why, if that was said.
    pub reason: Option<Reason>,
}

/// The serial number of a certificate, which its CA gives to one only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serial(Vec<u8>);

/// Why a certificate was revoked (RFC 5280 section 5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason(RevocationReason);

/// A text that names no [`Reason`], or is no [`Serial`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{got}` is {problem}")]
pub struct RevocationError {
    got: String,
    problem: String,
}

impl Explain for RevocationError {}

impl RevocationList {
    /// Reads the list of a CA; an empty one if there is no file yet.
    ///
    /// # Errors
    /// If the file cannot be read, or is not the list of this CA as it was
    /// signed.
    pub fn read(path: &Path, ca: &Certificate) -> Result<Self, CertsError> {
        let bytes = match fs_err::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(CertsError::Read(error)),
        };
        let der = pem::section(&bytes, "X509 CRL").ok_or_else(|| CertsError::NotPem {
            path: path.to_owned(),
            expected: "a revocation list",
            found: pem::found(&bytes),
        })?;
        Self::from_der(&der, ca).map_err(|reason| CertsError::BadRevocationList {
            path: path.to_owned(),
            reason,
        })
    }

    fn from_der(der: &[u8], ca: &Certificate) -> Result<Self, &'static str> {
        let Ok(([], list)) = CertificateRevocationList::from_der(der) else {
            return Err("it cannot be read");
        };
        let issuer = inspect::parse(ca.der()).map_err(|_| "its CA cannot be read")?;
        if list.issuer().as_raw() != issuer.subject().as_raw() {
            return Err("it is the list of another CA");
        }
        list.verify_signature(issuer.public_key())
            .map_err(|_| "its signature is not this CA's")?;
        let number = list.crl_number().map(|number| number.to_bytes_be());
        let number = u128_of(&number.unwrap_or_default()).ok_or("its number is too high")?;
        let revoked = list.iter_revoked_certificates().map(Revoked::of);
        Ok(Self {
            number,
            revoked: revoked.collect::<Result<_, _>>()?,
        })
    }

    /// Revokes a certificate. `None` if that was done before; what was said then
    /// stays.
    pub fn revoke(
        &mut self,
        serial: Serial,
        reason: Option<Reason>,
        at: OffsetDateTime,
    ) -> Option<&Revoked> {
        if self.find(&serial).is_some() {
            return None;
        }
        self.revoked.push(Revoked {
            serial,
            at: at.truncate_to_second(),
            reason,
        });
        self.revoked.last()
    }

    /// What the list says of a certificate.
    #[must_use]
    pub fn find(&self, serial: &Serial) -> Option<&Revoked> {
        self.revoked.iter().find(|entry| entry.serial == *serial)
    }

    /// All that it says.
    #[must_use]
    pub fn revoked(&self) -> &[Revoked] {
        &self.revoked
    }

    /// Signs the list, with the next number, and writes it in one step. Until
    /// `days` are over those who read it need not look for a newer one.
    ///
    /// # Errors
    /// If the CA may not sign lists, the lifetime is out of range, or the disk
    /// fails. Then the old list is there.
    pub fn write(&mut self, path: &Path, ca: &Ca, days: u32) -> Result<(), CertsError> {
        let now = OffsetDateTime::now_utc().truncate_to_second();
        if !(1..=crate::validity::MAX_DAYS).contains(&days) {
            return Err(CertsError::Days { got: days });
        }
        let number = self.number + 1;
        let list = CertificateRevocationListParams {
            this_update: now,
            next_update: now + Duration::days(days.into()),
            crl_number: SerialNumber::from_slice(&positive(&number.to_be_bytes())),
            issuing_distribution_point: None,
            revoked_certs: self.revoked.iter().map(Revoked::to_params).collect(),
            key_identifier_method: key_identifier(ca.certificate()),
        };
        let pem = list
            .signed_by(&ca.issuer)
            .and_then(|list| list.pem())
            .map_err(CertsError::crypto("sign the revocation list"))?;
        atomic::write(path, pem.replace('\r', "").as_bytes(), 0o644, true)?;
        self.number = number;
        Ok(())
    }
}

impl Revoked {
    fn of(entry: &RevokedCertificate<'_>) -> Result<Self, &'static str> {
        Ok(Self {
            serial: Serial::of(entry.raw_serial()),
            at: entry.revocation_date.to_datetime(),
            reason: match entry.reason_code() {
                None => None,
                Some((_, code)) => Some(Reason::of(code.0).ok_or("it gives an unknown reason")?),
            },
        })
    }

    fn to_params(&self) -> RevokedCertParams {
        RevokedCertParams {
            serial_number: SerialNumber::from_slice(&positive(&self.serial.0)),
            revocation_time: self.at,
            reason_code: self.reason.map(|reason| reason.0),
            invalidity_date: None,
        }
    }
}

impl Serial {
    /// Without the zeroes before it, which say nothing.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let zeroes = bytes.iter().take_while(|byte| **byte == 0).count();
        Self(bytes[zeroes..].to_vec())
    }
}

impl FromStr for Serial {
    type Err = RevocationError;

    /// Hexadecimal, with or without colons, as openssl shows it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: String = text.chars().filter(|c| *c != ':').collect();
        let digits = digits.strip_prefix("0x").unwrap_or(&digits);
        let even = if digits.len() % 2 == 1 { "0" } else { "" };
        match hex::decode(format!("{even}{digits}")) {
            Ok(bytes) if (1..=20).contains(&bytes.len()) => Ok(Self::of(&bytes)),
            _ => Err(RevocationError {
                got: text.escape_debug().to_string(),
                problem: "neither a certificate's file nor a serial number in hexadecimal".into(),
            }),
        }
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("00");
        }
        f.write_str(&hex::encode_upper(&self.0))
    }
}

impl Reason {
    /// Every reason that may be given, with its name. "removeFromCRL" is for
    /// other lists than these, and a hold would have to be lifted again.
    const ALL: [(&'static str, RevocationReason); 8] = [
        ("unspecified", RevocationReason::Unspecified),
        ("keyCompromise", RevocationReason::KeyCompromise),
        ("CACompromise", RevocationReason::CaCompromise),
        ("affiliationChanged", RevocationReason::AffiliationChanged),
        ("superseded", RevocationReason::Superseded),
        (
            "cessationOfOperation",
            RevocationReason::CessationOfOperation,
        ),
        ("certificateHold", RevocationReason::CertificateHold),
        ("privilegeWithdrawn", RevocationReason::PrivilegeWithdrawn),
    ];

    fn of(code: u8) -> Option<Self> {
        let known = Self::ALL.into_iter().map(|(_, reason)| reason);
        let more = [
            RevocationReason::RemoveFromCrl,
            RevocationReason::AaCompromise,
        ];
        known
            .chain(more)
            .find(|reason| *reason as u8 == code)
            .map(Self)
    }
}

impl FromStr for Reason {
    type Err = RevocationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text))
            .map(|(_, reason)| Self(reason))
            .ok_or_else(|| RevocationError {
                got: text.escape_debug().to_string(),
                problem: format!(
                    "no reason; expected one of {}",
                    Self::ALL.map(|(name, _)| name).join(", ")
                ),
            })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.into_iter().find(|(_, reason)| *reason == self.0);
        f.write_str(name.map_or("otherwise", |(name, _)| name))
    }
}

impl Certificate {
    /// Its serial number.
    #[must_use]
    pub fn serial(&self) -> Serial {
        // It has been parsed before.
        inspect::parse(self.der())
            .map_or_else(|_| Serial(vec![]), |x509| Serial::of(x509.raw_serial()))
    }
}

/// The identifier that the CA's certificate gives its key: by it readers find
/// the CA (RFC 5280 section 5.2.1).
fn key_identifier(ca: &Certificate) -> KeyIdMethod {
    let own = inspect::parse(ca.der()).ok().and_then(|x509| {
        x509.extensions()
            .iter()
            .find_map(|extension| match extension.parsed_extension() {
                ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
                _ => None,
            })
    });
    own.map_or(KeyIdMethod::Sha256, KeyIdMethod::PreSpecified)
}

/// A number in as few bytes as it needs, its highest bit not set, which would
/// make it negative.
fn positive(bytes: &[u8]) -> Vec<u8> {
    let Serial(mut bytes) = Serial::of(bytes);
    if bytes.first().is_none_or(|byte| *byte >= 0x80) {
        bytes.insert(0, 0);
    }
    bytes
}

fn u128_of(bytes: &[u8]) -> Option<u128> {
    let Serial(bytes) = Serial::of(bytes);
    // One must be left for the next.
    (bytes.len() < 16).then(|| bytes.iter().fold(0, |n, byte| n << 8 | u128::from(*byte)))
}

#[cfg(test)]
mod tests;
