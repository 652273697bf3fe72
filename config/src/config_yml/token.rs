//! What a `config.yml` says of whose tokens are believed: `auth.token`.

use super::report::Problem;
use super::section::{Field, Section};
use crate::token::{Algorithm, AlgorithmError, JwksSource, TokenAuth, check_name, check_realm};

/// Reads `auth.token`, of which distribution needs all but where keys come from,
/// and one of these.
pub(super) fn read(token: &Section<'_>) -> Result<TokenAuth, Problem> {
    let needed = |key: &str| {
        let field = token.honoured(key);
        let missing = || {
            token.problem(
                &format!("it has no {key}"),
                "token needs realm, service and issuer, and rootcertbundle or jwks",
            )
        };
        let text = field.text()?.ok_or_else(missing)?;
        Ok((field, text))
    };
    let auto_redirect = auto_redirect(token)?;
    let realm = match needed("realm") {
        Ok((field, realm)) => {
            let hint = "it is the URL of the token server, to which clients are sent";
            check_realm(&realm).map_err(|why| field.problem(&why, hint))?;
            realm
        }
        Err(_) if auto_redirect.is_some() => String::new(),
        Err(problem) => return Err(problem),
    };
    let named = |key: &str| {
        let (field, name) = needed(key)?;
        let hint = "write it exactly as the token server's configuration has it";
        check_name(&name).map_err(|why| field.problem(why, hint))?;
        Ok(name)
    };
    let (service, issuer) = (named("service")?, named("issuer")?);
    let root_cert_bundle = token.honoured("rootcertbundle").text()?;
    let jwks = token.honoured("jwks");
    let source = jwks.text()?.map(|text| {
        let source = text.parse::<JwksSource>();
        source.map_err(|why| jwks.problem(&why, "it is the path of a JSON Web Key Set"))
    });
    let source = source.transpose()?;
    if root_cert_bundle.is_none() && source.is_none() {
        return Err(token.problem(
            "it names no key: no token would be believed",
            "rootcertbundle is a file with the token server's certificate, jwks one with its keys",
        ));
    }
    Ok(TokenAuth {
        realm,
        service,
        issuer,
        root_cert_bundle: root_cert_bundle.map(Into::into),
        jwks: source,
        algorithms: algorithms(&token.field("signingalgorithms"))?,
        auto_redirect,
    })
}

fn auto_redirect(token: &Section<'_>) -> Result<Option<String>, Problem> {
    let path = token.field("autoredirectpath");
    if !token.honoured("autoredirect").is_true()? {
        path.harmless("autoredirect is not on");
        return Ok(None);
    }
    path.honoured();
    match path.text()? {
        None => Ok(Some(TokenAuth::AUTO_REDIRECT_PATH.to_owned())),
        Some(text) if TokenAuth::is_path(&text) => Ok(Some(text)),
        Some(text) => Err(path.problem(
            &format!("`{}` is no path", text.escape_debug()),
            "it is the path of the token server on the host that the client asked",
        )),
    }
}

