//! The way to the server before a byte is exchanged: its name and its port.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use certs_tool::HostName;
use futures_util::future::join_all;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::report::{Check, Subject};

/// How long a resolver or a connection may take. Clients wait longer; where an
/// answer takes this long, they time out now and then.
const PATIENCE: Duration = Duration::from_secs(5);

/// What came of connecting to one address.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) address: SocketAddr,
    pub(super) outcome: Result<(), Refusal>,
}

/// Why an address cannot be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The machine is there and nothing listens.
    Refused,
    /// Nothing comes back.
    Silence,
    /// This machine has no way there.
    NoRoute,
    /// Something else, in the system's words.
    Other(String),
}

/// Every address of a host.
pub(super) async fn resolve(host: &HostName, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Some(address) = host.as_ip() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let name = host.as_dns().unwrap_or_default();
    let found = timeout(PATIENCE, lookup_host((name, port)))
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the resolver does not answer"))??;
    let mut addresses: Vec<SocketAddr> = vec![];
    for address in found {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// Connects to each address, all at once.
pub(super) async fn try_each(addresses: &[SocketAddr]) -> Vec<Attempt> {
    join_all(addresses.iter().map(|address| async {
        Attempt {
            address: *address,
            outcome: connect(*address).await.map(drop),
        }
    }))
    .await
}

/// Connects to one address.
pub(super) async fn connect(address: SocketAddr) -> Result<TcpStream, Refusal> {
    let Ok(connected) = timeout(PATIENCE, TcpStream::connect(address)).await else {
        return Err(Refusal::Silence);
    };
    connected.map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => Refusal::Refused,
        io::ErrorKind::TimedOut => Refusal::Silence,
        io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::AddrNotAvailable => Refusal::NoRoute,
        _ => Refusal::Other(error.to_string()),
    })
}

/// Judges the name.
pub(super) fn judge_name(host: &HostName, found: &io::Result<Vec<SocketAddr>>) -> Check {
    const NAME: Subject = Subject::Resolve;
    match found {
        Ok(_) if host.as_ip().is_some() => Check::ok(NAME, format!("{host} is an address")),
        Ok(addresses) if !addresses.is_empty() => {
            let ips: Vec<_> = addresses.iter().map(|a| a.ip().to_string()).collect();
            Check::ok(NAME, format!("{host} is {}", ips.join(", ")))
        }
        Ok(_) => Check::fail(NAME, format!("{host} has no address")).hint(no_name(host)),
        Err(error) => {
            Check::fail(NAME, format!("{host} does not resolve: {error}")).hint(no_name(host))
        }
    }
}

fn no_name(host: &HostName) -> String {
    format!(
        "see that it is spelt right; add it to DNS, or, on each client, a line `ADDRESS {host}` to /etc/hosts"
    )
}

/// Judges the port. `asked` is the port that the user gave, if any.
pub(super) fn judge_port(attempts: &[Attempt], asked: Option<u16>) -> Check {
    const PORT: Subject = Subject::Port;
    let (open, closed): (Vec<_>, Vec<_>) = attempts.iter().partition(|a| a.outcome.is_ok());
    let list = |attempts: &[&Attempt]| {
        let shown: Vec<_> = attempts.iter().map(|a| a.address.to_string()).collect();
        shown.join(", ")
    };
    let trouble = |attempts: &[&Attempt]| {
        let shown: Vec<_> = attempts
            .iter()
            .filter_map(|a| {
                Some(format!(
                    "{} {}",
                    a.address,
                    a.outcome.as_ref().err()?.shown()
                ))
            })
            .collect();
        shown.join("; ")
    };
    if open.is_empty() {
        let refusal = closed.first().and_then(|a| a.outcome.as_ref().err());
        let hint = match (asked, refusal) {
            (None, _) => {
                "no port was given, so 443 was tried, as clients do; Tidegate listens on 5043 unless told otherwise: give HOST:PORT".to_owned()
            }
            (Some(_), Some(Refusal::Silence)) => {
                "a firewall between here and there drops packets, or the address is another machine's: open the port, or mend the address".to_owned()
            }
            (Some(_), Some(Refusal::NoRoute)) => {
                "see that this machine is in the right network, or VPN".to_owned()
            }
            _ => "see on the server that the registry runs, on this port, and on an address that others can reach (`ss -ltn`): 127.0.0.1 is the server alone".to_owned(),
        };
        return Check::fail(PORT, trouble(&closed)).hint(hint);
    }
    // Where this machine has no IPv6, no client of it tries IPv6.
    let closed: Vec<_> = closed
        .into_iter()
        .filter(|a| a.outcome != Err(Refusal::NoRoute))
        .collect();
    let works = format!("{} accepts connections", list(&open));
    if closed.is_empty() {
        return Check::ok(PORT, works);
    }
    Check::warn(PORT, format!("{works}, but {}", trouble(&closed))).hint(
        "clients may try that address first and lose time: have the server listen there, or take the address out of DNS",
    )
}

impl Refusal {
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Refused => "refuses connections: nothing listens there".to_owned(),
            Self::Silence => format!("does not answer within {} s", PATIENCE.as_secs()),
            Self::NoRoute => "cannot be reached: no route from here".to_owned(),
            Self::Other(error) => format!("cannot be reached: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Status;
    use super::*;

    fn attempt(address: &str, outcome: Result<(), Refusal>) -> Attempt {
        Attempt {
            address: address.parse().unwrap(),
            outcome,
        }
    }

    #[test]
    fn refused_and_silent_ports_are_told_apart() {
        let refused = [attempt("10.0.0.7:5043", Err(Refusal::Refused))];
        let check = judge_port(&refused, Some(5043));
        assert_eq!(check.status, Status::Fail);
        assert_eq!(
            check.text,
            "10.0.0.7:5043 refuses connections: nothing listens there"
        );
        assert!(check.hint.unwrap().contains("ss -ltn"));

        let silent = [attempt("10.0.0.7:5043", Err(Refusal::Silence))];
        let check = judge_port(&silent, Some(5043));
        assert_eq!(check.text, "10.0.0.7:5043 does not answer within 5 s");
        assert!(check.hint.unwrap().contains("firewall"));

        let check = judge_port(&refused, None);
        assert!(check.hint.unwrap().contains("HOST:PORT"));
    }

    #[test]
    fn one_dead_address_of_two_is_worth_a_warning() {
        let four = || attempt("10.0.0.7:443", Ok(()));
        let check = judge_port(
            &[attempt("[fd00::7]:443", Err(Refusal::Silence)), four()],
            None,
        );
        assert_eq!(check.status, Status::Warn);
        assert!(check.text.contains("but [fd00::7]:443 does not answer"));

        // No IPv6 here is nobody's fault.
        let check = judge_port(
            &[attempt("[fd00::7]:443", Err(Refusal::NoRoute)), four()],
            None,
        );
        assert_eq!(check.status, Status::Ok);
    }

    #[tokio::test]
    async fn addresses_need_no_resolver() {
        let host = HostName::parse("[::1]").unwrap();
        let found = resolve(&host, 5043).await;
        assert_eq!(judge_name(&host, &found).status, Status::Ok);
        assert_eq!(found.unwrap(), ["[::1]:5043".parse().unwrap()]);
    }
}
