//! Whose signature is believed.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::pem::{Error as PemError, PemObject as _};
use rustls_pki_types::{CertificateDer, TrustAnchor};
use serde::Deserialize;
use serde_json::value::RawValue;
use tidegate_config::token::Algorithm;

use super::chain;
use super::error::TokenConfigError;
use super::jwk::Jwk;
use super::public_key::{KeyError, PublicKey};

/// A key that is believed.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) public: PublicKey,
    /// The one algorithm that it signs with, where that is said.
    pub(super) only: Option<Algorithm>,
    /// What it is called in its set.
    name: Option<String>,
}

impl From<PublicKey> for Key {
    fn from(public: PublicKey) -> Self {
        Self {
            public,
            only: None,
            name: None,
        }
    }
}

/// The certificates of a bundle.
#[derive(Debug, Default)]
pub(super) struct Bundle {
    keys: Vec<Key>,
    anchors: Vec<TrustAnchor<'static>>,
}

impl Bundle {
    /// Reads certificates in PEM; other things in the file are passed over. The
    /// key of a certificate need not be one that could sign tokens: it may be
    /// that of a CA.
    pub(super) fn read(path: &Path) -> Result<Self, TokenConfigError> {
        let text = fs_err::read(path).map_err(TokenConfigError::Read)?;
        let mut bundle = Self::default();
        for (index, certificate) in CertificateDer::pem_slice_iter(&text).enumerate() {
            bundle
                .add(certificate)
                .map_err(|what| TokenConfigError::Certificate {
                    path: path.to_owned(),
                    index: index + 1,
                    what,
                })?;
        }
        if bundle.anchors.is_empty() {
            return Err(TokenConfigError::NoCertificate {
                path: path.to_owned(),
            });
        }
        Ok(bundle)
    }

    fn add(&mut self, certificate: Result<CertificateDer<'_>, PemError>) -> Result<(), String> {
        let certificate = certificate.map_err(|e| e.to_string())?;
        let key = chain::key_of(&certificate).ok_or("it is no X.509 certificate")?;
        let anchor = webpki::anchor_from_trusted_cert(&certificate)
            .map_err(|e| format!("it cannot be an anchor of trust: {e:?}"))?;
        self.anchors.push(anchor.to_owned());
        self.keys.extend(key.ok().map(Key::from));
        Ok(())
    }
}

/// Reads a JSON Web Key Set (RFC 7517 section 5). Keys that could not sign tokens
/// are passed over, as the RFC asks; `origin` is what the set is called in errors.
pub(super) fn read_set(origin: &str, text: &str) -> Result<Vec<Key>, TokenConfigError> {
    #[derive(Deserialize)]
    struct Set<'a> {
        #[serde(borrow)]
        keys: Vec<&'a RawValue>,
    }
    let set: Set<'_> = serde_json::from_str(text).map_err(|e| TokenConfigError::KeySet {
        origin: origin.to_owned(),
        what: e.to_string(),
    })?;
    let mut keys = Vec::with_capacity(set.keys.len());
    for (index, key) in set.keys.into_iter().enumerate() {
        match read_key(key.get()) {
            Ok(key) => keys.push(key),
            Err(KeyError::Malformed(what)) => {
                return Err(TokenConfigError::KeySet {
                    origin: origin.to_owned(),
                    what: format!("key {}: {what}", index + 1),
                });
            }
            Err(error) => tracing::warn!(
                auth.keys = origin,
                auth.key = index + 1,
                "a key in the set is passed over: {error}"
            ),
        }
    }
    if keys.is_empty() {
        return Err(TokenConfigError::NoKey {
            origin: origin.to_owned(),
        });
    }
    Ok(keys)
}

fn read_key(json: &str) -> Result<Key, KeyError> {
    let jwk: Jwk = serde_json::from_str(json).map_err(|e| KeyError::Malformed(e.to_string()))?;
    Ok(Key {
        public: PublicKey::try_from(&jwk)?,
        only: jwk.algorithm()?,
        name: jwk.kid,
    })
}

/// All that are believed, by each of their names.
#[derive(Debug, Default)]
pub(super) struct Keys {
    by_name: HashMap<String, Vec<Arc<Key>>>,
    by_spki: HashMap<Box<[u8]>, Arc<Key>>,
    anchors: Vec<TrustAnchor<'static>>,
}

impl Keys {
    pub(super) fn new<'a>(
        bundle: Option<&Bundle>,
        others: impl IntoIterator<Item = &'a Key>,
    ) -> Self {
        let mut keys = Self {
            anchors: bundle.map_or_else(Vec::new, |bundle| bundle.anchors.clone()),
            ..Self::default()
        };
        for key in bundle.iter().flat_map(|bundle| &bundle.keys) {
            keys.add(key);
        }
        for key in others {
            keys.add(key);
        }
        keys
    }

    fn add(&mut self, key: &Key) {
        let key = Arc::new(key.clone());
        let names = [key.public.libtrust_id(), key.public.thumbprint()];
        for name in names.into_iter().chain(key.name.clone()) {
            let called = self.by_name.entry(name).or_default();
            if !called.iter().any(|other| other.public == key.public) {
                called.push(Arc::clone(&key));
            }
        }
        self.by_spki.entry(key.public.spki().into()).or_insert(key);
    }

    /// The keys of this name. Sets may call two of them the same.
    pub(super) fn named(&self, name: &str) -> &[Arc<Key>] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// The key that is believed, if this one is.
    pub(super) fn find(&self, public: &PublicKey) -> Option<&Arc<Key>> {
        self.by_spki.get(public.spki())
    }

    /// What certificates in a token may lead up to.
    pub(super) fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
    }

    pub(super) fn len(&self) -> usize {
        self.by_spki.len()
    }
}
