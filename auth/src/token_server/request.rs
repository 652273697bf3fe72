//! What a client asks the token server for.

use std::borrow::Cow;

use http::Method;
use zeroize::Zeroizing;

use super::Ask;
use crate::basic;
use crate::token::{Scope, ScopeError};

/// A request that can be answered.
pub(super) struct TokenRequest {
    pub(super) service: Option<String>,
    pub(super) scopes: Vec<Scope>,
    pub(super) credentials: Credentials,
    /// Whom the client believes to log in as.
    account: Option<String>,
    /// Whether something is wanted that gets tokens later, without the password.
    pub(super) wants_refresh: bool,
    /// Whether the answer says what was granted: RFC 6749 section 5.1.
    pub(super) says_scope: bool,
}

/// What is shown of who asks.
pub(super) enum Credentials {
    None,
    Password {
        user: String,
        password: Zeroizing<String>,
    },
    Refresh(Zeroizing<String>),
}

/// Why a request cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadRequest {
    #[error("GET with parameters or POST with a form")]
    Method,
    #[error("`Authorization` has no user and password of the Basic scheme")]
    Authorization,
    #[error("scope: {0}")]
    Scope(#[from] ScopeError),
    #[error("`account` is another than the one that logs in")]
    Account,
    #[error("the form says no `grant_type`, or one other than `password` and `refresh_token`")]
    Grant,
    #[error("the form has no `{0}`")]
    Missing(&'static str),
    #[error("`{0}` has control characters or is too long")]
    Text(&'static str),
}

/// How long names and passwords may be.
const LONGEST: usize = 4096;

impl TokenRequest {
    /// Reads either form.
    pub(super) fn read(ask: &Ask<'_>) -> Result<Self, BadRequest> {
        match *ask.method {
            Method::GET | Method::HEAD => Self::of_get(ask),
            Method::POST => Self::of_post(ask),
            _ => Err(BadRequest::Method),
        }
    }

    fn of_get(ask: &Ask<'_>) -> Result<Self, BadRequest> {
        let query = ask.query.unwrap_or_default().as_bytes();
        let credentials = match ask.authorization {
            None => Credentials::None,
            Some(value) => of_basic(value)?,
        };
        Ok(Self {
            service: text(query, "service")?,
            scopes: scopes(query)?,
            credentials,
            account: text(query, "account")?,
            wants_refresh: value(query, "offline_token").is_some_and(|value| value == "true"),
            says_scope: false,
        })
    }

    /// distribution's "Docker Registry v2 authentication using OAuth2".
    fn of_post(ask: &Ask<'_>) -> Result<Self, BadRequest> {
        let form = ask.body;
        let needed = |name| {
            let value = value(form, name).ok_or(BadRequest::Missing(name))?;
            if value.len() > LONGEST {
                return Err(BadRequest::Text(name));
            }
            Ok(Zeroizing::new(value.into_owned()))
        };
        let credentials = match value(form, "grant_type").as_deref() {
            Some("password") => Credentials::Password {
                user: text(form, "username")?.ok_or(BadRequest::Missing("username"))?,
                password: needed("password")?,
            },
            Some("refresh_token") => Credentials::Refresh(needed("refresh_token")?),
            // docker_auth asks for no more than that.
            None => match (ask.authorization, text(form, "username")?) {
                (Some(value), _) => of_basic(value)?,
                (None, Some(user)) => Credentials::Password {
                    user,
                    password: needed("password")?,
                },
                (None, None) => return Err(BadRequest::Grant),
            },
            Some(_) => return Err(BadRequest::Grant),
        };
        Ok(Self {
            service: text(form, "service")?,
            scopes: scopes(form)?,
            credentials,
            account: text(form, "account")?,
            wants_refresh: value(form, "access_type").is_some_and(|value| value == "offline"),
            says_scope: true,
        })
    }

    /// Whether the one who logged in is whom the client believes.
    pub(super) fn is_for(&self, name: &str) -> bool {
        let anonymous = matches!(self.credentials, Credentials::None);
        anonymous
            || self
                .account
                .as_deref()
                .is_none_or(|account| account == name)
    }
}

fn of_basic(authorization: &str) -> Result<Credentials, BadRequest> {
    let basic = basic::parse(authorization).ok_or(BadRequest::Authorization)?;
    Ok(Credentials::Password {
        user: basic.user().to_owned(),
        password: Zeroizing::new(basic.password().to_owned()),
    })
}

/// The first value of a parameter.
fn value<'a>(form: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    let mut pairs = form_urlencoded::parse(form);
    pairs.find(|(key, _)| key == name).map(|(_, value)| value)
}

/// The same, for what goes into tokens and messages.
fn text(form: &[u8], name: &'static str) -> Result<Option<String>, BadRequest> {
    let Some(value) = value(form, name).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    if value.len() > LONGEST || value.contains(char::is_control) {
        return Err(BadRequest::Text(name));
    }
    Ok(Some(value.into_owned()))
}

/// All scopes: of one parameter with spaces, or of several.
fn scopes(form: &[u8]) -> Result<Vec<Scope>, BadRequest> {
    let mut scopes: Vec<Scope> = Vec::new();
    for (_, value) in form_urlencoded::parse(form).filter(|(key, _)| key == "scope") {
        scopes.extend(Scope::parse_list(&value, scopes.len())?);
    }
    Ok(scopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(query: &str, authorization: Option<&str>) -> Result<TokenRequest, BadRequest> {
        TokenRequest::read(&Ask {
            method: &Method::GET,
            query: Some(query),
            authorization,
            body: b"",
            client: [127, 0, 0, 1].into(),
            user_agent: None,
        })
    }

    fn post(form: &str) -> Result<TokenRequest, BadRequest> {
        TokenRequest::read(&Ask {
            method: &Method::POST,
            query: None,
            authorization: None,
            body: form.as_bytes(),
            client: [127, 0, 0, 1].into(),
            user_agent: None,
        })
    }

    #[test]
    fn a_get_says_it_in_its_query() {
        let request = get(
            "service=registry.example&scope=repository:a:pull&scope=repository:b:pull,push%20registry:catalog:*\
             &account=alice&offline_token=true",
            Some("Basic YWxpY2U6cHc="),
        );
        let request = request.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(request.service.as_deref(), Some("registry.example"));
        let scopes: Vec<_> = request.scopes.iter().map(ToString::to_string).collect();
        assert_eq!(
            scopes,
            [
                "repository:a:pull",
                "repository:b:pull,push",
                "registry:catalog:*"
            ]
        );
        assert!(request.wants_refresh && !request.says_scope);
        assert!(request.is_for("alice") && !request.is_for("bob"));
        let Credentials::Password { user, password } = request.credentials else {
            panic!("no password");
        };
        assert_eq!((user.as_str(), password.as_str()), ("alice", "pw"));
    }

    #[test]
    fn a_stranger_is_whoever_they_say() {
        let request = get("service=a&account=alice", None).unwrap_or_else(|e| panic!("{e}"));
        assert!(request.is_for(""));
    }

    #[test]
    fn a_post_says_it_in_its_form() {
        let request = post(
            "grant_type=password&username=alice&password=p%26w&service=s&client_id=docker\
             &scope=repository:a:pull&access_type=offline",
        );
        let request = request.unwrap_or_else(|e| panic!("{e}"));
        assert!(request.wants_refresh && request.says_scope);
        assert!(matches!(
            &request.credentials,
            Credentials::Password { user, password } if user == "alice" && **password == "p&w"
        ));
        let request = post("grant_type=refresh_token&refresh_token=abc&service=s");
        assert!(matches!(
            request.unwrap_or_else(|e| panic!("{e}")).credentials,
            Credentials::Refresh(token) if *token == "abc"
        ));
    }

    #[test]
    fn what_cannot_be_answered_is_said() {
        for (result, expected) in [
            (get("", Some("Bearer abc")), BadRequest::Authorization),
            (get("", Some("")), BadRequest::Authorization),
            (get("scope=a", None), BadRequest::Scope(ScopeError::Parts)),
            (
                get(&"scope=repository:a:pull&".repeat(1000), None),
                BadRequest::Scope(ScopeError::TooMany),
            ),
            (get("service=a%0Ab", None), BadRequest::Text("service")),
            (post(""), BadRequest::Grant),
            (post("grant_type=authorization_code"), BadRequest::Grant),
            (
                post("grant_type=password&username=a"),
                BadRequest::Missing("password"),
            ),
            (
                post("grant_type=password&password=a"),
                BadRequest::Missing("username"),
            ),
            (
                post("grant_type=refresh_token"),
                BadRequest::Missing("refresh_token"),
            ),
        ] {
            assert_eq!(result.err(), Some(expected));
        }
    }
}
