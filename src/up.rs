//! `tidegate up`: from an empty directory to a registry that serves.

mod banner;
mod bootstrap;
mod directory;
mod first_user;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use certs_tool::HostName;
use clap::Args;
use tidegate_auth::docker_auth::Refusals;
use tidegate_config::{Listener, Protocol, Settings, TlsOffer};
use tidegate_failure::Failure;
use tidegate_proxy::{BindError, BoundListener};

use crate::reload::Configuration;
use crate::serve;
use banner::Banner;
use directory::Directory;
use first_user::FirstUser;

const DEFAULT_LISTEN: &str = "0.0.0.0:5043";

#[derive(Args)]
pub(crate) struct Arguments {
    /// Where certificates, users, images and configuration are kept
    #[arg(long, value_name = "DIR", default_value = "./tidegate-data")]
    dir: PathBuf,

    /// A name or address by which clients reach this registry; may be repeated
    #[arg(long, value_name = "NAME_OR_IP")]
    host: Vec<String>,

    /// Where to listen; may be repeated [default: what DIR/tidegate.toml says,
    /// at first 0.0.0.0:5043]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Vec<String>,

    /// The first user's name
    #[arg(long, value_name = "NAME", default_value = "admin")]
    user: String,

    /// Read the first user's password from standard input instead of making one
    #[arg(long)]
    password_stdin: bool,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    // Whatever may be refused is refused before anything is made.
    let hosts = parse_hosts(&arguments.host)?;
    let asked = parse_listen(&arguments.listen)?;
    let directory = Directory::open(&arguments.dir)?;
    let settings = directory.settings()?;
    let addresses = match (&settings, asked.is_empty()) {
        (_, false) => asked.clone(),
        (Some(settings), true) => {
            let listeners = settings.listeners.iter();
            listeners.filter_map(|l| l.address.inet()).collect()
        }
        (None, true) => parse_listen(&[DEFAULT_LISTEN.to_owned()])?,
    };
    let first_user = if directory.needs_user(settings.as_ref()) {
        Some(FirstUser::new(&arguments.user, arguments.password_stdin)?)
    } else {
        None
    };
    probe(&addresses)?;

    let mut banner = Banner::default();
    make(
        &directory,
        settings.as_ref(),
        &names(&hosts, &addresses),
        &addresses,
        first_user,
        &mut banner,
    )
    .inspect_err(|_| directory.remove_if_empty())?;

    // Read back, so that what is served is what the file says.
    let settings = directory
        .settings()?
        .ok_or_else(|| Failure::new("the configuration vanished while it was being made"))?;
    banner.describe(&directory, &settings, &hosts)?;
    let configuration = Configuration::new(&directory.configuration());
    let settings = with_listeners(settings, &asked);
    let announce = |listeners: &[BoundListener]| banner.print(listeners);
    serve::serve(settings, Some(configuration), Refusals::Stop, announce)
}

/// Makes what is missing, the configuration last.
fn make(
    directory: &Directory,
    settings: Option<&Settings>,
    names: &[HostName],
    addresses: &[SocketAddr],
    first_user: Option<FirstUser>,
    banner: &mut Banner,
) -> Result<(), Failure> {
    if directory.needs_certificates(settings) {
        banner.made(directory.make_certificates(names)?);
    }
    banner.made(directory.make_storage(settings)?);
    if let Some(user) = first_user {
        banner.made(directory.add_user(&user)?);
        banner.user(user);
    }
    banner.made(directory.write_configuration(addresses)?);
    Ok(())
}

fn parse_hosts(given: &[String]) -> Result<Vec<HostName>, Failure> {
    given
        .iter()
        .map(|host| HostName::parse(host).map_err(|e| Failure::from(e).concerning("--host")))
        .collect()
}

fn parse_listen(given: &[String]) -> Result<Vec<SocketAddr>, Failure> {
    given
        .iter()
        .map(|text| {
            text.parse().map_err(|_| {
                Failure::new(format!("--listen: `{text}` is no address with a port"))
                    .with_hint("write it as 0.0.0.0:5043 or [::]:5043; names are not looked up")
            })
        })
        .collect()
}

/// Binds each address and lets go of it, so that a busy port is found while
/// nothing has been made yet.
fn probe(addresses: &[SocketAddr]) -> Result<(), Failure> {
    let mut held = Vec::with_capacity(addresses.len());
    for address in addresses {
        // The standard library sets SO_REUSEADDR, as the front does.
        let socket = TcpListener::bind(address).map_err(|source| BindError::Listen {
            address: (*address).into(),
            source,
        })?;
        held.push(socket);
    }
    Ok(())
}

/// The names that the site certificate is made for: those given, those by
/// which this machine reaches itself, and each single address listened on.
fn names(hosts: &[HostName], addresses: &[SocketAddr]) -> Vec<HostName> {
    let machine = gethostname::gethostname();
    let own = ["localhost", "127.0.0.1", "::1", &machine.to_string_lossy()]
        .map(str::to_owned)
        .into_iter();
    let listened = addresses
        .iter()
        .map(SocketAddr::ip)
        .filter(|ip| !ip.is_unspecified())
        .map(|ip| ip.to_string());
    let mut names = hosts.to_vec();
    // A machine may have a name that no certificate can carry.
    for name in own.chain(listened).filter_map(|n| HostName::parse(&n).ok()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// What the command line says about listening goes before the file, for this
/// run only.
fn with_listeners(mut settings: Settings, asked: &[SocketAddr]) -> Settings {
    if !asked.is_empty() {
        settings.listeners = asked
            .iter()
            .map(|address| Listener {
                address: (*address).into(),
                socket_mode: None,
                protocol: Protocol::Https,
                offer: TlsOffer::default(),
                client_auth: None,
            })
            .collect();
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificate_is_made_for_every_name_once() {
        let hosts = parse_hosts(&["reg.example".to_owned(), "localhost".to_owned()]).unwrap();
        let addresses = parse_listen(&["0.0.0.0:1".to_owned(), "192.0.2.7:1".to_owned()]).unwrap();
        let names: Vec<String> = names(&hosts, &addresses)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(names[..2], ["reg.example", "localhost"]);
        assert_eq!(names.iter().filter(|n| *n == "localhost").count(), 1);
        for name in ["127.0.0.1", "::1", "192.0.2.7"] {
            assert!(names.iter().any(|n| n == name), "{names:?}");
        }
        assert!(!names.contains(&"0.0.0.0".to_owned()));
    }
}
