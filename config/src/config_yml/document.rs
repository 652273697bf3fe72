//! The whole of a `config.yml`: from its sections to the settings.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Document;
use super::report::{Problem, Report};
use super::schema::SCHEMA;
use super::section::Section;
use super::{access, http, storage, watching};
use crate::finding::{Finding, Verdict};
use crate::listen_address::OVER_SOCKET;
use crate::settings::{Backend, Edge, Listener, Protocol, Registry, Schema1, Settings};

impl Document<'_> {
    /// What the file and the variables over it say, and what becomes of each key.
    ///
    /// # Errors
    /// What of them says nothing that can be meant.
    pub(crate) fn settings(&self) -> Result<(Settings, Vec<Finding>), Problem> {
        let report = Report::new(self.path, self.text, &SCHEMA);
        let settings = Section::read_root(&self.root, &report, settings)?;
        for overruled in &self.overruled {
            let verdict = Verdict::Replaced(overruled.variable.clone());
            report.record_tree(&overruled.path, &overruled.key, &overruled.value, &verdict);
        }
        for (name, verdict) in &self.strangers {
            report.record_variable(name, verdict.clone());
        }
        Ok((settings, report.into_findings()))
    }

    /// The section of the settings that is the registry's. What is wrong
    /// elsewhere does not matter.
    ///
    /// # Errors
    /// As for [`Self::settings`], and what of the registry cannot be honoured.
    pub(crate) fn registry(&self) -> Result<Registry, Problem> {
        let report = Report::new(self.path, self.text, &SCHEMA);
        let registry = Section::read_root(&self.root, &report, |root| {
            version(root)?;
            storage::read(root)
        })?;
        match report.first_refusal() {
            Some(problem) => Err(problem),
            None => Ok(registry),
        }
    }
}

fn version(root: &Section<'_>) -> Result<(), Problem> {
    let version = root.honoured("version");
    if version.text()?.as_deref() == Some("0.1") {
        return Ok(());
    }
    Err(version.problem(
        "expected 0.1, the version of the format",
        "a configuration of distribution begins with `version: 0.1`",
    ))
}

fn settings(root: &Section<'_>) -> Result<Settings, Problem> {
    version(root)?;
    let registry = storage::read(root)?;
    let http = root.section("http", http::read)?;
    let auth = access::read(root)?;
    let log = watching::log(root)?;
    let (health, checks) = root.section("health", watching::health)?;
    let registry = Registry {
        schema1: root.section("compatibility", |compatibility| {
            compatibility.section("schema1", schema1)
        })?,
        health,
        checks,
        webhooks: root.section("notifications", watching::notifications)?,
        catalog_most: most(root, "catalog", "maxentries")?,
        tags_most: most(root, "tags", "maxtags")?,
        headers: http.headers,
        links: http.links,
        prefix: http.prefix,
        ..registry
    };
    root.section("validation", validation)?;
    elsewhere(root)?;
    Ok(Settings {
        log,
        server: http.server,
        listeners: vec![Listener {
            address: http.address,
            socket_mode: None,
            offer: http.offer,
            client_auth: http.client_auth,
            protocol: match http.certificate {
                Some(_) => Protocol::Https,
                None => Protocol::Http,
            },
        }],
        certificates: http.certificate.into_iter().collect(),
        sites: auth
            .passwords
            .clone()
            .map(access::site)
            .into_iter()
            .collect(),
        edge: Edge {
            refused_user_agents: None,
            trusted_proxies: near(),
            publish_ca: false,
        },
        auth: auth.passwords,
        robots: None,
        access: None,
        token: auth.token,
        auth_config: None,
        token_server: None,
        backend: Backend::Registry(registry),
        debug: http.debug,
    })
}

