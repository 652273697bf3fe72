//! Servers become sites at the listeners that they share.

use super::server::Server;
use super::tree::Directive;
use super::verdicts::Verdicts;
use crate::diagnostic::Diagnostic;
use crate::settings::{CertificateFiles, Listener, Protocol, TlsOffer, TlsVersion};
use crate::site::{Attachment, Site};

/// What all servers of an `http` make together.
#[derive(Default)]
pub(super) struct Attached {
    pub(super) listeners: Vec<Listener>,
    pub(super) certificates: Vec<CertificateFiles>,
    pub(super) sites: Vec<Site>,
}

struct Shared {
    listener: Listener,
    /// The site that answers for unknown names, and whether that was said.
    default: (usize, bool),
}

/// Gives each server its listeners. The first server of an address is its
/// default, unless another says that it is.
///
/// # Errors
/// Two servers say that they are the default of the same address.
pub(super) fn attach(
    servers: Vec<(&Directive, Server)>,
    verdicts: &mut Verdicts,
) -> Result<Attached, Box<Diagnostic>> {
    let mut shared = shared(&servers, verdicts)?;
    offer(&servers, &mut shared, verdicts);
    let listeners: Vec<Listener> = shared
        .iter()
        .map(|shared| shared.listener.clone())
        .collect();
    let mut attached = Attached {
        certificates: certificates(&servers, &shared),
        ..Attached::default()
    };
    for (index, (_, server)) in servers.into_iter().enumerate() {
        let attachments = server.listens.iter().filter_map(|listen| {
            let listener = listeners
                .iter()
                .position(|known| known.address == listen.address)?;
            let is_default = shared[listener].default.0 == index;
            Some(Attachment {
                listener,
                is_default,
            })
        });
        let attachments: Vec<Attachment> = attachments.collect();
        // Over plain HTTP nothing can be asked for, and nginx does not look.
        let is_tls = |at: &Attachment| listeners[at.listener].protocol == Protocol::Https;
        let client_auth = server.client_auth.clone();
        attached.sites.push(Site {
            client_auth: client_auth.filter(|_| attachments.iter().any(is_tls)),
            http2: http2(&server, &attachments, &listeners),
            attachments,
            names: server.names,
            rewrites: server.rewrites,
            places: server.places,
            elsewhere: server.elsewhere,
        });
    }
    attached.sites.retain(|site| !site.attachments.is_empty());
    attached.listeners = listeners;
    Ok(attached)
}

fn shared(
    servers: &[(&Directive, Server)],
    verdicts: &mut Verdicts,
) -> Result<Vec<Shared>, Box<Diagnostic>> {
    let mut found: Vec<Shared> = Vec::new();
    for (index, (directive, server)) in servers.iter().enumerate() {
        for listen in &server.listens {
            let place = listen
                .index
                .map_or(*directive, |at| &directive.children()[at]);
            let address = &listen.address;
            let speaks = |tls| if tls { Protocol::Https } else { Protocol::Http };
            if let Some(known) = found
                .iter_mut()
                .find(|known| known.listener.address == *address)
            {
                if listen.tls {
                    known.listener.protocol = Protocol::Https;
                }
                if listen.is_default && known.default.1 {
                    return Err(place.mistake(format!(
                        "another server is the default of {address} already"
                    )));
                }
                if listen.is_default {
                    known.default = (index, true);
                }
                continue;
            }
            let clash = address.inet().filter(|address| {
                let mut others = found
                    .iter()
                    .filter_map(|known| known.listener.address.inet());
                others.any(|other| {
                    let is_any = other.ip().is_unspecified() || address.ip().is_unspecified();
                    is_any && other.port() == address.port() && other.is_ipv4() == address.is_ipv4()
                })
            });
            if let Some(clash) = clash {
                let port = clash.port();
                let why = format!("port {port} is listened to at every address and at one of them");
                verdicts.refused(place, why);
                continue;
            }
            found.push(Shared {
                listener: Listener {
                    address: address.clone(),
                    // As nginx makes them: for everybody.
                    socket_mode: address.unix().map(|_| 0o666),
                    protocol: speaks(listen.tls),
                    offer: TlsOffer::default(),
                    client_auth: None,
                },
                default: (index, listen.is_default),
            });
        }
    }
    Ok(found)
}

/// Decides what is offered at each listener.
///
/// HTTP/2 where any `listen` of an address says so, as in nginx. A file without a
/// word of HTTP/2 is one that was written before there was a need for it: it is
/// offered then, as clients choose.
///
/// Of the versions of TLS, those of the default server count: they are agreed on
/// before a client names a host.
fn offer(servers: &[(&Directive, Server)], shared: &mut [Shared], verdicts: &mut Verdicts) {
    let says_nothing = servers.iter().all(|(_, server)| {
        server.http2.is_none() && !server.listens.iter().any(|listen| listen.http2)
    });
    for shared in shared {
        let address = shared.listener.address.clone();
        if shared.listener.protocol != Protocol::Https {
            continue;
        }
        let listens = |server: &Server| -> Vec<bool> {
            let here = server.listens.iter().filter(|at| at.address == address);
            here.map(|at| at.http2).collect()
        };
        let http2 = servers
            .iter()
            .any(|(_, server)| listens(server).contains(&true));
        let all = servers
            .iter()
            .filter(|(_, server)| !listens(server).is_empty())
            .all(|(_, server)| server.http2 == Some(true));
        let (_, default) = &servers[shared.default.0];
        let minimum = default.minimum.unwrap_or(TlsVersion::Tls12);
        shared.listener.offer = TlsOffer {
            http2: http2 || all || says_nothing,
            minimum,
        };
        for (directive, server) in servers {
            if listens(server).is_empty() {
                continue;
            }
            let says = |name: &str| {
                let mut inner = directive.children().iter();
                inner.find(|inner| inner.name() == name)
            };
            if let (true, Some(false), Some(http2)) = (http2, server.http2, says("http2")) {
                let by = format!("HTTP/2: a `listen` of {address} says `http2`, which goes before");
                verdicts.replaced(http2, by);
            }
            if let Some(protocols) = says("ssl_protocols")
                && server.minimum.unwrap_or(TlsVersion::Tls12) != minimum
            {
                let by = format!("those of the default server of {address}, as in nginx");
                verdicts.replaced(protocols, by);
            }
        }
    }
}

/// What a server says of HTTP/2 that its listeners do not: `off` does not take back
/// what one of them offers.
fn http2(server: &Server, attachments: &[Attachment], listeners: &[Listener]) -> Option<bool> {
    let mut at = attachments.iter().map(|at| &listeners[at.listener]);
    let without =
        |listener: &Listener| listener.protocol == Protocol::Https && !listener.offer.http2;
    (server.http2 == Some(true) && at.any(without)).then_some(true)
}

/// The certificates of all, those of the default servers first.
fn certificates(servers: &[(&Directive, Server)], shared: &[Shared]) -> Vec<CertificateFiles> {
    let of_defaults = shared.iter().map(|shared| shared.default.0);
    let mut found: Vec<CertificateFiles> = Vec::new();
    for index in of_defaults.chain(0..servers.len()) {
        let (_, server) = &servers[index];
        if !server.listens.iter().any(|listen| listen.tls) {
            continue;
        }
        for certificate in &server.certificates {
            if !found.contains(certificate) {
                found.push(certificate.clone());
            }
        }
    }
    found
}
