//! Tokens that get other tokens later, in place of the password.

use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

/// Secret scanners know a secret by its beginning.
const PREFIX: &str = "tgf_";

/// The longest that is looked at.
const LONGEST: usize = 4096;

/// Makes and checks refresh tokens. Nothing is kept: such a token is a user and a
/// service with a MAC over them and over the user's stored password, so that it
/// ends with the password, and tells nothing of it.
pub(super) struct Refresher(hmac::Key);

impl Refresher {
    /// Tokens last as long as the secret does.
    pub(super) fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// A token by which `user`, whose password is stored as `stored`, gets tokens
    /// for `service`.
    pub(super) fn make(&self, user: &str, service: &str, stored: &str) -> String {
        let tag = self.tag(user, service, stored);
        let mut bytes = Vec::with_capacity(tag.as_ref().len() + user.len());
        bytes.extend(tag.as_ref());
        bytes.extend(user.as_bytes());
        format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Who got this token, if it still counts. `stored` finds how the password of
    /// a user is stored now.
    pub(super) fn user_of(
        &self,
        token: &str,
        service: &str,
        stored: impl FnOnce(&str) -> Option<Zeroizing<String>>,
    ) -> Option<String> {
        if token.len() > LONGEST {
            return None;
        }
        let text = token.strip_prefix(PREFIX)?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (tag, user) =
            bytes.split_at_checked(hmac::HMAC_SHA256.digest_algorithm().output_len())?;
        let user = std::str::from_utf8(user).ok()?;
        let expected = self.tag(user, service, &stored(user)?);
        constant_time::verify_slices_are_equal(expected.as_ref(), tag).ok()?;
        Some(user.to_owned())
    }

    fn tag(&self, user: &str, service: &str, stored: &str) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        // With their lengths, so that no two triples make the same text.
        for part in [user, service, stored] {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part.as_bytes());
        }
        context.sign()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stored(text: &'static str) -> impl FnOnce(&str) -> Option<Zeroizing<String>> {
        move |_| Some(text.to_owned().into())
    }

    #[test]
    fn it_counts_for_its_service_until_the_password_changes() {
        let refresher = Refresher::new(b"secret");
        let token = refresher.make("alice", "registry", "$2y$old");
        let user = |service, now| refresher.user_of(&token, service, stored(now));
        assert_eq!(user("registry", "$2y$old").as_deref(), Some("alice"));
        assert_eq!(user("another", "$2y$old"), None);
        assert_eq!(user("registry", "$2y$new"), None);
        assert_eq!(refresher.user_of(&token, "registry", |_| None), None);
        let other = Refresher::new(b"another secret");
        assert_eq!(other.user_of(&token, "registry", stored("$2y$old")), None);
    }

    proptest! {
        #[test]
        fn no_other_text_counts(text in "(tgf_)?[A-Za-z0-9_-]{0,80}", at in 4_usize..40, letter in "[A-Za-z0-9_-]") {
            let refresher = Refresher::new(b"secret");
            prop_assert_eq!(refresher.user_of(&text, "registry", stored("hash")), None);
            let mut token = refresher.make("alice", "registry", "hash");
            if token.get(at..=at) != Some(&letter) {
                token.replace_range(at..=at, &letter);
                prop_assert_eq!(refresher.user_of(&token, "registry", stored("hash")), None);
            }
        }
    }
}
