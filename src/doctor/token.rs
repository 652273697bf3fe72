//! Where tokens come from (distribution's token authentication specification):
//! the `realm` of a Bearer challenge is a URL, which gives a token for user and
//! password.

use certs_tool::{HostName, HostNameError};
use form_urlencoded::Serializer;
use http::Uri;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::client::Answer;

/// A token service, as a challenge names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TokenService {
    host: HostName,
    /// `host` or `host:port`.
    authority: String,
    port: u16,
    /// Path, and query if the realm has one.
    target: String,
    service: Option<String>,
}

/// Why a realm is no token service to ask.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadRealm {
    /// Clients cannot ask there.
    #[error("that is not a URL of https")]
    NotAUrl,
    /// Its host is none.
    #[error("{0}")]
    Host(#[from] HostNameError),
    /// Clients can, and would show everybody the password.
    #[error("passwords are sent there without TLS")]
    PlainHttp,
}

impl TokenService {
    /// Reads the parameters of a challenge.
    pub(super) fn read(realm: &str, service: Option<&str>) -> Result<Self, BadRealm> {
        let uri: Uri = realm.parse().map_err(|_| BadRealm::NotAUrl)?;
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") => return Err(BadRealm::PlainHttp),
            _ => return Err(BadRealm::NotAUrl),
        }
        let authority = uri.authority().ok_or(BadRealm::NotAUrl)?;
        let host = HostName::parse(authority.host())?;
        Ok(Self {
            host,
            port: authority.port_u16().unwrap_or(443),
            // Without the user that a URL may have.
            authority: authority
                .as_str()
                .rsplit('@')
                .next()
                .unwrap_or_default()
                .to_owned(),
            target: uri
                .path_and_query()
                .map_or_else(|| "/".to_owned(), ToString::to_string),
            service: service.map(ToOwned::to_owned),
        })
    }

    pub(super) fn host(&self) -> &HostName {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    /// For people.
    pub(super) fn shown(&self) -> String {
        format!("https://{}{}", self.authority, self.target)
    }

    /// What to ask for a token to push to a repository; `user` as it is, since
    /// some services want to know beforehand.
    pub(super) fn target(&self, repository: &str, user: Option<&str>) -> String {
        let mut query = Serializer::new(String::new());
        if let Some(service) = &self.service {
            query.append_pair("service", service);
        }
        query.append_pair("scope", &format!("repository:{repository}:pull,push"));
        if let Some(user) = user {
            query.append_pair("account", user);
        }
        let joint = if self.target.contains('?') { '&' } else { '?' };
        format!("{}{joint}{}", self.target, query.finish())
    }
}

/// The token of an answer.
pub(super) fn token(answer: &Answer) -> Option<Zeroizing<String>> {
    #[derive(Deserialize)]
    struct Given {
        token: Option<String>,
        access_token: Option<String>,
    }
    let given: Given = serde_json::from_slice(&answer.body).ok()?;
    given
        .token
        .or(given.access_token)
        .filter(|token| !token.is_empty())
        .map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn asks_for_the_right_to_push() {
        let service = TokenService::read("https://auth.lan:5001/auth?a=b", Some("My registry"));
        let service = service.unwrap();
        assert_eq!(service.authority(), "auth.lan:5001");
        assert_eq!(service.port(), 5001);
        assert_eq!(
            service.target("team/app", Some("a b")),
            "/auth?a=b&service=My+registry&scope=repository%3Ateam%2Fapp%3Apull%2Cpush&account=a+b"
        );
        let bare = TokenService::read("https://auth.lan", None).unwrap();
        assert_eq!(
            bare.target("a", None),
            "/?scope=repository%3Aa%3Apull%2Cpush"
        );
        assert_eq!(bare.shown(), "https://auth.lan/");
    }

    #[test]
    fn refuses_what_is_no_place_for_a_password() {
        for (realm, said) in [
            ("http://auth.lan/token", "without TLS"),
            ("My registry", "not a URL of https"),
            ("/token", "not a URL of https"),
            ("", "not a URL of https"),
            ("https://a_b/token", "`_` is allowed"),
        ] {
            let error = TokenService::read(realm, None).unwrap_err();
            assert!(error.to_string().contains(said), "{realm}: {error}");
        }
    }

    #[test]
    fn either_name_of_the_token_is_taken() {
        let answer = |body: &'static str| Answer {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Bytes::from_static(body.as_bytes()),
            received: OffsetDateTime::UNIX_EPOCH,
        };
        for body in [
            r#"{"token":"abc"}"#,
            r#"{"access_token":"abc","expires_in":1}"#,
        ] {
            assert_eq!(token(&answer(body)).unwrap().as_str(), "abc");
        }
        for body in ["", "{}", r#"{"token":""}"#, "[1]"] {
            assert_eq!(token(&answer(body)), None);
        }
    }
}
