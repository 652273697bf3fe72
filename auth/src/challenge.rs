//! How a client is asked to log in: the value of `WWW-Authenticate`.

use std::fmt::{self, Write as _};
use std::sync::Arc;

/// What is asked for. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// A password with each request (RFC 7617).
    Basic {
        /// What clients show when they ask for it.
        realm: Arc<str>,
    },
    /// A token, which a password gets (RFC 6750, as distribution's "token
    /// authentication specification" uses it).
    Bearer {
        /// Where tokens are given.
        realm: Realm,
        /// What the token has to be for.
        service: Arc<str>,
    },
}

/// Where tokens are given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Realm {
    /// At a URL.
    At(Arc<str>),
    /// At a path of this registry, by whatever name the client reached it.
    Here(Arc<str>),
}

/// What is wrong with the token that came, in the words of RFC 6750 section 3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFault {
    /// It is not one that counts, or no longer.
    Invalid,
    /// It counts, but not for this.
    InsufficientScope,
}

impl TokenFault {
    fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
        }
    }
}

impl Challenge {
    /// The header's value. `origin` is scheme and authority as the client used
    /// them (`https://registry.example:5043`), `scope` what the request needs,
    /// in distribution's notation, or empty.
    #[must_use]
    pub fn value(&self, origin: &str, scope: &str, fault: Option<TokenFault>) -> String {
        let mut value = String::new();
        // Writing to a `String` cannot fail.
        let _ = match self {
            Self::Basic { realm } => write!(value, "Basic realm={}", Quoted(realm)),
            Self::Bearer { realm, service } => {
                let _ = match realm {
                    Realm::At(url) => write!(value, "Bearer realm={}", Quoted(url)),
                    Realm::Here(path) => {
                        write!(value, "Bearer realm=\"{}{path}\"", Escaped(origin))
                    }
                };
                let _ = write!(value, ",service={}", Quoted(service));
                if !scope.is_empty() {
                    let _ = write!(value, ",scope={}", Quoted(scope));
                }
                match fault {
                    Some(fault) => write!(value, ",error=\"{}\"", fault.as_str()),
                    None => Ok(()),
                }
            }
        };
        value
    }
}

/// A quoted-string (RFC 9110, section 5.6.4).
struct Quoted<'a>(&'a str);

/// What stands between the quotes, without what cannot.
struct Escaped<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", Escaped(self.0))
    }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars().filter(|character| !character.is_control()) {
            if matches!(character, '"' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(character)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: Realm) -> Challenge {
        Challenge::Bearer {
            realm,
            service: "registry.example".into(),
        }
    }

    #[test]
    fn a_password_is_asked_for_by_its_realm() {
        let challenge = |realm: &str| Challenge::Basic {
            realm: realm.into(),
        };
        let value = challenge("Registry").value("https://a", "repository:a:pull", None);
        assert_eq!(value, "Basic realm=\"Registry\"");
        let value = challenge("a \"b\" \\c\r\nSet-Cookie: b").value("", "", None);
        assert_eq!(value, r#"Basic realm="a \"b\" \\cSet-Cookie: b""#);
    }

    #[test]
    fn a_token_is_asked_for_as_distribution_does() {
        let elsewhere = bearer(Realm::At("https://auth.example/token".into()));
        assert_eq!(
            elsewhere.value("https://a", "", None),
            "Bearer realm=\"https://auth.example/token\",service=\"registry.example\""
        );
        let here = bearer(Realm::Here("/auth/token".into()));
        assert_eq!(
            here.value(
                "https://a:5043",
                "repository:a/b:pull,push",
                Some(TokenFault::InsufficientScope)
            ),
            "Bearer realm=\"https://a:5043/auth/token\",service=\"registry.example\",\
             scope=\"repository:a/b:pull,push\",error=\"insufficient_scope\""
        );
    }
}
