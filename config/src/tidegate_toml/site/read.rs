//! The sections as they are read.

use std::path::Path;
use std::sync::Arc;

use ipnet::IpNet;

use super::Wrong;
use super::sections::{
    AccessSection, HeaderSection, MapSection, PlaceSection, ProxySection, RedirectSection,
    RewriteSection, RulesSection, SiteSection, ThenName,
};
use crate::header::HeaderFieldName;
use crate::listen_address::{ListenAddress, OVER_SOCKET};
use crate::settings::{Auth, Listener, Protocol};
use crate::site::{
    Access, Action, AddedHeader, AddressRule, Attachment, Condition, LocationRule, MethodRule,
    Names, NewTarget, PathMatch, PerlExpression, Place, Proxy, Return, Rewrite, Rules, ServerName,
    Site, Template, Then, Translation, UpstreamServer, UpstreamTls,
};
use crate::upstream::UpstreamError;

/// The translations of the maps. One may use those before it.
pub(in super::super) fn translations(
    sections: Vec<MapSection>,
    captures: &[String],
) -> Result<Vec<Arc<Translation>>, Wrong> {
    let mut known: Vec<Arc<Translation>> = Vec::with_capacity(sections.len());
    for section in sections {
        if known.iter().any(|other| other.name == section.variable) {
            return Err(format!("there are two maps of `{}`", section.variable));
        }
        let names = Names {
            translations: &known,
            captures,
        };
        let template = |text: &str| Template::parse(text, names).map_err(|e| e.to_string());
        let mut translation = Translation {
            source: template(&section.of)?,
            texts: Vec::new(),
            expressions: Vec::new(),
            default: template(&section.default)?,
            name: section.variable,
        };
        for [from, to] in section.values {
            let to = template(&to)?;
            match from.strip_prefix('~') {
                None => translation.texts.push((from, to)),
                Some(expression) => {
                    translation
                        .expressions
                        .push((self::expression(expression)?, to));
                }
            }
        }
        known.push(Arc::new(translation));
    }
    Ok(known)
}

/// What the sections are read against.
pub(in super::super) struct Reader<'a> {
    /// The directory of the file.
    pub(in super::super) base: &'a Path,
    pub(in super::super) listeners: &'a [Listener],
    pub(in super::super) names: Names<'a>,
}

