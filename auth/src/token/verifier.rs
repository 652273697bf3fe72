//! Verifies tokens, quickly and at a bounded price.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tidegate_config::FileStamp;
use tidegate_config::token::{Algorithm, JwksSource, TokenAuth};
use tokio::sync::Notify;

use super::chain::Chain;
use super::claims::Claims;
use super::error::{TokenConfigError, TokenError, shown};
use super::header::{Header, Parts};
use super::keys::{self, Bundle, Key, Keys};
use super::public_key::PublicKey;
use super::remembered::Remembered;

/// Verifies the tokens of one issuer for one service, as distribution does, of
/// versions 2 and 3.
///
/// A token says which key signed it: by a chain of certificates (`x5c`), by the
/// key itself (`jwk`) or by its name (`kid`), which counts in this order. The
/// certificates lead up to one of the bundle, the key is one that is known, or
/// the name is that of one: libtrust's, its thumbprint (RFC 7638), or what the
/// key set calls it. What a token says of its key is never believed for itself.
///
/// A token that was verified before costs a MAC and a look into a cache, until it
/// ends or the keys change.
pub struct TokenVerifier {
    issuer: Box<str>,
    service: Box<str>,
    algorithms: Box<[Algorithm]>,
    bundle: Option<PathBuf>,
    set: Option<JwksSource>,
    trusted: ArcSwap<Trusted>,
    sources: Mutex<Sources>,
    remembered: Remembered,
    unknown_key: Notify,
}

/// The keys, and how often they have changed.
struct Trusted {
    keys: Keys,
    generation: u64,
}

/// What the keys were read from.
#[derive(Default)]
struct Sources {
    bundle: Option<Bundle>,
    set: Vec<Key>,
    bundle_stamp: Option<FileStamp>,
    set_stamp: Option<FileStamp>,
}

impl TokenVerifier {
    /// Reads the files. A key set that has to be fetched is not there yet: see
    /// [`TokenVerifier::replace_jwks`].
    ///
    /// # Errors
    /// A file cannot be read or has no key, or none is named.
    pub fn open(settings: &TokenAuth) -> Result<Self, TokenConfigError> {
        if settings.root_cert_bundle.is_none() && settings.jwks.is_none() {
            return Err(TokenConfigError::Nothing);
        }
        let verifier = Self {
            bundle: settings.root_cert_bundle.clone(),
            set: settings.jwks.clone(),
            algorithms: settings.algorithms.clone().into(),
            ..Self::with_keys(&settings.issuer, &settings.service, Vec::new())
        };
        verifier.reload()?;
        Ok(verifier)
    }

    /// A verifier for a token server whose keys are known, as those of one in this
    /// process are.
    #[must_use]
    pub fn with_keys(issuer: &str, service: &str, keys: Vec<PublicKey>) -> Self {
        let verifier = Self {
            issuer: issuer.into(),
            service: service.into(),
            algorithms: Algorithm::ALL.into(),
            bundle: None,
            set: None,
            trusted: ArcSwap::from_pointee(Trusted {
                keys: Keys::default(),
                generation: 0,
            }),
            sources: Mutex::default(),
            remembered: Remembered::new(),
            unknown_key: Notify::new(),
        };
        verifier.replace_keys(keys);
        verifier
    }

    /// Verifies a token, without the word `Bearer` before it: its signature, its
    /// issuer, that it is for this service, and that its time is now.
    ///
    /// It may take as long as checking a few signatures.
    ///
    /// # Errors
    /// Why it does not count.
    pub fn verify(&self, token: &str) -> Result<Arc<Claims>, TokenError> {
        self.verify_at(token, SystemTime::now())
    }

    pub(super) fn verify_at(
        &self,
        token: &str,
        now: SystemTime,
    ) -> Result<Arc<Claims>, TokenError> {
        if token.len() > super::header::LONGEST {
            return Err(TokenError::TooLong(token.len()));
        }
        let trusted = self.trusted.load();
        let name = self.remembered.name(token);
        if let Some(claims) = self.remembered.find(&name, trusted.generation, now) {
            return Ok(claims);
        }
        let claims = Arc::new(self.check(token, &trusted.keys, now)?);
        let generation = trusted.generation;
        self.remembered
            .remember(name, generation, &claims, token.len(), now);
        Ok(claims)
    }

    fn check(&self, token: &str, keys: &Keys, now: SystemTime) -> Result<Claims, TokenError> {
        let parts = Parts::read(token)?;
        let algorithm = parts.header.algorithm(&self.algorithms)?;
        let candidates = self.candidates(&parts.header, keys, now)?;
        check_signature(&parts, algorithm, &candidates)?;
        // From here on it is the token server who speaks.
        let claims = Claims::read(&parts.payload, &self.issuer, &self.service)?;
        claims.check_time(now)?;
        Ok(claims)
    }

    /// The keys that may have signed a token: one, but for sets that call two the
    /// same.
    fn candidates(
        &self,
        header: &Header,
        keys: &Keys,
        now: SystemTime,
    ) -> Result<Vec<Arc<Key>>, TokenError> {
        if let Some(x5c) = header.x5c.as_ref().filter(|x5c| !x5c.0.is_empty()) {
            return certified(&x5c.0, keys, now).map(|key| vec![key]);
        }
        if let Some(jwk) = &header.jwk {
            let public = PublicKey::try_from(jwk)?;
            let key = match &jwk.x5c {
                Some(x5c) if !x5c.0.is_empty() => {
                    let key = certified(&x5c.0, keys, now)?;
                    if key.public != public {
                        let what = "the key beside `x5c` is not that of its leaf";
                        return Err(TokenError::UntrustedKey(what.to_owned()));
                    }
                    key
                }
                _ => self.known(keys.find(&public).cloned(), &public.thumbprint())?,
            };
            return Ok(vec![key]);
        }
        let name = header.kid.as_deref().filter(|name| !name.is_empty());
        let name = name.ok_or(TokenError::NoKey)?;
        let named = keys.named(name);
        self.known(named.first(), name)?;
        Ok(named.to_vec())
    }

