//! Servers become sites at the listeners that they share.

use super::server::Server;
use super::tree::Directive;
use super::verdicts::Verdicts;
use crate::diagnostic::Diagnostic;
use crate::settings::{CertificateFiles, Listener, Protocol};
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
    let shared = shared(&servers, verdicts)?;
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
        let client_auth = server.client_auth;
        attached.sites.push(Site {
            client_auth: client_auth.filter(|_| attachments.iter().any(is_tls)),
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
            let address = listen.address;
            let speaks = |tls| if tls { Protocol::Https } else { Protocol::Http };
            if let Some(known) = found
                .iter_mut()
                .find(|known| known.listener.address == address)
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
            let clashes = found.iter().any(|known| {
                let other = known.listener.address;
                let is_any = other.ip().is_unspecified() || address.ip().is_unspecified();
                is_any && other.port() == address.port() && other.is_ipv4() == address.is_ipv4()
            });
            if clashes {
                verdicts.refused(
                    place,
                    format!(
                        "port {} is listened to at every address and at one of them",
                        address.port()
                    ),
                );
                continue;
            }
            found.push(Shared {
                listener: Listener {
                    address,
                    protocol: speaks(listen.tls),
                    client_auth: None,
                },
                default: (index, listen.is_default),
            });
        }
    }
    Ok(found)
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
