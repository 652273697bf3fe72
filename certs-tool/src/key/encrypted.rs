//! Private keys under a passphrase: PKCS#8 with PBES2 (RFC 8018 section 6.2).

use std::path::Path;

use pkcs8::EncryptedPrivateKeyInfoOwned;
use pkcs8::der::Encode;
use pkcs8::der::asn1::OctetString;
use pkcs8::pkcs5::{self, EncryptionScheme, pbes2};
use rustls::pki_types::PrivatePkcs8KeyDer;
use zeroize::Zeroizing;

use crate::error::CertsError;
use crate::passphrase::Passphrase;

/// What OWASP recommends for PBKDF2 with HMAC-SHA-256; openssl takes 2,048.
const ITERATIONS: u32 = 600_000;

/// Opens an `EncryptedPrivateKeyInfo`; `path` is for the messages.
pub(super) fn decrypt(
    path: &Path,
    der: &[u8],
    passphrase: &Passphrase,
) -> Result<PrivatePkcs8KeyDer<'static>, CertsError> {
    let wrong = || CertsError::WrongPassphrase {
        path: path.to_owned(),
    };
    let unsupported = |reason: String| CertsError::UnknownEncryption {
        path: path.to_owned(),
        reason,
    };
    let encrypted = EncryptedPrivateKeyInfoOwned::try_from(der)
        .map_err(|_| unsupported("it is neither PBES2 nor PBES1".to_owned()))?;
    let document = encrypted
        .decrypt(passphrase.as_bytes())
        .map_err(|error| match error {
            pkcs8::Error::EncryptedPrivateKey(pkcs5::Error::NoPbes1CryptSupport) => {
                unsupported("PBES1, which is long broken".to_owned())
            }
            pkcs8::Error::EncryptedPrivateKey(
                pkcs5::Error::UnsupportedAlgorithm { oid }
                | pkcs5::Error::AlgorithmParametersInvalid { oid },
            ) => unsupported(format!("algorithm {oid}")),
            // Bad padding, or what came out is no DER: one time in 256 the
            // padding of garbage looks right.
            _ => wrong(),
        })?;
    Ok(PrivatePkcs8KeyDer::from(document.as_bytes().to_vec()))
}

/// Closes a key of PKCS#8, as PEM: AES-256 in CBC mode, since openssl and
/// everybody else read that.
pub(super) fn encrypt(
    der: &[u8],
    passphrase: &Passphrase,
) -> Result<Zeroizing<String>, CertsError> {
    let sealed = seal(der, passphrase).map_err(|reason| CertsError::Crypto {
        what: "encrypt the key",
        reason,
    })?;
    let config = ::pem::EncodeConfig::new().set_line_ending(::pem::LineEnding::LF);
    let pem = ::pem::Pem::new("ENCRYPTED PRIVATE KEY", sealed);
    Ok(Zeroizing::new(::pem::encode_config(&pem, config)))
}