    fn known<K>(&self, key: Option<K>, name: &str) -> Result<K, TokenError> {
        key.ok_or_else(|| {
            self.unknown_key.notify_one();
            TokenError::UntrustedKey(shown(name))
        })
    }

    /// Waits until a token comes whose key is not known: the token server may have
    /// a new one. Strangers can have it happen at any time, so whoever fetches
    /// keys because of it has to take a break in between.
    pub async fn unknown_key(&self) {
        self.unknown_key.notified().await;
    }

    /// Where keys are to be fetched from, if they are.
    #[must_use]
    pub fn jwks_url(&self) -> Option<&str> {
        match &self.set {
            Some(JwksSource::Url(url)) => Some(url.as_str()),
            _ => None,
        }
    }

    /// Takes the text of a JSON Web Key Set that was fetched in the place of the
    /// keys from the last one; says how many keys are believed now, those of the
    /// bundle included.
    ///
    /// # Errors
    /// It is none, or has no key that could sign tokens: those from before stay.
    pub fn replace_jwks(&self, text: &str) -> Result<usize, TokenConfigError> {
        let set = keys::read_set(self.jwks_url().unwrap_or("the key set"), text)?;
        let mut sources = self.lock_sources();
        sources.set = set;
        Ok(self.trust(&sources))
    }

    /// Takes these keys in the place of those from before, but for the bundle's.
    pub fn replace_keys(&self, keys: Vec<PublicKey>) {
        let mut sources = self.lock_sources();
        sources.set = keys.into_iter().map(Key::from).collect();
        self.trust(&sources);
    }

    /// Reads the files again if one has changed since it was last read, or tried;
    /// `None` if not. Says how many keys are believed now. Costs a `stat` for each
    /// file; meant to be called each second.
    pub fn reload_if_changed(&self) -> Option<Result<usize, TokenConfigError>> {
        let mut sources = self.lock_sources();
        let (bundle, set) = self.stamps();
        if sources.bundle_stamp == bundle && sources.set_stamp == set {
            return None;
        }
        Some(self.read(&mut sources))
    }

    /// Reads the files again; says how many keys are believed now.
    ///
    /// # Errors
    /// As [`TokenVerifier::open`]; the keys from before stay.
    pub fn reload(&self) -> Result<usize, TokenConfigError> {
        self.read(&mut self.lock_sources())
    }

    fn read(&self, sources: &mut Sources) -> Result<usize, TokenConfigError> {
        // Before the files are read: what changes meanwhile is then seen as a
        // change afterwards.
        (sources.bundle_stamp, sources.set_stamp) = self.stamps();
        let bundle = self.bundle.as_deref().map(Bundle::read).transpose()?;
        let set = self.set_file().map(read_set).transpose()?;
        sources.bundle = bundle;
        if let Some(set) = set {
            sources.set = set;
        }
        Ok(self.trust(sources))
    }

    /// Believes what the sources say from now on. They are locked, so that of two
    /// changes the later wins.
    fn trust(&self, sources: &Sources) -> usize {
        let keys = Keys::new(sources.bundle.as_ref(), &sources.set);
        let count = keys.len();
        let generation = self.trusted.load().generation + 1;
        self.trusted.store(Arc::new(Trusted { keys, generation }));
        count
    }

    fn stamps(&self) -> (Option<FileStamp>, Option<FileStamp>) {
        let bundle = self.bundle.as_deref().map(FileStamp::of);
        (bundle, self.set_file().map(FileStamp::of))
    }

    fn set_file(&self) -> Option<&Path> {
        match &self.set {
            Some(JwksSource::File(path)) => Some(path),
            _ => None,
        }
    }

    fn lock_sources(&self) -> MutexGuard<'_, Sources> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenVerifier")
            .field("issuer", &self.issuer)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

fn read_set(path: &Path) -> Result<Vec<Key>, TokenConfigError> {
    let text = fs_err::read_to_string(path).map_err(TokenConfigError::Read)?;
    keys::read_set(&path.display().to_string(), &text)
}

/// The key of the leaf, if it is to be believed: a key that would be by its name
/// is so by its certificate as well.
fn certified(x5c: &[String], keys: &Keys, now: SystemTime) -> Result<Arc<Key>, TokenError> {
    let chain = Chain::read(x5c)?;
    let public = chain.key()?;
    if let Some(key) = keys.find(&public) {
        return Ok(Arc::clone(key));
    }
    chain.check(keys.anchors(), now)?;
    Ok(Arc::new(public.into()))
}

fn check_signature(
    parts: &Parts<'_>,
    algorithm: Algorithm,
    candidates: &[Arc<Key>],
) -> Result<(), TokenError> {
    let mut error = TokenError::KeyAlgorithm(algorithm);
    for key in candidates {
        if key.only.is_some_and(|only| only != algorithm) {
            continue;
        }
        match key.public.verify(algorithm, parts.signed, &parts.signature) {
            Some(true) => return Ok(()),
            Some(false) => error = TokenError::Signature,
            None => {}
        }
    }
    Err(error)
}

#[cfg(test)]
mod tests;
