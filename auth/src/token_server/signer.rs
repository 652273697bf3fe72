//! The key that signs tokens.

use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tidegate_failure::Explain;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::token::PublicKey;
use crate::token::key_id;

/// Signs tokens, in the name of a certificate that registries are told to trust.
pub struct Signer {
    key: Key,
    /// Each token's own, beginning in `{"typ":"JWT",`.
    header: String,
    public: PublicKey,
    key_id: String,
    secret: hmac::Tag,
}

/// What tokens call the key. Registries look at the certificate first, which
/// tokens carry; without it those of version 2 know the key by one name, and those
/// of version 3 by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyName {
    /// libtrust's, for version 2.
    #[default]
    Libtrust,
    /// The thumbprint of RFC 7638, for version 3.
    Thumbprint,
}

enum Key {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// A file cannot be read.
    #[error("{what} of the token server cannot be read: {source}")]
    Read {
        /// What is in the file.
        what: &'static str,
        /// It names the path.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Certificate and key are of different pairs.
    #[error("{} is not the key of {}", key.display(), certificate.display())]
    Mismatch {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        certificate: PathBuf,
    },
    /// The cryptographic library failed.
    #[error("the token could not be signed")]
    Crypto,
}

impl Explain for SignerError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Read { .. } => "both files must be readable by the user that runs tidegate",
            Self::File { .. } => {
                "a key is PEM and not encrypted: ECDSA P-256 or P-384, Ed25519, or RSA of 2048 bits or more"
            }
            Self::Mismatch { .. } => "name the certificate that was made for this key",
            Self::Crypto => return None,
        };
        Some(hint.to_owned())
    }
}

impl Signer {
    /// Reads a key and the certificate that registries trust, with those that
    /// vouch for it, if there are any: all PEM.
    ///
    /// # Errors
    /// If either cannot be read, is not what it should be, or they do not belong
    /// together.
    pub fn open(key: &Path, certificate: &Path, name: KeyName) -> Result<Self, SignerError> {
        let read = |what, path: &Path| {
            fs_err::read(path).map_err(|source| SignerError::Read { what, source })
        };
        let wrong = |path: &Path, problem: String| SignerError::File {
            path: path.to_owned(),
            problem,
        };
        let chain = CertificateDer::pem_slice_iter(&read("the certificate", certificate)?)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| wrong(certificate, format!("no PEM: {e}")))?;
        let leaf = chain
            .first()
            .ok_or_else(|| wrong(certificate, "there is no certificate in it".to_owned()))?;
        let public = public_key_of(leaf).map_err(|problem| wrong(certificate, problem))?;
        let pem = zeroize::Zeroizing::new(read("the key", key)?);
        let der = PrivateKeyDer::from_pem_slice(&pem)
            .map_err(|_| wrong(key, "there is no private key in it".to_owned()))?;
        let pair =
            Key::read(&der).ok_or_else(|| wrong(key, "this key cannot sign tokens".to_owned()))?;
        if !pair.is_of(&public) {
            return Err(SignerError::Mismatch {
                key: key.to_owned(),
                certificate: certificate.to_owned(),
            });
        }
        Ok(Self::new(pair, public, &chain, der.secret_der(), name))
    }

    fn new(
        key: Key,
        public: PublicKey,
        chain: &[CertificateDer<'_>],
        secret: &[u8],
        name: KeyName,
    ) -> Self {
        let key_id = match name {
            KeyName::Libtrust => key_id::libtrust(public.spki()),
            KeyName::Thumbprint => key_id::thumbprint(&public),
        };
        let chain: Vec<_> = chain
            .iter()
            .map(|der| BASE64_STANDARD.encode(der))
            .collect();
        let header = json!({
            "typ": "JWT",
            "alg": key.algorithm(),
            "kid": key_id,
            "x5c": chain,
        });
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        Self {
            header: BASE64_URL_SAFE_NO_PAD.encode(header.to_string()),
            secret: hmac::sign(&secret, b"tidegate: refresh tokens"),
            key,
            public,
            key_id,
        }
    }

    /// The public key, for registries in the same process.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// A JSON Web Token (RFC 7519) in its compact form.
    pub(super) fn sign(&self, claims: &Value) -> Result<String, SignerError> {
        let claims = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
        let mut token = format!("{}.{claims}", self.header);
        let signature = self.key.sign(token.as_bytes())?;
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// The public half, as a JSON Web Key (RFC 7517).
    pub(super) fn jwk(&self) -> Value {
        let mut jwk = self.public.jwk();
        if let Some(members) = jwk.as_object_mut() {
            members.insert("use".to_owned(), "sig".into());
            members.insert("alg".to_owned(), self.key.algorithm().into());
            members.insert("kid".to_owned(), self.key_id.as_str().into());
        }
        jwk
    }

    /// What only who has the key knows.
    pub(super) fn secret(&self) -> &[u8] {
        self.secret.as_ref()
    }
}

fn public_key_of(certificate: &CertificateDer<'_>) -> Result<PublicKey, String> {
    let (_, parsed) = X509Certificate::from_der(certificate)
        .map_err(|_| "the first certificate in it cannot be read".to_owned())?;
    PublicKey::from_spki(parsed.public_key().raw).map_err(|error| error.to_string())
}

impl Key {
    fn read(der: &PrivateKeyDer<'_>) -> Option<Self> {
        let bytes = der.secret_der();
        let ecdsa = |algorithm: &'static EcdsaSigningAlgorithm| {
            EcdsaKeyPair::from_private_key_der(algorithm, bytes).ok()
        };
        if let Some(key) = ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .or_else(|| ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING))
        {
            return Some(Self::Ecdsa(key));
        }
        if let Ok(key) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes) {
            return Some(Self::Ed25519(key));
        }
        let rsa = match der {
            PrivateKeyDer::Pkcs1(_) => RsaKeyPair::from_der(bytes),
            _ => RsaKeyPair::from_pkcs8(bytes),
        };
        rsa.ok().map(Self::Rsa)
    }

    fn is_of(&self, public: &PublicKey) -> bool {
        let spki = match self {
            Self::Ecdsa(key) => key.public_key().as_der().map(|der| der.as_ref().to_vec()),
            Self::Ed25519(key) => key.public_key().as_der().map(|der| der.as_ref().to_vec()),
            Self::Rsa(key) => key.public_key().as_der().map(|der| der.as_ref().to_vec()),
        };
        spki.is_ok_and(|spki| spki == public.spki())
    }

    /// By its name in RFC 7518 and RFC 8037.
    fn algorithm(&self) -> &'static str {
        match self {
            Self::Ecdsa(key) if key.algorithm() == &ECDSA_P256_SHA256_FIXED_SIGNING => "ES256",
            Self::Ecdsa(_) => "ES384",
            Self::Ed25519(_) => "EdDSA",
            Self::Rsa(_) => "RS256",
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        let random = SystemRandom::new();
        match self {
            Self::Ecdsa(key) => {
                let signature = key
                    .sign(&random, message)
                    .map_err(|_| SignerError::Crypto)?;
                Ok(signature.as_ref().to_vec())
            }
            Self::Ed25519(key) => Ok(key.sign(message).as_ref().to_vec()),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(|_| SignerError::Crypto)?;
                Ok(signature)
            }
        }
    }
}
