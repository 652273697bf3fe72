//! PEM files (RFC 7468): certificates and private keys, and what else was found
//! where one of these was expected.

use std::path::Path;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::error::CertsError;

/// Every certificate of a file, in order; at least one.
pub(crate) fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertsError> {
    let bytes = fs_err::read(path).map_err(CertsError::Read)?;
    let certificates = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| not_pem(path, "a certificate", reason(&error, &bytes)))?;
    if certificates.is_empty() {
        return Err(not_pem(path, "a certificate", found(&bytes)));
    }
    Ok(certificates)
}

/// The first request of a file.
pub(crate) fn read_request(
    path: &Path,
) -> Result<CertificateSigningRequestDer<'static>, CertsError> {
    const EXPECTED: &str = "a certificate request";
    let bytes = fs_err::read(path).map_err(CertsError::Read)?;
    // As Microsoft's tools and old versions of openssl call it (RFC 7468
    // section 7).
    let text = String::from_utf8_lossy(&bytes)
        .replace("BEGIN NEW CERTIFICATE REQUEST", "BEGIN CERTIFICATE REQUEST")
        .replace("END NEW CERTIFICATE REQUEST", "END CERTIFICATE REQUEST");
    CertificateSigningRequestDer::from_pem_slice(text.as_bytes())
        .map_err(|error| not_pem(path, EXPECTED, reason(&error, &bytes)))
}

/// What a private key is in a file.
pub(crate) enum KeySection {
    /// PKCS#8, PKCS#1 or SEC1.
    Plain(PrivateKeyDer<'static>),
    /// The `EncryptedPrivateKeyInfo` of PKCS#8 (RFC 5958 section 3).
    Encrypted(Vec<u8>),
}

/// The first private key of a file, and the text of the file.
pub(crate) fn read_key(path: &Path) -> Result<(KeySection, Zeroizing<String>), CertsError> {
    let bytes = Zeroizing::new(fs_err::read(path).map_err(CertsError::Read)?);
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return Err(not_pem(path, "a private key", found(&bytes)));
    };
    if text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(CertsError::OldEncryptedKey {
            path: path.to_owned(),
        });
    }
    let key = match encrypted_section(text) {
        Some(Ok(der)) => KeySection::Encrypted(der),
        Some(Err(damage)) => {
            return Err(not_pem(path, "a private key", damage.to_owned()));
        }
        None => PrivateKeyDer::from_pem_slice(&bytes)
            .map(KeySection::Plain)
            .map_err(|error| not_pem(path, "a private key", reason(&error, &bytes)))?,
    };
    Ok((key, Zeroizing::new(text.to_owned())))
}

/// The content of the first section with this label.
pub(crate) fn section(bytes: &[u8], label: &str) -> Option<Vec<u8>> {
    let sections = ::pem::parse_many(bytes).ok()?;
    let wanted = sections
        .into_iter()
        .find(|section| section.tag() == label)?;
    Some(wanted.into_contents())
}

/// The content of an encrypted key, or why it has none.
fn encrypted_section(text: &str) -> Option<Result<Vec<u8>, &'static str>> {
    const BEGIN: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
    const END: &str = "-----END ENCRYPTED PRIVATE KEY-----";
    let (_, rest) = text.split_once(BEGIN)?;
    let Some((body, _)) = rest.split_once(END) else {
        return Some(Err("a section without end"));
    };
    let section = [BEGIN, body, END].concat();
    let content = ::pem::parse(section).map(::pem::Pem::into_contents);
    Some(content.map_err(|_| "damaged base64"))
}

fn not_pem(path: &Path, expected: &'static str, found: String) -> CertsError {
    CertsError::NotPem {
        path: path.to_owned(),
        expected,
        found,
    }
}

/// Without the content: it may be part of a key.
fn reason(error: &pem::Error, bytes: &[u8]) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a section without end".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "a damaged `-----BEGIN` line".to_owned(),
        pem::Error::Base64Decode(_) => "damaged base64".to_owned(),
        pem::Error::SectionTooLarge => "a section of more than 256 MB".to_owned(),
        _ => found(bytes),
    }
}

/// The kinds of things in a file that holds none of those looked for.
pub(crate) fn found(bytes: &[u8]) -> String {
    let labels: Vec<_> = String::from_utf8_lossy(bytes)
        .lines()
        .filter_map(|line| {
            line.trim()
                .strip_prefix("-----BEGIN ")?
                .strip_suffix("-----")
        })
        .filter(|label| label.len() < 40 && !label.contains(char::is_control))
        .map(|label| format!("`{label}`"))
        .collect();
    match bytes {
        _ if !labels.is_empty() => labels.join(", "),
        [] => "an empty file".to_owned(),
        // A SEQUENCE with a length of two bytes or more.
        [0x30, 0x81..=0x84, ..] => "DER".to_owned(),
        _ => "something else".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The message for a file with this content, read as certificate and as key.
    fn messages(content: &[u8]) -> [String; 2] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        fs_err::write(&path, content).unwrap();
        let shown = format!("`{}`: ", path.display());
        [
            read_certificates(&path).map(|_| ()).unwrap_err(),
            read_key(&path).map(|_| ()).unwrap_err(),
        ]
        .map(|error| error.to_string().replace(&shown, ""))
    }

    #[test]
    fn says_what_is_there_instead() {
        for (content, found) in [
            (&b""[..], "an empty file"),
            (b"hello", "something else"),
            (b"\x30\x82\x01\x00", "DER"),
            (
                b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
                "`PUBLIC KEY`",
            ),
            (
                b"-----BEGIN CERTIFICATE-----\nAAAA\n",
                "a section without end",
            ),
        ] {
            let [cert, key] = messages(content);
            assert_eq!(
                cert,
                format!("expected a certificate in PEM, found {found}")
            );
            assert_eq!(key, format!("expected a private key in PEM, found {found}"));
        }
        let damaged = b"-----BEGIN CERTIFICATE-----\n*SECRET*\n-----END CERTIFICATE-----\n";
        assert_eq!(
            messages(damaged)[0],
            "expected a certificate in PEM, found damaged base64"
        );
    }

    #[test]
    fn encrypted_keys_are_named_as_such() {
        let old = b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        assert_eq!(
            messages(old)[1],
            "the private key is encrypted in the old way of openssl (`Proc-Type: 4,ENCRYPTED`)"
        );
        for (content, found) in [
            (
                &b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA"[..],
                "a section without end",
            ),
            (
                b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n*\n-----END ENCRYPTED PRIVATE KEY-----\n",
                "damaged base64",
            ),
        ] {
            assert_eq!(
                messages(content)[1],
                format!("expected a private key in PEM, found {found}")
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn never_panics(bytes in any::<Vec<u8>>(), text in "(-----BEGIN (CERTIFICATE|(ENCRYPTED )?PRIVATE KEY)-----\\n)?[A-Za-z0-9+/=\\n-]{0,40}(-----END ENCRYPTED PRIVATE KEY-----)?") {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("f");
            for content in [&bytes[..], text.as_bytes()] {
                fs_err::write(&path, content).unwrap();
                let _ = (read_certificates(&path), read_key(&path).map(|_| ()));
            }
        }
    }
}
