//! `{SHA}` and `{SSHA}`: one round of SHA-1, as LDAP servers store passwords
//! (draft-stroeder-hashed-userpassword-values).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

use super::Scheme;

/// One way to write them. The salt of `{SHA}` is empty.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct LdapSha {
    variant: Variant,
    salt: Box<[u8]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    Plain,
    Salted,
}

const DIGEST_BYTES: usize = 20;

impl LdapSha {
    /// Reads the whole notation; `None` if it is damaged.
    pub(super) fn parse(variant: Variant, text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.strip_prefix(variant.mark())?).ok()?;
        let (_, salt) = bytes.split_at_checked(DIGEST_BYTES)?;
        let is_whole = variant == Variant::Salted || salt.is_empty();
        is_whole.then(|| Self {
            variant,
            salt: salt.into(),
        })
    }

    pub(super) fn random(variant: Variant) -> Self {
        Self {
            variant,
            salt: match variant {
                Variant::Plain => [].into(),
                Variant::Salted => rand::random::<[u8; 8]>().into(),
            },
        }
    }

    pub(super) fn scheme(&self) -> Scheme {
        match self.variant {
            Variant::Plain => Scheme::Sha1,
            Variant::Salted => Scheme::SaltedSha1,
        }
    }

    /// The notation of a password.
    pub(super) fn text_of(&self, password: &[u8]) -> String {
        let digest = Sha1::new()
            .chain_update(password)
            .chain_update(&self.salt)
            .finalize();
        self.text(&digest)
    }

    /// A notation that matches no password.
    pub(super) fn decoy(&self) -> String {
        self.text(&rand::random::<[u8; DIGEST_BYTES]>())
    }

    fn text(&self, digest: &[u8]) -> String {
        let bytes = STANDARD.encode([digest, &self.salt].concat());
        format!("{}{bytes}", self.variant.mark())
    }
}

impl Variant {
    fn mark(self) -> &'static str {
        match self {
            Self::Plain => "{SHA}",
            Self::Salted => "{SSHA}",
        }
    }
}
