use super::*;
use crate::token::{Algorithm, JwksSource, TokenAuth};

const TOKEN: &str = r#"
[auth.token]
realm = "https://auth.example.org/token"
service = "registry.example.org"
issuer = "Acme auth"
root_cert_bundle = "token.crt"
"#;

fn with(token: &str) -> Result<Settings, Box<Diagnostic>> {
    let text = SMALL.replace("[auth]\nhtpasswd = \"auth/htpasswd\"\n", token);
    parse(Path::new("/srv/tidegate.toml"), &text)
}

fn token(token: &str) -> TokenAuth {
    with(token).unwrap().token.unwrap()
}

#[test]
fn tokens_may_stand_in_for_passwords_or_beside_them() {
    let settings = with(TOKEN).unwrap();
    assert_eq!(settings.auth, None);
    assert_eq!(
        settings.token,
        Some(TokenAuth {
            realm: "https://auth.example.org/token".to_owned(),
            service: "registry.example.org".to_owned(),
            issuer: "Acme auth".to_owned(),
            root_cert_bundle: Some("/srv/token.crt".into()),
            jwks: None,
            algorithms: Algorithm::ALL.to_vec(),
            auto_redirect: None,
        })
    );
    let both = with(&format!("[auth]\nhtpasswd = \"users\"\n{TOKEN}")).unwrap();
    assert_eq!(both.auth.unwrap().htpasswd, Path::new("/srv/users"));
    assert_eq!(both.token, settings.token);
    assert_eq!(small().token, None);
}

#[test]
fn keys_come_from_a_file_or_a_url() {
    let jwks = |value: &str| {
        let of = token(&TOKEN.replace(
            "root_cert_bundle = \"token.crt\"",
            &format!("jwks = \"{value}\""),
        ));
        assert_eq!(of.root_cert_bundle, None);
        of.jwks.unwrap()
    };
    assert_eq!(jwks("keys.json"), JwksSource::File("/srv/keys.json".into()));
    assert_eq!(jwks("/etc/keys"), JwksSource::File("/etc/keys".into()));
    let JwksSource::Url(url) = jwks("https://auth.example.org/keys") else {
        panic!("no URL")
    };
    assert_eq!(url.as_str(), "https://auth.example.org/keys");
}

#[test]
fn what_may_sign_is_said_by_name() {
    let token = token(&format!(
        "{TOKEN}algorithms = [\"ES256\", \"EdDSA\", \"ES256\"]\nauto_redirect = \"/auth\"\n"
    ));
    assert_eq!(token.algorithms, [Algorithm::Es256, Algorithm::EdDsa]);
    assert_eq!(token.auto_redirect.as_deref(), Some("/auth"));
}

#[test]
fn what_is_wrong_is_said_where_it_stands() {
    for (from, to, said, hint) in [
        (
            "realm = \"https://auth.example.org/token\"\n",
            "",
            "does not say where clients get tokens",
            "realm =",
        ),
        (
            "https://auth",
            "auth",
            "`auth.example.org/token` is no http or https URL",
            "the URL of the token server",
        ),
        ("Acme auth", "", "it is empty", "exactly as"),
        ("Acme auth", "a\\u0007", "control characters", "exactly as"),
        (
            "root_cert_bundle = \"token.crt\"\n",
            "",
            "names no key",
            "jwks",
        ),
        (
            "root_cert_bundle",
            "rootcertbundle",
            "unknown key `rootcertbundle`",
            "root_cert_bundle",
        ),
        (
            "root_cert_bundle = \"token.crt\"",
            "jwks = \"http://auth/\"",
            "in the clear",
            "https://",
        ),
        (
            "root_cert_bundle",
            "algorithms = [\"none\"]\nroot_cert_bundle",
            "`none`: a token without",
            "RS256, RS384",
        ),
        (
            "root_cert_bundle",
            "algorithms = [\"HS256\"]\nroot_cert_bundle",
            "shared secret",
            "RS256",
        ),
        (
            "root_cert_bundle",
            "algorithms = []\nroot_cert_bundle",
            "no token would be believed",
            "all",
        ),
        (
            "root_cert_bundle",
            "auto_redirect = \"auth\"\nroot_cert_bundle",
            "`auth` is no path",
            "/auth/token",
        ),
    ] {
        assert!(TOKEN.contains(from));
        let error = with(&TOKEN.replace(from, to)).unwrap_err();
        assert!(error.message().contains(said), "{to}: {error}");
        assert!(
            error.hint().unwrap_or_default().contains(hint),
            "{to}: {error}"
        );
    }
    let open = with(&format!("[auth]\nrequired = false\n{TOKEN}")).unwrap_err();
    assert!(open.message().contains("contradicts `token`"), "{open}");
    let elsewhere = with(TOKEN).map(|_| SMALL).unwrap().replace(
        "[registry]\nroot = \"registry\"",
        "[forward]\nto = \"http://127.0.0.1:5000\"",
    );
    let elsewhere = elsewhere.replace("[auth]\nhtpasswd = \"auth/htpasswd\"\n", TOKEN);
    let error = parse(Path::new("t.toml"), &elsewhere).unwrap_err();
    assert!(error.message().contains("without [registry]"), "{error}");
}

#[test]
fn tokens_come_back_as_they_were_written() {
    for text in [
        TOKEN.to_owned(),
        format!("[auth]\nhtpasswd = \"users\"\n{TOKEN}"),
        format!(
            "{TOKEN}algorithms = [\"PS512\", \"ES512\"]\njwks = \"k.json\"\nauto_redirect = \"/t\"\n"
        ),
        TOKEN.replace(
            "root_cert_bundle = \"token.crt\"",
            "jwks = \"https://a.example/k?x=1\"",
        ),
        TOKEN.replace(
            "realm = \"https://auth.example.org/token\"",
            "auto_redirect = \"/t\"",
        ),
    ] {
        let settings = with(&text).unwrap();
        let written = write(&settings, "");
        let again = parse(Path::new("/elsewhere/t.toml"), &written);
        assert_eq!(again.unwrap(), settings, "{written}");
    }
}
