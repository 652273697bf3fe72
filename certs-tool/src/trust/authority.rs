//! What clients are to trust, checked before it is given to any of them.

use std::path::Path;

use time::OffsetDateTime;

use super::error::TrustError;
use crate::inspect::Certificate;

/// One or more CA certificates.
#[derive(Debug, Clone)]
pub struct Authority {
    certificates: Vec<Certificate>,
}

impl Authority {
    /// Reads the certificates of a PEM file.
    ///
    /// # Errors
    /// If the file holds a private key, which must not be handed out, or a
    /// certificate that is no authority or is not valid now.
    pub fn read(path: &Path) -> Result<Self, TrustError> {
        let certificates = Certificate::read(path)?;
        let refuse = |reason: String, hint| {
            Err(TrustError::NotAnAuthority {
                path: path.to_owned(),
                reason,
                hint,
            })
        };
        let text = fs_err::read(path).map_err(TrustError::Read)?;
        if String::from_utf8_lossy(&text).contains("PRIVATE KEY-----") {
            return refuse(
                "it holds a private key, which no client may have".to_owned(),
                "give the file with the certificate alone",
            );
        }
        let now = OffsetDateTime::now_utc();
        for certificate in &certificates {
            let subject = certificate.subject();
            if !certificate.is_ca() && !certificate.is_issued_by(certificate) {
                return refuse(
                    format!("`{subject}` is the certificate of a site, not of a CA"),
                    "give the certificate of the CA that signed it, as root-ca.crt",
                );
            }
            if !certificate.is_valid_at(now) {
                let (from, to) = (certificate.not_before(), certificate.not_after());
                return refuse(
                    format!(
                        "`{subject}` is valid from {} to {} only",
                        from.date(),
                        to.date()
                    ),
                    "see that the clock is right; if it is, a new CA has to be made",
                );
            }
        }
        Ok(Self { certificates })
    }

    /// The certificates.
    #[must_use]
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The certificates and nothing else, PEM.
    pub(super) fn to_pem(&self) -> String {
        self.certificates.iter().map(Certificate::to_pem).collect()
    }
}
