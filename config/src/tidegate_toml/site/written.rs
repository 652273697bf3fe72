//! The sections as they are written.

use super::super::client_auth::ClientAuthSection;
use super::sections::{
    AccessSection, HeaderSection, MapSection, MethodsSection, PlaceSection, ProxySection,
    RedirectSection, RewriteSection, RulesSection, ServerSection, SiteAuthSection, SiteSection,
    ThenName, TlsSection,
};
use crate::listen_address::OVER_SOCKET;
use crate::settings::Listener;
use crate::site::{
    Access, Action, AddressRule, Attachment, LocationRule, PerlExpression, Place, Proxy, Return,
    Rewrite, Rules, Site, Then, Translation,
};

pub(in super::super) fn map(translation: &Translation) -> MapSection {
    let texts = translation.texts.iter();
    let texts = texts.map(|(from, to)| [from.clone(), to.to_string()]);
    let expressions = translation.expressions.iter();
    let expressions = expressions.map(|(from, to)| [expression(from), to.to_string()]);
    MapSection {
        variable: translation.name.clone(),
        of: translation.source.to_string(),
        default: translation.default.to_string(),
        values: texts.chain(expressions).collect(),
    }
}

pub(in super::super) fn site(site: &Site, listeners: &[Listener]) -> SiteSection {
    let address = |at: &Attachment| listeners[at.listener].address.clone();
    let defaults = site.attachments.iter().filter(|at| at.is_default);
    SiteSection {
        listen: site.attachments.iter().map(address).collect(),
        default_at: defaults.map(address).collect(),
        names: site.names.iter().map(ToString::to_string).collect(),
        client_auth: site.client_auth.as_ref().map(ClientAuthSection::of),
        http2: site.http2,
        rewrite: rewrites(&site.rewrites),
        elsewhere: rules(&site.elsewhere),
        place: site.places.iter().map(place).collect(),
    }
}

/// As it stands where a text might stand too.
fn expression(expression: &PerlExpression) -> String {
    let any_case = if expression.ignores_case() { "*" } else { "" };
    format!("~{any_case}{}", expression.as_str())
}

fn place(place: &Place) -> PlaceSection {
    PlaceSection {
        path: place.path.to_string(),
        registry: place.action == Action::Registry,
        rules: rules(&place.rules),
        proxy: match &place.action {
            Action::Proxy(way) => Some(proxy(way)),
            Action::Registry | Action::NotFound => None,
        },
    }
}

fn rules(rules: &Rules) -> RulesSection {
    RulesSection {
        max_body: rules.max_body,
        access: access(&rules.access),
        methods: rules.access.methods.as_ref().map(|methods| MethodsSection {
            except: methods.except.clone(),
            access: access(&methods.access),
        }),
        rewrite: rewrites(&rules.rewrites),
        header: rules
            .headers
            .iter()
            .map(|header| HeaderSection {
                name: header.name.as_str().to_owned(),
                value: header.value.to_string(),
                always: header.always,
            })
            .collect(),
    }
}

fn access(access: &Access) -> AccessSection {
    let rule = |rule: &AddressRule| {
        let verb = if rule.allows { "allow" } else { "deny" };
        match rule.network {
            Some(network) if network.addr() == OVER_SOCKET && network.prefix_len() == 128 => {
                format!("{verb} unix:")
            }
            Some(network) => format!("{verb} {network}"),
            None => format!("{verb} all"),
        }
    };
    AccessSection {
        addresses: access.addresses.iter().map(rule).collect(),
        either: access.either,
        auth: access.auth.as_ref().map(|auth| SiteAuthSection {
            htpasswd: auth.htpasswd.clone(),
            realm: auth.realm.clone(),
            cache_ttl: auth.cache_ttl,
            max_failures: auth.max_failures,
            failure_window: auth.failure_window,
            allow_weak_hashes: auth.allow_weak_hashes,
        }),
    }
}

fn rewrites(rewrites: &[Rewrite]) -> Vec<RewriteSection> {
    rewrites
        .iter()
        .map(|rewrite| {
            let mut section = RewriteSection {
                when: rewrite.when.iter().map(ToString::to_string).collect(),
                ..RewriteSection::default()
            };
            match &rewrite.answer {
                Return::Status { status, text } => {
                    section.status = Some(*status);
                    section.text = text.as_ref().map(ToString::to_string);
                }
                Return::Redirect { status, to } => {
                    section.status = Some(*status);
                    section.to = Some(to.to_string());
                }
                Return::Path(target) => {
                    section.path = Some(target.path.to_string());
                    section.query = target.query.as_ref().map(ToString::to_string);
                    section.drop_query = !target.keeps_query;
                    section.then = match target.then {
                        Then::GoOn => None,
                        Then::Search => Some(ThenName::Search),
                        Then::Stay => Some(ThenName::Stay),
                    };
                }
                Return::Stop => section.stop = true,
            }
            section
        })
        .collect()
}

fn redirect(rule: &LocationRule) -> RedirectSection {
    match rule {
        LocationRule::Place => RedirectSection::Word("default".to_owned()),
        LocationRule::Expression { from, to } => {
            RedirectSection::Prefix([expression(from), to.to_string()])
        }
        LocationRule::Prefix { from, to } => {
            RedirectSection::Prefix([from.to_string(), to.to_string()])
        }
    }
}

fn proxy(way: &Proxy) -> ProxySection {
    ProxySection {
        host: way.host.clone(),
        path: way.path.clone(),
        target: way.target.as_ref().map(ToString::to_string),
        connect_timeout: way.connect_timeout,
        read_timeout: way.read_timeout,
        send_timeout: way.send_timeout,
        tls: way.tls.as_ref().map(|tls| TlsSection {
            name: tls.name.clone(),
            verify: tls.verify,
            trusted: tls.trusted.clone(),
        }),
        server: way
            .servers
            .iter()
            .map(|server| ServerSection {
                to: server.to.to_string(),
                weight: server.weight,
                backup: server.is_backup,
                down: server.is_down,
                max_fails: server.max_fails,
                fail_timeout: server.fail_timeout,
            })
            .collect(),
        header: way
            .headers
            .iter()
            .map(|(name, value)| HeaderSection {
                name: name.as_str().to_owned(),
                value: value.to_string(),
                always: false,
            })
            .collect(),
        redirect: (way.redirects != [LocationRule::Place])
            .then(|| way.redirects.iter().map(redirect).collect()),
    }
}
