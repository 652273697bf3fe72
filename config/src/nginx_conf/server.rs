//! `server`: where it listens, its names, its certificates and its places.

use std::net::SocketAddr;

use super::Reading;
use super::client_auth::Asked;
use super::rewrite::answer_all;
use super::scope::{Scope, flag};
use super::tree::Directive;
use super::value;
use crate::client_auth::ClientAuth;
use crate::diagnostic::Diagnostic;
use crate::listen_address::{ListenAddress, ListenAddressError};
use crate::settings::{CertificateFiles, TlsVersion};
use crate::site::{NotationError, PathMatch, Place, Rewrite, Rules, ServerName};

/// A `server`, before it is known which listeners there are.
pub(super) struct Server {
    pub(super) listens: Vec<Listen>,
    pub(super) names: Vec<ServerName>,
    pub(super) certificates: Vec<CertificateFiles>,
    pub(super) client_auth: Option<ClientAuth>,
    /// What `http2` says.
    pub(super) http2: Option<bool>,
    /// The oldest version of TLS that `ssl_protocols` names, if it says so.
    pub(super) minimum: Option<TlsVersion>,
    pub(super) rewrites: Vec<Rewrite>,
    pub(super) places: Vec<Place>,
    pub(super) elsewhere: Rules,
}

/// One `listen`.
pub(super) struct Listen {
    pub(super) address: ListenAddress,
    pub(super) tls: bool,
    pub(super) http2: bool,
    pub(super) is_default: bool,
    /// Where it stands: an index into what the server holds. `None` for the one
    /// of a server that has none.
    pub(super) index: Option<usize>,
}

impl Reading {
    /// Reads a `server` of an `http`.
    ///
    /// # Errors
    /// What nginx would not take.
    pub(super) fn server(
        &mut self,
        outer: &Scope,
        http: &[Directive],
        directive: &Directive,
    ) -> Result<Server, Box<Diagnostic>> {
        let block = directive.children();
        let mut listens: Vec<Listen> = Vec::new();
        for (index, inner) in block
            .iter()
            .enumerate()
            .filter(|(_, inner)| inner.name() == "listen")
        {
            let Some(listen) = self.listen(inner, index)? else {
                continue;
            };
            if listens.iter().any(|known| known.address == listen.address) {
                return Err(inner.mistake_in(
                    0,
                    format!("this server listens to {} twice", listen.address),
                ));
            }
            listens.push(listen);
        }
        if !block.iter().any(|inner| inner.name() == "listen") {
            listens.push(Listen {
                address: SocketAddr::from(([0, 0, 0, 0], 80)).into(),
                tls: false,
                http2: false,
                is_default: false,
                index: None,
            });
        }
        if let Some(ssl) = last(block, "ssl").or_else(|| last(http, "ssl")) {
            let on = flag(ssl)?;
            listens.iter_mut().for_each(|listen| listen.tls |= on);
        }
        let certificates = self.certificates(outer, http, block)?;
        let names_one = ["ssl_certificate", "ssl_reject_handshake"]
            .iter()
            .any(|name| last(block, name).or_else(|| last(http, name)).is_some());
        if !names_one && let Some(listen) = listens.iter().find(|listen| listen.tls) {
            let place = listen
                .index
                .and_then(|index| block.get(index))
                .unwrap_or(directive);
            return Err(super::tree::hinted(
                place.mistake("this server speaks TLS, but there is no `ssl_certificate` for it"),
                "name the chain with `ssl_certificate` and the key with `ssl_certificate_key`",
            ));
        }
        let minimum = self.protocols(block)?.or(self.protocols(http)?);
        let mut scope = self.scope(outer, block)?;
        let client_auth = match self.client_auth(&scope, http, block)? {
            Asked::So(client_auth) => client_auth,
            Asked::Unknown => {
                scope.is_closed = true;
                None
            }
        };
        self.log_is_off &= scope.is_unlogged;
        let rewrites = self.rewrites(&scope, block)?;
        let places = self.places(&scope, block)?;
        let is_all_taken = answer_all(&rewrites)
            || places
                .iter()
                .any(|place| matches!(&place.path, PathMatch::Prefix { path, .. } if path == "/"))
            || scope.denies_all();
        if !is_all_taken && let Some(root) = scope.root {
            let why = "files are not served here, and paths that no location is about would be looked for there; \
                       with --lenient, they are 404";
            self.verdicts
                .note(root, crate::finding::Verdict::Refused(why.to_owned()));
        }
        Ok(Server {
            listens,
            names: self.names(block)?,
            certificates,
            client_auth,
            http2: scope.http2,
            minimum,
            rewrites,
            places,
            elsewhere: scope.rules(),
        })
    }

