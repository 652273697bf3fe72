//! Private keys: made, read, and told apart.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING,
    EcdsaKeyPair, Ed25519KeyPair,
};
use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, PKCS_RSA_SHA384,
    PKCS_RSA_SHA512, RsaKeySize,
};
use zeroize::Zeroizing;

use crate::error::CertsError;
use crate::passphrase::Passphrase;
use crate::pem::{self, KeySection};

mod encrypted;

/// The kinds of keys that can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyKind {
    /// The default: every client knows it, and a server signs with it many times
    /// as fast as with RSA.
    #[default]
    EcdsaP256,
    /// Stronger than P-256, and several times slower.
    EcdsaP384,
    /// For clients that know nothing newer.
    Rsa2048,
    /// What most recipes for openssl make; slow to sign with.
    Rsa4096,
    /// Fast, but unknown to browsers and to some clients.
    Ed25519,
}

/// A text that names no [`KeyKind`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{got}` is no kind of key; expected one of {}", KeyKind::ALL.map(KeyKind::name).join(", "))]
pub struct UnknownKeyKind {
    got: String,
}

impl KeyKind {
    /// Every kind, the default first.
    pub const ALL: [Self; 5] = [
        Self::EcdsaP256,
        Self::EcdsaP384,
        Self::Rsa2048,
        Self::Rsa4096,
        Self::Ed25519,
    ];

    /// What [`Key::read`] takes.
    pub(crate) const READABLE: &'static str =
        "ECDSA (P-256, P-384, P-521), RSA (2048 bits or more) or Ed25519";

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ecdsa-p256",
            Self::EcdsaP384 => "ecdsa-p384",
            Self::Rsa2048 => "rsa-2048",
            Self::Rsa4096 => "rsa-4096",
            Self::Ed25519 => "ed25519",
        }
    }
}

impl FromStr for KeyKind {
    type Err = UnknownKeyKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| UnknownKeyKind {
                got: text.to_owned(),
            })
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A private key.
pub struct Key {
    pair: KeyPair,
    pem: Zeroizing<String>,
}

impl Key {
    /// Makes a key.
    ///
    /// # Errors
    /// If the cryptographic library has no random numbers.
    pub fn generate(kind: KeyKind) -> Result<Self, CertsError> {
        let pair = match kind {
            KeyKind::EcdsaP256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            KeyKind::EcdsaP384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
            KeyKind::Rsa2048 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
            KeyKind::Rsa4096 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_4096),
            KeyKind::Ed25519 => generate_ed25519(),
        }
        .map_err(CertsError::crypto("make a key"))?;
        let pem = Zeroizing::new(pair.serialize_pem());
        Ok(Self { pair, pem })
    }

    /// Reads the first private key of a PEM file: PKCS#8, PKCS#1 or SEC1.
    ///
    /// # Errors
    /// If the file cannot be read or holds no key, or the key is encrypted or
    /// of another kind.
    pub fn read(path: &Path) -> Result<Self, CertsError> {
        Self::read_with(path, None)
    }

    /// As [`Key::read`], and opens it if it is encrypted: PKCS#8 with PBES2, the
    /// `ENCRYPTED PRIVATE KEY` of openssl since 1.0.
    ///
    /// # Errors
    /// As [`Key::read`], or if the passphrase is wrong or the encryption of
    /// another kind.
    pub fn read_with(path: &Path, passphrase: Option<&Passphrase>) -> Result<Self, CertsError> {
        let (section, pem) = pem::read_key(path)?;
        let der = match (section, passphrase) {
            (KeySection::Plain(der), _) => der,
            (KeySection::Encrypted(der), Some(passphrase)) => {
                encrypted::decrypt(path, &der, passphrase)?.into()
            }
            (KeySection::Encrypted(_), None) => {
                return Err(CertsError::EncryptedKey {
                    path: path.to_owned(),
                });
            }
        };
        let pair = KeyPair::try_from(&der).map_err(|_| CertsError::BadKey {
            path: path.to_owned(),
        })?;
        Ok(Self { pair, pem })
    }

    /// The same key, of which [`Key::pem`] is encrypted.
    ///
    /// # Errors
    /// If the cryptographic library fails.
    pub fn encrypted(self, passphrase: &Passphrase) -> Result<Self, CertsError> {
        let der = Zeroizing::new(self.pair.serialize_der());
        let pem = encrypted::encrypt(&der, passphrase)?;
        Ok(Self { pem, ..self })
    }

    /// The key itself, PEM, encrypted if it was read so. A secret: for a file of
    /// mode 0600.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Whether TLS 1.2 may encrypt to it, which is then said in a certificate.
    pub(crate) fn is_rsa(&self) -> bool {
        [&PKCS_RSA_SHA256, &PKCS_RSA_SHA384, &PKCS_RSA_SHA512].contains(&self.pair.algorithm())
    }

    /// The content of the `subjectPublicKey` of a certificate for this key.
    pub(crate) fn public_bits(&self) -> &[u8] {
        self.pair.public_key_raw()
    }

    /// The key as PKCS#8 (RFC 5958). What was read may be PKCS#1 or SEC1, which
    /// other formats do not take.
    pub(crate) fn pkcs8_der(&self) -> Zeroizing<Vec<u8>> {
        let read = Zeroizing::new(self.pair.serialize_der());
        let rsa = || {
            let pair = aws_lc_rs::rsa::KeyPair::from_der(&read).ok()?;
            let der: Pkcs8V1Der<'_> = pair.as_der().ok()?;
            Some(der.as_ref().to_vec())
        };
        let ecdsa = || {
            [
                &ECDSA_P256_SHA256_ASN1_SIGNING,
                &ECDSA_P384_SHA384_ASN1_SIGNING,
                &ECDSA_P521_SHA512_ASN1_SIGNING,
            ]
            .into_iter()
            .find_map(|kind| EcdsaKeyPair::from_private_key_der(kind, &read).ok())
            .and_then(|pair| Some(pair.to_pkcs8v1().ok()?.as_ref().to_vec()))
        };
        match rsa().or_else(ecdsa) {
            Some(converted) => Zeroizing::new(converted),
            // It is PKCS#8.
            None => read,
        }
    }

    pub(crate) fn pair(&self) -> &KeyPair {
        &self.pair
    }

    pub(crate) fn into_parts(self) -> (KeyPair, Zeroizing<String>) {
        (self.pair, self.pem)
    }
}

