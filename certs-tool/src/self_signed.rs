//! The one-certificate recipe: a server's certificate that is its own CA.

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};
use time::OffsetDateTime;

use crate::ca::{random_serial, read_back};
use crate::error::CertsError;
use crate::files::Pair;
use crate::key::Key;
use crate::site::{Issued, SiteOptions, alternative_names, subject_for};
use crate::validity::Validity;

/// Makes a certificate that a server shows and that clients trust as it is.
///
/// It is critical `CA:TRUE` with a path length of 0, and for server
/// authentication: its key may sign handshakes and certificates. OpenSSL and Go
/// take it as server's certificate and as anchor, and so docker, podman and
/// curl; rustls does not: webpki accepts no CA as a server (RFC 5280 leaves that
/// open). For clients in Rust, and to be able to renew without touching the
/// clients, use a CA and [`Ca::issue`](crate::Ca::issue).
///
/// # Errors
/// If there is no name, the lifetime is out of range, or the cryptographic
/// library fails.
pub fn self_signed(options: &SiteOptions) -> Result<Issued, CertsError> {
    self_signed_at(options, OffsetDateTime::now_utc())
}

fn self_signed_at(options: &SiteOptions, now: OffsetDateTime) -> Result<Issued, CertsError> {
    let first = options.names.first().ok_or(CertsError::NoNames)?;
    let validity = Validity::new(now, options.days)?;
    let key = Key::generate(options.key)?;
    let mut params = CertificateParams::default();
    params.serial_number = Some(random_serial());
    params.not_before = validity.not_before;
    params.not_after = validity.not_after;
    params.distinguished_name = subject_for(options.subject.as_ref(), first);
    if params.distinguished_name.iter().next().is_none() {
        // A CA without a name is none (RFC 5280 section 4.1.2.6).
        return Err(CertsError::NoSubject {
            name: first.to_string(),
        });
    }
    params.subject_alt_names = alternative_names(&options.names)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyCertSign,
    ];
    if key.is_rsa() {
        params.key_usages.push(KeyUsagePurpose::KeyEncipherment);
    }
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let made = params
        .self_signed(key.pair())
        .map_err(CertsError::crypto("sign the certificate"))?;
    Ok(Issued {
        certificate: read_back(made.der())?,
        shortened: false,
        pair: Pair {
            certificate: made.pem(),
            key: key.into_parts().1,
        },
    })
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::{HostName, KeyKind, Subject, inspect};

    fn options(name: &str) -> SiteOptions {
        SiteOptions::new(vec![HostName::parse(name).unwrap()])
    }

    #[test]
    fn is_a_ca_and_a_server_at_once() {
        for kind in [KeyKind::EcdsaP256, KeyKind::Rsa2048] {
            let mut options = options("registry.lan");
            options.key = kind;
            options.days = 365;
            let made = self_signed_at(&options, datetime!(2026-01-31 12:00 UTC)).unwrap();
            let certificate = &made.certificate;
            assert!(certificate.is_issued_by(certificate));
            assert!(certificate.is_ca() && certificate.may_sign_certificates());
            assert!(certificate.is_for_servers() && !certificate.is_for_clients());
            assert!(certificate.covers(&options.names[0]));
            assert_eq!(certificate.subject(), "CN=registry.lan");
            assert_eq!(certificate.not_after(), datetime!(2027-01-31 12:00 UTC));
            let x509 = inspect::parse(certificate.der()).unwrap();
            let usage = x509.key_usage().unwrap().unwrap();
            let expected = match kind {
                KeyKind::Rsa2048 => "Digital Signature, Key Encipherment, Key Cert Sign",
                _ => "Digital Signature, Key Cert Sign",
            };
            assert!(usage.critical);
            assert_eq!(usage.value.to_string(), expected);
            let basic = x509.basic_constraints().unwrap().unwrap();
            assert!(basic.critical);
            assert_eq!(basic.value.path_len_constraint, Some(0));
        }
    }

    #[test]
    fn a_name_too_long_for_its_subject_needs_another() {
        let mut options = options(&format!("{}.example.com", "a".repeat(60)));
        let error = self_signed(&options).unwrap_err();
        assert!(matches!(error, CertsError::NoSubject { .. }), "{error}");
        options.subject = Subject::of_common_name("registry");
        assert!(self_signed(&options).is_ok());
    }
}