/// What distribution accepts and is not safe is refused; without it, the others
/// count.
fn algorithms(field: &Field<'_>) -> Result<Vec<Algorithm>, Problem> {
    let mut algorithms = Vec::new();
    let mut unsafe_one = None;
    for name in field.texts()? {
        match name.parse() {
            Ok(algorithm) if algorithms.contains(&algorithm) => {}
            Ok(algorithm) => algorithms.push(algorithm),
            Err(why @ AlgorithmError::Shared) => unsafe_one = Some(format!("`{name}`: {why}")),
            Err(why) => {
                let what = format!("`{}`: {why}", name.escape_debug());
                let known = Algorithm::ALL.map(Algorithm::name).join(", ");
                return Err(field.problem(&what, &format!("one or more of {known}")));
            }
        }
    }
    match unsafe_one {
        None => field.honoured(),
        Some(why) if algorithms.is_empty() => {
            return Err(field.problem(&why, "without signingalgorithms, all that are safe count"));
        }
        Some(why) => field.refused(&why),
    }
    if algorithms.is_empty() {
        return Ok(Algorithm::ALL.to_vec());
    }
    Ok(algorithms)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::finding::{Finding, Verdict};
    use crate::load::parse_config_yml;
    use crate::settings::Settings;

    fn read(token: &str, variables: &[(&str, &str)]) -> Result<(Settings, Vec<Finding>), String> {
        let text = format!("version: 0.1\nstorage: filesystem\n{token}");
        let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        let adopted = parse_config_yml(Path::new("c.yml"), &text, variables.iter().map(own));
        let adopted = adopted.map_err(|e| e.to_string())?;
        Ok((adopted.settings, adopted.findings))
    }

    const LEAST: &str = "auth:\n  token:\n    realm: https://auth.example/token\n    \
                         service: registry\n    issuer: auth\n    rootcertbundle: /token.crt\n";

    #[test]
    fn the_keys_of_version_2_are_read() {
        let (settings, findings) = read(LEAST, &[]).unwrap();
        assert_eq!(
            settings.token,
            Some(TokenAuth {
                realm: "https://auth.example/token".to_owned(),
                service: "registry".to_owned(),
                issuer: "auth".to_owned(),
                root_cert_bundle: Some("/token.crt".into()),
                jwks: None,
                algorithms: Algorithm::ALL.to_vec(),
                auto_redirect: None,
            })
        );
        assert_eq!(settings.auth, None);
        assert_eq!(settings.sites, []);
        let all_honoured = findings.iter().all(|f| f.verdict == Verdict::Honoured);
        assert!(all_honoured, "{findings:?}");
        let (settings, _) = read(&format!("{LEAST}    autoredirect: true\n"), &[]).unwrap();
        let path = settings.token.unwrap().auto_redirect;
        assert_eq!(path.as_deref(), Some("/auth/token"));
    }

    #[test]
    fn the_keys_of_version_3_are_read() {
        let more = "    jwks: /jwks.json\n    autoredirect: true\n    autoredirectpath: /t\n    \
                    signingalgorithms: [ES256, EdDSA, ES256]\n";
        let (settings, findings) = read(&format!("{LEAST}{more}"), &[]).unwrap();
        let token = settings.token.unwrap();
        assert_eq!(token.jwks, Some(JwksSource::File("/jwks.json".into())));
        assert_eq!(token.auto_redirect.as_deref(), Some("/t"));
        assert_eq!(token.algorithms, [Algorithm::Es256, Algorithm::EdDsa]);
        let all_honoured = findings.iter().all(|f| f.verdict == Verdict::Honoured);
        assert!(all_honoured, "{findings:?}");
    }

    #[test]
    fn variables_say_it_as_well() {
        let variables = [
            ("REGISTRY_AUTH", "token"),
            ("REGISTRY_AUTH_TOKEN_REALM", "https://auth.example/token"),
            ("REGISTRY_AUTH_TOKEN_SERVICE", "registry"),
            ("REGISTRY_AUTH_TOKEN_ISSUER", "auth"),
            ("REGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE", "/token.crt"),
        ];
        let (by_variables, _) = read("", &variables).unwrap();
        assert_eq!(by_variables.token, read(LEAST, &[]).unwrap().0.token);
        let (settings, _) = read(LEAST, &[("REGISTRY_AUTH_TOKEN_SERVICE", "other")]).unwrap();
        assert_eq!(settings.token.unwrap().service, "other");
    }

    #[test]
    fn a_secret_that_is_shared_is_refused() {
        let text = format!("{LEAST}    signingalgorithms: [HS256, RS256]\n");
        let (settings, findings) = read(&text, &[]).unwrap();
        assert_eq!(settings.token.unwrap().algorithms, [Algorithm::Rs256]);
        let refused = |f: &&Finding| matches!(f.verdict, Verdict::Refused(_));
        let refused = findings.iter().find(refused).unwrap();
        assert!(refused.subject.starts_with("auth.token.signingalgorithms"));
    }

    #[test]
    fn what_says_nothing_that_can_be_meant_is_a_mistake() {
        for (from, to, said) in [
            (
                "    realm: https://auth.example/token\n",
                "",
                "c.yml:4:3: `auth.token`: it has no realm",
            ),
            ("    service: registry\n", "", "it has no service"),
            ("issuer: auth", "issuer: ''", "it has no issuer"),
            (
                "https://auth.example/token",
                "basic-realm",
                "`auth.token.realm`: `basic-realm` is no http",
            ),
            ("    rootcertbundle: /token.crt\n", "", "it names no key"),
            (
                "rootcertbundle: /token.crt",
                "jwks: http://auth/k",
                "in the clear",
            ),
            (
                "rootcertbundle",
                "autoredirect: perhaps\n    rootcertbundle",
                "true or false",
            ),
            (
                "rootcertbundle",
                "autoredirect: true\n    autoredirectpath: t\n    rootcertbundle",
                "`t` is no path",
            ),
            (
                "rootcertbundle",
                "signingalgorithms: [none]\n    rootcertbundle",
                "`none`: a token without",
            ),
            (
                "rootcertbundle",
                "signingalgorithms: [HS256]\n    rootcertbundle",
                "shared secret",
            ),
            (
                "rootcertbundle",
                "signingalgorithms: [RS1]\n    rootcertbundle",
                "`RS1`: no algorithm",
            ),
        ] {
            assert!(LEAST.contains(from), "{from}");
            let error = read(&LEAST.replace(from, to), &[]).unwrap_err();
            assert!(error.contains(said), "{to}: {error}");
        }
        let error = read("auth: token\n", &[]).unwrap_err();
        assert!(error.contains("`token` needs parameters"), "{error}");
        // Where the host that was asked gives tokens, there is no need of a realm.
        let text = LEAST.replace("realm: https://auth.example/token", "autoredirect: true");
        assert_eq!(read(&text, &[]).unwrap().0.token.unwrap().realm, "");
    }
}
