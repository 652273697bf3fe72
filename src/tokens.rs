//! The token server of this process: its key, and the way from HTTP to it and
//! back.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use certs_tool::{HostName, PairName, PairPaths, PairState, SiteOptions};
use http::StatusCode;
use http::header::USER_AGENT;
use http_body_util::{BodyExt as _, Full, Limited};
use tidegate_auth::docker_auth::DockerAuth;
use tidegate_auth::policy::SharedPolicy;
use tidegate_auth::robots::Robots;
use tidegate_auth::token::TokenVerifier;
use tidegate_auth::token_server::{Answer, Ask, Authority, House, KeyName, Signer, TokenServer};
use tidegate_auth::{Challenge, Realm, Verifier};
use tidegate_config::TokenServer as Settings;
use tidegate_config::auth_config::{KeyId, TokenSettings};
use tidegate_config::token::TokenAuth;
use tidegate_failure::Failure;
use tidegate_proxy::{Authorization, ClientAddress, RequestBody, ResponseBody};
use tracing::info;

/// Where clients ask for tokens: a path that is no repository's.
pub(crate) const PATH: &str = "/auth/token";

/// Where other registries find the key's public half (RFC 7517).
pub(crate) const KEYS_PATH: &str = "/.well-known/tidegate/jwks.json";

/// The longest form that is read.
const LONGEST_FORM: usize = 64 * 1024;

/// How long a certificate counts that is made here: nobody renews it.
const DAYS: u32 = 3650;

/// A token server with the way to believe its tokens.
pub(crate) struct OwnTokens {
    pub(crate) server: TokenServer,
    pub(crate) verifier: Arc<TokenVerifier>,
    pub(crate) challenge: Challenge,
}

/// Opens the token server, and makes its key if there is none.
pub(crate) fn open(
    settings: &Settings,
    passwords: Option<Arc<Verifier>>,
    robots: Option<Arc<Robots>>,
    policy: SharedPolicy,
) -> Result<OwnTokens, Failure> {
    make_missing_key(&settings.key, &settings.certificate)?;
    let signer = Signer::open(&settings.key, &settings.certificate, KeyName::default())?;
    let keys = vec![signer.public_key().clone()];
    let verifier = TokenVerifier::with_keys(&settings.issuer, &settings.service, keys);
    let house = House::new(passwords, policy).with_robots(robots);
    let authority = Authority::House(house);
    Ok(OwnTokens {
        server: TokenServer::new(
            authority,
            signer,
            &settings.issuer,
            &settings.service,
            settings.expiry,
        ),
        verifier: Arc::new(verifier),
        challenge: Challenge::of_own_tokens(PATH, &settings.service),
    })
}

/// Opens the token server of docker_auth's users, for the registry in this
/// process.
pub(crate) fn of_docker_auth(users: &Arc<DockerAuth>) -> Result<OwnTokens, Failure> {
    let settings = &users.config().token;
    let signer = signer_of(settings)?;
    let keys = vec![signer.public_key().clone()];
    let service = Settings::NAME;
    Ok(OwnTokens {
        server: TokenServer::new(
            Authority::DockerAuth(Arc::clone(users)),
            signer,
            &settings.issuer,
            service,
            settings.expiration,
        ),
        verifier: Arc::new(TokenVerifier::with_keys(&settings.issuer, service, keys)),
        challenge: Challenge::of_own_tokens(PATH, service),
    })
}

/// The key of an `auth_config.yml`.
pub(crate) fn signer_of(settings: &TokenSettings) -> Result<Signer, Failure> {
    let name = match settings.key_id {
        KeyId::Libtrust => KeyName::Libtrust,
        KeyId::Thumbprint => KeyName::Thumbprint,
    };
    let pair = &settings.signing;
    Ok(Signer::open(&pair.key, &pair.cert, name)?)
}

/// Whether [`open`] could use the key, or would make it.
pub(crate) fn check_key(settings: &Settings) -> Result<(), Failure> {
    let Settings {
        key, certificate, ..
    } = settings;
    let is_missing = |path: &Path| fs_err::symlink_metadata(path).is_err();
    if is_missing(key) && is_missing(certificate) && pair(key, certificate).is_some() {
        return Ok(());
    }
    Signer::open(key, certificate, KeyName::default())?;
    Ok(())
}

/// How tokens are asked for that somebody else gives out.
pub(crate) fn challenge_of_others(settings: &TokenAuth) -> Challenge {
    Challenge::Bearer {
        realm: match &settings.auto_redirect {
            Some(path) => Realm::Here(path.as_str().into()),
            None => Realm::At(settings.realm.as_str().into()),
        },
        service: settings.service.as_str().into(),
    }
}

/// Makes the pair where neither file is there, if they are named as a pair is;
/// otherwise what is missing is found out when it is read.
fn make_missing_key(key: &Path, certificate: &Path) -> Result<(), Failure> {
    let Some(paths) = pair(key, certificate) else {
        return Ok(());
    };
    if paths.settle()? != PairState::Missing {
        return Ok(());
    }
    let name = HostName::parse("tidegate-tokens").map_err(|e| Failure::of(&e, None))?;
    let made = certs_tool::self_signed(&SiteOptions {
        days: DAYS,
        ..SiteOptions::new(vec![name])
    })?;
    match certs_tool::write_pair(&paths, &made.pair) {
        // Somebody else has made it meanwhile.
        Ok(()) | Err(certs_tool::CertsError::Exists { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    info!(path = %key.display(), "made the key that signs tokens");
    Ok(())
}

/// The files of a pair, if they are named as one is.
fn pair(key: &Path, certificate: &Path) -> Option<PairPaths> {
    let name = PairName::parse(key.file_stem()?.to_str()?).ok()?;
    let paths = PairPaths::site(key.parent()?, &name);
    (paths.key() == key && paths.cert() == certificate).then_some(paths)
}

/// Answers what is asked at [`PATH`] and [`KEYS_PATH`]; `None` is somebody
/// else's.
pub(crate) async fn answer(
    server: &TokenServer,
    request: http::Request<RequestBody>,
) -> Result<http::Response<ResponseBody>, http::Request<RequestBody>> {
    let answer = match request.uri().path() {
        KEYS_PATH => server.jwks(),
        PATH => ask(server, request).await,
        _ => return Err(request),
    };
    Ok(response(answer))
}

/// An answer as HTTP.
pub(crate) fn response(answer: Answer) -> http::Response<ResponseBody> {
    let Answer {
        status,
        headers,
        body,
    } = answer;
    let mut response = http::Response::new(whole(body));
    *response.status_mut() = status;
    response.headers_mut().extend(headers);
    response
}

/// Asks for a token, in the name of the client that the request comes from.
pub(crate) async fn ask(server: &TokenServer, request: http::Request<RequestBody>) -> Answer {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, LONGEST_FORM).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Answer::unreadable(StatusCode::PAYLOAD_TOO_LARGE),
    };
    let client = parts.extensions.get::<ClientAddress>();
    let user_agent = parts.headers.get(USER_AGENT);
    let asked = Ask {
        method: &parts.method,
        query: parts.uri.query(),
        authorization: parts.extensions.get().map(Authorization::as_str),
        body: &body,
        client: client.map_or(IpAddr::from([0; 4]), |client| client.0),
        user_agent: user_agent.and_then(|value| value.to_str().ok()),
    };
    server.answer(asked).await
}

fn whole(text: String) -> ResponseBody {
    ResponseBody::new(Full::new(Bytes::from(text)).map_err(|never| match never {}))
}
