//! A certificate, its key and its chain in one file with a password (PKCS#12,
//! RFC 7292), as Java, Windows and browsers take them.

use p12_keystore::{
    EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm, PrivateKey, PrivateKeyChain,
};
use sha2::{Digest as _, Sha256};

use crate::error::CertsError;
use crate::inspect::Certificate;
use crate::key::Key;

/// How the file is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum P12Encryption {
    /// AES-256, with SHA-256 for the rest.
    #[default]
    Modern,
    /// Triple DES and SHA-1, for Windows before Server 2019, macOS before 15 and
    /// Java before 8u301, which know nothing else. Weak.
    Legacy,
}

/// Rounds of the derivation of keys from the password; readers have to go
/// through them once.
const ITERATIONS: u32 = 100_000;

/// Makes such a file, in memory. `chain` begins with the certificate of the key;
/// `name` is what programs show for it.
///
/// # Errors
/// If the key is not that of the first certificate, or cannot be written.
pub fn p12(
    name: &str,
    key: &Key,
    chain: &[Certificate],
    password: &str,
    encryption: P12Encryption,
) -> Result<Vec<u8>, CertsError> {
    let failed = |error: p12_keystore::error::Error| CertsError::Crypto {
        what: "write PKCS#12",
        reason: error.to_string(),
    };
    let private = PrivateKey::from_der(&key.pkcs8_der()).map_err(failed)?;
    let certificates = chain
        .iter()
        .map(|certificate| p12_keystore::Certificate::from_der(certificate.der()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    // By it readers join the key to its certificate.
    let id = chain
        .first()
        .map(|leaf| Sha256::digest(leaf.der()).to_vec())
        .unwrap_or_default();
    let mut store = KeyStore::new();
    store.add_entry(
        name,
        KeyStoreEntry::PrivateKeyChain(PrivateKeyChain::new(id, private, certificates)),
    );
    let (cipher, mac) = match encryption {
        P12Encryption::Modern => (
            EncryptionAlgorithm::PbeWithHmacSha256AndAes256,
            MacAlgorithm::HmacSha256,
        ),
        P12Encryption::Legacy => (
            EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc,
            MacAlgorithm::HmacSha1,
        ),
    };
    store
        .writer(password)
        .encryption_algorithm(cipher)
        .encryption_iterations(ITERATIONS)
        .mac_algorithm(mac)
        .mac_iterations(ITERATIONS)
        .write()
        .map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{CAS, openssl};
    use crate::{HostName, SiteOptions};

    #[test]
    fn keys_in_the_forms_of_old_are_taken() {
        let directory = tempfile::tempdir().unwrap();
        for make in [
            &["genrsa", "-traditional", "-out", "key", "2048"][..],
            &[
                "ecparam",
                "-genkey",
                "-name",
                "prime256v1",
                "-noout",
                "-out",
                "key",
            ],
        ] {
            if openssl(directory.path(), make).is_none() {
                return;
            }
            let request = [
                "req", "-x509", "-key", "key", "-subj", "/CN=a", "-out", "crt",
            ];
            openssl(directory.path(), &request);
            let key = Key::read(&directory.path().join("key")).unwrap();
            let chain = Certificate::read(&directory.path().join("crt")).unwrap();
            let made = p12("a", &key, &chain, "x", P12Encryption::Modern).unwrap();
            fs_err::write(directory.path().join("p12"), made).unwrap();
            let show = ["pkcs12", "-in", "p12", "-passin", "pass:x", "-noout"];
            openssl(directory.path(), &show);
        }
    }

    #[test]
    fn openssl_reads_key_and_chain_of_every_kind() {
        for (kind, ca) in CAS.iter() {
            let mut options = SiteOptions::new(vec![HostName::parse("a.lan").unwrap()]);
            options.key = *kind;
            let issued = ca.issue(&options).unwrap();
            let directory = tempfile::tempdir().unwrap();
            let at = |name: &str| directory.path().join(name);
            fs_err::write(at("key"), issued.pair.key.as_str()).unwrap();
            let key = Key::read(&at("key")).unwrap();
            let chain = [issued.certificate.clone(), ca.certificate().clone()];
            for encryption in [P12Encryption::Modern, P12Encryption::Legacy] {
                let made = p12("a.lan", &key, &chain, "sëcret", encryption).unwrap();
                fs_err::write(at("p12"), made).unwrap();
                let mut show = vec!["pkcs12", "-in", "p12", "-passin", "pass:sëcret", "-nodes"];
                if encryption == P12Encryption::Legacy {
                    show.push("-legacy");
                }
                let Some(text) = openssl(directory.path(), &show) else {
                    return;
                };
                assert!(text.contains("friendlyName: a.lan"), "{kind}: {text}");
                assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 2, "{kind}");
                fs_err::write(at("out"), &text).unwrap();
                assert_eq!(
                    Key::read(&at("out")).unwrap().public_bits(),
                    key.public_bits()
                );
                let first = Certificate::read(&at("out")).unwrap();
                assert!(first.contains(&issued.certificate));
            }
        }
    }
}
