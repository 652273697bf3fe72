//! What a `config.yml` says of the server: where it listens, its TLS, and what
//! the URLs in its answers are.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::report::Problem;
use super::section::{Field, Section};
use super::value;
use crate::client_auth::{ClientAuth, UserFrom, VerifyClient};
use crate::header::{HeaderField, NOT_OF_ANSWERS};
use crate::links::{Links, PathPrefix, PublicUrl};
use crate::listen_address::ListenAddress;
use crate::settings::{CertificateFiles, DebugListener, Server, TlsOffer, TlsVersion};

/// How long requests in flight may go on, unless the file says so. There they
/// are cut off, or had no time at all.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// What the section comes to.
pub(super) struct Http {
    pub(super) address: ListenAddress,
    /// With it, TLS is spoken.
    pub(super) certificate: Option<CertificateFiles>,
    /// What is offered in TLS.
    pub(super) offer: TlsOffer,
    /// What certificates are asked of clients.
    pub(super) client_auth: Option<ClientAuth>,
    pub(super) server: Server,
    pub(super) prefix: PathPrefix,
    pub(super) links: Links,
    pub(super) headers: Vec<HeaderField>,
    pub(super) debug: Option<DebugListener>,
}

pub(super) fn read(http: &Section<'_>) -> Result<Http, Problem> {
    http.harmless(
        "secret",
        "uploads need no secret: their state is kept with them",
    );
    let address = address(http)?;
    let (minimum, tls) = http.section("tls", |tls| Ok((minimum(tls)?, self::tls(tls)?)))?;
    let (certificate, client_auth) = tls.unzip();
    let http2 = http.section("http2", |http2| {
        Ok(!http2.honoured("disabled").is_true()?)
    })?;
    let offer = match certificate {
        Some(_) => TlsOffer { http2, minimum },
        None => TlsOffer::default(),
    };
    http.section("h2c", |h2c| {
        let enabled = h2c.field("enabled");
        if enabled.is_true()? {
            enabled.replaced("HTTP/1.1: without TLS, HTTP/2 is not spoken");
        } else {
            enabled.honoured();
        }
        Ok(())
    })?;
    let drain = http.honoured("draintimeout").duration()?;
    let links = links(http)?;
    Ok(Http {
        address,
        certificate,
        offer,
        client_auth: client_auth.flatten(),
        server: Server {
            drain_timeout: drain.unwrap_or(DRAIN_TIMEOUT),
        },
        prefix: prefix(&http.honoured("prefix"))?,
        links,
        headers: headers(&http.honoured("headers"), &NOT_OF_ANSWERS)?,
        debug: http.section("debug", debug)?,
    })
}

fn address(http: &Section<'_>) -> Result<ListenAddress, Problem> {
    let net = http.field("net");
    let kind = net.text()?;
    let addr = http.field("addr");
    match kind.as_deref() {
        None | Some("tcp") => net.honoured(),
        Some("unix") => {
            net.honoured();
            addr.honoured();
            let Some(path) = addr.text()? else {
                let hint = "write it as /run/registry.sock";
                return Err(addr.problem("a Unix socket without its path", hint));
            };
            // As the other program: from where it was started.
            let path = std::path::absolute(&path).unwrap_or_else(|_| PathBuf::from(path));
            return Ok(ListenAddress::Unix(path));
        }
        Some(other) => {
            let what = format!("expected tcp or unix, got `{other}`");
            return Err(net.problem(&what, "leave it out for TCP"));
        }
    }
    addr.honoured();
    Ok(listen_address(&addr)?.unwrap_or_else(any_port).into())
}

/// What Go listens on if nothing is said: all addresses, on some port.
fn any_port() -> SocketAddr {
    SocketAddr::from(([0_u16; 8], 0))
}

fn listen_address(field: &Field<'_>) -> Result<Option<SocketAddr>, Problem> {
    let Some(text) = field.text()? else {
        return Ok(None);
    };
    let hint = "write it as :5000, 127.0.0.1:5000 or [::1]:5000";
    match value::listen_address(&text) {
        Ok(address) => Ok(Some(address)),
        Err(what) => Err(field.problem(&what, hint)),
    }
}

/// What makes TLS: the certificate, and what is asked of clients.
type Tls = (CertificateFiles, Option<ClientAuth>);

fn tls(tls: &Section<'_>) -> Result<Option<Tls>, Problem> {
    let certificate = tls.honoured("certificate");
    let key = tls.honoured("key");
    let client_auth = client_auth(tls)?;
    tls.field("ciphersuites")
        .replaced("the suites of rustls, all of which are safe");
    tls.section("letsencrypt", |letsencrypt| {
        // Without it, plain HTTP would be spoken: nothing that one could do without.
        let cache = letsencrypt.field("cachefile");
        if cache.text()?.is_some() {
            return Err(cache.problem(
                "certificates are not fetched from a CA",
                "name files: http.tls.certificate and http.tls.key",
            ));
        }
        cache.harmless("it is off");
        for key in ["email", "hosts", "directoryurl"] {
            letsencrypt.harmless(key, "without cachefile it is off");
        }
        Ok(())
    })?;
    match (certificate.text()?, key.text()?) {
        (Some(cert), Some(key)) => {
            let files = CertificateFiles {
                cert: PathBuf::from(cert),
                key: PathBuf::from(key),
                renew: false,
            };
            Ok(Some((files, client_auth)))
        }
        // Whoever wanted certificates of clients would let everybody in.
        (None, None) if client_auth.is_some() => Err(tls.field("clientcas").problem(
            "certificates of clients are asked for in TLS, and there is no certificate for it",
            "name http.tls.certificate and http.tls.key",
        )),
        (None, None) => Ok(None),
        _ => Err(tls.problem(
            "certificate and key belong together, and one of them is missing",
            "name both, or leave both out to speak plain HTTP",
        )),
    }
}

