//! Revocation lists (RFC 5280, section 5).

use std::path::Path;

use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;
use time::OffsetDateTime;
use tracing::warn;
use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use super::error::{ClientCaError, not_pem};

/// When the coming end of a revocation list is told.
const SOON: time::Duration = time::Duration::days(7);

/// Reads a file of them.
///
/// # Errors
/// It holds none, or one that cannot be used.
pub(super) fn read(path: &Path) -> Result<Vec<CertRevocationList<'static>>, ClientCaError> {
    let pem = fs_err::read(path).map_err(ClientCaError::Read)?;
    let ders = CertificateRevocationListDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| not_pem(path, &error))?;
    if ders.is_empty() {
        return Err(ClientCaError::Empty {
            path: path.to_owned(),
            what: "revocation list",
            label: "X509 CRL",
        });
    }
    let mut lists = Vec::with_capacity(ders.len());
    for (index, der) in ders.iter().enumerate() {
        let list = OwnedCertRevocationList::from_der(der).map_err(|error| {
            let (reason, hint) = fault(der, &error);
            ClientCaError::Unusable {
                path: path.to_owned(),
                what: "revocation list",
                number: index + 1,
                reason,
                hint,
            }
        })?;
        warn_of_end(path, der);
        lists.push(list.into());
    }
    Ok(lists)
}

/// What is wrong with a list that cannot be used, and what to do about it. webpki
/// reads those of RFC 5280's profile alone.
fn fault(der: &[u8], error: &webpki::Error) -> (String, Option<&'static str>) {
    const MADE_SO: &str = "`tidegate certs crl` makes one; openssl ca -gencrl does with `-crlexts` \
                           and a section that has `authorityKeyIdentifier = keyid`";
    let Ok((_, list)) = CertificateRevocationList::from_der(der) else {
        return (error.to_string(), None);
    };
    if list.version().is_none() {
        let reason = "it is of version 1, and RFC 5280 (section 5.1.2.1) asks for version 2";
        (reason.to_owned(), Some(MADE_SO))
    } else if list.next_update().is_none() {
        let reason = "it does not say when the next one comes";
        (reason.to_owned(), Some(MADE_SO))
    } else {
        (error.to_string(), None)
    }
}

/// Says it if a list has ended, or will soon.
fn warn_of_end(path: &Path, der: &[u8]) {
    let Ok((_, list)) = CertificateRevocationList::from_der(der) else {
        return;
    };
    let Some(end) = list.next_update().map(|end| end.to_datetime()) else {
        return;
    };
    let path = path.display();
    let left = end - OffsetDateTime::now_utc();
    if left.is_negative() {
        warn!(tls.crl = %path, "the revocation list ended on {}: certificates of its CA are refused until it is replaced", end.date());
    } else if left < SOON {
        warn!(tls.crl = %path, "the revocation list ends on {}: certificates of its CA are refused from then on", end.date());
    }
}