    fn listen(
        &mut self,
        directive: &Directive,
        index: usize,
    ) -> Result<Option<Listen>, Box<Diagnostic>> {
        let text = directive.word(0).unwrap_or_default();
        let address =
            match text.starts_with("unix:") {
                true => Some(text.parse().map_err(|error: ListenAddressError| {
                    directive.mistake_in(0, error.to_string())
                })?),
                false => value::listen_address(text).map(ListenAddress::Inet),
            };
        let is_known = address.is_some();
        let mut listen = Listen {
            address: address.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)).into()),
            tls: false,
            http2: false,
            is_default: false,
            index: Some(index),
        };
        let mut is_quic = false;
        for (at, option) in directive.words.iter().enumerate().skip(1) {
            let (name, given) = option.text.split_once('=').unwrap_or((&option.text, ""));
            match (name, given) {
                ("ssl", "") => listen.tls = true,
                ("http2", "") => listen.http2 = true,
                ("spdy", "") => self
                    .verdicts
                    .replaced(directive, "HTTP/2, where the file offers it"),
                ("quic", "") => is_quic = true,
                ("default_server" | "default", "") => listen.is_default = true,
                ("bind" | "reuseport" | "deferred" | "multipath", "") => {}
                ("ipv6only", "on" | "off") => {}
                (
                    "backlog" | "rcvbuf" | "sndbuf" | "setfib" | "fastopen" | "accept_filter"
                    | "so_keepalive",
                    given,
                ) if !given.is_empty() => {}
                ("proxy_protocol", "") => {
                    self.verdicts.refused(
                        directive,
                        "the PROXY protocol is not spoken: let the balancer send `X-Forwarded-For`",
                    );
                }
                _ => {
                    let mistake = directive.mistake_in(
                        at,
                        format!("`{}` is nothing that `listen` knows", option.text),
                    );
                    return Err(mistake);
                }
            }
        }
        if !is_known {
            if text.parse::<u64>().is_ok()
                || text.starts_with('[')
                || !text.contains(|c: char| c.is_ascii_alphabetic())
            {
                let mistake =
                    directive.mistake_in(0, format!("`{text}` is no address and no port"));
                return Err(super::tree::hinted(
                    mistake,
                    "write it as `443`, `10.0.0.1:443` or `[::]:443`",
                ));
            }
            self.verdicts.refused(
                directive,
                "an address that is listened to is no name: write it in numbers",
            );
            return Ok(None);
        }
        if is_quic {
            self.verdicts
                .replaced(directive, "HTTP/2: HTTP/3 is not served");
            return Ok(None);
        }
        if listen.http2 && !listen.tls {
            self.verdicts
                .replaced(directive, "HTTP/1.1: HTTP/2 is spoken over TLS");
        }
        Ok(Some(listen))
    }

    /// The oldest version of TLS that a block has on offer, if it says so.
    ///
    /// # Errors
    /// One that there is not.
    pub(super) fn protocols(
        &mut self,
        block: &[Directive],
    ) -> Result<Option<TlsVersion>, Box<Diagnostic>> {
        const OLD: [&str; 4] = ["SSLv2", "SSLv3", "TLSv1", "TLSv1.1"];
        const OFFERED: [&str; 2] = ["TLSv1.2", "TLSv1.3"];
        let mut minimum = None;
        for directive in block.iter().filter(|inner| inner.name() == "ssl_protocols") {
            minimum = Some(TlsVersion::Tls12);
            for (index, word) in directive.words.iter().enumerate() {
                let known = OLD.iter().chain(&OFFERED).any(|known| *known == word.text);
                if !known {
                    let mistake = directive
                        .mistake_in(index, format!("`{}` is no version of TLS", word.text));
                    return Err(super::tree::hinted(mistake, "write `TLSv1.2 TLSv1.3`"));
                }
            }
            let has = |version: &str| directive.texts().any(|text| text == version);
            if OLD.into_iter().any(has) {
                self.verdicts
                    .replaced(directive, "TLS 1.2 and 1.3: what is older is not offered");
            } else if !has("TLSv1.2") {
                minimum = Some(TlsVersion::Tls13);
            } else if !has("TLSv1.3") {
                self.verdicts.replaced(directive, "both TLS 1.2 and 1.3");
            }
        }
        Ok(minimum)
    }

    fn names(&mut self, block: &[Directive]) -> Result<Vec<ServerName>, Box<Diagnostic>> {
        let mut names = Vec::new();
        for directive in block
            .iter()
            .filter(|directive| directive.name() == "server_name")
        {
            for (index, word) in directive.words.iter().enumerate() {
                let text = word.text.as_str();
                let wrong = |error: NotationError| directive.mistake_in(index, error.to_string());
                if text.is_empty() {
                    self.verdicts
                        .replaced(directive, "the default server for whoever names no host");
                } else if text == "$hostname" {
                    self.verdicts.refused(
                        directive,
                        "the name of this machine is not looked up: write it out",
                    );
                } else if let Some(domain) = text.strip_prefix('.') {
                    names.push(ServerName::parse(domain).map_err(wrong)?);
                    names.push(ServerName::parse(&format!("*.{domain}")).map_err(wrong)?);
                } else {
                    names.push(ServerName::parse(text).map_err(wrong)?);
                }
            }
        }
        Ok(names)
    }

    /// The certificates of a server, or else those of all.
    fn certificates(
        &mut self,
        scope: &Scope,
        http: &[Directive],
        block: &[Directive],
    ) -> Result<Vec<CertificateFiles>, Box<Diagnostic>> {
        let files =
            |block: &[Directive], name: &str| block.iter().any(|inner| inner.name() == name);
        let level = |name: &str| if files(block, name) { block } else { http };
        let mut chains = Vec::new();
        for directive in level("ssl_certificate")
            .iter()
            .filter(|inner| inner.name() == "ssl_certificate")
        {
            chains.push((directive, self.certificate_file(scope, directive)?));
        }
        let mut keys = Vec::new();
        for directive in level("ssl_certificate_key")
            .iter()
            .filter(|inner| inner.name() == "ssl_certificate_key")
        {
            keys.push(self.certificate_file(scope, directive)?);
        }
        if let Some((directive, _)) = chains.get(keys.len()) {
            return Err(directive
                .mistake("there is no `ssl_certificate_key` that belongs to this certificate"));
        }
        let pairs = chains.into_iter().zip(keys);
        let pairs = pairs.filter_map(|((_, cert), key)| cert.zip(key));
        Ok(pairs
            .map(|(cert, key)| CertificateFiles {
                cert,
                key,
                renew: false,
            })
            .collect())
    }

    fn certificate_file(
        &mut self,
        scope: &Scope,
        directive: &Directive,
    ) -> Result<Option<std::path::PathBuf>, Box<Diagnostic>> {
        let Some(file) = self.plain(directive, 0, &scope.set)? else {
            return Ok(None);
        };
        if ["data:", "engine:", "store:"]
            .iter()
            .any(|begin| file.starts_with(begin))
        {
            self.verdicts
                .refused(directive, "certificates and keys are read from files");
            return Ok(None);
        }
        Ok(Some(self.base.join(file)))
    }
}

fn last<'d>(block: &'d [Directive], name: &str) -> Option<&'d Directive> {
    block
        .iter()
        .rev()
        .find(|directive| directive.name() == name)
}