fn minimum(tls: &Section<'_>) -> Result<TlsVersion, Problem> {
    let minimum = tls.field("minimumtls");
    match minimum.text()?.as_deref() {
        None | Some("tls1.2") => minimum.honoured(),
        Some("tls1.0" | "tls1.1") => minimum.replaced("TLS 1.2 and 1.3"),
        Some("tls1.3") => {
            minimum.honoured();
            return Ok(TlsVersion::Tls13);
        }
        Some(other) => {
            let what = format!("expected tls1.2 or tls1.3, got `{other}`");
            return Err(minimum.problem(&what, "leave it out: it is tls1.2 then"));
        }
    }
    Ok(TlsVersion::Tls12)
}

/// Certificates of clients: they let in, and name nobody.
fn client_auth(tls: &Section<'_>) -> Result<Option<ClientAuth>, Problem> {
    let (cas, how) = (tls.field("clientcas"), tls.field("clientauth"));
    let ca: Vec<PathBuf> = cas.texts()?.into_iter().map(PathBuf::from).collect();
    // As Go calls them.
    let (required, verify) = match how.text()?.as_deref() {
        None | Some("require-and-verify-client-cert") => (true, VerifyClient::Full),
        Some("verify-client-cert-if-given") => (false, VerifyClient::Full),
        Some("require-any-client-cert") => (true, VerifyClient::Nothing),
        Some("request-client-cert") => (false, VerifyClient::Nothing),
        Some(other) => {
            let what = format!("`{other}` is no way to ask for certificates");
            return Err(how.problem(
                &what,
                "one of request-client-cert, require-any-client-cert, \
                 verify-client-cert-if-given, require-and-verify-client-cert",
            ));
        }
    };
    if ca.is_empty() {
        cas.harmless("no CA is named");
        how.harmless("no CAs are named for it");
        return Ok(None);
    }
    cas.honoured();
    how.honoured();
    Ok(Some(ClientAuth {
        ca,
        trusted: Vec::new(),
        crl: None,
        depth: None,
        required,
        verify,
        user: UserFrom::Nowhere,
    }))
}

fn prefix(field: &Field<'_>) -> Result<PathPrefix, Problem> {
    let text = field.text()?.unwrap_or_default();
    text.parse()
        .map_err(|why: &str| field.problem(why, "write it as /registry/"))
}

fn links(http: &Section<'_>) -> Result<Links, Problem> {
    let host = http.honoured("host");
    let relative = http.field("relativeurls");
    if let Some(text) = host.text()? {
        relative.harmless("http.host decides what URLs are");
        return match text.parse::<PublicUrl>() {
            Ok(url) => Ok(Links::Below(url)),
            Err(why) => {
                let hint = "write it as https://registry.example.org";
                Err(host.problem(why, hint))
            }
        };
    }
    relative.honoured();
    Ok(if relative.is_true()? {
        Links::Relative
    } else {
        Links::AsReached
    })
}

/// Fields of a header, but for those that the message needs for itself.
pub(super) fn headers(field: &Field<'_>, refused: &[&str]) -> Result<Vec<HeaderField>, Problem> {
    let mut fields = Vec::new();
    for (name, values) in field.named_texts()? {
        for value in values {
            let parsed = HeaderField::new(&name, &value)
                .map_err(|error| field.problem(&error.to_string(), "write it as Name: [value]"))?;
            if refused.contains(&parsed.name()) {
                let what = format!("`{name}` says what the message is");
                return Err(field.problem(&what, "it cannot be configured: leave it out"));
            }
            fields.push(parsed);
        }
    }
    Ok(fields)
}

fn debug(debug: &Section<'_>) -> Result<Option<DebugListener>, Problem> {
    let address = listen_address(&debug.honoured("addr"))?;
    let (is_on, path) = debug.section("prometheus", |prometheus| {
        let is_on = prometheus.honoured("enabled").is_true()?;
        let path = prometheus.honoured("path");
        let text = path
            .text()?
            .unwrap_or_else(|| DebugListener::METRICS.to_owned());
        if text.starts_with('/') {
            Ok((is_on, text))
        } else {
            Err(path.problem(&format!("`{text}` is no path"), "write it as /metrics"))
        }
    })?;
    Ok(address.map(|address| DebugListener {
        address,
        metrics: is_on.then_some(path),
    }))
}
