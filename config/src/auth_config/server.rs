//! What an `auth_config.yml` says of the server and of its tokens.

use std::path::PathBuf;
use std::time::Duration;

use super::real_ip::RealIp;
use super::settings::{Bind, KeyId, TlsVersion, TokenServer, TokenSettings};
use crate::header::HeaderFieldName;
use crate::settings::CertificateFiles;
use crate::yaml::report::Problem;
use crate::yaml::section::{Field, Section};
use crate::yaml::value;

/// Tokens are valid for some minutes; what is longer than this is a slip.
const LONGEST: u64 = 10 * 365 * 24 * 60 * 60;

/// Reads `server` and `token`, of which the one has the other's certificate where
/// it has none of its own.
pub(super) fn read(root: &Section<'_>) -> Result<(TokenServer, TokenSettings), Problem> {
    let server = root.section("server", server)?;
    let token = root.section("token", |token| self::token(token, &server))?;
    Ok((server, token))
}

fn server(server: &Section<'_>) -> Result<TokenServer, Problem> {
    let certificate = pair(server)?;
    letsencrypt(server, certificate.is_some())?;
    let oldest_tls = tls(server, certificate.is_some())?;
    let prefix = server.honoured("path_prefix");
    let path_prefix = prefix.text()?.unwrap_or_default();
    if !path_prefix.is_empty() && !path_prefix.starts_with('/') {
        return Err(prefix.problem("it is no path", "write it with a slash before it: /docker"));
    }
    Ok(TokenServer {
        bind: bind(server)?,
        path_prefix,
        certificate,
        oldest_tls,
        hsts: server.honoured("hsts").is_true()?,
        real_ip: real_ip(server)?,
    })
}

fn bind(server: &Section<'_>) -> Result<Bind, Problem> {
    let (address, net) = (server.honoured("addr"), server.honoured("net"));
    let Some(text) = address.text()? else {
        return Err(server.problem(
            "it has no addr",
            "write the address and port: addr: \":5001\"",
        ));
    };
    match net.text()?.as_deref() {
        None | Some("tcp") => value::listen_address(&text)
            .map(Bind::Tcp)
            .map_err(|why| address.problem(&why, "write it as :5001 or 127.0.0.1:5001")),
        Some("unix") => Ok(Bind::Unix(PathBuf::from(text))),
        Some(other) => {
            let what = format!("expected tcp or unix, got `{other}`");
            Err(net.problem(&what, "leave it out for tcp"))
        }
    }
}

/// A certificate and its key, of which neither can be without the other.
fn pair(section: &Section<'_>) -> Result<Option<CertificateFiles>, Problem> {
    let certificate = section.honoured("certificate").text()?;
    let key = section.honoured("key").text()?;
    match (certificate, key) {
        (Some(cert), Some(key)) => Ok(Some(CertificateFiles {
            cert: PathBuf::from(cert),
            key: PathBuf::from(key),
            renew: false,
        })),
        (None, None) => Ok(None),
        _ => Err(section.problem(
            "certificate and key belong together, and one of them is missing",
            "name both, or leave both out",
        )),
    }
}

fn letsencrypt(server: &Section<'_>, has_certificate: bool) -> Result<(), Problem> {
    let why = if has_certificate {
        "the certificate that is named counts"
    } else {
        "without an email it is off"
    };
    server.section("letsencrypt", |letsencrypt| {
        let email = letsencrypt.field("email");
        if !has_certificate && email.text()?.is_some() {
            return Err(email.problem(
                "certificates are not fetched from a CA",
                "name files: server.certificate and server.key",
            ));
        }
        email.harmless(why);
        for key in ["host", "cache_dir"] {
            letsencrypt.harmless(key, why);
        }
        Ok(())
    })
}

fn tls(server: &Section<'_>, is_on: bool) -> Result<TlsVersion, Problem> {
    const NO_TLS: &str = "without a certificate there is no TLS";
    let oldest = server.field("tls_min_version");
    let version = match oldest.scalar()?.as_deref() {
        None | Some("" | "TLS12" | "0x0303" | "771") => {
            oldest.honoured();
            TlsVersion::Tls12
        }
        Some("TLS13" | "0x0304" | "772") => {
            oldest.honoured();
            TlsVersion::Tls13
        }
        Some(
            "TLS11" | "TLS10" | "SSL30" | "0x0302" | "0x0301" | "0x0300" | "770" | "769" | "768",
        ) => {
            oldest.replaced(if is_on { "TLS 1.2" } else { NO_TLS });
            TlsVersion::Tls12
        }
        Some(other) => {
            let what = format!("expected TLS12 or TLS13, got `{other}`");
            return Err(oldest.problem(&what, "leave it out for TLS12"));
        }
    };
    let suites = server.field("tls_cipher_suites");
    if suites.scalars()?.is_some() && version == TlsVersion::Tls13 {
        let what = "those of TLS 1.3 cannot be chosen: docker_auth does not start";
        return Err(suites.problem(what, "leave it out"));
    }
    let curves = server.field("tls_curve_preferences");
    curves.scalars()?;
    if is_on {
        suites.replaced("the suites of rustls, all of which are safe");
        curves.replaced("the groups of rustls");
    } else {
        suites.harmless(NO_TLS);
        curves.harmless(NO_TLS);
    }
    Ok(version)
}

fn real_ip(server: &Section<'_>) -> Result<Option<RealIp>, Problem> {
    let (header, position) = (
        server.honoured("real_ip_header"),
        server.field("real_ip_pos"),
    );
    let number = match position.text()? {
        None => 0,
        Some(text) => text.parse().map_err(|_| {
            let what = format!("expected a whole number, got `{text}`");
            position.problem(&what, "0 is the first address, -1 the last")
        })?,
    };
    let Some(name) = header.text()? else {
        position.harmless("without real_ip_header the connection tells the address");
        return Ok(None);
    };
    position.honoured();
    let name = HeaderFieldName::new(&name)
        .map_err(|error| header.problem(&error.to_string(), "write it as X-Forwarded-For"))?;
    Ok(Some(RealIp {
        header: name,
        position: number,
    }))
}

fn token(token: &Section<'_>, server: &TokenServer) -> Result<TokenSettings, Problem> {
    let issuer = token.honoured("issuer");
    let missing = || {
        let hint = "write the name that the registry expects, as in its auth.token.issuer";
        token.problem("it has no issuer", hint)
    };
    let Some(signing) = pair(token)?.or_else(|| server.certificate.clone()) else {
        let what = "nothing signs tokens: neither here nor in `server` is there a certificate";
        return Err(token.problem(what, "name both: certificate and key"));
    };
    let is_thumbprint = token.honoured("disable_legacy_key_id").is_true()?;
    Ok(TokenSettings {
        issuer: issuer.text()?.ok_or_else(missing)?,
        expiration: expiration(token, &token.honoured("expiration"))?,
        signing,
        key_id: if is_thumbprint {
            KeyId::Thumbprint
        } else {
            KeyId::Libtrust
        },
    })
}

fn expiration(token: &Section<'_>, field: &Field<'_>) -> Result<Duration, Problem> {
    const HINT: &str = "write it in seconds: expiration: 900";
    let Some(text) = field.text()? else {
        return Err(token.problem("it has no expiration", HINT));
    };
    match text.parse() {
        Ok(seconds @ 1..=LONGEST) => Ok(Duration::from_secs(seconds)),
        _ => {
            let what = format!("expected a number of seconds from 1 to {LONGEST}, got `{text}`");
            Err(field.problem(&what, HINT))
        }
    }
}
