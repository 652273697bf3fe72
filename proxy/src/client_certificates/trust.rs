//! Whose signatures under certificates of clients count, and which of these were
//! revoked.

use std::path::PathBuf;
use std::time::Duration;

use rustls::DistinguishedName;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use tidegate_config::{ClientAuth, VerifyClient};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, RevocationOptionsBuilder,
};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::error::{ClientCaError, not_pem};
use super::lists;
use super::rejection::Rejection;

/// What the files of a demand held when they were read.
pub(super) struct Trust {
    anchors: Vec<TrustAnchor<'static>>,
    /// From when until when each of them is valid, in seconds since 1970.
    spans: Vec<[i64; 2]>,
    lists: Vec<CertRevocationList<'static>>,
    depth: Option<u8>,
    /// Whether there have to be lists: then what they say nothing of is refused.
    is_revocation_checked: bool,
    /// The names that clients are told.
    pub(super) names: Vec<DistinguishedName>,
    algorithms: &'static [&'static dyn SignatureVerificationAlgorithm],
}

impl Trust {
    /// Reads the files of a demand.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub(super) fn load(
        settings: &ClientAuth,
        algorithms: &'static [&'static dyn SignatureVerificationAlgorithm],
    ) -> Result<Self, ClientCaError> {
        let mut authorities = authorities(&settings.ca)?;
        let names = authorities
            .iter()
            .map(|(anchor, _)| DistinguishedName::in_sequence(&anchor.subject))
            .collect();
        authorities.extend(self::authorities(&settings.trusted)?);
        let (anchors, spans) = authorities.into_iter().unzip();
        let lists = match &settings.crl {
            Some(path) => lists::read(path)?,
            None => Vec::new(),
        };
        Ok(Self {
            anchors,
            spans,
            is_revocation_checked: settings.crl.is_some(),
            lists,
            depth: settings.depth,
            names,
            algorithms,
        })
    }

    /// Whether the first certificate of `chain` is good for a client at `now`; the
    /// others are those that it sent along.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn verify(
        &self,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Rejection> {
        let Some((leaf, others)) = chain.split_first() else {
            return Err(Rejection::Missing);
        };
        let lists: Vec<_> = self.lists.iter().collect();
        let revocation = match RevocationOptionsBuilder::new(&lists) {
            // A list that has ended says nothing of who was revoked since: whoever
            // keeps its successor away would keep a stolen certificate alive.
            // nginx and Apache refuse then as well. All of the chain is looked at,
            // and what no list is about is refused (the defaults).
            Ok(options) => Some(
                options
                    .with_expiration_policy(ExpirationPolicy::Enforce)
                    .build(),
            ),
            Err(_) if self.is_revocation_checked => return Err(Rejection::RevocationUnknown),
            Err(_) => None,
        };
        let fits = |path: &webpki::VerifiedPath<'_>| match self.depth {
            Some(most) if path.intermediate_certificates().count() > usize::from(most) => {
                Err(webpki::Error::MaximumPathDepthExceeded)
            }
            _ => self.is_in_its_time(path.anchor(), now),
        };
        let certificate = EndEntityCert::try_from(leaf).map_err(Rejection::of)?;
        certificate
            .verify_for_usage(
                self.algorithms,
                &self.anchors,
                others,
                now,
                KeyUsage::client_auth(),
                revocation,
                Some(&fits),
            )
            .map(drop)
            .map_err(Rejection::of)
    }

    /// A trust anchor is a name and a key (RFC 5280, section 6.1.1); the dates of
    /// the certificate that it came from are ours to look at.
    fn is_in_its_time(&self, anchor: &TrustAnchor<'_>, now: UnixTime) -> Result<(), webpki::Error> {
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let unix = |at: i64| UnixTime::since_unix_epoch(Duration::from_secs(at.unsigned_abs()));
        let known = self.anchors.iter().zip(&self.spans);
        let mut spans = known.filter(|(known, _)| *known == anchor).map(|(_, s)| *s);
        if spans
            .clone()
            .any(|[from, until]| (from..=until).contains(&seconds))
        {
            return Ok(());
        }
        match spans.next() {
            Some([from, _]) if seconds < from => Err(webpki::Error::CertNotValidYet {
                time: now,
                not_before: unix(from),
            }),
            Some([_, until]) => Err(webpki::Error::CertExpired {
                time: now,
                not_after: unix(until),
            }),
            None => Err(webpki::Error::UnknownIssuer),
        }
    }
}

/// What [`VerifyClient`] makes of a rejection.
pub(super) fn tolerates(verify: VerifyClient, rejection: &Rejection) -> bool {
    match verify {
        VerifyClient::Full => false,
        VerifyClient::AnyIssuer => {
            matches!(rejection, Rejection::UnknownIssuer | Rejection::OfCa)
        }
        VerifyClient::Nothing => *rejection != Rejection::Missing,
    }
}

type Authority = (TrustAnchor<'static>, [i64; 2]);

fn authorities(files: &[PathBuf]) -> Result<Vec<Authority>, ClientCaError> {
    let mut authorities = Vec::new();
    for path in files {
        let pem = fs_err::read(path).map_err(ClientCaError::Read)?;
        let certificates = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| not_pem(path, &error))?;
        if certificates.is_empty() {
            return Err(ClientCaError::Empty {
                path: path.clone(),
                what: "certificate",
                label: "CERTIFICATE",
            });
        }
        for (index, certificate) in certificates.iter().enumerate() {
            let unusable = |reason: String| ClientCaError::Unusable {
                path: path.clone(),
                what: "certificate",
                number: index + 1,
                reason,
                hint: None,
            };
            let anchor = webpki::anchor_from_trusted_cert(certificate)
                .map_err(|error| unusable(error.to_string()))?;
            let (_, parsed) = X509Certificate::from_der(certificate)
                .map_err(|error| unusable(error.to_string()))?;
            let validity = parsed.validity();
            let span = [validity.not_before, validity.not_after].map(|at| at.timestamp());
            authorities.push((anchor.to_owned(), span));
        }
    }
    Ok(authorities)
}
