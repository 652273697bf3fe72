//! How a registry asks for a password (`WWW-Authenticate`, RFC 9110 section
//! 11.6.1), and whether one is right.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use zeroize::Zeroizing;

use super::client::{Answer, NoAnswer};
use super::report::{Check, Subject, shown};
use super::token::{BadRealm, TokenService};

/// Who pushes.
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: Zeroizing<String>,
}

/// What it takes to be let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Access {
    /// Nothing.
    Open,
    /// User and password with each request (RFC 7617).
    Basic,
    /// A token, which another service gives for user and password.
    Bearer(TokenService),
    /// Something that clients of registries do not know.
    Closed,
}

impl Credentials {
    /// The header of the Basic scheme.
    pub(super) fn basic(&self) -> HeaderMap {
        let pair = Zeroizing::new(format!("{}:{}", self.user, *self.password));
        authorization(&format!("Basic {}", STANDARD.encode(pair.as_bytes())))
    }
}

/// An `Authorization` that no log shows.
pub(super) fn authorization(value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    // A token with characters that no header takes is sent as none, and then
    // refused.
    let mut value = HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static("Bearer"));
    value.set_sensitive(true);
    headers.insert(AUTHORIZATION, value);
    headers
}

/// Judges how the answer of `/v2/` asks for a password.
pub(super) fn judge(answer: &Answer) -> (Check, Access) {
    const AUTH: Subject = Subject::Auth;
    if answer.status != StatusCode::UNAUTHORIZED {
        let check = Check::warn(AUTH, "no password is asked for: the registry is open to everybody")
            .hint("set passwords: `[auth] htpasswd = …` in tidegate.toml, `auth_basic` in nginx, `auth:` in docker-registry's config.yml");
        return (check, Access::Open);
    }
    let values: Vec<_> = answer.headers.get_all(WWW_AUTHENTICATE).iter().collect();
    if values.is_empty() {
        let check = Check::fail(
            AUTH,
            "401 without WWW-Authenticate: clients do not know how to log in",
        )
        .hint("a proxy takes the header away, or answers 401 itself without it");
        return (check, Access::Closed);
    }
    let mut offers = vec![];
    for value in values {
        let text = String::from_utf8_lossy(value.as_bytes());
        match http_auth::parse_challenges(&text) {
            Ok(challenges) => offers.extend(challenges.iter().map(Challenge::of)),
            Err(_) => {
                let check = Check::fail(
                    AUTH,
                    format!("WWW-Authenticate cannot be read: `{}`", shown(&text)),
                )
                .hint("expected `Basic realm=\"…\"` or `Bearer realm=\"https://…\",service=\"…\"`");
                return (check, Access::Closed);
            }
        }
    }
    choose(&offers)
}

/// One challenge, with what matters of it.
#[derive(Debug)]
struct Challenge {
    scheme: String,
    realm: String,
    service: Option<String>,
}

impl Challenge {
    fn of(read: &http_auth::ChallengeRef<'_>) -> Self {
        let parameter = |name: &str| {
            read.params
                .iter()
                .find(|(n, _)| n.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.to_unescaped())
        };
        Self {
            scheme: read.scheme.to_ascii_lowercase(),
            realm: parameter("realm").unwrap_or_default(),
            service: parameter("service"),
        }
    }
}

/// Clients take a token where they are offered one.
fn choose(offers: &[Challenge]) -> (Check, Access) {
    const AUTH: Subject = Subject::Auth;
    let of_scheme = |scheme: &str| offers.iter().find(|offer| offer.scheme == scheme);
    if let Some(bearer) = of_scheme("bearer") {
        return match TokenService::read(&bearer.realm, bearer.service.as_deref()) {
            Ok(service) => (
                Check::ok(AUTH, format!("a token of {}", service.shown())),
                Access::Bearer(service),
            ),
            Err(BadRealm::PlainHttp) => (
                Check::fail(
                    AUTH,
                    format!("a token of `{}`, to which passwords are sent without TLS", shown(&bearer.realm)),
                )
                .hint("give the token service TLS, and say so in the registry's configuration: docker-registry's `auth.token.realm: https://…`"),
                Access::Closed,
            ),
            Err(why) => (
                Check::fail(
                    AUTH,
                    format!("tokens are given at `{}`: {why}", shown(&bearer.realm)),
                )
                .hint("say in the registry's configuration where clients reach the token service: docker-registry's `auth.token.realm: https://…`"),
                Access::Closed,
            ),
        };
    }
    if let Some(basic) = of_scheme("basic") {
        let realm = shown(&basic.realm);
        let check = Check::ok(AUTH, format!("user and password (Basic, realm `{realm}`)"));
        return (check, Access::Basic);
    }
    let schemes: Vec<_> = offers.iter().map(|offer| shown(&offer.scheme)).collect();
    let check = Check::fail(
        AUTH,
        format!(
            "only `{}` is offered, and clients know Basic and Bearer",
            schemes.join("`, `")
        ),
    )
    .hint("have the proxy ask for Basic");
    (check, Access::Closed)
}

