//! Certificates in a token, and where they lead (`x5c`, RFC 7515 section 4.1.6).

use std::time::{SystemTime, UNIX_EPOCH};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::error::TokenError;
use super::public_key::{KeyError, PublicKey};

/// How many certificates a token may have.
pub(super) const MOST: usize = 10;

/// Certificates, the leaf first.
pub(super) struct Chain {
    leaf: CertificateDer<'static>,
    intermediates: Vec<CertificateDer<'static>>,
}

impl Chain {
    /// Reads the values of `x5c`, of which there is at least one.
    pub(super) fn read(x5c: &[String]) -> Result<Self, TokenError> {
        let mut certificates = Vec::with_capacity(x5c.len());
        for (index, text) in x5c.iter().enumerate() {
            let der = BASE64_STANDARD
                .decode(text)
                .map_err(|_| TokenError::Certificate {
                    index: index + 1,
                    what: "is not base64",
                })?;
            certificates.push(CertificateDer::from(der));
        }
        let mut certificates = certificates.into_iter();
        let leaf = certificates.next().ok_or(TokenError::NoKey)?;
        Ok(Self {
            leaf,
            intermediates: certificates.collect(),
        })
    }

    /// The key of the leaf.
    pub(super) fn key(&self) -> Result<PublicKey, TokenError> {
        match key_of(&self.leaf) {
            Some(key) => Ok(key?),
            None => Err(TokenError::Certificate {
                index: 1,
                what: "is no certificate",
            }),
        }
    }

    /// Checks that the leaf leads up to one of the anchors: signatures, times,
    /// and who may sign for whom (RFC 5280 section 6). What else the leaf is for
    /// does not count, as it does not in distribution.
    pub(super) fn check(
        &self,
        anchors: &[TrustAnchor<'_>],
        now: SystemTime,
    ) -> Result<(), TokenError> {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        // Some of them show bytes of the certificate.
        let shortened = |text: String| text.chars().take(200).collect();
        let wrong = |error: webpki::Error| TokenError::Chain(shortened(format!("{error:?}")));
        EndEntityCert::try_from(&self.leaf)
            .map_err(wrong)?
            .verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                anchors,
                &self.intermediates,
                UnixTime::since_unix_epoch(since),
                ForAnything,
                None,
                None,
            )
            .map_err(wrong)?;
        Ok(())
    }
}

/// The key of a certificate; `None` if it is no certificate.
pub(super) fn key_of(certificate: &CertificateDer<'_>) -> Option<Result<PublicKey, KeyError>> {
    match X509Certificate::from_der(certificate) {
        Ok(([], read)) => Some(PublicKey::from_spki(read.public_key().raw)),
        _ => None,
    }
}

struct ForAnything;

impl ExtendedKeyUsageValidator for ForAnything {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        for purpose in purposes {
            purpose?;
        }
        Ok(())
    }
}
