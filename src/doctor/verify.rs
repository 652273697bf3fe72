//! Whether certificates that somebody trusts vouch for a server, as clients
//! judge it.

use std::sync::Arc;

use certs_tool::{Certificate, HostName};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, Error, RootCertStore};
use time::OffsetDateTime;

/// What is to be trusted: the chain that was sent, for a name, at a moment.
#[derive(Clone, Copy)]
pub(super) struct Claim<'a> {
    /// The server's own certificate first.
    pub(super) chain: &'a [Certificate],
    pub(super) host: &'a HostName,
    pub(super) now: OffsetDateTime,
}

/// Why nobody vouches.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Distrust {
    #[error("no certificate was sent")]
    Nothing,
    /// As clients in Go say it, so that it can be found.
    #[error("certificate signed by unknown authority (`{0}`)")]
    UnknownAuthority(String),
    #[error("a certificate of the chain is not valid now")]
    Dates,
    #[error("the certificate is for another name")]
    Name,
    #[error("{0}")]
    Other(String),
}

impl Claim<'_> {
    /// Whether `anchors` vouch for it.
    ///
    /// A server's own certificate may be among them: the one certificate of the
    /// simplest recipe, which clients in Go and with OpenSSL accept then,
    /// whatever it says about being a CA.
    pub(super) fn verify(&self, anchors: &[Certificate]) -> Result<(), Distrust> {
        let (leaf, rest) = self.chain.split_first().ok_or(Distrust::Nothing)?;
        if anchors.contains(leaf) {
            return self.verify_alone(leaf);
        }
        let unknown = || {
            let last = self.chain.last().unwrap_or(leaf);
            Distrust::UnknownAuthority(last.issuer().to_owned())
        };
        let mut roots = RootCertStore::empty();
        // One that is too odd to vouch for anybody does no harm.
        roots.add_parsable_certificates(anchors.iter().map(der));
        if roots.is_empty() || leaf.is_issued_by(leaf) {
            return Err(unknown());
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| Distrust::Other(error.to_string()))?;
        let intermediates: Vec<_> = rest.iter().map(der).collect();
        let seconds = u64::try_from(self.now.unix_timestamp()).unwrap_or_default();
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        verifier
            .verify_server_cert(&der(leaf), &intermediates, &self.server_name()?, &[], now)
            .map(drop)
            .map_err(|error| match error {
                Error::InvalidCertificate(error) => name(error, unknown),
                other => Distrust::Other(other.to_string()),
            })
    }

    fn verify_alone(&self, leaf: &Certificate) -> Result<(), Distrust> {
        match () {
            () if !leaf.is_valid_at(self.now) => Err(Distrust::Dates),
            () if !leaf.covers(self.host) => Err(Distrust::Name),
            () if !leaf.is_for_servers() => Err(Distrust::Other(
                "its extended key usage is not that of a server".to_owned(),
            )),
            () => Ok(()),
        }
    }

    fn server_name(&self) -> Result<ServerName<'static>, Distrust> {
        match self.host.as_ip() {
            Some(address) => Ok(ServerName::from(address)),
            None => ServerName::try_from(self.host.to_string())
                .map_err(|error| Distrust::Other(error.to_string())),
        }
    }
}

fn der(certificate: &Certificate) -> CertificateDer<'_> {
    CertificateDer::from(certificate.der())
}

fn name(error: CertificateError, unknown: impl FnOnce() -> Distrust) -> Distrust {
    match error {
        CertificateError::UnknownIssuer => unknown(),
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Distrust::Dates,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Distrust::Name
        }
        CertificateError::BadSignature => {
            Distrust::Other("a signature in the chain is wrong".to_owned())
        }
        other => Distrust::Other(Error::InvalidCertificate(other).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use certs_tool::{Ca, CaOptions, SiteOptions, make_ca};
    use time::Duration;

    use super::*;

    fn host(text: &str) -> HostName {
        HostName::parse(text).unwrap()
    }

    fn ca() -> Ca {
        make_ca(&CaOptions::default()).unwrap()
    }

    fn verify(
        chain: &[Certificate],
        anchors: &[&Certificate],
        name: &str,
        days_from_now: i64,
    ) -> Result<(), Distrust> {
        let anchors: Vec<_> = anchors.iter().copied().cloned().collect();
        let now = OffsetDateTime::now_utc() + Duration::days(days_from_now);
        let host = host(name);
        Claim {
            chain,
            host: &host,
            now,
        }
        .verify(&anchors)
    }

    #[test]
    fn the_ca_that_signed_vouches_for_its_names_and_its_time() {
        let (ca, other) = (ca(), ca());
        let names = vec![host("registry.lan"), host("10.0.0.7")];
        let site = ca.issue(&SiteOptions::new(names)).unwrap().certificate;
        let chain = [site];
        let own = [other.certificate(), ca.certificate()];
        assert_eq!(verify(&chain, &own, "registry.lan", 0), Ok(()));
        assert_eq!(verify(&chain, &own, "10.0.0.7", 0), Ok(()));
        assert_eq!(verify(&chain, &own, "x.lan", 0), Err(Distrust::Name));
        assert_eq!(verify(&chain, &own, "10.0.0.8", 0), Err(Distrust::Name));
        assert_eq!(verify(&chain, &own, "10.0.0.7", 800), Err(Distrust::Dates));
        assert_eq!(verify(&chain, &own, "10.0.0.7", -1), Err(Distrust::Dates));
        for anchors in [&[][..], &[other.certificate()]] {
            assert!(matches!(
                verify(&chain, anchors, "registry.lan", 0),
                Err(Distrust::UnknownAuthority(issuer)) if issuer == ca.certificate().subject()
            ));
        }
        assert_eq!(verify(&[], &own, "registry.lan", 0), Err(Distrust::Nothing));
    }

    #[test]
    fn a_certificate_that_is_trusted_itself_needs_nobody_else() {
        let (ca, other) = (ca(), ca());
        let names = vec![host("registry.lan")];
        let site = ca.issue(&SiteOptions::new(names)).unwrap().certificate;
        let chain = [site.clone()];
        assert_eq!(verify(&chain, &[&site], "registry.lan", 0), Ok(()));
        assert_eq!(verify(&chain, &[&site], "x.lan", 0), Err(Distrust::Name));
        assert_eq!(
            verify(&chain, &[&site], "registry.lan", 800),
            Err(Distrust::Dates)
        );
        // Signed by itself, and known to nobody.
        let own = [ca.certificate().clone()];
        assert!(matches!(
            verify(&own, &[other.certificate()], "registry.lan", 0),
            Err(Distrust::UnknownAuthority(_))
        ));
    }
}