impl Reader<'_> {
    pub(in super::super) fn site(&self, section: SiteSection) -> Result<Site, Wrong> {
        let listed = if section.listen.is_empty() {
            (0..self.listeners.len()).collect()
        } else {
            let listed = section.listen.iter().map(|address| self.listener(address));
            listed.collect::<Result<Vec<_>, _>>()?
        };
        let defaults = section.default_at.iter().map(|at| self.listener(at));
        let defaults = defaults.collect::<Result<Vec<_>, _>>()?;
        if let Some(elsewhere) = defaults.iter().position(|at| !listed.contains(at)) {
            let address = &section.default_at[elsewhere];
            return Err(format!("`default_at`: the site is not served at {address}"));
        }
        let client_auth = section
            .client_auth
            .map(|auth| auth.into_settings(self.base));
        let client_auth = client_auth.transpose().map_err(|(message, _)| message)?;
        let speaks_tls = |at: &usize| self.listeners[*at].protocol == Protocol::Https;
        if !listed.iter().any(speaks_tls) {
            for (key, is_there) in [
                ("client_auth", client_auth.is_some()),
                ("http2", section.http2.is_some()),
            ] {
                if is_there {
                    return Err(format!("`{key}` at a site that is not served over TLS"));
                }
            }
        }
        Ok(Site {
            client_auth,
            http2: section.http2,
            attachments: listed
                .into_iter()
                .map(|listener| Attachment {
                    listener,
                    is_default: defaults.contains(&listener),
                })
                .collect(),
            names: section
                .names
                .iter()
                .map(|name| ServerName::parse(name).map_err(|e| e.to_string()))
                .collect::<Result<_, _>>()?,
            rewrites: self.rewrites(section.rewrite)?,
            places: section
                .place
                .into_iter()
                .map(|place| self.place(place))
                .collect::<Result<_, _>>()?,
            elsewhere: self.rules(section.elsewhere)?,
        })
    }

    fn listener(&self, address: &ListenAddress) -> Result<usize, Wrong> {
        let found = self.listeners.iter().position(|at| at.address == *address);
        found.ok_or_else(|| format!("there is no [[listener]] with the address {address}"))
    }

    fn place(&self, section: PlaceSection) -> Result<Place, Wrong> {
        let path = PathMatch::parse(&section.path).map_err(|e| e.to_string())?;
        let action = match (section.registry, section.proxy) {
            (true, None) => Action::Registry,
            (false, Some(proxy)) => Action::Proxy(Box::new(self.proxy(proxy)?)),
            (false, None) => Action::NotFound,
            (true, Some(_)) => {
                return Err(format!("`{path}`: both `registry` and `proxy` answer"));
            }
        };
        let rules = self.rules(section.rules)?;
        Ok(Place {
            path,
            rules,
            action,
        })
    }

    fn rules(&self, section: RulesSection) -> Result<Rules, Wrong> {
        let mut access = self.access(section.access)?;
        access.methods = section
            .methods
            .map(|methods| {
                Ok::<_, Wrong>(MethodRule {
                    access: Box::new(self.access(methods.access)?),
                    except: methods.except,
                })
            })
            .transpose()?;
        Ok(Rules {
            rewrites: self.rewrites(section.rewrite)?,
            max_body: section.max_body,
            access,
            headers: section
                .header
                .into_iter()
                .map(|header| {
                    let (name, value) = self.header(&header)?;
                    Ok::<_, Wrong>(AddedHeader {
                        name,
                        value,
                        always: header.always,
                    })
                })
                .collect::<Result<_, _>>()?,
        })
    }

    fn access(&self, section: AccessSection) -> Result<Access, Wrong> {
        Ok(Access {
            addresses: section
                .addresses
                .iter()
                .map(|text| address_rule(text))
                .collect::<Result<_, _>>()?,
            auth: section.auth.map(|auth| Auth {
                htpasswd: self.base.join(auth.htpasswd),
                realm: auth.realm,
                cache_ttl: auth.cache_ttl,
                max_failures: auth.max_failures,
                failure_window: auth.failure_window,
                allow_weak_hashes: auth.allow_weak_hashes,
            }),
            either: section.either,
            methods: None,
        })
    }

    fn rewrites(&self, sections: Vec<RewriteSection>) -> Result<Vec<Rewrite>, Wrong> {
        sections
            .into_iter()
            .map(|section| {
                let conditions = section.when.iter();
                let when = conditions
                    .map(|text| Condition::parse(text, self.names))
                    .collect::<Result<_, _>>()
                    .map_err(|e| e.to_string())?;
                let answer = self.answer(&section)?;
                Ok(Rewrite { when, answer })
            })
            .collect()
    }

    fn answer(&self, section: &RewriteSection) -> Result<Return, Wrong> {
        let path = section.path.as_ref();
        let goes_on = path.is_some() || section.stop;
        let belongs_to_path =
            section.query.is_some() || section.drop_query || section.then.is_some();
        if belongs_to_path && path.is_none() {
            return Err("`query`, `drop_query` and `then` belong to `path`".to_owned());
        }
        if goes_on && (section.status.is_some() || section.to.is_some() || section.text.is_some()) {
            return Err(
                "a rewrite answers with `status`, or goes on with `path` or `stop`".to_owned(),
            );
        }
        if let Some(path) = path {
            if section.stop {
                return Err(
                    "both `path` and `stop`: `then = \"stay\"` is the two together".to_owned(),
                );
            }
            return Ok(Return::Path(NewTarget {
                path: self.template(path)?,
                query: section
                    .query
                    .as_ref()
                    .map(|query| self.template(query))
                    .transpose()?,
                keeps_query: !section.drop_query,
                then: match section.then {
                    None => Then::GoOn,
                    Some(ThenName::Search) => Then::Search,
                    Some(ThenName::Stay) => Then::Stay,
                },
            }));
        }
        if section.stop {
            return Ok(Return::Stop);
        }
        let Some(status) = section.status else {
            return Err("a rewrite without `status`, `path` or `stop` does nothing".to_owned());
        };
        match (&section.to, &section.text) {
            (Some(to), None) if matches!(status, 301 | 302 | 303 | 307 | 308) => {
                Ok(Return::Redirect {
                    status,
                    to: self.template(to)?,
                })
            }
            (None, text) if (100..=999).contains(&status) => Ok(Return::Status {
                status,
                text: text.as_ref().map(|text| self.template(text)).transpose()?,
            }),
            (Some(_), _) => Err(format!(
                "{status} does not lead anywhere: `to` is for 301, 302, 303, 307 and 308, without `text`"
            )),
            (None, _) => Err(format!("{status} is no status")),
        }
    }

    fn proxy(&self, section: ProxySection) -> Result<Proxy, Wrong> {
        if section.server.is_empty() {
            return Err("a proxy without a server".to_owned());
        }
        Ok(Proxy {
            servers: section
                .server
                .into_iter()
                .map(|server| {
                    Ok::<_, Wrong>(UpstreamServer {
                        to: server
                            .to
                            .parse()
                            .map_err(|e: UpstreamError| e.to_string())?,
                        weight: server.weight,
                        is_backup: server.backup,
                        is_down: server.down,
                        max_fails: server.max_fails,
                        fail_timeout: server.fail_timeout,
                    })
                })
                .collect::<Result<_, _>>()?,
            tls: section.tls.map(|tls| UpstreamTls {
                name: tls.name,
                verify: tls.verify,
                trusted: tls.trusted.map(|trusted| self.base.join(trusted)),
            }),
            host: section.host,
            path: section.path,
            target: section
                .target
                .map(|target| self.template(&target))
                .transpose()?,
            headers: section
                .header
                .iter()
                .map(|header| self.header(header))
                .collect::<Result<_, _>>()?,
            redirects: match section.redirect {
                None => vec![LocationRule::Place],
                Some(rules) => rules
                    .iter()
                    .map(|rule| self.location_rule(rule))
                    .collect::<Result<_, _>>()?,
            },
            connect_timeout: section.connect_timeout,
            read_timeout: section.read_timeout,
            send_timeout: section.send_timeout,
        })
    }

    fn location_rule(&self, section: &RedirectSection) -> Result<LocationRule, Wrong> {
        match section {
            RedirectSection::Word(word) if word == "default" => Ok(LocationRule::Place),
            RedirectSection::Word(word) => Err(format!(
                "`redirect`: write \"default\" or [\"what it begins with\", \"what takes its place\"], not \"{word}\""
            )),
            RedirectSection::Prefix([from, to]) => {
                let to = self.template(to)?;
                match from.strip_prefix('~') {
                    Some(expression) => Ok(LocationRule::Expression {
                        from: self::expression(expression)?,
                        to,
                    }),
                    None => Ok(LocationRule::Prefix {
                        from: self.template(from)?,
                        to,
                    }),
                }
            }
        }
    }

    fn header(&self, section: &HeaderSection) -> Result<(HeaderFieldName, Template), Wrong> {
        let name = HeaderFieldName::new(&section.name).map_err(|e| e.to_string())?;
        Ok((name, self.template(&section.value)?))
    }

    fn template(&self, text: &str) -> Result<Template, Wrong> {
        Template::parse(text, self.names).map_err(|e| e.to_string())
    }
}

/// What stands behind a `~`, with or without a star for any case.
fn expression(text: &str) -> Result<PerlExpression, Wrong> {
    let (text, any_case) = match text.strip_prefix('*') {
        Some(text) => (text, true),
        None => (text, false),
    };
    PerlExpression::new(text, any_case).map_err(|e| e.to_string())
}

fn address_rule(text: &str) -> Result<AddressRule, Wrong> {
    let wrong = || format!("`{text}`: write it as \"allow 10.0.0.0/8\" or \"deny all\"");
    let (verb, network) = text.split_once(' ').ok_or_else(wrong)?;
    let allows = match verb {
        "allow" => true,
        "deny" => false,
        _ => return Err(wrong()),
    };
    let network = match network.trim() {
        "all" => None,
        "unix:" => Some(OVER_SOCKET.into()),
        text => {
            let network = text.parse::<IpNet>();
            let address = || text.parse().map(|address: std::net::IpAddr| address.into());
            Some(network.or_else(|_| address()).map_err(|_| wrong())?)
        }
    };
    Ok(AddressRule { network, allows })
}