fn seal(der: &[u8], passphrase: &Passphrase) -> Result<Vec<u8>, String> {
    let (salt, iv): ([u8; 16], [u8; 16]) = rand::random();
    let parameters = pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(ITERATIONS, &salt, iv)
        .map_err(|error| error.to_string())?;
    let data = parameters
        .encrypt(passphrase.as_bytes(), der)
        .map_err(|error| error.to_string())?;
    EncryptedPrivateKeyInfoOwned {
        encryption_algorithm: EncryptionScheme::from(parameters),
        encrypted_data: OctetString::new(data).map_err(|error| error.to_string())?,
    }
    .to_der()
    .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use fs_err as fs;
    use proptest::prelude::*;
    use tidegate_failure::Explain as _;

    use super::*;
    use crate::testing::openssl;
    use crate::{Key, KeyKind};

    fn passphrase() -> Passphrase {
        Passphrase::new(b"correct horse").unwrap()
    }

    /// The error's text, without the directory.
    fn refusal(path: &Path, passphrase: &Passphrase) -> String {
        let shown = format!("{}/", path.parent().unwrap().display());
        let error = Key::read_with(path, Some(passphrase)).unwrap_err();
        assert!(!error.to_string().contains("horse"));
        error.to_string().replace(&shown, "")
    }

    #[test]
    fn what_is_closed_here_is_opened_here_and_by_openssl() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        for kind in [KeyKind::EcdsaP256, KeyKind::Ed25519] {
            let key = Key::generate(kind).unwrap();
            let public = key.public_bits().to_vec();
            let closed = key.encrypted(&passphrase()).unwrap();
            assert!(closed.pem().starts_with("-----BEGIN ENCRYPTED PRIVATE KEY"));
            fs::write(&path, closed.pem()).unwrap();

            let opened = Key::read_with(&path, Some(&passphrase())).unwrap();
            assert_eq!(opened.public_bits(), public);
            assert_eq!(
                opened.pem(),
                closed.pem(),
                "what is on the disk stays closed"
            );
            let wrong = Passphrase::new(b"battery staple").unwrap();
            assert_eq!(
                refusal(&path, &wrong),
                "`key`: the passphrase is not that of the private key"
            );
            let none = Key::read(&path).unwrap_err();
            assert!(matches!(none, CertsError::EncryptedKey { .. }), "{none}");

            let check = [
                "pkey",
                "-in",
                "key",
                "-passin",
                "pass:correct horse",
                "-check",
                "-noout",
            ];
            if let Some(text) = openssl(directory.path(), &check) {
                assert!(text.contains("Key is valid"), "{kind}: {text}");
            }
        }
    }

    #[test]
    fn what_openssl_closed_is_opened_or_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        if openssl(at, &["genrsa", "-out", "plain", "2048"]).is_none() {
            return;
        }
        let close = |out: &str, how: &[&str]| {
            let mut all = vec!["pkcs8", "-topk8", "-in", "plain", "-out", out];
            all.extend(["-passout", "pass:correct horse"]);
            all.extend(how);
            openssl(at, &all).unwrap();
        };
        let plain = Key::read(&at.join("plain")).unwrap();
        for (name, how) in [
            ("today", &[][..]),
            ("aes128", &["-v2", "aes-128-cbc"]),
            ("des3", &["-v2", "des3"]),
            ("sha1", &["-v2", "aes256", "-v2prf", "hmacWithSHA1"]),
            ("sha512", &["-v2", "aes256", "-v2prf", "hmacWithSHA512"]),
            ("scrypt", &["-scrypt"]),
        ] {
            close(name, how);
            let opened = Key::read_with(&at.join(name), Some(&passphrase()))
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(opened.public_bits(), plain.public_bits(), "{name}");
        }
        close("pkcs12", &["-v1", "PBE-SHA1-3DES"]);
        let error = Key::read_with(&at.join("pkcs12"), Some(&passphrase())).unwrap_err();
        assert!(
            matches!(error, CertsError::UnknownEncryption { .. }),
            "{error}"
        );
        assert!(error.hint().unwrap().contains("openssl pkcs8 -topk8"));

        let traditional = [
            "rsa",
            "-in",
            "plain",
            "-traditional",
            "-aes256",
            "-passout",
            "pass:correct horse",
            "-out",
            "old",
        ];
        openssl(at, &traditional).unwrap();
        for given in [None, Some(&passphrase())] {
            let error = Key::read_with(&at.join("old"), given).unwrap_err();
            assert!(error.to_string().ends_with("the private key is encrypted in the old way of openssl (`Proc-Type: 4,ENCRYPTED`)"), "{error}");
            // The remedy is one that works.
            let hint = error.hint().unwrap();
            let command = hint.strip_prefix("convert it: openssl ").unwrap();
            let mut words: Vec<_> = command.split(' ').collect();
            words.extend([
                "-passin",
                "pass:correct horse",
                "-passout",
                "pass:correct horse",
            ]);
            openssl(at, &words).unwrap();
            Key::read_with(&at.join("old.p8"), Some(&passphrase())).unwrap();
        }
    }

    #[test]
    fn a_passphrase_that_is_not_needed_does_no_harm() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, Key::generate(KeyKind::EcdsaP256).unwrap().pem()).unwrap();
        Key::read_with(&path, Some(&passphrase())).unwrap();
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
            let _ = decrypt(Path::new("key"), &bytes, &passphrase());
        }
    }
}