/// Judges the token service by asking it for a token without a password.
pub(super) fn judge_token_service(
    service: &TokenService,
    asked: Result<&Answer, &NoAnswer>,
) -> Check {
    const AUTH: Subject = Subject::Auth;
    let place = service.shown();
    match asked {
        Ok(answer) if matches!(answer.status.as_u16(), 200 | 400 | 401 | 403) => {
            Check::ok(AUTH, format!("a token of {place}, which answers"))
        }
        Ok(answer) => Check::fail(AUTH, format!("{place} answers {}", answer.status))
            .hint("see that `auth.token.realm` of the registry leads to the token service"),
        Err(error) => Check::fail(AUTH, format!("a token of {place}, which cannot be asked: {error}"))
            .hint("clients have to reach the token service by this name and port, and to trust it like the registry"),
    }
}

/// Judges user and password by what `/v2/` answers to them.
pub(super) fn judge_credentials(user: &str, asked: Result<&Answer, &NoAnswer>) -> Check {
    const CREDENTIALS: Subject = Subject::Credentials;
    let user = shown(user);
    match asked {
        Ok(answer) => match answer.status {
            StatusCode::OK => Check::ok(CREDENTIALS, format!("user `{user}` is let in")),
            StatusCode::UNAUTHORIZED => Check::fail(
                CREDENTIALS,
                format!("the password of user `{user}` is wrong, or there is no such user"),
            )
            .hint(format!("`docker login` needs the same two; `tidegate htpasswd FILE {user}` sets the password anew")),
            StatusCode::FORBIDDEN => Check::fail(
                CREDENTIALS,
                format!("user `{user}` is known, but not let in: {}", answer.detail()),
            )
            .hint("see the registry's rules for this user"),
            StatusCode::TOO_MANY_REQUESTS => Check::fail(
                CREDENTIALS,
                "too many wrong passwords from here, or for this user".to_owned(),
            )
            .hint("wait a minute; then see who keeps sending an old password"),
            _ => Check::fail(
                CREDENTIALS,
                format!("expected 200, got {}", answer.detail()),
            )
            .hint("see the registry's log"),
        },
        Err(error) => Check::fail(CREDENTIALS, format!("no answer with a password: {error}"))
            .hint("see the registry's log"),
    }
}

/// Judges user and password by a token service that gives no token for them.
pub(super) fn judge_no_token(user: &str, asked: Result<&Answer, &NoAnswer>) -> Check {
    const CREDENTIALS: Subject = Subject::Credentials;
    match asked {
        Ok(answer) if answer.status == StatusCode::OK => Check::fail(
            CREDENTIALS,
            "the token service answers 200, but without a token",
        )
        .hint("expected JSON with `token` or `access_token`: see that `auth.token.realm` leads to the token service"),
        other => judge_credentials(user, other),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use time::OffsetDateTime;

    use super::super::report::Status;
    use super::*;

    fn answer(status: u16, challenges: &[&str]) -> Answer {
        let mut headers = HeaderMap::new();
        for challenge in challenges {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(challenge).unwrap());
        }
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: Bytes::new(),
            received: OffsetDateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_registry_without_a_password_is_worth_a_warning() {
        let (check, access) = judge(&answer(200, &[]));
        assert_eq!((check.status, access), (Status::Warn, Access::Open));
    }

    #[test]
    fn basic_and_bearer_are_read() {
        let (check, access) = judge(&answer(401, &["basic Realm=\"My \\\"own\\\"\""]));
        assert_eq!((check.status, access), (Status::Ok, Access::Basic));
        assert!(check.text.contains("My \"own\""), "{}", check.text);

        let both = [
            "Basic realm=\"x\"",
            "Bearer realm=\"https://auth.lan/token\",service=\"registry\",error=\"a\"",
        ];
        let (check, access) = judge(&answer(401, &both));
        assert_eq!(check.status, Status::Ok, "{}", check.text);
        assert!(matches!(access, Access::Bearer(_)));
        // Both in one line.
        assert_eq!(judge(&answer(401, &[&both.join(", ")])).1, access);
    }

    #[test]
    fn what_clients_cannot_answer_is_a_failure() {
        for (challenges, said) in [
            (&[][..], "401 without"),
            (&["Digest realm=\"x\", nonce=\"y\""][..], "only `digest`"),
            (&["=,="][..], "cannot be read"),
            (&["Bearer service=\"x\""][..], "tokens are given at ``"),
        ] {
            let (check, access) = judge(&answer(401, challenges));
            assert_eq!((check.status, access), (Status::Fail, Access::Closed));
            assert!(check.text.contains(said), "{}", check.text);
        }
    }

    #[test]
    fn credentials_are_judged_by_status() {
        for (status, expected) in [
            (200, Status::Ok),
            (401, Status::Fail),
            (403, Status::Fail),
            (429, Status::Fail),
            (500, Status::Fail),
        ] {
            let check = judge_credentials("alice", Ok(&answer(status, &[])));
            assert_eq!(check.status, expected, "{status}");
        }
    }

    #[test]
    fn a_password_is_shown_to_nobody() {
        let credentials = Credentials {
            user: "Aladdin".to_owned(),
            password: Zeroizing::new("open sesame".to_owned()),
        };
        let headers = credentials.basic();
        // The example of RFC 7617 section 2.
        assert_eq!(headers[AUTHORIZATION], "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(!format!("{headers:?}").contains("QWxh"));
    }

    proptest! {
        #[test]
        fn no_challenge_panics(text in "((Basic|Bearer) realm=\"[ -~]{0,20}\")?[ -~]{0,40}") {
            let (check, access) = judge(&answer(401, &[&text]));
            prop_assert_eq!(check.failed(), access == Access::Closed);
        }
    }
}
