//! `[auth.token]`: whose tokens are believed.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::value;
use crate::token::{Algorithm, JwksSource, TokenAuth, check_name, check_realm};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenSection {
    #[serde(default, deserialize_with = "realm")]
    realm: Option<String>,
    #[serde(deserialize_with = "name")]
    service: String,
    #[serde(deserialize_with = "name")]
    issuer: String,
    root_cert_bundle: Option<PathBuf>,
    #[serde(default, deserialize_with = "jwks")]
    jwks: Option<JwksSource>,
    #[serde(default = "all", deserialize_with = "algorithms")]
    algorithms: Vec<Algorithm>,
    #[serde(default, deserialize_with = "path")]
    auto_redirect: Option<String>,
}

impl TokenSection {
    /// Or what is wrong with the section as a whole, and how to mend it.
    pub(super) fn into_settings(
        self,
        base: &Path,
    ) -> Result<TokenAuth, (&'static str, &'static str)> {
        if self.root_cert_bundle.is_none() && self.jwks.is_none() {
            return Err((
                "[auth.token] names no key: no token would be believed",
                "add `root_cert_bundle = \"token.crt\"`, the token server's certificate, or \
                 `jwks` with a file or an https URL",
            ));
        }
        if self.realm.is_none() && self.auto_redirect.is_none() {
            return Err((
                "[auth.token] does not say where clients get tokens",
                "add `realm = \"https://auth.example.org/token\"`",
            ));
        }
        Ok(TokenAuth {
            realm: self.realm.unwrap_or_default(),
            service: self.service,
            issuer: self.issuer,
            root_cert_bundle: self.root_cert_bundle.map(|path| base.join(path)),
            jwks: self.jwks.map(|source| match source {
                JwksSource::File(path) => JwksSource::File(base.join(path)),
                url @ JwksSource::Url(_) => url,
            }),
            algorithms: self.algorithms,
            auto_redirect: self.auto_redirect,
        })
    }
}

fn realm<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(d)?;
    match check_realm(&text) {
        Ok(()) => Ok(Some(text)),
        Err(why) => Err(value::wrong(
            why,
            "it is the URL of the token server: \"https://auth.example.org/token\"",
        )),
    }
}

fn name<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    let text = String::deserialize(d)?;
    match check_name(&text) {
        Ok(()) => Ok(text),
        Err(why) => Err(value::wrong(
            why,
            "write it exactly as the token server's configuration has it",
        )),
    }
}

fn jwks<'de, D: Deserializer<'de>>(d: D) -> Result<Option<JwksSource>, D::Error> {
    String::deserialize(d)?.parse().map(Some).map_err(|why| {
        let hint = "write it as \"jwks.json\" or \"https://auth.example.org/jwks.json\"";
        value::wrong::<D::Error>(why, hint)
    })
}

fn all() -> Vec<Algorithm> {
    Algorithm::ALL.to_vec()
}

fn algorithms<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Algorithm>, D::Error> {
    let known = || Algorithm::ALL.map(Algorithm::name).join(", ");
    let mut algorithms = Vec::new();
    for name in Vec::<Spanned<String>>::deserialize(d)? {
        let name = name.into_inner();
        let algorithm = name.parse().map_err(|why| {
            let hint = format!("one or more of {}", known());
            value::wrong::<D::Error>(format_args!("`{name}`: {why}"), &hint)
        })?;
        if !algorithms.contains(&algorithm) {
            algorithms.push(algorithm);
        }
    }
    if algorithms.is_empty() {
        let hint = format!("one or more of {}; without the key, all", known());
        return Err(value::wrong("no token would be believed", &hint));
    }
    Ok(algorithms)
}

fn path<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(d)?;
    if TokenAuth::is_path(&text) {
        Ok(Some(text))
    } else {
        Err(value::wrong(
            format_args!("`{text}` is no path"),
            "it is the path of the token server on the host that the client asked: \"/auth/token\"",
        ))
    }
}