/// In version 1 of PKCS#8: what rcgen makes is version 2, which holds the public
/// key as well, and which openssl 3.0 cannot read.
fn generate_ed25519() -> Result<KeyPair, rcgen::Error> {
    let der = Ed25519KeyPair::generate()
        .and_then(|pair| pair.to_pkcs8v1())
        .map_err(|_| rcgen::Error::KeyGenerationUnavailable)?;
    KeyPair::try_from(der.as_ref())
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("algorithm", self.pair.algorithm())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::openssl;
    use tidegate_failure::Explain as _;

    #[test]
    fn kinds_have_names_that_are_read_back() {
        for kind in KeyKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert_eq!(KeyKind::default(), KeyKind::EcdsaP256);
        assert_eq!(
            "rsa".parse::<KeyKind>().unwrap_err().to_string(),
            "`rsa` is no kind of key; expected one of ecdsa-p256, ecdsa-p384, rsa-2048, rsa-4096, ed25519"
        );
    }

    #[test]
    fn what_is_made_can_be_read_here_and_by_openssl() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        for kind in KeyKind::ALL {
            let key = Key::generate(kind).unwrap();
            fs_err::write(&path, key.pem()).unwrap();
            let read = Key::read(&path).unwrap();
            assert_eq!(read.public_bits(), key.public_bits());
            assert_eq!(read.is_rsa(), kind.name().starts_with("rsa"));
            assert!(!format!("{key:?}").contains("BEGIN"), "{key:?}");
            if let Some(text) = openssl(
                directory.path(),
                &["pkey", "-in", "key", "-check", "-noout"],
            ) {
                assert!(text.contains("Key is valid"), "{kind}: {text}");
            }
        }
    }

    #[test]
    fn reads_every_notation_that_openssl_writes() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        let made: [&[&str]; 7] = [
            &[
                "genpkey",
                "-algorithm",
                "EC",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-out",
                "p8-ec",
            ],
            &["ecparam", "-name", "secp384r1", "-genkey", "-out", "sec1"],
            &[
                "ecparam",
                "-name",
                "secp521r1",
                "-genkey",
                "-noout",
                "-out",
                "p521",
            ],
            &["genrsa", "-traditional", "-out", "pkcs1", "2048"],
            &["genrsa", "-out", "p8-rsa", "2048"],
            &["genpkey", "-algorithm", "ed25519", "-out", "ed"],
            &[
                "genrsa",
                "-aes256",
                "-passout",
                "pass:x",
                "-out",
                "encrypted",
                "2048",
            ],
        ];
        for arguments in made {
            if openssl(at, arguments).is_none() {
                return;
            }
        }
        for name in ["p8-ec", "sec1", "p521", "pkcs1", "p8-rsa", "ed"] {
            Key::read(&at.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        let error = Key::read(&at.join("encrypted")).unwrap_err();
        assert!(matches!(error, CertsError::EncryptedKey { .. }));
        assert!(error.hint().unwrap().contains("openssl pkey -in "));

        openssl(
            at,
            &["ecparam", "-name", "secp256k1", "-genkey", "-out", "k1"],
        );
        let error = Key::read(&at.join("k1")).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "`{}`: the private key cannot be used: expected {}, found another kind or a damaged one",
                at.join("k1").display(),
                KeyKind::READABLE
            )
        );
    }
}
