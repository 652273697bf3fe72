//! `[[site]]` and `[[map]]`: virtual servers, in the notation of nginx where a
//! value has one. These sections are written as well as read: see
//! [`super::write`].

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::client_auth::ClientAuthSection;
use super::value;
use crate::header::HeaderFieldName;
use crate::settings::{Auth, Listener, Protocol};
use crate::site::{
    Access, Action, AddedHeader, AddressRule, Attachment, Condition, LocationRule, MethodRule,
    PathMatch, PerlExpression, Place, Proxy, Return, Rewrite, Rules, ServerName, Site, Template,
    Translation, UpstreamServer, UpstreamTls,
};
use crate::upstream::UpstreamError;

/// What is wrong with a section: there is no place for a single value of it.
pub(super) type Wrong = String;

/// `[[map]]`: nginx's `map`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MapSection {
    variable: String,
    of: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    default: String,
    /// Texts and, behind `~` or `~*`, expressions, each with what stands for it.
    values: Vec<[String; 2]>,
}

/// `[[site]]`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SiteSection {
    /// The addresses of listeners; all of them if none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    listen: Vec<SocketAddr>,
    /// Those among them at which the site answers for other names as well. The
    /// first site of a listener does, if none says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    default_at: Vec<SocketAddr>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    names: Vec<String>,
    /// As `[listener.client_auth]`, in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_auth: Option<ClientAuthSection>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rewrite: Vec<RewriteSection>,
    #[serde(default, skip_serializing_if = "RulesSection::is_empty")]
    elsewhere: RulesSection,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    place: Vec<PlaceSection>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaceSection {
    path: String,
    #[serde(default, skip_serializing_if = "is_false")]
    registry: bool,
    #[serde(default, skip_serializing_if = "RulesSection::is_empty")]
    rules: RulesSection,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proxy: Option<ProxySection>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesSection {
    /// Bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_body: Option<u64>,
    #[serde(flatten)]
    access: AccessSection,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    methods: Option<MethodsSection>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rewrite: Vec<RewriteSection>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    header: Vec<HeaderSection>,
}

impl RulesSection {
    fn is_empty(&self) -> bool {
        self.max_body.is_none()
            && self.access.is_empty()
            && self.methods.is_none()
            && self.rewrite.is_empty()
            && self.header.is_empty()
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct AccessSection {
    /// `allow 10.0.0.0/8`, `deny all`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    addresses: Vec<String>,
    /// Whether either the address or the password suffices.
    #[serde(default, skip_serializing_if = "is_false")]
    either: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auth: Option<SiteAuthSection>,
}

impl AccessSection {
    fn is_empty(&self) -> bool {
        self.addresses.is_empty() && !self.either && self.auth.is_none()
    }
}

/// As `[auth]`, of a place.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SiteAuthSection {
    htpasswd: PathBuf,
    realm: String,
    #[serde(default = "cache_ttl", with = "humantime_text")]
    cache_ttl: Duration,
    #[serde(default = "max_failures")]
    max_failures: u32,
    #[serde(default = "failure_window", with = "humantime_text")]
    failure_window: Duration,
    #[serde(default, skip_serializing_if = "is_false")]
    allow_weak_hashes: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct MethodsSection {
    except: Vec<String>,
    #[serde(flatten)]
    access: AccessSection,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RewriteSection {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    when: Vec<String>,
    status: u16,
    /// Where a redirect leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderSection {
    name: String,
    value: String,
    #[serde(default, skip_serializing_if = "is_false")]
    always: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProxySection {
    host: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default = "minute", with = "humantime_text")]
    connect_timeout: Duration,
    #[serde(default = "minute", with = "humantime_text")]
    read_timeout: Duration,
    #[serde(default = "minute", with = "humantime_text")]
    send_timeout: Duration,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tls: Option<TlsSection>,
    server: Vec<ServerSection>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    header: Vec<HeaderSection>,
    /// What becomes of a `Location` that begins so; `"default"` if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    redirect: Option<Vec<RedirectSection>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum RedirectSection {
    /// `"default"`
    Word(String),
    /// `["http://registry:5000/", "/"]`
    Prefix([String; 2]),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsSection {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    verify: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trusted: Option<PathBuf>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerSection {
    to: String,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    weight: u32,
    #[serde(default, skip_serializing_if = "is_false")]
    backup: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    down: bool,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    max_fails: u32,
    #[serde(default = "ten_seconds", with = "humantime_text")]
    fail_timeout: Duration,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_one(value: &u32) -> bool {
    *value == 1
}

fn one() -> u32 {
    1
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

fn minute() -> Duration {
    Duration::from_secs(60)
}

fn cache_ttl() -> Duration {
    Duration::from_secs(5 * 60)
}

fn max_failures() -> u32 {
    10
}

fn failure_window() -> Duration {
    Duration::from_secs(60)
}

/// Times as `[server]` has them.
mod humantime_text {
    use std::time::Duration;

    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&humantime::format_duration(*time))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        super::value::duration(d)
    }
}

/// The translations of the maps. One may use those before it.
pub(super) fn translations(sections: Vec<MapSection>) -> Result<Vec<Arc<Translation>>, Wrong> {
    let mut known: Vec<Arc<Translation>> = Vec::with_capacity(sections.len());
    for section in sections {
        if known.iter().any(|other| other.name == section.variable) {
            return Err(format!("there are two maps of `{}`", section.variable));
        }
        let template = |text: &str| Template::parse(text, &known).map_err(|e| e.to_string());
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
                    let (expression, any_case) = match expression.strip_prefix('*') {
                        Some(expression) => (expression, true),
                        None => (expression, false),
                    };
                    let expression =
                        PerlExpression::new(expression, any_case).map_err(|e| e.to_string())?;
                    translation.expressions.push((expression, to));
                }
            }
        }
        known.push(Arc::new(translation));
    }
    Ok(known)
}

/// What the sections are read against.
pub(super) struct Reader<'a> {
    /// The directory of the file.
    pub(super) base: &'a Path,
    pub(super) listeners: &'a [Listener],
    pub(super) translations: &'a [Arc<Translation>],
}

impl Reader<'_> {
    pub(super) fn site(&self, section: SiteSection) -> Result<Site, Wrong> {
        let listed = if section.listen.is_empty() {
            (0..self.listeners.len()).collect()
        } else {
            let listed = section.listen.iter().map(|address| self.listener(*address));
            listed.collect::<Result<Vec<_>, _>>()?
        };
        let defaults = section.default_at.iter().map(|at| self.listener(*at));
        let defaults = defaults.collect::<Result<Vec<_>, _>>()?;
        if let Some(elsewhere) = defaults.iter().position(|at| !listed.contains(at)) {
            let address = section.default_at[elsewhere];
            return Err(format!("`default_at`: the site is not served at {address}"));
        }
        let client_auth = section
            .client_auth
            .map(|auth| auth.into_settings(self.base));
        let client_auth = client_auth.transpose().map_err(|(message, _)| message)?;
        let speaks_tls = |at: &usize| self.listeners[*at].protocol == Protocol::Https;
        if client_auth.is_some() && !listed.iter().any(speaks_tls) {
            return Err("`client_auth` at a site that is not served over TLS".to_owned());
        }
        Ok(Site {
            client_auth,
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

    fn listener(&self, address: SocketAddr) -> Result<usize, Wrong> {
        let found = self.listeners.iter().position(|at| at.address == address);
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
                    .map(|text| Condition::parse(text, self.translations))
                    .collect::<Result<_, _>>()
                    .map_err(|e| e.to_string())?;
                let status = section.status;
                let answer = match (section.to, section.text) {
                    (Some(to), None) if matches!(status, 301 | 302 | 303 | 307 | 308) => {
                        Return::Redirect {
                            status,
                            to: self.template(&to)?,
                        }
                    }
                    (None, text) if (100..=999).contains(&status) => Return::Status {
                        status,
                        text: text.map(|text| self.template(&text)).transpose()?,
                    },
                    (Some(_), _) => {
                        return Err(format!("{status} does not lead anywhere: `to` is for 301, 302, 303, 307 and 308, without `text`"));
                    }
                    (None, _) => return Err(format!("{status} is no status")),
                };
                Ok(Rewrite { when, answer })
            })
            .collect()
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
            RedirectSection::Prefix([from, to]) => Ok(LocationRule::Prefix {
                from: self.template(from)?,
                to: self.template(to)?,
            }),
        }
    }

    fn header(&self, section: &HeaderSection) -> Result<(HeaderFieldName, Template), Wrong> {
        let name = HeaderFieldName::new(&section.name).map_err(|e| e.to_string())?;
        Ok((name, self.template(&section.value)?))
    }

    fn template(&self, text: &str) -> Result<Template, Wrong> {
        Template::parse(text, self.translations).map_err(|e| e.to_string())
    }
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
        text => {
            let network = text.parse::<IpNet>();
            let address = || text.parse().map(|address: std::net::IpAddr| address.into());
            Some(network.or_else(|_| address()).map_err(|_| wrong())?)
        }
    };
    Ok(AddressRule { network, allows })
}

