//! E-mail addresses, as certificates of people have them.

use std::fmt;

use tidegate_failure::Explain;

use crate::name::HostName;

/// An address such as `alice@example.com`: in ASCII and without quotes or
/// comments, which nobody's address has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailAddress(String);

/// Why a text is no [`EmailAddress`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no e-mail address: {reason}")]
pub struct EmailError {
    text: String,
    reason: &'static str,
}

impl EmailAddress {
    /// Reads an address: a dot-atom (RFC 5322 section 3.2.3) of at most 64
    /// bytes, `@`, and the name of a host.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let refuse = |reason| EmailError {
            text: text.escape_debug().to_string(),
            reason,
        };
        let (local, domain) = text
            .rsplit_once('@')
            .ok_or_else(|| refuse("it has no `@`"))?;
        if local.len() > 64 {
            return Err(refuse("what stands before the `@` has more than 64 bytes"));
        }
        let is_atom = |atom: &str| !atom.is_empty() && atom.chars().all(is_atext);
        if !local.split('.').all(is_atom) {
            return Err(refuse(
                "before the `@` stand letters, digits and !#$%&'*+-/=?^_`{|}~, and dots between them",
            ));
        }
        let domain = HostName::parse(domain)
            .ok()
            .filter(|host| !host.is_wildcard())
            .and_then(|host| host.as_dns().map(str::to_owned))
            .ok_or_else(|| refuse("after the `@` stands no DNS name"))?;
        Ok(Self(format!("{local}@{domain}")))
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Explain for EmailError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_people_have() {
        for text in ["alice@example.com", "a.b+c@x", "o'neil@sub.example.com"] {
            assert_eq!(EmailAddress::parse(text).unwrap().as_str(), text);
        }
        let mixed = EmailAddress::parse("Alice@Example.COM.").unwrap();
        assert_eq!(mixed.as_str(), "Alice@example.com");
    }

    #[test]
    fn says_what_is_wrong_with_others() {
        let long = format!("{}@example.com", "a".repeat(65));
        for (text, reason) in [
            ("alice", "it has no `@`"),
            ("@example.com", "before the `@` stand"),
            ("a..b@example.com", "before the `@` stand"),
            ("a b@example.com", "before the `@` stand"),
            ("ü@example.com", "before the `@` stand"),
            ("a@b@example.com", "before the `@` stand"),
            ("alice@", "after the `@` stands no DNS name"),
            ("alice@*.example.com", "after the `@` stands no DNS name"),
            ("alice@10.0.0.1", "after the `@` stands no DNS name"),
            (&long, "what stands before the `@` has more than 64 bytes"),
        ] {
            let error = EmailAddress::parse(text).unwrap_err().to_string();
            let start = format!("`{text}` is no e-mail address: {reason}");
            assert!(error.starts_with(&start), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_read_again(text in "[\\PC]{0,8}@?[a-zA-Z.*-]{0,12}") {
            if let Ok(address) = EmailAddress::parse(&text) {
                prop_assert!(address.as_str().is_ascii());
                prop_assert_eq!(EmailAddress::parse(address.as_str()), Ok(address));
            }
        }
    }
}
