//! `tidegate health`: whether the server of a configuration answers, for those
//! who start containers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use reqwest::StatusCode;
use tidegate_config::{Protocol, Settings};
use tidegate_failure::Failure;

/// Less than those who ask wait by default.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Args)]
pub(crate) struct Arguments {
    /// The configuration that the server has
    #[arg(short, long, value_name = "FILE", default_value = "tidegate.toml")]
    config: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let settings = tidegate_config::load(&arguments.config)?;
    let url = url(&settings);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::of(&e, None))?;
    let status = runtime
        .block_on(ask(&url, socket(&settings)))
        .map_err(|error| {
            Failure::new(format!("{url} does not answer"))
                .caused_by(Some(&error))
                .with_hint("is the server running, and with this configuration?")
        })?;
    if is_well(status) || status == StatusCode::BAD_REQUEST && asks_for_certificate(&settings) {
        tidegate_failure::say(&format!("{url} answers {status}"));
        Ok(())
    } else {
        Err(Failure::new(format!("{url} answers {status}"))
            .with_hint("the server's messages have the cause"))
    }
}

/// Whether whoever shows no certificate is turned away where it is asked: that it
/// is, shows that requests are answered.
fn asks_for_certificate(settings: &Settings) -> bool {
    let of_sites = settings.sites.iter().filter_map(|s| s.client_auth.as_ref());
    let of_listener = settings.listeners[0].client_auth.as_ref();
    let mut demands = of_listener.into_iter().chain(of_sites);
    settings.debug.is_none() && demands.any(|demand| demand.required)
}

/// Where to ask: where it is told whether the storage works, if anywhere.
fn url(settings: &Settings) -> String {
    if let Some(debug) = &settings.debug {
        return format!("http://{}/debug/health", reachable(debug.address));
    }
    let first = &settings.listeners[0];
    let scheme = match first.protocol {
        Protocol::Https => "https",
        Protocol::Http | Protocol::RedirectToHttps { .. } => "http",
    };
    match first.address.inet() {
        Some(address) => format!("{scheme}://{}/v2/", reachable(address)),
        None => format!("{scheme}://localhost/v2/"),
    }
}

/// The Unix socket by which to ask, if that is the way.
fn socket(settings: &Settings) -> Option<&Path> {
    let first = settings.listeners[0].address.unix();
    first.filter(|_| settings.debug.is_none())
}

/// What listens everywhere is reached at the loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

async fn ask(url: &str, socket: Option<&Path>) -> Result<StatusCode, reqwest::Error> {
    let mut builder = reqwest::Client::builder();
    if let Some(socket) = socket {
        builder = builder.unix_socket(socket);
    }
    let client = builder
        .timeout(PATIENCE)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        // The certificate is for other names than this address. Nothing is said
        // that is secret, and nothing is believed but that there is an answer.
        .tls_certs_only([])
        .tls_danger_accept_invalid_certs(true)
        .build()?;
    Ok(client.get(url).send().await?.status())
}

/// Whoever asks for a password or sends elsewhere answers.
fn is_well(status: StatusCode) -> bool {
    status.is_success() || status.is_redirection() || status == StatusCode::UNAUTHORIZED
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url_of(listener: &str, rest: &str) -> String {
        let text = format!(
            "[[listener]]\n{listener}\n[[certificate]]\ncert = \"c\"\nkey = \"k\"\n\
             [auth]\nrequired = false\n[registry]\nroot = \"r\"\n{rest}"
        );
        url(&tidegate_config::parse(Path::new("t.toml"), &text).unwrap())
    }

    #[test]
    fn the_listener_is_asked_where_it_can_be_reached() {
        for (listener, expected) in [
            ("address = \"0.0.0.0:5043\"", "https://127.0.0.1:5043/v2/"),
            ("address = \"[::]:443\"", "https://[::1]:443/v2/"),
            (
                "address = \"192.0.2.1:80\"\nprotocol = \"http\"",
                "http://192.0.2.1:80/v2/",
            ),
        ] {
            assert_eq!(url_of(listener, ""), expected);
        }
        assert_eq!(
            url_of(
                "address = \"0.0.0.0:5043\"",
                "[debug]\naddress = \"0.0.0.0:5001\""
            ),
            "http://127.0.0.1:5001/debug/health"
        );
    }

    #[test]
    fn a_refusal_is_an_answer_and_an_error_is_none() {
        for (status, expected) in [
            (200, true),
            (401, true),
            (301, true),
            (503, false),
            (404, false),
        ] {
            assert_eq!(is_well(StatusCode::from_u16(status).unwrap()), expected);
        }
    }
}