/// The sections as they are written.
pub(super) mod written {
    use super::*;

    pub(in super::super) fn map(translation: &Translation) -> MapSection {
        let texts = translation.texts.iter();
        let texts = texts.map(|(from, to)| [from.clone(), to.to_string()]);
        let expressions = translation.expressions.iter().map(|(from, to)| {
            let any_case = if from.ignores_case() { "*" } else { "" };
            [format!("~{any_case}{}", from.as_str()), to.to_string()]
        });
        MapSection {
            variable: translation.name.clone(),
            of: translation.source.to_string(),
            default: translation.default.to_string(),
            values: texts.chain(expressions).collect(),
        }
    }

    pub(in super::super) fn site(site: &Site, listeners: &[Listener]) -> SiteSection {
        let address = |at: &Attachment| listeners[at.listener].address;
        let defaults = site.attachments.iter().filter(|at| at.is_default);
        SiteSection {
            listen: site.attachments.iter().map(address).collect(),
            default_at: defaults.map(address).collect(),
            names: site.names.iter().map(ToString::to_string).collect(),
            client_auth: site.client_auth.as_ref().map(ClientAuthSection::of),
            rewrite: rewrites(&site.rewrites),
            elsewhere: rules(&site.elsewhere),
            place: site.places.iter().map(place).collect(),
        }
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
                let (status, to, text) = match &rewrite.answer {
                    Return::Status { status, text } => (*status, None, text.as_ref()),
                    Return::Redirect { status, to } => (*status, Some(to), None),
                };
                RewriteSection {
                    when: rewrite.when.iter().map(ToString::to_string).collect(),
                    status,
                    to: to.map(ToString::to_string),
                    text: text.map(ToString::to_string),
                }
            })
            .collect()
    }

    fn redirect(rule: &LocationRule) -> RedirectSection {
        match rule {
            LocationRule::Place => RedirectSection::Word("default".to_owned()),
            LocationRule::Prefix { from, to } => {
                RedirectSection::Prefix([from.to_string(), to.to_string()])
            }
        }
    }

    fn proxy(way: &Proxy) -> ProxySection {
        ProxySection {
            host: way.host.clone(),
            path: way.path.clone(),
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
}
