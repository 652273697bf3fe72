//! Passwords (RFC 7617) at the front's door.

use std::net::IpAddr;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use tidegate_auth::{Attempt, Identity, Outcome, Verifier, basic};

use crate::answer::Answer;

/// Lets in those whose password is right, or everybody if none is asked for.
pub(crate) struct Gate(Option<Lock>);

struct Lock {
    verifier: Arc<Verifier>,
    challenge: HeaderValue,
}

/// Who may come in.
pub(crate) type Verdict = Result<Option<Identity>, Answer>;

impl Gate {
    pub(crate) fn new(verifier: Option<Arc<Verifier>>) -> Self {
        Self(verifier.map(|verifier| Lock {
            challenge: challenge(verifier.realm()),
            verifier,
        }))
    }

    /// A gate that names another realm than the verifier does.
    pub(crate) fn with_realm(verifier: Arc<Verifier>, realm: &str) -> Self {
        Self(Some(Lock {
            challenge: challenge(realm),
            verifier,
        }))
    }

    /// Whether a password is asked for.
    pub(crate) fn asks(&self) -> bool {
        self.0.is_some()
    }

    /// Checks the credentials of a request from `client`.
    pub(crate) async fn check(&self, headers: &HeaderMap, client: IpAddr) -> Verdict {
        let Some(lock) = &self.0 else {
            return Ok(None);
        };
        let refused = || Err(Answer::unauthorized(lock.challenge.clone()));
        let Some(credentials) = only_authorization(headers).and_then(basic::parse) else {
            return refused();
        };
        let outcome = lock
            .verifier
            .verify(Attempt {
                user: credentials.user(),
                password: credentials.password(),
                client,
            })
            .await;
        match outcome {
            Outcome::Accepted(identity) => Ok(Some(identity)),
            Outcome::Refused => refused(),
            Outcome::Throttled { retry_after } => Err(Answer::throttled(retry_after)),
        }
    }

    /// Whom the sender of a request believes to be, if there is such a user.
    pub(crate) fn claimed(&self, headers: &HeaderMap) -> Option<Identity> {
        let credentials = only_authorization(headers).and_then(basic::parse)?;
        self.0.as_ref()?.verifier.identity(credentials.user())
    }
}

/// The value of `Authorization`, if there is exactly one: with two, what is
/// checked here and what another registry would check could differ.
fn only_authorization(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    value.to_str().ok()
}

/// `Basic realm="…"`, the realm as a quoted-string (RFC 9110, section 5.6.4).
fn challenge(realm: &str) -> HeaderValue {
    let mut value = String::from("Basic realm=\"");
    for character in realm.chars().filter(|character| !character.is_control()) {
        if matches!(character, '"' | '\\') {
            value.push('\\');
        }
        value.push(character);
    }
    value.push('"');
    HeaderValue::try_from(value).expect("control characters were left out")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_realm_is_quoted() {
        assert_eq!(challenge("Registry"), "Basic realm=\"Registry\"");
        assert_eq!(challenge(r#"a "b" \c"#), r#"Basic realm="a \"b\" \\c""#);
        assert_eq!(
            challenge("a\r\nSet-Cookie: b"),
            "Basic realm=\"aSet-Cookie: b\""
        );
    }

    #[test]
    fn two_authorizations_are_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(only_authorization(&headers), None);
        headers.append(AUTHORIZATION, HeaderValue::from_static("Basic YTpi"));
        assert_eq!(only_authorization(&headers), Some("Basic YTpi"));
        headers.append(AUTHORIZATION, HeaderValue::from_static("Basic YTpj"));
        assert_eq!(only_authorization(&headers), None);
    }

    #[tokio::test]
    async fn without_a_verifier_everybody_comes_in() {
        let client = IpAddr::from([127, 0, 0, 1]);
        let verdict = Gate::new(None).check(&HeaderMap::new(), client).await;
        assert!(matches!(verdict, Ok(None)));
    }

    proptest! {
        #[test]
        fn every_realm_makes_a_header(realm in any::<String>()) {
            let value = challenge(&realm);
            prop_assert!(value.as_bytes().starts_with(b"Basic realm=\""));
            prop_assert!(!value.as_bytes().contains(&b'\n'));
        }
    }
}