/// Where a proxy in front is believed, as distribution believes anybody: on this
/// machine and in private networks (RFC 1918, RFC 4193) and between neighbours.
fn near() -> Vec<IpNet> {
    let network = |address: [u8; 4], length| IpNet::new(IpAddr::from(address), length);
    let network_6 =
        |first: u16, length| IpNet::new(IpAddr::from([first, 0, 0, 0, 0, 0, 0, 0]), length);
    let networks = [
        // Whoever may open the socket is on this machine as well.
        Ok(OVER_SOCKET.into()),
        network([127, 0, 0, 0], 8),
        network([10, 0, 0, 0], 8),
        network([172, 16, 0, 0], 12),
        network([192, 168, 0, 0], 16),
        network([169, 254, 0, 0], 16),
        IpNet::new(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1_u16]), 128),
        network_6(0xfc00, 7),
        network_6(0xfe80, 10),
    ];
    networks.into_iter().flatten().collect()
}

fn schema1(schema1: &Section<'_>) -> Result<Option<Schema1>, Problem> {
    let is_on = schema1.honoured("enabled").is_true()?;
    let key = schema1.field("signingkeyfile");
    if is_on {
        key.honoured();
    } else {
        key.harmless("schema 1 is off");
    }
    schema1.harmless("trustkey", "signingkeyfile names the key");
    let signing_key = key.text()?.map(Into::into);
    Ok(is_on.then_some(Schema1 { signing_key }))
}

/// The most entries of a list that are sent at once.
fn most(root: &Section<'_>, section: &str, key: &str) -> Result<usize, Problem> {
    root.section(section, |section| {
        let most = section.honoured(key).number()?.filter(|most| *most > 0);
        Ok(most.map_or(Registry::MOST_OF_A_LIST, |most| {
            usize::try_from(most).unwrap_or(usize::MAX)
        }))
    })
}

fn validation(validation: &Section<'_>) -> Result<(), Problem> {
    let enabled = validation.field("enabled");
    let disabled = validation.field("disabled");
    let is_off = disabled.is_true()? || enabled.truth()? == Some(false);
    for field in [enabled, disabled] {
        if is_off {
            field.replaced("manifests are always checked");
        } else {
            field.honoured();
        }
    }
    validation.section("manifests", |manifests| {
        manifests.section("urls", |urls| {
            let allow = urls.field("allow");
            allow.texts()?;
            allow.replaced("layers from elsewhere may name any http or https URL");
            let deny = urls.field("deny");
            if !is_off && !deny.texts()?.is_empty() {
                deny.refused("layers from elsewhere may name any http or https URL");
            } else {
                deny.harmless("nothing is denied");
            }
            Ok(())
        })?;
        manifests.section("indexes", |indexes| {
            let platforms = indexes.field("platforms");
            let checks_less = matches!(platforms.text()?.as_deref(), Some("none" | "list"));
            if checks_less {
                platforms.replaced("all that an index lists has to be there");
            } else {
                platforms.honoured();
            }
            let list = indexes.field("platformlist");
            if checks_less {
                list.replaced("all that an index lists has to be there");
            } else {
                list.harmless("platforms does not ask for it");
            }
            Ok(())
        })
    })
}

/// Sections that have no place here.
fn elsewhere(root: &Section<'_>) -> Result<(), Problem> {
    root.section("middleware", |middleware| {
        for kind in ["registry", "repository", "storage"] {
            middleware.sections(kind, |one| {
                let is_off = one.honoured("disabled").is_true()?;
                for key in ["name", "options"] {
                    if is_off {
                        one.harmless(key, "it is disabled");
                    } else {
                        one.refused(key, "there is no middleware");
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    })?;
    root.section("proxy", |proxy| {
        let is_on = proxy.says("remoteurl");
        for key in [
            "remoteurl",
            "username",
            "password",
            "ttl",
            "cachewritetimeout",
            "exec",
        ] {
            if is_on {
                proxy.refused(key, "images are not pulled through from another registry");
            } else {
                proxy.harmless(key, "without remoteurl it is off");
            }
        }
        Ok(())
    })?;
    root.section("policy", |policy| {
        policy.section("repository", |repository| {
            let classes = repository.field("classes");
            if classes.texts()?.is_empty() {
                classes.harmless("every class is let in");
            } else {
                classes.refused("repositories have no classes");
            }
            Ok(())
        })
    })?;
    root.harmless("redis", "nothing is cached outside of this process");
    root.harmless("reporting", "nothing is reported to services elsewhere");
    Ok(())
}
