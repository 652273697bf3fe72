//! The `Authorization: Basic …` header (RFC 7617).

use std::fmt;

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// Clients differ in whether they pad; both forms have one meaning only.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The user and password of a `Basic` header. Both are wiped from memory when
/// this is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct BasicCredentials {
    text: Zeroizing<String>,
    colon: usize,
}

impl BasicCredentials {
    /// What stands before the first `:`; may be empty.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.text[..self.colon]
    }

    /// All that follows the first `:`, further colons included; may be empty.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.text[self.colon + 1..]
    }
}

impl fmt::Debug for BasicCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BasicCredentials").finish_non_exhaustive()
    }
}

/// Reads the value of an `Authorization` header.
///
/// The scheme matches in any case. `None` if the scheme is another, or if what
/// follows is not the base64 of UTF-8 text with a colon in it. A user name with
/// control characters is refused, as RFC 7617 section 2 demands; so is a NUL in
/// the password, since bcrypt elsewhere ends there. Other control characters in
/// passwords pass, because they work with nginx.
#[must_use]
pub fn parse(value: &str) -> Option<BasicCredentials> {
    let (scheme, token) = value.trim_matches([' ', '\t']).split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    // Decoded in place of a `Vec` that grows, which would leave copies behind.
    let token = token.trim_start_matches(' ');
    let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(token.len())]);
    let length = BASE64.decode_slice(token, &mut bytes).ok()?;
    let text = Zeroizing::new(std::str::from_utf8(&bytes[..length]).ok()?.to_owned());
    let colon = text.find(':')?;
    if text[..colon].contains(char::is_control) || text[colon..].contains('\0') {
        return None;
    }
    Some(BasicCredentials { text, colon })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pair(value: &str) -> Option<(String, String)> {
        parse(value).map(|c| (c.user().to_owned(), c.password().to_owned()))
    }

    fn owned(user: &str, password: &str) -> Option<(String, String)> {
        Some((user.to_owned(), password.to_owned()))
    }

    #[test]
    fn reads_the_examples_of_rfc_7617() {
        assert_eq!(
            pair("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            owned("Aladdin", "open sesame")
        );
        assert_eq!(pair("Basic dGVzdDoxMjPCow=="), owned("test", "123£"));
    }

    #[test]
    fn scheme_in_any_case_and_padding_or_none() {
        let expected = owned("test", "123£");
        assert_eq!(pair("bAsIc   dGVzdDoxMjPCow=="), expected);
        assert_eq!(pair("BASIC dGVzdDoxMjPCow"), expected);
    }

    #[test]
    fn the_password_keeps_its_colons() {
        let header = format!("Basic {}", BASE64.encode("a:b:c:"));
        assert_eq!(pair(&header), owned("a", "b:c:"));
        let header = format!("Basic {}", BASE64.encode(":"));
        assert_eq!(pair(&header), owned("", ""));
    }

    #[test]
    fn refuses_what_is_not_basic_credentials() {
        for value in [
            "",
            "Basic",
            "Basic ",
            "Bearer dGVzdDoxMjPCow==",
            "Basic %%%",
        ] {
            assert_eq!(pair(value), None, "{value}");
        }
        for bytes in [&b"no colon"[..], b"a\nb:c", b"a:b\0c", b"\xff:latin1"] {
            let header = format!("Basic {}", BASE64.encode(bytes));
            assert_eq!(pair(&header), None, "{header}");
        }
    }

    #[test]
    fn debug_shows_no_credentials() {
        let credentials = parse("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==").unwrap();
        assert_eq!(format!("{credentials:?}"), "BasicCredentials { .. }");
    }

    proptest! {
        #[test]
        fn never_panics(value in any::<String>(), bytes in any::<Vec<u8>>()) {
            let _ = parse(&value);
            let _ = parse(&format!("Basic {value}"));
            let _ = parse(&format!("Basic {}", BASE64.encode(bytes)));
        }

        #[test]
        fn reads_what_was_encoded(user in "[^:\\pC]{0,40}", password in "[^\\x00]{0,40}") {
            let header = format!("Basic {}", BASE64.encode(format!("{user}:{password}")));
            prop_assert_eq!(pair(&header), owned(&user, &password));
        }
    }
}
